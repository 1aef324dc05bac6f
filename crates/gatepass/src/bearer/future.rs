use std::{
    fmt,
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{carried::Carried, waiting::Waiting};
use crate::error::{BoxError, Error};

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
        // Beside the state, not in it: so it is moved once less on its way out of `call`.
        #[pin]
        response: Option<S::Future>,
        state: State<S, B>,
    }
}

enum State<S, B> {
    /// On its way. Without a token it is not ours to judge.
    Sent(Option<Carried>),
    /// Not sent yet; in a box, so that the common case stays small.
    Waiting(Box<Waiting<S, B>>),
    Refused(Error),
    Done,
}

impl<S, B> ResponseFuture<S, B>
where
    S: Service<Request<B>>,
{
    #[inline]
    pub(super) fn sent(response: S::Future, carried: Option<Carried>) -> Self {
        Self { response: Some(response), state: State::Sent(carried) }
    }

    pub(super) fn waiting(waiting: Waiting<S, B>) -> Self {
        Self { response: None, state: State::Waiting(Box::new(waiting)) }
    }

    pub(super) fn refused(error: Error) -> Self {
        Self { response: None, state: State::Refused(error) }
    }
}

impl<S, B, R> Future for ResponseFuture<S, B>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
{
    type Output = Result<Response<R>, BoxError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if this.response.is_none() {
            let sent = ready!(this.state.poll_send(cx));
            let (response, carried) = sent.inspect_err(|_| *this.state = State::Done)?;
            this.response.set(Some(response));
            *this.state = State::Sent(Some(carried));
        }
        let Some(response) = this.response.as_pin_mut() else {
            return Poll::Pending;
        };
        // Looked at where it is: to take it out and put it back costs more than to look.
        let mut polled = response.poll(cx);
        if let (Poll::Ready(Ok(response)), State::Sent(Some(carried))) = (&mut polled, &mut *this.state) {
            carried.settle(response);
        }
        match polled {
            Poll::Ready(Ok(response)) => Poll::Ready(Ok(response)),
            Poll::Ready(Err(error)) => {
                // Nothing is under way any more, even if this is kept.
                *this.state = State::Done;
                Poll::Ready(Err(error.into()))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S, B> State<S, B>
where
    S: Service<Request<B>> + Clone,
    S::Error: Into<BoxError>,
{
    /// Sends what was not sent yet.
    #[cold]
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(S::Future, Carried), BoxError>> {
        let sent = match self {
            Self::Waiting(waiting) => ready!(waiting.poll_send(cx)),
            _ => match mem::replace(self, Self::Done) {
                Self::Refused(error) => Err(error.into()),
                _ => Err(polled_again().into()),
            },
        };
        Poll::Ready(sent)
    }
}

pub(super) fn polled_again() -> Error {
    Error::transient("polled after it was done")
}

impl<S, B> fmt::Debug for ResponseFuture<S, B>
where
    S: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
