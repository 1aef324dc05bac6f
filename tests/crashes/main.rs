//! A process dies at each step of an exchange, and the next one goes on: no family is revoked, and nothing is lost
//! that the server's grace can give back.
//!
//! The program that dies is this test itself, started again: `child` runs one exchange over a store that ends the
//! process before or after its n-th call.

mod killing;

use std::{
    env,
    process::{Command, Output},
    time::Duration,
};

use gatepass::{
    AuthorizationServer, ClientAuth, TokenCell, TokenEndpoint, TokenSet, endpoint::Body, grant::RefreshToken,
    store::FileStore,
};
use gatepass_redis::RedisStore;
use gatepass_testkit::{AuthorizationServer as TestServer, Rotation};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use killing::{Fuse, KillingSource, KillingStore};

#[path = "../../crates/gatepass-redis/tests/support/redis_server.rs"]
mod redis_server;

/// What the child exits with when nothing stopped it.
const DONE: i32 = 7;

/// Runs one exchange; dies at the step that the environment says.
#[test]
fn child() {
    let Ok(store) = env::var("CRASH_STORE") else {
        return; // started as a test, not as the child
    };
    let fuse = Fuse::new(env::var("CRASH_AT").unwrap().parse().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let outcome = runtime.block_on(async {
        let server = AuthorizationServer::token_endpoint(env::var("CRASH_TOKEN_URL").unwrap());
        let client = ClientAuth::basic("client", "secret");
        let http = Client::builder(TokioExecutor::new()).build_http::<Body>();
        let endpoint = TokenEndpoint::new(http, server, client, RefreshToken::new()).unwrap();
        let builder = TokenCell::builder(KillingSource::new(endpoint, fuse.clone()))
            .start_from(TokenSet::from_refresh_token(env::var("CRASH_REFRESH_TOKEN").unwrap()));
        let cell = if let Some(path) = store.strip_prefix("file:") {
            builder.store(KillingStore::new(FileStore::new(path), fuse)).build()
        } else {
            let redis = RedisStore::new(&store).unwrap().lease_term(Duration::from_millis(500));
            builder.store(KillingStore::new(redis, fuse)).build()
        };
        let token = cell.get().await;
        cell.settled().await;
        token.map(drop)
    });
    if let Err(error) = outcome {
        eprintln!("{error:?}");
        std::process::exit(1);
    }
    std::process::exit(DONE);
}

/// One run of the child, to its end or its death.
async fn run(server: &TestServer, store: &str, refresh_token: &str, die_at: usize) -> Output {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "child", "--nocapture"]);
    command.env("CRASH_STORE", store).env("CRASH_AT", die_at.to_string());
    command.env("CRASH_TOKEN_URL", server.token_url()).env("CRASH_REFRESH_TOKEN", refresh_token);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

/// Dies at every step in turn; each time the next process has to come through.
async fn dies_at_every_step(store: impl Fn(usize) -> String) {
    let mut steps = 0;
    for die_at in 1.. {
        let server = TestServer::start().await;
        server.rotation(Rotation::Rotate).detect_reuse(true).reuse_grace(Duration::from_secs(30));
        let (store, refresh_token) = (store(die_at), server.issue_refresh_token());
        let died = run(&server, &store, &refresh_token, die_at).await;
        let said = String::from_utf8_lossy(&died.stdout).into_owned();
        if died.status.code() == Some(DONE) {
            break;
        }
        assert!(said.contains("died "), "{said}{}", String::from_utf8_lossy(&died.stderr));
        steps += 1;

        let next = run(&server, &store, &refresh_token, 0).await;
        let error = String::from_utf8_lossy(&next.stderr).into_owned();
        assert_eq!(next.status.code(), Some(DONE), "after a death at step {die_at}: {said}{error}");
        assert_eq!(server.families_revoked(), 0, "at step {die_at}: {said}");
        assert!(server.token_requests() <= 2, "at step {die_at}: {said}");

        let requests = server.token_requests();
        let third = run(&server, &store, &refresh_token, 0).await;
        assert_eq!(third.status.code(), Some(DONE));
        assert_eq!(server.token_requests(), requests, "what was stored is used, after step {die_at}: {said}");
    }
    // Three loads, a lease, three writes (the start, the intent, the set), the token request, the release: before and
    // after each.
    assert!(steps >= 16, "only {steps} steps");
}

#[tokio::test]
async fn a_process_that_dies_at_any_step_loses_nothing_in_a_file() {
    let directory = std::env::temp_dir().join(format!("gatepass-crashes-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    dies_at_every_step(|step| format!("file:{}", directory.join(format!("step-{step}.json")).display())).await;
    std::fs::remove_dir_all(&directory).unwrap();
}

#[tokio::test]
#[ignore = "needs redis-server: run by scripts/interop"]
async fn a_process_that_dies_at_any_step_loses_nothing_in_redis() {
    let redis = redis_server::RedisServer::start();
    // Each step has a token server of its own, and so a key of its own.
    dies_at_every_step(|_| redis.url()).await;
}
