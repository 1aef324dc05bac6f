//! An API that shows what it got, and answers whatever it is asked to.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{Router, body::Body, routing::any};
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

use crate::site::serve;

#[derive(Clone, Default)]
pub(crate) struct Api {
    pub(crate) origin: String,
    calls: Arc<AtomicUsize>,
}

impl Api {
    /// Answers each request by what `answer` makes of it.
    pub(crate) async fn start<F, Fut>(answer: F) -> Self
    where
        F: Fn(Request<Body>) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Response<Body>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = Self { origin: format!("http://{}", listener.local_addr().unwrap()), calls: Arc::default() };
        let calls = api.calls.clone();
        let handle = any(move |request: Request<Body>| {
            calls.fetch_add(1, Ordering::SeqCst);
            answer(request)
        });
        serve(listener, Router::new().fallback(handle));
        api
    }

    pub(crate) async fn echoing() -> Self {
        Self::start(echo).await
    }

    /// Answers with these headers.
    pub(crate) async fn answering(status: u16, headers: &'static [(&'static str, &'static str)]) -> Self {
        Self::start(move |_| async move {
            let answer = headers
                .iter()
                .fold(Response::builder().status(status), |answer, (name, value)| answer.header(*name, *value));
            answer.body(Body::from("what the API said")).unwrap()
        })
        .await
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }
}

/// What arrived, as JSON.
pub(crate) async fn echo(request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let collected = body.collect().await.unwrap();
    let trailers = collected.trailers().cloned().unwrap_or_default();
    let body = collected.to_bytes();
    let echo = json!({
        "method": parts.method.as_str(),
        "uri": parts.uri.to_string(),
        "headers": members(&parts.headers),
        "trailers": members(&trailers),
        "body": String::from_utf8_lossy(&body),
    });
    Response::new(Body::from(echo.to_string()))
}

fn members(headers: &http::HeaderMap) -> Map<String, Value> {
    headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().into())).collect()
}

/// Switches to WebSocket and sends back what comes, until `end` does. The handshake's token is in the answer.
pub(crate) async fn websocket(mut request: Request<Body>) -> Response<Body> {
    let token = request.headers().get("authorization").cloned();
    let answer = Response::builder()
        .status(101)
        .header("connection", "Upgrade")
        .header("upgrade", "WebSocket")
        .header("sec-websocket-accept", "accepted")
        .header("set-cookie", "a=b")
        .header("x-token", token.unwrap())
        .header("x-cookies", request.headers().get_all("cookie").iter().count())
        .header("x-key", request.headers()["sec-websocket-key"].clone());
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let upgraded = hyper::upgrade::on(&mut request).await.unwrap();
        let mut socket = TokioIo::new(upgraded);
        let mut bytes = [0; 1024];
        loop {
            match socket.read(&mut bytes).await {
                Ok(0) | Err(_) => return,
                Ok(read) if &bytes[..read] == b"end" => return,
                Ok(read) => socket.write_all(&bytes[..read]).await.unwrap(),
            }
        }
    });
    answer.body(Body::empty()).unwrap()
}
