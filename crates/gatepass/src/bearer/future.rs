use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Request, Response, header};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{Refused, refused::is_replayed};
use crate::{
    cell::{Claim, TokenCell, Waiter},
    error::{BoxError, Error},
    token::Token,
};

pin_project! {
    /// The response to come. From [`Bearer`](super::Bearer).
    ///
    /// # Cancel safety
    /// Dropping it drops the request; an exchange it waited for goes on for the others (C3).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<S, B>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, B>
    where
        S: Service<Request<B>>,
    {
        /// On its way. Without a token it is not ours to judge.
        Sent {
            #[pin]
            response: S::Future,
            token: Option<Token>,
            replayed: bool,
        },
        /// Not sent yet; in a box, so that the common case stays small.
        Waiting {
            waiting: Box<Waiting<S, B>>,
        },
        Refused {
            error: Option<Error>,
        },
    }
}

type TokenToCome = Pin<Box<dyn Future<Output = Result<Token, Error>> + Send>>;

struct Waiting<S, B> {
    cell: TokenCell,
    token: Option<TokenToCome>,
    service: S,
    request: Option<Request<B>>,
}

impl<S, B> ResponseFuture<S, B>
where
    S: Service<Request<B>>,
{
    #[inline]
    pub(super) fn untouched(response: S::Future) -> Self {
        Self { state: State::Sent { response, token: None, replayed: false } }
    }

    #[inline]
    pub(super) fn sent(response: S::Future, token: Token, replayed: bool) -> Self {
        Self { state: State::Sent { response, token: Some(token), replayed } }
    }

    pub(super) fn waiting(waiter: Waiter, service: S, request: Request<B>) -> Self {
        let waiting = Waiting {
            cell: waiter.cell().clone(),
            token: Some(Box::pin(waiter.wait())),
            service,
            request: Some(request),
        };
        Self { state: State::Waiting { waiting: Box::new(waiting) } }
    }

    pub(super) fn refused(error: Error) -> Self {
        Self { state: State::Refused { error: Some(error) } }
    }
}

impl<S, B, R> Future for ResponseFuture<S, B>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
{
    type Output = Result<Response<R>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProj::Sent { response, token, replayed } => {
                    // Looked at in place: to take the response out and put it back costs more than to look.
                    let mut result = ready!(response.poll(cx)).map_err(Into::into);
                    if let (Ok(response), Some(token)) = (&mut result, token) {
                        Refused::heal(response, token, *replayed);
                    }
                    return Poll::Ready(result);
                }
                StateProj::Waiting { waiting } => {
                    let (response, token, replayed) = ready!(waiting.poll_send(cx))?;
                    state.set(State::Sent { response, token: Some(token), replayed });
                }
                StateProj::Refused { error } => {
                    let error = error.take().unwrap_or_else(|| Error::transient("polled after it was done"));
                    return Poll::Ready(Err(error.into()));
                }
            }
        }
    }
}

/// What is on its way, with what, and whether for the second time.
type Sent<F> = (F, Token, bool);

impl<S, B> Waiting<S, B>
where
    S: Service<Request<B>> + Clone,
    S::Error: Into<BoxError>,
{
    /// Waits for the token, then for the service, then sends.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<Sent<S::Future>, BoxError>> {
        let token = loop {
            if let Some(token) = &mut self.token {
                ready!(token.as_mut().poll(cx))?;
                self.token = None;
            }
            ready!(self.service.poll_ready(cx)).map_err(Into::into)?;
            // Asked again: the token that came may have ended while the service got ready. If one lives, it does.
            if let Some(living) = self.cell.peek() {
                break living;
            }
            match self.cell.claim() {
                Claim::Token(token) => break token,
                Claim::Refused(error) => return Poll::Ready(Err(error.into())),
                Claim::Wait(waiter) => {
                    self.token = Some(Box::pin(waiter.wait()));
                    self.service = self.service.clone();
                }
            }
        };
        let Some(mut request) = self.request.take() else {
            return Poll::Ready(Err(Error::transient("polled after it was done").into()));
        };
        request.headers_mut().insert(header::AUTHORIZATION, token.header_value().clone());
        let replayed = is_replayed(&request);
        Poll::Ready(Ok((self.service.call(request), token, replayed)))
    }
}

impl<S, B> fmt::Debug for ResponseFuture<S, B>
where
    S: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
