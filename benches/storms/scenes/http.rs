use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::sync::Semaphore;

/// The way to the API that all share: HTTP/1.1 over a bounded number of connections. Knows nothing of tokens.
#[derive(Clone, Debug)]
pub struct Http {
    client: legacy::Client<HttpConnector, Full<Bytes>>,
    permits: Arc<Semaphore>,
}

impl Http {
    pub(super) fn new(connections: usize) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        // Without this the client repeats a request on a dropped connection by itself, and the counts are off.
        let client = legacy::Client::builder(TokioExecutor::new()).retry_canceled_requests(false).build(connector);
        Self { client, permits: Arc::new(Semaphore::new(connections)) }
    }

    /// Sends a request, once a connection is to be had, and reads the answer.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Full<Bytes>>, String> {
        let _permit = self.permits.acquire().await.map_err(|error| error.to_string())?;
        let response = self.client.request(request).await.map_err(|error| format!("{error:?}"))?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map_err(|error| error.to_string())?;
        Ok(Response::from_parts(parts, body.to_bytes().into()))
    }

    /// One call with this `Authorization`; the status.
    pub async fn get(&self, url: &str, authorization: Option<HeaderValue>) -> Result<u16, String> {
        let mut request = Request::get(url).body(Full::default()).map_err(|error| error.to_string())?;
        request.headers_mut().extend(authorization.map(|value| (header::AUTHORIZATION, value)));
        Ok(self.send(request).await?.status().as_u16())
    }

    /// One for each connection. Who brings another HTTP client has a call take one, from when it has its token until the
    /// answer was read.
    pub fn permits(&self) -> Arc<Semaphore> {
        Arc::clone(&self.permits)
    }
}
