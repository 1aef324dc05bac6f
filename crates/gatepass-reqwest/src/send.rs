use std::{
    borrow::Cow,
    ops::ControlFlow,
    pin::Pin,
    time::{Duration, Instant},
};

use gatepass::{
    Token, TokenCell,
    bearer::{Refused, Story},
    gate::{Held, Lane, Pass},
    retry::{Attempts, Deadline, Decision, Facts, Outcome, Rules},
};
use http::{Extensions, header};
use reqwest::{Request, Response};
use reqwest_middleware::{Error, Middleware, Next};

use crate::bearer::BearerMiddleware;

/// Written out, for the size of the futures: one of an `async fn` has room for each argument twice.
impl Middleware for BearerMiddleware {
    fn handle<'a, 'b, 'c, 'd>(
        &'a self,
        mut request: Request,
        extensions: &'b mut Extensions,
        next: Next<'c>,
    ) -> Pin<Box<dyn Future<Output = Result<Response, Error>> + Send + 'd>>
    where
        'a: 'd,
        'b: 'd,
        'c: 'd,
        Self: 'd,
    {
        let Some(origin) = self.origin_of(request.url()) else {
            return Box::pin(next.run(request, extensions));
        };
        let mut call = Call::new(self, origin);
        let Some(rules) = self.retry_rules() else {
            return Box::pin(async move {
                let carried = call.carry(&mut request, extensions).await.map_err(Error::middleware)?;
                let result = next.run(request, extensions).await;
                call.settle(result, carried)
            });
        };
        let facts = Facts::of(request.method(), request.headers(), extensions);
        let mut attempts = Attempts::start();
        Box::pin(async move {
            loop {
                // What is sent is gone: the copy comes first (A6).
                let again = request.try_clone();
                let carried = call.carry(&mut request, extensions).await.map_err(Error::middleware)?;
                let result = next.clone().run(request, extensions).await;
                let Some(copy) = again else {
                    return call.settle(result, carried);
                };
                request = copy;
                // Nothing else is kept across the wait, for the size of this future.
                let wait = match call.judge(result, carried, &mut attempts, rules, facts) {
                    ControlFlow::Break(result) => return result,
                    ControlFlow::Continue(wait) => wait,
                };
                if !wait.is_zero() {
                    Box::pin(call.sleep(wait)).await;
                }
                call.deadline = rules.deadline(&attempts, facts);
            }
        })
    }
}

/// A request with all its attempts.
struct Call<'a> {
    bearer: &'a BearerMiddleware,
    /// Which of the middleware's.
    origin: usize,
    /// Of the rules, for what is sent again.
    deadline: Option<Instant>,
    /// Sent for the second time because its token was refused.
    is_replayed: bool,
    /// What the gate took upon itself.
    held: Option<Held>,
    story: Option<Story>,
}

/// What goes with one attempt, and is needed when its response comes.
struct Carried<'a> {
    cell: Cow<'a, TokenCell>,
    token: Token,
    pass: Option<Pass>,
}

impl<'a> Call<'a> {
    fn new(bearer: &'a BearerMiddleware, origin: usize) -> Self {
        let story = bearer.tells().then(Story::default);
        Self { bearer, origin, deadline: None, is_replayed: false, held: None, story }
    }

    /// Puts the token on the request, unless it has an `Authorization` of its own.
    async fn carry(
        &mut self,
        request: &mut Request,
        extensions: &Extensions,
    ) -> Result<Option<Carried<'a>>, gatepass::Error> {
        self.held = None;
        if request.headers().contains_key(header::AUTHORIZATION) {
            return Ok(None);
        }
        let cell = self.bearer.cell(request, extensions)?;
        let lane = self.bearer.lane(&cell, request.url());
        let at_hand = cell.fresh().and_then(|token| match &lane {
            None => Some((token, None)),
            Some(lane) => lane.try_enter().map(|pass| (token, Some(pass))),
        });
        let (token, pass) = match at_hand {
            Some(at_hand) => at_hand,
            // In a box, since it would make the future of each call large.
            None => Box::pin(self.wait(&cell, lane, extensions)).await?,
        };
        request.headers_mut().insert(header::AUTHORIZATION, token.header_value().clone());
        if let Some(story) = &mut self.story {
            story.sent(&cell, &token);
        }
        Ok(Some(Carried { cell, token, pass }))
    }

    /// The token, and the pass of the gate: that one last, since one from before a long wait would say nothing about now.
    async fn wait(
        &mut self,
        cell: &TokenCell,
        lane: Option<Lane>,
        extensions: &Extensions,
    ) -> Result<(Token, Option<Pass>), gatepass::Error> {
        let mut token = self.token(cell).await?;
        let Some(lane) = lane else {
            return Ok((token, None));
        };
        let mut held: Option<Pass> = None;
        loop {
            // One from before the lane was closed is given back.
            let pass = held.take().and_then(Pass::unless_closed).or_else(|| lane.try_enter());
            if let Some(mut pass) = pass {
                pass.sent();
                return Ok((token, Some(pass)));
            }
            held = Some(self.enter(&lane, extensions).await?.held());
            // What was current before may have ended. If one lives, it does.
            token = match cell.peek() {
                Some(token) => token,
                None => {
                    let token = self.token(cell).await?;
                    held = held.and_then(Pass::unless_late);
                    token
                }
            };
        }
    }

    /// Whether that is all; or how long to wait before it is sent again, zero for at once.
    fn judge(
        &mut self,
        result: Result<Response, Error>,
        carried: Option<Carried<'_>>,
        attempts: &mut Attempts,
        rules: &Rules,
        facts: Facts,
    ) -> ControlFlow<Result<Response, Error>, Duration> {
        let mut result = self.settle(result, carried);
        let decision = match &result {
            Ok(response) => {
                let refused = response.extensions().get::<Refused>();
                let outcome = Outcome::of(response.status(), response.headers(), refused);
                attempts.next(rules, facts, outcome.at_gate(self.held))
            }
            Err(error) if is_transport_error(error) => attempts.next(rules, facts, Outcome::TransportError),
            Err(_) => return ControlFlow::Break(result),
        };
        match decision {
            Decision::Replay => {
                self.is_replayed = true;
                ControlFlow::Continue(Duration::ZERO)
            }
            // The response is let go of, and with it the connection.
            Decision::Retry { wait, .. } => {
                tracing::debug!(?wait, "sending again");
                ControlFlow::Continue(wait)
            }
            Decision::Return(asked) => {
                if let (Some(asked), Ok(response)) = (asked, &mut result) {
                    response.extensions_mut().insert(asked);
                }
                ControlFlow::Break(result)
            }
            _ => ControlFlow::Break(result),
        }
    }

    /// Reads the head of the response. A bad token is dropped from its cell, and then the response marked.
    fn settle(&mut self, result: Result<Response, Error>, carried: Option<Carried<'_>>) -> Result<Response, Error> {
        let (mut response, Carried { cell, token, pass }) = match (result, carried) {
            (Ok(response), Some(carried)) => (response, carried),
            (result, _) => return result,
        };
        // Where a redirect led elsewhere, the token was not sent and cannot have been refused (A3), nor is it this
        // origin that turned the request away.
        let is_from_there = |response: &Response| self.bearer.origin_of(response.url()) == Some(self.origin);
        if let Some(refused) = Refused::read(response.status(), response.headers(), &token)
            && is_from_there(&response)
        {
            // The second refusal is handed back, and costs nothing more (A4).
            if refused.token_is_bad() && !self.is_replayed {
                cell.reject(&token);
            }
            response.extensions_mut().insert(refused);
        }
        if let Some(pass) = pass.filter(|_| is_from_there(&response)) {
            self.held = pass.answered(response.status(), response.headers());
        }
        if let Some(story) = &self.story {
            response.extensions_mut().insert(story.clone());
        }
        Ok(response)
    }

    async fn enter(&mut self, lane: &Lane, extensions: &Extensions) -> Result<Pass, gatepass::Error> {
        let since = Instant::now();
        let own = extensions.get::<Deadline>().map(Deadline::instant);
        let pass = lane.enter(self.deadline.or(own)).await;
        if let Some(story) = &mut self.story {
            story.waited_at_gate += since.elapsed();
        }
        pass
    }

    async fn token(&mut self, cell: &TokenCell) -> Result<Token, gatepass::Error> {
        let Some(story) = &mut self.story else {
            return cell.get().await;
        };
        let since = Instant::now();
        let token = cell.get().await?;
        story.waited_for_token += since.elapsed();
        Ok(token)
    }

    async fn sleep(&mut self, wait: Duration) {
        tokio::time::sleep(wait).await;
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
