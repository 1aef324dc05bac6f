//! Four processes on one rotating refresh token, against a server that ends the grant on reuse and knows no grace.

use std::{
    path::PathBuf,
    process::{Command, Output, Stdio},
    time::Duration,
};

use futures_util::future::join_all;
use serde_json::Value;

use super::provider::Provider;

#[path = "../../crates/gatepass-redis/tests/support/redis_server.rs"]
mod redis_server;

/// The example, as scripts/interop built it.
fn worker(provider: &Provider, store: &str, refresh_token: &str) -> Command {
    let mut path: PathBuf = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.push("examples/worker");
    assert!(path.exists(), "{} is not built: run scripts/interop", path.display());
    let (id, secret) = provider.credentials("web");
    let mut command = Command::new(path);
    command.env("OAUTH_ISSUER", &provider.issuer).env("OAUTH_CLIENT_ID", id).env("OAUTH_CLIENT_SECRET", secret);
    command.env("API_URL", format!("{}/items", provider.api)).env("STORE", store);
    command.env("OAUTH_REFRESH_TOKEN", refresh_token).env_remove("OAUTH_TOKEN_URL");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

async fn output(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn summary(output: &Output) -> Value {
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stdout}{stderr}");
    serde_json::from_str(&stdout).unwrap()
}

/// Ten rotations and more.
async fn four_processes_live_on(store: &str) {
    let provider = Provider::start(Duration::from_secs(2)).await;
    let refresh_token = provider.mint("web").await;
    let outputs = join_all([(); 4].map(|()| {
        let mut command = worker(&provider, store, &refresh_token);
        command.env("SECONDS", "14");
        output(command)
    }))
    .await;
    let mut exchanges = 0;
    for output in &outputs {
        let summary = summary(output);
        assert_eq!(summary["failures"], serde_json::json!({}), "{summary}");
        exchanges += summary["exchanges"].as_u64().unwrap();
    }
    assert!(exchanges >= 10, "only {exchanges} rotations");
    assert_eq!(provider.token_requests().await, exchanges);

    // The family is alive: one that starts once the token has ended refreshes from the store.
    tokio::time::sleep(Duration::from_millis(2100)).await;
    let mut last = worker(&provider, store, "");
    last.env("SECONDS", "0.5");
    assert_eq!(summary(&output(last).await)["exchanges"], 1);
}

#[tokio::test]
#[ignore = "needs Node.js and redis-server: run scripts/interop"]
async fn four_processes_share_one_family_over_redis() {
    let redis = redis_server::RedisServer::start();
    four_processes_live_on(&redis.url()).await;
}

#[tokio::test]
#[ignore = "needs Node.js: run scripts/interop"]
async fn four_processes_share_one_family_over_a_file() {
    let directory = std::env::temp_dir().join(format!("gatepass-interop-fleet-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    four_processes_live_on(&format!("file:{}", directory.join("tokens.json").display())).await;
    std::fs::remove_dir_all(&directory).unwrap();
}
