use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::Request;
use tower_service::Service;

use super::{
    carried::{Carried, More},
    future::polled_again,
};
use crate::{
    cell::{Claim, TokenCell, Waiter},
    clock,
    error::{BoxError, Error},
    gate::Lane,
    retry::Deadline,
    token::Token,
};

/// A request that cannot be sent yet.
pub(super) struct Waiting<S, B> {
    cell: TokenCell,
    coming: Option<Coming>,
    service: S,
    request: Option<Request<B>>,
    more: Option<Box<More>>,
}

/// What is waited for, and what came of it for [`Waiting::more`].
type Coming = Pin<Box<dyn Future<Output = Result<Option<Box<More>>, Error>> + Send>>;

impl<S, B> Waiting<S, B> {
    pub(super) fn for_token(waiter: Waiter, service: S, request: Request<B>, more: Option<Box<More>>) -> Self {
        let cell = waiter.cell().clone();
        Self {
            cell,
            coming: Some(Box::pin(with_token(waiter.wait(), more))),
            service,
            request: Some(request),
            more: None,
        }
    }

    pub(super) fn at_gate(cell: TokenCell, lane: Lane, service: S, request: Request<B>, mut more: Box<More>) -> Self {
        let deadline = request.extensions().get::<Deadline>().map(Deadline::instant);
        let own = cell.clone();
        let coming = async move {
            let since = clock::instant();
            more.pass = Some(lane.enter(deadline).await?);
            if let Some(story) = &mut more.story {
                story.waited_at_gate += clock::instant().saturating_duration_since(since);
            }
            with_token(own.get(), Some(more)).await
        };
        Self { cell, coming: Some(Box::pin(coming)), service, request: Some(request), more: None }
    }
}

impl<S, B> Waiting<S, B>
where
    S: Service<Request<B>> + Clone,
    S::Error: Into<BoxError>,
{
    /// Waits for its turn and the token, then for the service, then sends.
    pub(super) fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(S::Future, Carried), BoxError>> {
        let token = loop {
            if let Some(coming) = &mut self.coming {
                self.more = ready!(coming.as_mut().poll(cx))?;
                self.coming = None;
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
                    self.coming = Some(Box::pin(with_token(waiter.wait(), self.more.take())));
                    self.service = self.service.clone();
                }
            }
        };
        let Some(mut request) = self.request.take() else {
            return Poll::Ready(Err(polled_again().into()));
        };
        let carried = Carried::on(&mut request, token, &self.cell, self.more.take());
        Poll::Ready(Ok((self.service.call(request), carried)))
    }
}

async fn with_token(
    token: impl Future<Output = Result<Token, Error>>,
    mut more: Option<Box<More>>,
) -> Result<Option<Box<More>>, Error> {
    let since = clock::instant();
    token.await?;
    if let Some(story) = more.as_mut().and_then(|more| more.story.as_mut()) {
        story.waited_for_token += clock::instant().saturating_duration_since(since);
    }
    Ok(more)
}
