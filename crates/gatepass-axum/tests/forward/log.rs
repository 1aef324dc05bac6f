//! What is for the log, and what is not.

use std::{
    io,
    sync::{Arc, Mutex},
};

use axum::body::Body;
use gatepass_testkit::{AuthorizationServer, Failure, Rotation};
use tower::ServiceExt;
use tracing::subscriber::{DefaultGuard, set_default};

use crate::{
    api::Api,
    browser::{refusal, send, whole},
    site::{forward, signed_in, start_app},
};

#[tokio::test]
async fn without_the_sites_layer_it_is_a_500_whose_log_says_what_to_do() {
    let api = Api::echoing().await;
    let site = signed_in().await;
    let forward = forward(&site.site, &api.url("/v1"));
    let (log, _guard) = Log::start();
    let answer = whole(forward.oneshot(site.asks("/api/orders", Body::empty())).await.unwrap()).await;
    assert_eq!(refusal(&answer), (500, "server_error".to_owned()));
    assert!(!String::from_utf8_lossy(answer.body()).contains("Site::layer"), "{answer:?}");
    let log = log.text();
    assert!(log.contains("ERROR") && log.contains("put `Site::layer` around the router"), "{log}");
    assert_eq!((site.asked(), api.calls()), (0, 0));
}

#[tokio::test]
async fn x5_no_secret_is_logged() {
    let (log, _guard) = Log::start();
    let auth = AuthorizationServer::start().await;
    auth.next_access_token("s3cr3t-token").next_access_token("s3cr3t-token-2").rotation(Rotation::Repeat);
    let api = gatepass_testkit::Api::start(&auth).await;
    let site = start_app(auth, |site| forward(site, api.origin()).routes()).await;
    let session = site.cookie.split_once('=').unwrap().1.to_owned();
    let ask = || send(site.request("POST", "/api/orders").header("authorization", "Bearer s3cr3t"), Body::empty());
    assert_eq!(ask().await.status(), 200);
    site.auth.revoke_access_tokens();
    assert_eq!(ask().await.status(), 200);
    api.fail_next(1, Failure::dropped());
    assert_eq!(ask().await.status(), 502);
    site.when_tokens_have_ended();
    // A server that quotes what it got.
    let refresh_token =
        site.auth.journal().iter().find_map(|sent| Some(sent.param("refresh_token")?.to_owned())).unwrap();
    let quoting = format!(r#"{{"error":"server_error","error_description":"{refresh_token} is good"}}"#);
    site.auth.fail_next(1, Failure::json(503, &quoting));
    assert_eq!(ask().await.status(), 503);
    site.sessions.go_away();
    assert_eq!(ask().await.status(), 503);
    let log = log.text();
    assert!(log.contains("no answer from the API") && log.contains("there is no token now"), "{log}");
    let secrets = ["s3cr3t", &session, &refresh_token];
    let shown: Vec<&str> = log.lines().filter(|line| secrets.iter().any(|secret| line.contains(secret))).collect();
    assert!(shown.is_empty(), "{shown:#?}");
}

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Takes down all that is logged until the guard is dropped.
    fn start() -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE);
        (log, set_default(subscriber.with_writer(move || writer.clone()).finish()))
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
