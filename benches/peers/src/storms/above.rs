//! Peers that are layers, middlewares or policies, above the connections that all share.

use std::{
    fmt::{self, Debug},
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use async_trait::async_trait;
use azure_core::{
    error::ErrorKind,
    http::{
        AsyncRawResponse, Context as AzureContext, Method, Request as AzureRequest,
        policies::{Policy, PolicyResult},
    },
};
use bytes::Bytes;
use http::{Extensions, Request, Response};
use http_body_util::Full;
use reqwest_middleware_04::{ClientWithMiddleware, Error as MiddlewareError, Middleware, Next};
use tower::{Service, ServiceExt};

use crate::{
    keeper::Error,
    peers::azure::headers,
    scenes::{Client, Http},
};

/// The connections as a tower service.
#[derive(Clone)]
pub(super) struct Sending(pub(super) Http);

impl Service<Request<Full<Bytes>>> for Sending {
    type Response = Response<Full<Bytes>>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        let http = self.0.clone();
        Box::pin(async move { http.send(request).await.map_err(Into::into) })
    }
}

/// A tower stack above it.
#[derive(Clone)]
pub(super) struct Tower<S>(pub(super) S);

impl<S> Client for Tower<S>
where
    S: Service<Request<Full<Bytes>>, Response = Response<Full<Bytes>>> + Clone + Send + Sync + 'static,
    S::Error: Debug,
    S::Future: Send,
{
    async fn call(&self, url: &str) -> Result<u16, String> {
        let request = Request::get(url).body(Full::default()).map_err(|error| error.to_string())?;
        match self.0.clone().oneshot(request).await {
            Ok(response) => Ok(response.status().as_u16()),
            Err(error) => Err(format!("{error:?}")),
        }
    }
}

/// The connections as the last of reqwest 0.12's middlewares.
pub(super) struct Last(pub(super) Http);

#[async_trait]
impl Middleware for Last {
    async fn handle(
        &self,
        request: reqwest_012::Request,
        _extensions: &mut Extensions,
        _next: Next<'_>,
    ) -> reqwest_middleware_04::Result<reqwest_012::Response> {
        let request: http::Request<reqwest_012::Body> =
            request.try_into().map_err(|error: reqwest_012::Error| MiddlewareError::Reqwest(error))?;
        let response = self.0.send(request.map(|_| Full::default())).await;
        let response = response.map_err(|error| MiddlewareError::middleware(Failed(error)))?;
        Ok(response.map(|_| "").into())
    }
}

/// Middlewares above it.
#[derive(Clone)]
pub(super) struct Middlewares(pub(super) ClientWithMiddleware);

impl Client for Middlewares {
    async fn call(&self, url: &str) -> Result<u16, String> {
        let response = self.0.get(url).send().await.map_err(|error| error.to_string())?;
        Ok(response.status().as_u16())
    }
}

/// The connections as the last of azure_core's policies. Those above it insist on https: it is taken off here.
#[derive(Debug)]
pub(super) struct Transport(pub(super) Http);

#[async_trait]
impl Policy for Transport {
    async fn send(&self, _: &AzureContext, request: &mut AzureRequest, _: &[Arc<dyn Policy>]) -> PolicyResult {
        let mut url = request.url().clone();
        let _ = url.set_scheme("http");
        let mut sent = Request::get(url.as_str());
        for (name, value) in request.headers().iter() {
            sent = sent.header(name.as_str(), value.as_str());
        }
        let failed = |error: Error| azure_core::Error::new(ErrorKind::Io, error);
        let sent = sent.body(Full::default()).map_err(|error| failed(error.into()))?;
        let response = self.0.send(sent).await.map_err(|error| failed(error.into()))?;
        let (head, _) = response.into_parts();
        Ok(AsyncRawResponse::from_bytes(head.status.as_u16().into(), headers(&head.headers), Bytes::new()))
    }
}

/// Policies above it.
#[derive(Clone)]
pub(super) struct Policies(pub(super) Arc<[Arc<dyn Policy>]>);

impl Client for Policies {
    async fn call(&self, url: &str) -> Result<u16, String> {
        let url = url.replacen("http:", "https:", 1);
        let mut request = AzureRequest::new(url.parse().map_err(|_| "not a URL")?, Method::Get);
        let response = self.0[0].send(&AzureContext::new(), &mut request, &self.0[1..]).await;
        response.map(|response| response.status().into()).map_err(|error| format!("{error:?}"))
    }
}

#[derive(Debug)]
struct Failed(String);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failed {}
