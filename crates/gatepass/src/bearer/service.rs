use std::{
    mem,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response, header};
use tower_service::Service;

use super::{
    ResponseFuture,
    layer::{Cells, Config},
    refused::is_replayed,
};
use crate::{
    cell::Claim,
    error::{BoxError, Error},
};

/// Puts the token on each request. From [`BearerLayer`](super::BearerLayer); see the [module docs](crate::bearer).
#[derive(Clone, Debug)]
pub struct Bearer<S> {
    inner: S,
    config: Arc<Config>,
}

impl<S> Bearer<S> {
    pub(super) fn new(inner: S, config: Arc<Config>) -> Self {
        Self { inner, config }
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
        if !self.config.serves(request.uri()) {
            tracing::trace!("a request to another origin passes without a token");
            return ResponseFuture::untouched(self.inner.call(request));
        }
        // The caller's own Authorization stays, and with it whatever comes of it (A5).
        let header::Entry::Vacant(authorization) = request.headers_mut().entry(header::AUTHORIZATION) else {
            return ResponseFuture::untouched(self.inner.call(request));
        };
        let claim = match &self.config.cells {
            Cells::One(cell) => cell.claim(),
            Cells::Choose(choose) => {
                let (parts, body) = request.into_parts();
                let cell = choose(&parts);
                request = Request::from_parts(parts, body);
                return match cell.map(|cell| cell.claim()) {
                    Ok(claim) => self.send(request, claim),
                    Err(error) => self.refuse(error),
                };
            }
        };
        match claim {
            Claim::Token(token) => {
                authorization.insert(token.header_value().clone());
                let replayed = is_replayed(&request);
                ResponseFuture::sent(self.inner.call(request), token, replayed)
            }
            claim => self.send(request, claim),
        }
    }
}

impl<S> Bearer<S> {
    fn send<B, R>(&mut self, mut request: Request<B>, claim: Claim) -> ResponseFuture<S, B>
    where
        S: Service<Request<B>, Response = Response<R>> + Clone,
    {
        match claim {
            Claim::Token(token) => {
                request.headers_mut().insert(header::AUTHORIZATION, token.header_value().clone());
                let replayed = is_replayed(&request);
                ResponseFuture::sent(self.inner.call(request), token, replayed)
            }
            Claim::Wait(waiter) => ResponseFuture::waiting(waiter, self.let_go(), request),
            Claim::Refused(error) => self.refuse(error),
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
