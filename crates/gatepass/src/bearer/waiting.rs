use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Instant,
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
    gate::{Lane, Pass},
    retry::Deadline,
};

/// A request that cannot be sent yet.
pub(super) struct Waiting<S, B> {
    cell: TokenCell,
    /// Where it has to pass.
    lane: Option<Lane>,
    coming: Option<Coming>,
    service: S,
    request: Option<Request<B>>,
    more: Option<Box<More>>,
}

/// What is waited for, and what came of it for [`Waiting::more`].
type Coming = Pin<Box<dyn Future<Output = Result<Option<Box<More>>, Error>> + Send>>;

impl<S, B> Waiting<S, B> {
    pub(super) fn for_token(
        waiter: Waiter,
        lane: Option<Lane>,
        service: S,
        request: Request<B>,
        more: Option<Box<More>>,
    ) -> Self {
        let cell = waiter.cell().clone();
        Self { cell, lane, coming: Some(Box::pin(token(waiter, more))), service, request: Some(request), more: None }
    }

    pub(super) fn at_gate(
        cell: TokenCell,
        lane: Lane,
        service: S,
        request: Request<B>,
        more: Option<Box<More>>,
    ) -> Self {
        let coming = Box::pin(pass(lane.clone(), deadline(&request), more));
        Self { cell, lane: Some(lane), coming: Some(coming), service, request: Some(request), more: None }
    }
}

impl<S, B> Waiting<S, B>
where
    S: Service<Request<B>> + Clone,
    S::Error: Into<BoxError>,
{
    /// Waits for the token, its turn at the gate and the service, then sends.
    ///
    /// What came first may be gone when the last of them is there, so all are looked at again then. The pass is taken last: one
    /// from before a long wait would say nothing about now.
    pub(super) fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(S::Future, Carried), BoxError>> {
        loop {
            if let Some(coming) = &mut self.coming {
                self.more = ready!(coming.as_mut().poll(cx))?;
                self.coming = None;
            }
            ready!(self.service.poll_ready(cx)).map_err(Into::into)?;
            // If one lives, it does.
            let token = match self.cell.peek().map_or_else(|| self.cell.claim(), Claim::Token) {
                Claim::Token(token) => token,
                Claim::Refused(error) => return Poll::Ready(Err(error.into())),
                Claim::Wait(waiter) => {
                    let coming = Box::pin(token(waiter, self.more.take()));
                    self.wait_for(coming);
                    continue;
                }
            };
            let Some(mut request) = self.request.take() else {
                return Poll::Ready(Err(polled_again().into()));
            };
            if let Some(lane) = &self.lane {
                // One from before the lane was closed is given back; so was an old one, when the token came.
                let held = self.more.as_mut().and_then(|more| more.pass.take());
                let held = held.and_then(Pass::unless_closed);
                let Some(passed) = held.or_else(|| lane.try_enter()) else {
                    let coming = Box::pin(pass(lane.clone(), deadline(&request), self.more.take()));
                    self.request = Some(request);
                    self.wait_for(coming);
                    continue;
                };
                self.more.get_or_insert_default().pass = Some(passed);
            }
            let carried = Carried::on(&mut request, token, &self.cell, self.more.take());
            return Poll::Ready(Ok((self.service.call(request), carried)));
        }
    }

    /// Lets go of the service that was made ready, which may hold a permit that others wait for.
    fn wait_for(&mut self, coming: Coming) {
        self.service = self.service.clone();
        self.coming = Some(coming);
    }
}

fn deadline<B>(request: &Request<B>) -> Option<Instant> {
    request.extensions().get::<Deadline>().map(Deadline::instant)
}

async fn token(waiter: Waiter, mut more: Option<Box<More>>) -> Result<Option<Box<More>>, Error> {
    let since = clock::instant();
    waiter.wait().await?;
    if let Some(more) = &mut more {
        more.pass = more.pass.take().and_then(Pass::unless_late);
        if let Some(story) = &mut more.story {
            story.waited_for_token += clock::instant().saturating_duration_since(since);
        }
    }
    Ok(more)
}

async fn pass(lane: Lane, deadline: Option<Instant>, more: Option<Box<More>>) -> Result<Option<Box<More>>, Error> {
    let mut more = more.unwrap_or_default();
    let since = clock::instant();
    more.pass = Some(lane.enter(deadline).await?.held());
    if let Some(story) = &mut more.story {
        story.waited_at_gate += clock::instant().saturating_duration_since(since);
    }
    Ok(Some(more))
}
