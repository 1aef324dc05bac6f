use std::{
    any::Any,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower::retry::{Policy, RetryLayer};
use tower_layer::Stack;

use super::{Attempts, ByClone, ByFunction, CloneBody, Deadline, Decision, Facts, IfEmpty, Never, Outcome, Rules};
use crate::{
    bearer::{AtGate, BearerLayer, Refused, Replayed, Story},
    error::{BoxError, Error},
};

/// What tower's `Retry` asks; goes outside of [`BearerLayer`](crate::BearerLayer), see
/// [`BearerLayer::retry`](crate::BearerLayer::retry) and the [module docs](crate::retry).
#[derive(Clone, Debug)]
#[must_use]
pub struct RetryPolicy<C = ByClone> {
    rules: Rules,
    attempts: Attempts,
    body: C,
}

impl RetryPolicy {
    /// For bodies that are `Clone`.
    pub fn new() -> Self {
        Self::with_body(ByClone)
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::new()
    }
}

impl RetryPolicy<IfEmpty> {
    /// Sends only requests again whose body is empty.
    pub fn empty_bodies() -> Self {
        Self::with_body(IfEmpty)
    }
}

impl RetryPolicy<Never> {
    /// Sends nothing again. A refused token is dropped all the same, by `Bearer`.
    pub fn never() -> Self {
        Self::with_body(Never)
    }
}

impl<F> RetryPolicy<ByFunction<F>> {
    /// Clones bodies by a function, such as `|body: &kube::client::Body| body.try_clone()`.
    pub fn clone_body<B>(clone: F) -> Self
    where
        F: Fn(&B) -> Option<B>,
    {
        Self::with_body(ByFunction(clone))
    }
}

impl<C> RetryPolicy<C> {
    fn with_body(body: C) -> Self {
        Self { rules: Rules::new(), attempts: Attempts::start(), body }
    }

    /// By these rules instead of the usual ones.
    pub fn rules(mut self, rules: Rules) -> Self {
        self.rules = rules;
        self
    }
}

impl<C, B, R, E> Policy<Request<B>, Response<R>, E> for RetryPolicy<C>
where
    C: CloneBody<B>,
    E: 'static,
{
    type Future = Wait;

    fn retry(&mut self, request: &mut Request<B>, result: &mut Result<Response<R>, E>) -> Option<Wait> {
        let facts = Facts::of(request.method(), request.headers(), request.extensions());
        let decision = match &mut *result {
            Ok(response) => {
                // Taken out: it says nothing to another policy further out.
                let held = response.extensions_mut().remove::<AtGate>().map(|AtGate(held)| held);
                let refused = response.extensions().get::<Refused>();
                let outcome = Outcome::of(response.status(), response.headers(), refused).at_gate(held);
                self.attempts.next(&self.rules, facts, outcome)
            }
            Err(error) if is_ours(error) => return None,
            Err(_) => self.attempts.next(&self.rules, facts, Outcome::TransportError),
        };
        let wait = match (decision, &mut *result) {
            (Decision::Replay, _) => {
                request.extensions_mut().insert(Replayed);
                Duration::ZERO
            }
            (Decision::Retry { wait, .. }, _) => {
                tracing::debug!(?wait, "sending again");
                wait
            }
            (Decision::Return(Some(asked)), Ok(response)) => {
                response.extensions_mut().insert(asked);
                return None;
            }
            (Decision::Return(_), _) => return None,
        };
        // For who waits beneath, at a gate (R4).
        if let Some(deadline) = self.rules.deadline(&self.attempts, facts) {
            request.extensions_mut().insert(Deadline::at(deadline));
        }
        // It goes on where this attempt has left it. What failed took its own along: then where the one before did.
        let story = match result {
            Ok(response) => response.extensions_mut().remove::<Story>(),
            Err(_) => {
                let story = request.extensions_mut().remove::<Story>().unwrap_or_default();
                Some(Story { attempts: story.attempts.saturating_add(1), ..story })
            }
        };
        if let Some(mut story) = story {
            story.waited_to_retry += wait;
            request.extensions_mut().insert(story);
        }
        Some(Wait::new(wait))
    }

    fn clone_request(&mut self, request: &Request<B>) -> Option<Request<B>> {
        let mut clone = Request::new(self.body.clone_body(request.body())?);
        *clone.method_mut() = request.method().clone();
        *clone.uri_mut() = request.uri().clone();
        *clone.version_mut() = request.version();
        *clone.headers_mut() = request.headers().clone();
        *clone.extensions_mut() = request.extensions().clone();
        // `Retry` asks the policy it was built with, then makes a copy of it for this request.
        if self.attempts.none_yet() {
            self.attempts = Attempts::start();
        }
        Some(clone)
    }
}

impl BearerLayer {
    /// This layer within a `Retry` layer, which is the right way round: each attempt asks for the token anew.
    pub fn retry<C>(self, policy: RetryPolicy<C>) -> Stack<Self, RetryLayer<RetryPolicy<C>>> {
        Stack::new(self, RetryLayer::new(policy))
    }
}

/// Whether there was no token to send: the cell has its own back-off, so to ask again would only make it longer.
fn is_ours<E: 'static>(error: &E) -> bool {
    let error: &dyn Any = error;
    error.downcast_ref::<BoxError>().is_some_and(|error| error.is::<Error>()) || error.is::<Error>()
}

pin_project! {
    /// The time between two attempts.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Wait {
        #[pin]
        sleep: Option<tokio::time::Sleep>,
    }
}

impl Wait {
    fn new(wait: Duration) -> Self {
        Self { sleep: (!wait.is_zero()).then(|| tokio::time::sleep(wait)) }
    }
}

impl Future for Wait {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(sleep) = self.project().sleep.as_pin_mut() {
            ready!(sleep.poll(cx));
        }
        Poll::Ready(())
    }
}
