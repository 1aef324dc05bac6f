//! The service under the layers in tests: it insists on being used as tower says, and answers what it is told.

use std::{
    future::Future,
    marker::PhantomData,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use tower_service::Service;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Answer = dyn FnMut(&Seen) -> Result<Response<String>, BoxError> + Send;

/// Panics when `call` comes without `poll_ready` on the same instance: a clone is not ready.
#[derive(Debug)]
pub(crate) struct Probe<B = String> {
    shared: Arc<Shared>,
    is_ready: bool,
    body: PhantomData<fn(B)>,
}

struct Shared {
    answer: Mutex<Box<Answer>>,
    seen: Mutex<Vec<Seen>>,
    takes: Duration,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shared")
    }
}

/// A request that came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) at: tokio::time::Instant,
}

impl Seen {
    /// The value of `Authorization`.
    pub(crate) fn authorization(&self) -> Option<&str> {
        self.headers.get(header::AUTHORIZATION)?.to_str().ok()
    }

    /// The token after `Bearer`.
    pub(crate) fn token(&self) -> Option<&str> {
        self.authorization()?.strip_prefix("Bearer ")
    }
}

impl Probe {
    /// Answers each request by `answer`, after `takes`.
    pub(crate) fn slow<F>(takes: Duration, answer: F) -> Self
    where
        F: FnMut(&Seen) -> Result<Response<String>, BoxError> + Send + 'static,
    {
        let shared = Shared { answer: Mutex::new(Box::new(answer)), seen: Mutex::default(), takes };
        Self { shared: Arc::new(shared), is_ready: false, body: PhantomData }
    }

    /// The same at once.
    pub(crate) fn new<F>(answer: F) -> Self
    where
        F: FnMut(&Seen) -> Result<Response<String>, BoxError> + Send + 'static,
    {
        Self::slow(Duration::ZERO, answer)
    }

    /// The same for requests with another type of body.
    pub(crate) fn with_body<B>(&self) -> Probe<B> {
        Probe { shared: self.shared.clone(), is_ready: false, body: PhantomData }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// How many requests came.
    pub(crate) fn count(&self) -> usize {
        self.shared.seen.lock().unwrap().len()
    }

    /// The tokens that came, in order.
    pub(crate) fn tokens(&self) -> Vec<String> {
        let seen = self.seen();
        let tokens = seen.iter().map(|seen| seen.token().unwrap_or("none"));
        tokens.map(str::to_owned).collect()
    }
}

impl<B> Clone for Probe<B> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), is_ready: false, body: PhantomData }
    }
}

impl<B> Service<Request<B>> for Probe<B> {
    type Response = Response<String>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<String>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        assert!(std::mem::take(&mut self.is_ready), "called without having been polled ready");
        let shared = self.shared.clone();
        let (parts, _body) = request.into_parts();
        let seen = Seen { method: parts.method, headers: parts.headers, at: tokio::time::Instant::now() };
        Box::pin(async move {
            shared.seen.lock().unwrap().push(seen.clone());
            if !shared.takes.is_zero() {
                tokio::time::sleep(shared.takes).await;
            }
            let mut answer = shared.answer.lock().unwrap();
            answer(&seen)
        })
    }
}

/// A response without a body.
pub(crate) fn status(status: u16) -> Response<String> {
    response(status, &[])
}

/// The same with headers.
pub(crate) fn response(status: u16, headers: &[(&'static str, &str)]) -> Response<String> {
    let mut response = Response::new(format!("status {status}"));
    *response.status_mut() = status.try_into().unwrap();
    for (name, value) in headers {
        let value = HeaderValue::from_str(value).unwrap();
        response.headers_mut().append(*name, value);
    }
    response
}
