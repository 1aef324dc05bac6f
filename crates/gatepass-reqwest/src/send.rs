use std::time::{Duration, Instant};

use async_trait::async_trait;
use gatepass::{
    Token, TokenCell,
    bearer::{Refused, Story},
    gate::{Lane, Pass},
    retry::{Attempts, Deadline, Decision, Facts, Outcome},
};
use http::{Extensions, header};
use reqwest::{Request, Response};
use reqwest_middleware::{Error, Middleware, Next, Result};

use crate::bearer::BearerMiddleware;

#[async_trait]
impl Middleware for BearerMiddleware {
    async fn handle(&self, mut request: Request, extensions: &mut Extensions, next: Next<'_>) -> Result<Response> {
        let Some(origin) = self.origin_of(request.url()) else {
            return next.run(request, extensions).await;
        };
        let mut call = Call::new(self, origin);
        let Some(rules) = self.retry_rules() else {
            return call.send(request, extensions, next).await;
        };
        let facts = Facts::of(request.method(), request.headers(), extensions);
        let mut attempts = Attempts::start();
        loop {
            // What is sent is gone: the copy comes first (A6).
            let Some(again) = request.try_clone() else {
                return call.send(request, extensions, next).await;
            };
            let mut result = call.send(request, extensions, next.clone()).await;
            let decision = match &result {
                Ok(response) => {
                    let refused = response.extensions().get::<Refused>();
                    let outcome = Outcome::of(response.status(), response.headers(), refused).at_gate(call.is_held);
                    attempts.next(rules, facts, outcome)
                }
                Err(error) if is_transport_error(error) => attempts.next(rules, facts, Outcome::TransportError),
                Err(_) => return result,
            };
            match decision {
                Decision::Replay => call.is_replayed = true,
                Decision::Retry { wait, .. } => {
                    // Lets go of the connection.
                    drop(result);
                    call.sleep(wait).await;
                }
                Decision::Return(asked) => {
                    if let (Some(asked), Ok(response)) = (asked, &mut result) {
                        response.extensions_mut().insert(asked);
                    }
                    return result;
                }
                _ => return result,
            }
            request = again;
        }
    }
}

/// A request with all its attempts.
struct Call<'a> {
    bearer: &'a BearerMiddleware,
    /// Which of the middleware's.
    origin: usize,
    /// Sent for the second time because its token was refused.
    is_replayed: bool,
    /// Turned away, and the gate took the wait upon itself.
    is_held: bool,
    story: Option<Story>,
}

impl<'a> Call<'a> {
    fn new(bearer: &'a BearerMiddleware, origin: usize) -> Self {
        let story = bearer.tells().then(Story::default);
        Self { bearer, origin, is_replayed: false, is_held: false, story }
    }

    /// Sends once, with the token that is current. Drops it if it is refused.
    async fn send(&mut self, mut request: Request, extensions: &mut Extensions, next: Next<'_>) -> Result<Response> {
        if request.headers().contains_key(header::AUTHORIZATION) {
            return next.run(request, extensions).await;
        }
        let cell = self.bearer.cell(&request, extensions).map_err(Error::middleware)?;
        let mut token = self.token(&cell).await.map_err(Error::middleware)?;
        let mut pass = None;
        // After the token: a pass from before a long wait would say nothing about now.
        if let Some(lane) = self.bearer.lane(&cell, request.url()) {
            pass = lane.try_enter();
            if pass.is_none() {
                pass = Some(self.enter(&lane, extensions).await.map_err(Error::middleware)?);
                token = self.token(&cell).await.map_err(Error::middleware)?;
            }
        }
        if let Some(story) = &mut self.story {
            story.sent(&cell, &token);
        }
        request.headers_mut().insert(header::AUTHORIZATION, token.header_value().clone());
        let mut response = next.run(request, extensions).await?;
        // Where a redirect led elsewhere, the token was not sent and cannot have been refused (A3), nor is it this
        // origin that turned the request away.
        if self.bearer.origin_of(response.url()) == Some(self.origin) {
            if let Some(refused) = Refused::read(response.status(), response.headers(), &token) {
                // The second refusal is handed back, and costs nothing more (A4).
                if refused.token_is_bad() && !self.is_replayed {
                    cell.reject(&token);
                }
                response.extensions_mut().insert(refused);
            }
            self.is_held = pass.is_some_and(|pass| pass.answered(response.status(), response.headers()));
        } else {
            self.is_held = false;
        }
        if let Some(story) = &self.story {
            response.extensions_mut().insert(story.clone());
        }
        Ok(response)
    }

    async fn enter(&mut self, lane: &Lane, extensions: &Extensions) -> std::result::Result<Pass, gatepass::Error> {
        let since = Instant::now();
        let pass = lane.enter(extensions.get::<Deadline>().map(Deadline::instant)).await;
        if let Some(story) = &mut self.story {
            story.waited_at_gate += since.elapsed();
        }
        pass
    }

    async fn token(&mut self, cell: &TokenCell) -> std::result::Result<Token, gatepass::Error> {
        let Some(story) = &mut self.story else {
            return cell.get().await;
        };
        let since = Instant::now();
        let token = cell.get().await?;
        story.waited_for_token += since.elapsed();
        Ok(token)
    }

    async fn sleep(&mut self, wait: Duration) {
        tracing::debug!(?wait, "sending again");
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        if let Some(story) = &mut self.story {
            story.waited_to_retry += wait;
        }
    }
}

/// Whether there was no response, for a reason that may pass. What another middleware failed for is its own affair.
fn is_transport_error(error: &Error) -> bool {
    match error {
        Error::Reqwest(error) => !error.is_builder() && !error.is_redirect(),
        Error::Middleware(_) => false,
    }
}
