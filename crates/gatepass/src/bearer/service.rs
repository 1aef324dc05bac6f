use std::{
    mem,
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderMap, Request, Response, header};
use tower_service::Service;

use super::{
    ResponseFuture, Story,
    carried::{Carried, More},
    layer::{Cells, Config},
    waiting::Waiting,
};
use crate::{
    cell::{Claim, InHand, TokenCell},
    error::{BoxError, Error},
};

/// Puts the token on each request. From [`BearerLayer`](super::BearerLayer); see the [module docs](crate::bearer).
#[derive(Clone, Debug)]
pub struct Bearer<S> {
    inner: S,
    config: Arc<Config>,
    in_hand: InHand,
}

impl<S> Bearer<S> {
    pub(super) fn new(inner: S, config: Arc<Config>) -> Self {
        Self { inner, config, in_hand: InHand::default() }
    }

    /// The service beneath.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The service beneath.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, B, R> Service<Request<B>> for Bearer<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
{
    type Response = Response<R>;
    type Error = BoxError;
    type Future = ResponseFuture<S, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match self.prepare(&mut request) {
            Ok(carried) => ResponseFuture::sent(self.inner.call(request), carried),
            Err(NotAtHand) => self.ask(request),
        }
    }
}

/// The request is to have the token, and somebody has to be asked for it.
struct NotAtHand;

impl<S> Bearer<S> {
    /// Puts the token on the request, where it is to have one and there is one at hand; what it carries then.
    #[inline]
    fn prepare<B>(&mut self, request: &mut Request<B>) -> Result<Option<Carried>, NotAtHand> {
        if !self.config.serves(request.uri()) {
            tracing::trace!("a request to another origin passes without a token");
            return Ok(None);
        }
        let Cells::One(cell) = &self.config.cells else {
            return Err(NotAtHand);
        };
        if !self.config.is_plain() {
            return Err(NotAtHand);
        }
        let token = cell.at_hand(&mut self.in_hand).ok_or(NotAtHand)?;
        // Appended at once: to look first whether there is one would cost as much again.
        if request.headers_mut().append(header::AUTHORIZATION, token.header_value().clone()) {
            take_last_back(request.headers_mut());
            return Ok(None);
        }
        Ok(Some(Carried::along(request, token)))
    }

    /// Asks which cell it is, for its token, and at the gate.
    fn ask<B, R>(&mut self, request: Request<B>) -> ResponseFuture<S, B>
    where
        S: Service<Request<B>, Response = Response<R>> + Clone,
    {
        // The caller's own Authorization stays, and with it whatever comes of it (A5).
        if request.headers().contains_key(header::AUTHORIZATION) {
            return ResponseFuture::sent(self.inner.call(request), None);
        }
        let (cell, mut request) = self.choose(request);
        let cell = match cell {
            Ok(cell) => cell,
            Err(error) => return self.refuse(error),
        };
        let lane = self.config.lane(&cell, request.uri());
        let mut more = self.config.tells.then(|| {
            let story = request.extensions_mut().remove::<Story>().unwrap_or_default();
            Box::new(More { story: Some(story), ..More::default() })
        });
        let token = match cell.claim() {
            Claim::Token(token) => token,
            Claim::Refused(error) => return self.refuse(error),
            Claim::Wait(waiter) => {
                return ResponseFuture::waiting(Waiting::for_token(waiter, lane, self.let_go(), request, more));
            }
        };
        if let Some(lane) = lane {
            let Some(pass) = lane.try_enter() else {
                return ResponseFuture::waiting(Waiting::at_gate(cell, lane, self.let_go(), request, more));
            };
            more.get_or_insert_default().pass = Some(pass);
        }
        let carried = Carried::on(&mut request, token, &cell, more);
        ResponseFuture::sent(self.inner.call(request), Some(carried))
    }

    fn choose<B>(&self, request: Request<B>) -> (Result<TokenCell, Error>, Request<B>) {
        match &self.config.cells {
            Cells::One(cell) => (Ok(cell.clone()), request),
            Cells::Choose(choose) => {
                let (parts, body) = request.into_parts();
                (choose(&parts), Request::from_parts(parts, body))
            }
        }
    }

    fn refuse<B, R>(&mut self, error: Error) -> ResponseFuture<S, B>
    where
        S: Service<Request<B>, Response = Response<R>> + Clone,
    {
        self.let_go();
        ResponseFuture::refused(error)
    }

    /// Drops the service that was made ready, which may hold a permit others wait for, and gives a fresh one.
    fn let_go(&mut self) -> S
    where
        S: Clone,
    {
        let fresh = self.inner.clone();
        drop(mem::replace(&mut self.inner, fresh.clone()));
        fresh
    }
}

/// Leaves the caller's own Authorization as it was (A5).
#[cold]
fn take_last_back(headers: &mut HeaderMap) {
    let all: Vec<_> = headers.get_all(header::AUTHORIZATION).iter().cloned().collect();
    headers.remove(header::AUTHORIZATION);
    for own in &all[..all.len().saturating_sub(1)] {
        headers.append(header::AUTHORIZATION, own.clone());
    }
}
