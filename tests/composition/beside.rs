//! Beside the layers people use.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use gatepass::RetryPolicy;
use http::{Request, Response, header};
use tower::{
    ServiceBuilder, ServiceExt, service_fn,
    timeout::{TimeoutLayer, error::Elapsed},
};
use tower_http::{
    sensitive_headers::SetSensitiveHeadersLayer,
    trace::{DefaultMakeSpan, TraceLayer},
};

use crate::support::{Upstream, bearer, cell, gated_cell, items};

#[tokio::test]
async fn traces_above_and_beneath_show_no_token() {
    let upstream = Upstream::default();
    upstream.revoke("token-1");
    let written = Written::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer({
            let written = written.clone();
            move || written.clone()
        })
        .finish();
    let _default = tracing::subscriber::set_default(subscriber);
    let trace = || {
        TraceLayer::new_for_http()
            .make_span_with(DefaultMakeSpan::new().level(tracing::Level::INFO).include_headers(true))
    };
    let client = ServiceBuilder::new()
        .layer(trace())
        .layer(bearer(&cell()).retry(RetryPolicy::new()))
        .layer(trace())
        .service(upstream.clone());

    let response = client.oneshot(items()).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(upstream.tokens(), ["token-1", "token-2"]);
    let written = written.text();
    assert!(written.contains(r#""authorization": Sensitive"#), "{written}");
    assert!(!written.contains("token-1") && !written.contains("token-2"), "{written}");
}

#[tokio::test]
async fn the_callers_own_authorization_stays_and_may_be_marked_above() {
    let upstream = Upstream::default();
    upstream.revoke("my-own");
    let cell = cell();
    let beneath = {
        let upstream = upstream.clone();
        service_fn(move |request: Request<String>| {
            assert!(request.headers()[header::AUTHORIZATION].is_sensitive());
            upstream.clone().oneshot(request)
        })
    };
    let client = ServiceBuilder::new()
        .layer(SetSensitiveHeadersLayer::new([header::AUTHORIZATION]))
        .layer(bearer(&cell).retry(RetryPolicy::new()))
        .service(beneath);

    let mut own = items();
    let value = "Bearer my-own".parse().unwrap();
    own.headers_mut().insert(header::AUTHORIZATION, value);
    let response = client.clone().oneshot(own).await.unwrap();
    assert_eq!(response.status(), 401, "it is the caller's (A5)");
    assert_eq!(client.oneshot(items()).await.unwrap().status(), 200);
    assert_eq!(upstream.tokens(), ["my-own", "token-1"]);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_above_ends_the_call_and_not_the_exchange() {
    let (cell, gate) = gated_cell();
    let client = ServiceBuilder::new()
        .layer(TimeoutLayer::new(Duration::from_secs(1)))
        .layer(bearer(&cell).retry(RetryPolicy::new()))
        .service(Upstream::default());

    let error = client.clone().oneshot(items()).await.unwrap_err();
    assert!(error.is::<Elapsed>(), "{error}");
    assert!(cell.status().exchanging, "it goes on for the others (C3)");

    gate.let_one_through();
    cell.settled().await;
    assert_eq!(client.oneshot(items()).await.unwrap().status(), 200);
    assert_eq!(cell.status().generation, 1);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_beneath_bounds_each_attempt_and_not_the_wait_for_the_token() {
    let (cell, gate) = gated_cell();
    let silent = service_fn(|_: Request<String>| std::future::pending::<Result<Response<String>, io::Error>>());
    let client = ServiceBuilder::new()
        .layer(bearer(&cell).retry(RetryPolicy::new()))
        .layer(TimeoutLayer::new(Duration::from_secs(1)))
        .service(silent);

    let call = tokio::spawn(client.oneshot(items()));
    gate.until_somebody_waits().await;
    tokio::time::advance(Duration::from_secs(5)).await;
    assert!(!call.is_finished(), "it waits for the token");
    gate.let_one_through();
    let error = call.await.unwrap().unwrap_err();
    assert!(error.is::<Elapsed>(), "{error}");
}

/// What a subscriber wrote.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
