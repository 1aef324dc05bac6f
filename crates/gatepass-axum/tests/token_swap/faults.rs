//! What an app is told when the authorization server fails, and what is not.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use gatepass_testkit::{Failure, RetryAfter};
use tracing_subscriber::fmt::MakeWriter;

use crate::world::{Answer, World, refusal};

fn again(answer: &Answer) -> u64 {
    assert_eq!(refusal(answer), (503, "temporarily_unavailable".to_owned()));
    answer.headers()["retry-after"].to_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn f3_when_the_authorization_server_fails_the_app_comes_again() {
    let world = World::start().await;
    let token = world.server.issue_refresh_token();
    for (wait, failure) in [
        (5, Failure::status(500)),
        (5, Failure::status(429)),
        (5, Failure::html(200)),
        (5, Failure::torn_json()),
        // F4: who comes again soon may meet a grace.
        (1, Failure::torn_connection()),
        (1, Failure::dropped()),
        (1, Failure::oversize(200, 2 * 1024 * 1024)),
        (5, Failure::json(200, r#"{"token_type":"Bearer"}"#)),
    ] {
        world.server.fail_next(1, failure.clone());
        assert_eq!(again(&world.refresh(&token).await), wait, "{failure:?}");
        let code = world.code(false).await;
        world.server.fail_next(1, failure.clone());
        again(&world.post("/swap", &format!("code={code}")).await);
        assert_eq!(world.post("/swap", &format!("code={code}")).await.status(), 200, "{failure:?}");
    }
    world.server.fail_next(1, Failure::status(503).retry_after(RetryAfter::Seconds(17)));
    assert_eq!(again(&world.refresh(&token).await), 17);
    // None of it is remembered.
    assert_eq!(world.refresh(&token).await.status(), 200);

    world.server.stop().await;
    again(&world.refresh("another").await);
}

#[tokio::test]
async fn f1_what_is_refused_is_refused() {
    let world = World::start().await;
    for answer in [world.refresh("made-up").await, world.post("/swap", "code=made-up").await] {
        assert_eq!(refusal(&answer), (400, "invalid_grant".to_owned()));
    }
    let token = world.server.issue_refresh_token();
    world.server.revoke_everything();
    assert_eq!(refusal(&world.refresh(&token).await), (400, "invalid_grant".to_owned()));
}

#[tokio::test]
async fn f2_what_is_wrong_at_this_server_is_for_its_log() {
    let world = World::start_with("wrong", |swap| swap).await;
    let code = world.code(false).await;
    for answer in [world.refresh("any").await, world.post("/swap", &format!("code={code}")).await] {
        assert_eq!(refusal(&answer), (500, "server_error".to_owned()));
        let text = String::from_utf8_lossy(answer.body());
        assert!(!text.contains("client") && !text.contains("127.0.0.1"), "{text}");
    }
}

#[tokio::test]
async fn x5_no_secret_is_logged() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let world = World::start_with("wrong-s3cr3t", |swap| swap).await;
    let echo = r#"{"error":"invalid_grant","error_description":"s3cr3t-token is not known"}"#;
    for failure in [
        Failure::json(400, echo),
        Failure::json(503, &echo.replace("invalid_grant", "server_error")),
        Failure::json(400, &echo.replace("invalid_grant", "invalid_scope")),
        Failure::dropped(),
    ] {
        world.server.fail_next(2, failure);
        for (path, form) in
            [("/refresh", "refresh_token=s3cr3t-token"), ("/swap", "code=s3cr3t-token&code_verifier=s3cr3t")]
        {
            let answer = world.post(path, form).await;
            assert!(!String::from_utf8_lossy(answer.body()).contains("s3cr3t"));
        }
        let long_enough = format!("code=s3cr3t-token&code_verifier={}", "s3cr3t-".repeat(7));
        world.post("/swap", &long_enough).await;
    }
    let log = log.text();
    assert!(log.contains("a token swap is not possible"), "{log}");
    assert!(!log.contains("s3cr3t"), "{log}");
}

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
