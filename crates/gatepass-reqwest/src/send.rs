use async_trait::async_trait;
use gatepass::{
    bearer::Refused,
    retry::{Attempts, Decision, Facts, Outcome},
};
use http::{Extensions, header};
use reqwest::{Request, Response, Url};
use reqwest_middleware::{Error, Middleware, Next, Result};

use crate::{bearer::BearerMiddleware, redirect::is_same_origin};

#[async_trait]
impl Middleware for BearerMiddleware {
    async fn handle(&self, mut request: Request, extensions: &mut Extensions, next: Next<'_>) -> Result<Response> {
        if !self.serves(request.url()) {
            return next.run(request, extensions).await;
        }
        let facts = Facts::of(request.method(), request.headers(), extensions);
        let mut attempts = Attempts::start();
        let mut replayed = false;
        loop {
            // What is sent is gone: the copy comes first (A6).
            let copy = self.retry_rules().and_then(|rules| Some((rules, request.try_clone()?)));
            let Some((rules, again)) = copy else {
                let origin = request.url().clone();
                return self.attempt(request, &origin, replayed, extensions, next).await;
            };
            let mut result = self.attempt(request, again.url(), replayed, extensions, next.clone()).await;
            let decision = match &result {
                Ok(response) => {
                    let refused = response.extensions().get::<Refused>();
                    let outcome = Outcome::of(response.status(), response.headers(), refused);
                    attempts.next(rules, facts, outcome)
                }
                Err(error) if is_transport_error(error) => attempts.next(rules, facts, Outcome::TransportError),
                Err(_) => return result,
            };
            match decision {
                Decision::Replay => replayed = true,
                Decision::Retry { wait, .. } => {
                    // Lets go of the connection.
                    drop(result);
                    tracing::debug!(?wait, "sending again later");
                    tokio::time::sleep(wait).await;
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

impl BearerMiddleware {
    /// Sends once, with the token that is current. Drops it if it is refused.
    async fn attempt(
        &self,
        mut request: Request,
        origin: &Url,
        replayed: bool,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        if request.headers().contains_key(header::AUTHORIZATION) {
            return next.run(request, extensions).await;
        }
        let cell = self.cell(&request, extensions).map_err(Error::middleware)?;
        let token = cell.get().await.map_err(Error::middleware)?;
        request.headers_mut().insert(header::AUTHORIZATION, token.header_value().clone());
        let mut response = next.run(request, extensions).await?;
        // Where a redirect led elsewhere, the token was not sent and cannot have been refused (A3).
        if let Some(refused) = Refused::read(response.status(), response.headers(), &token)
            && is_same_origin(response.url(), origin)
        {
            // The second refusal is handed back, and costs nothing more (A4).
            if refused.token_is_bad() && !replayed {
                cell.reject(&token);
            }
            response.extensions_mut().insert(refused);
        }
        Ok(response)
    }
}

/// Whether there was no response, for a reason that may pass. What another middleware failed for is its own affair.
fn is_transport_error(error: &Error) -> bool {
    match error {
        Error::Reqwest(error) => !error.is_builder() && !error.is_redirect(),
        Error::Middleware(_) => false,
    }
}
