//! The examples, run as the programs they are, against servers that they know only by their environment.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Command, Output, Stdio},
    time::Duration,
};

use gatepass_testkit::{Api, AuthorizationServer, Challenge, Failure};
use serde_json::Value;

/// Cargo builds the examples beside the tests.
fn example(name: &str) -> Command {
    let mut path: PathBuf = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.push("examples");
    path.push(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(path.exists(), "{} is not built: run `cargo build --examples`", path.display());
    let mut command = Command::new(path);
    for name in
        ["OAUTH_ISSUER", "OAUTH_TOKEN_URL", "OAUTH_CLIENT_AUTH", "OAUTH_SCOPES", "OAUTH_REFRESH_TOKEN", "API_URL"]
    {
        command.env_remove(name);
    }
    for name in ["STORE", "SUBJECT", "SECONDS", "CONCURRENCY", "GRACE", "LOG"] {
        command.env_remove(name);
    }
    command.env("OAUTH_CLIENT_ID", "client").env("OAUTH_CLIENT_SECRET", "secret");
    command
}

async fn run(mut command: Command) -> (Output, String, String) {
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    (output, stdout, stderr)
}

async fn servers() -> (AuthorizationServer, Api) {
    let server = AuthorizationServer::start().await;
    let api = Api::start(&server).await;
    (server, api)
}

#[tokio::test]
async fn the_clients_print_what_the_api_says() {
    for name in ["call_api", "hyper_client", "reqwest_client"] {
        let (server, api) = servers().await;
        let mut command = example(name);
        command.env("OAUTH_ISSUER", server.issuer()).env("API_URL", api.url("/v1/items"));
        let (output, stdout, stderr) = run(command).await;
        assert!(output.status.success() && stderr.is_empty(), "{name}: {stdout}{stderr}");
        assert!(stdout.starts_with("200") && stdout.contains("/v1/items"), "{name}: {stdout}");
        assert_eq!(server.token_requests(), 1);
    }
}

#[tokio::test]
async fn call_api_takes_every_way_to_authenticate_and_scopes_and_a_refresh_token() {
    let (server, api) = servers().await;
    server.add_public_client("app");
    for (auth, id, scopes, grant) in [
        ("basic", "client", "a b", "client_credentials"),
        ("post", "client", "", "client_credentials"),
        ("none", "app", "", "refresh_token"),
    ] {
        let mut command = example("call_api");
        command.env("OAUTH_TOKEN_URL", server.token_url()).env("API_URL", api.url("/"));
        command.env("OAUTH_CLIENT_AUTH", auth).env("OAUTH_CLIENT_ID", id).env("OAUTH_SCOPES", scopes);
        if grant == "refresh_token" {
            command.env("OAUTH_REFRESH_TOKEN", server.issue_refresh_token_to("app", None));
        }
        let (output, stdout, stderr) = run(command).await;
        assert!(output.status.success(), "{auth}: {stdout}{stderr}");
        let request = server.journal().pop().unwrap();
        assert_eq!(
            (request.grant_type(), request.param("scope")),
            (Some(grant), Some(scopes).filter(|it| !it.is_empty()))
        );
        assert_eq!(request.has_authorization, auth == "basic");
    }
}

#[tokio::test]
async fn call_api_repeats_and_sums_up() {
    let (server, api) = servers().await;
    api.fail_next(1, Failure::challenge(Challenge::InvalidToken));
    let mut command = example("call_api");
    command.env("OAUTH_ISSUER", server.issuer()).env("API_URL", api.url("/")).args(["--repeat", "20", "--every", "5"]);
    let (output, stdout, stderr) = run(command).await;
    assert!(output.status.success(), "{stdout}{stderr}");
    assert!(stdout.ends_with("calls 20, failures 0, token requests 2\n"), "{stdout}");
}

#[tokio::test]
async fn failures_are_one_line_on_stderr_and_a_code() {
    let (server, api) = servers().await;
    for name in ["call_api", "hyper_client", "reqwest_client"] {
        for (variable, value, hint) in [
            ("OAUTH_CLIENT_SECRET", "hunter2", "secret"),
            ("OAUTH_CLIENT_AUTH", "magic", "basic, post or none"),
            ("OAUTH_ISSUER", "", "OAUTH_TOKEN_URL"),
            ("OAUTH_ISSUER", "http://auth.example.com", "https"),
            ("API_URL", "", "API_URL is not set"),
            ("API_URL", "http://api.example.com/", "https"),
        ] {
            let mut command = example(name);
            command.env("OAUTH_ISSUER", server.issuer()).env("API_URL", api.url("/")).env(variable, value);
            let (output, stdout, stderr) = run(command).await;
            assert!(!output.status.success(), "{name} {variable}: {stdout}");
            assert!(stderr.contains(hint) && stderr.trim_end().lines().count() == 1, "{name} {variable}: {stderr}");
            assert!(!stderr.contains("hunter2") && !stdout.contains("hunter2"), "{stderr}");
        }
    }
}

#[tokio::test]
async fn an_api_that_refuses_is_a_failure_too() {
    for name in ["call_api", "hyper_client", "reqwest_client"] {
        let (server, api) = servers().await;
        api.fail_until_told(Failure::challenge(Challenge::InvalidToken));
        let mut command = example(name);
        command.env("OAUTH_ISSUER", server.issuer()).env("API_URL", api.url("/"));
        let (output, stdout, stderr) = run(command).await;
        assert!(!output.status.success() && stdout.starts_with("401"), "{name}: {stdout}{stderr}");
        assert_eq!((server.token_requests(), api.calls()), (2, 2), "{name}");
    }
}

#[tokio::test]
async fn custom_source_reads_its_file() {
    let (server, api) = servers().await;
    let _ = server;
    let path = std::env::temp_dir().join(format!("gatepass-custom-source-{}", std::process::id()));
    std::fs::write(&path, "a-token\n").unwrap();
    let mut command = example("custom_source");
    command.env("TOKEN_FILE", &path).env("API_URL", api.url("/public"));
    let (output, stdout, stderr) = run(command).await;
    assert!(output.status.success() && stdout.contains("Bearer a-token"), "{stdout}{stderr}");

    std::fs::remove_file(&path).unwrap();
    let mut command = example("custom_source");
    command.env("TOKEN_FILE", &path).env("API_URL", api.url("/public"));
    let (output, _, stderr) = run(command).await;
    assert!(!output.status.success() && stderr.contains("cannot be read"), "{stderr}");
}

#[tokio::test]
async fn tonic_client_heals() {
    let (output, stdout, stderr) = run(example("tonic_client")).await;
    assert!(output.status.success() && stdout.contains("Unauthenticated"), "{stdout}{stderr}");
    assert!(stdout.ends_with("the next call: Serving\ntoken requests: 2\n"), "{stdout}");
}

#[tokio::test]
async fn metrics_shows_the_status_and_a_page_on_servers_of_its_own_and_on_others() {
    let (server, api) = servers().await;
    for own in [true, false] {
        let mut command = example("metrics");
        if !own {
            command.env("OAUTH_ISSUER", server.issuer()).env("API_URL", api.url("/v1/items"));
        }
        let (output, stdout, stderr) = run(command).await;
        assert!(output.status.success() && stderr.is_empty(), "{stdout}{stderr}");
        assert!(stdout.starts_with("example: fresh, generation "), "{stdout}");
        for line in [
            "# HELP gatepass_exchanges_total Exchanges of a cell that ended",
            "# TYPE gatepass_wait_duration_seconds histogram",
            "gatepass_rejections_total{cell=\"example\",outcome=\"dropped\"} 1",
            "gatepass_callers_waiting{cell=\"example\"} 0",
        ] {
            assert!(stdout.contains(line), "{line}: {stdout}");
        }
    }
    assert_eq!((server.token_requests(), api.calls()), (2, 2));
    let mut command = example("metrics");
    command.args(["--listen", "9464"]);
    let (output, stdout, stderr) = run(command).await;
    assert!(!output.status.success() && stdout.is_empty() && stderr.contains("127.0.0.1:9464"), "{stdout}{stderr}");
}

#[cfg(unix)]
#[tokio::test]
async fn metrics_serves_the_page_until_it_is_told_to_end() {
    let (server, api) = servers().await;
    let mut command = example("metrics");
    command.env("OAUTH_ISSUER", server.issuer()).env("API_URL", api.url("/")).args(["--listen", "127.0.0.1:0"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let stdout = child.stdout.take().unwrap();
    let (address, page) = tokio::task::spawn_blocking(move || {
        let mut lines = BufReader::new(stdout).lines().map(Result::unwrap);
        let address =
            lines.find_map(|line| Some(line.strip_prefix("http://")?.strip_suffix("/metrics")?.to_owned())).unwrap();
        let mut connection = TcpStream::connect(&address).unwrap();
        write!(connection, "GET /metrics HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
        let mut page = String::new();
        connection.read_to_string(&mut page).unwrap();
        (address, page)
    })
    .await
    .unwrap();
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("gatepass_exchanges_total{"), "{address}: {page}");
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert!(tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap().success());
}

#[tokio::test]
async fn r5_rate_limit_gets_all_calls_through_and_few_are_turned_away() {
    let (output, stdout, stderr) = run(example("rate_limit")).await;
    assert!(output.status.success() && stderr.is_empty(), "{stdout}{stderr}");
    assert!(stdout.starts_with("200 of 200 calls done in "), "{stdout}");
    let turned_away = stdout.lines().last().unwrap().split_whitespace().find_map(|word| word.parse::<u32>().ok());
    assert!(turned_away.is_some_and(|calls| calls <= 60), "{stdout}");

    let (server, api) = servers().await;
    let mut command = example("rate_limit");
    command.env("OAUTH_ISSUER", server.issuer()).env("API_URL", api.url("/")).args(["--calls", "30", "--no-gate"]);
    let (output, stdout, stderr) = run(command).await;
    assert!(output.status.success() && stdout.starts_with("30 of 30 calls done"), "{stdout}{stderr}");

    let mut command = example("rate_limit");
    command.args(["--calls", "many"]);
    let (output, _, stderr) = run(command).await;
    assert!(!output.status.success() && stderr.contains("--calls takes a number"), "{stderr}");
}

/// The example `worker`, for a moment, against these two.
fn worker(server: &AuthorizationServer, api: &Api, settings: &[(&str, &str)]) -> Command {
    let mut command = example("worker");
    command.env("OAUTH_ISSUER", server.issuer()).env("API_URL", api.url("/v1/items")).env("SECONDS", "0.3");
    command.envs(settings.iter().copied());
    command
}

/// What a worker prints at its end: one line.
fn summary(stdout: &str) -> Value {
    assert_eq!(stdout.trim_end().lines().count(), 1, "{stdout}");
    serde_json::from_str(stdout).unwrap()
}

/// A path for one test, which is gone when this is dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("gatepass-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        Self(directory)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn a_worker_calls_all_the_time_and_sums_up() {
    let (server, api) = servers().await;
    let refresh_token = server.issue_refresh_token();
    for (start, grant) in [(refresh_token.as_str(), "refresh_token"), ("", "client_credentials")] {
        let (calls, requests) = (api.calls(), server.token_requests());
        let (output, stdout, stderr) = run(worker(&server, &api, &[("OAUTH_REFRESH_TOKEN", start)])).await;
        assert!(output.status.success() && stderr.is_empty(), "{stdout}{stderr}");
        let summary = summary(&stdout);
        assert_eq!(summary["calls"], api.calls() - calls);
        assert_eq!((&summary["exchanges"], &summary["failures"]), (&1.into(), &serde_json::json!({})));
        assert_eq!(server.token_requests() - requests, 1);
        assert_eq!(server.journal().pop().unwrap().grant_type(), Some(grant));
    }
}

#[tokio::test]
async fn a_worker_goes_on_from_its_file_whatever_it_was_told_to_start_from() {
    let (server, api) = servers().await;
    let scratch = Scratch::new("worker-goes-on");
    let store = format!("file:{}", scratch.path("token"));
    let first = server.issue_refresh_token();
    for (start, exchanges) in [(first.as_str(), 1), (&first, 0), ("bogus", 0), ("", 0)] {
        let command = worker(&server, &api, &[("STORE", &store), ("OAUTH_REFRESH_TOKEN", start)]);
        let (output, stdout, stderr) = run(command).await;
        assert!(output.status.success(), "{start}: {stdout}{stderr}");
        assert_eq!(summary(&stdout)["exchanges"], exchanges, "{start}: {stdout}");
    }
    assert_eq!(server.token_requests(), 1);

    // The token has ended: what is exchanged is what was stored.
    server.advance(Duration::from_secs(7200));
    let (output, stdout, stderr) =
        run(worker(&server, &api, &[("STORE", &store), ("OAUTH_REFRESH_TOKEN", "bogus")])).await;
    assert!(output.status.success(), "{stdout}{stderr}");
    assert_eq!((server.token_requests(), server.families_revoked()), (2, 0));
}

#[tokio::test]
async fn four_workers_share_one_rotating_refresh_token_in_a_file() {
    let (server, api) = servers().await;
    server.token_lifetime(Duration::from_secs(1)).detect_reuse(true);
    let scratch = Scratch::new("worker-four");
    let store = format!("file:{}", scratch.path("token"));
    let first = server.issue_refresh_token();
    let workers = [(); 4].map(|()| {
        let settings = [("STORE", store.as_str()), ("OAUTH_REFRESH_TOKEN", &first), ("SECONDS", "4")];
        run(worker(&server, &api, &settings))
    });
    let mut exchanges = 0;
    for (output, stdout, stderr) in futures_util::future::join_all(workers).await {
        assert!(output.status.success(), "{stdout}{stderr}");
        assert_eq!(summary(&stdout)["failures"].get("reauth_required"), None, "{stdout}");
        exchanges += summary(&stdout)["exchanges"].as_u64().unwrap();
    }
    assert_eq!((server.families_revoked(), server.max_concurrent_token_requests()), (0, 1));
    assert_eq!(server.token_requests() as u64, exchanges);
    assert!((4..=10).contains(&exchanges), "one every half second at most: {exchanges}");
}

#[tokio::test]
async fn a_worker_keeps_the_tokens_of_two_people_apart() {
    let (server, api) = servers().await;
    let scratch = Scratch::new("worker-people");
    let store = format!("file:{}", scratch.path("tokens"));
    for person in ["alice", "bob"] {
        let start = server.issue_refresh_token();
        let settings = [("STORE", store.as_str()), ("SUBJECT", person), ("OAUTH_REFRESH_TOKEN", &start)];
        let (output, stdout, stderr) = run(worker(&server, &api, &settings)).await;
        assert!(output.status.success() && summary(&stdout)["exchanges"] == 1, "{stdout}{stderr}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_worker_that_is_told_to_end_ends_well() {
    for signal in ["TERM", "INT"] {
        let (server, api) = servers().await;
        let start = server.issue_refresh_token();
        let mut command = worker(&server, &api, &[("SECONDS", "600"), ("OAUTH_REFRESH_TOKEN", &start)]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        api.until_calls(20).await;
        // One is under way.
        api.hold();
        api.until_calls(api.calls() + 1).await;
        let told = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap();
        assert!(told.success());
        api.release();
        let output = tokio::task::spawn_blocking(|| child.wait_with_output().unwrap()).await.unwrap();
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && output.stderr.is_empty(), "{signal}: {output:?}");
        assert_eq!(summary(&stdout)["calls"], api.calls(), "{signal}: {stdout}");
        assert_eq!(summary(&stdout)["failures"], serde_json::json!({}));
    }
}

#[tokio::test]
async fn a_worker_says_why_it_gave_up() {
    let (server, api) = servers().await;
    let scratch = Scratch::new("worker-gave-up");
    let log = scratch.path("failures");
    // It ends at once: no call can succeed until somebody signs in.
    let settings = [("SECONDS", "600"), ("LOG", log.as_str()), ("OAUTH_REFRESH_TOKEN", "bogus")];
    let (output, stdout, stderr) = run(worker(&server, &api, &settings)).await;
    assert!(!output.status.success() && stderr.contains("sign in again"), "{stdout}{stderr}");
    assert_eq!(stderr.trim_end().lines().count(), 1, "{stderr}");
    let failures = summary(&stdout)["failures"]["reauth_required"].as_u64().unwrap();
    let logged = std::fs::read_to_string(&log).unwrap();
    assert_eq!(logged.lines().count() as u64, failures);
    for line in logged.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(line["kind"] == "reauth_required" && line["at_ms"].is_u64() && line["waited_ms"].is_u64(), "{line}");
    }

    // No call succeeds, though there is a token.
    let (server, api) = servers().await;
    api.fail_until_told(Failure::status(500));
    let (output, stdout, stderr) = run(worker(&server, &api, &[])).await;
    assert!(!output.status.success() && stderr.contains("500"), "{stdout}{stderr}");
    assert_eq!(summary(&stdout)["failures"]["status_500"], summary(&stdout)["calls"]);
}

#[tokio::test]
async fn a_worker_says_what_to_write() {
    let (server, api) = servers().await;
    for (variable, value, hint) in [
        ("STORE", "foo", "memory, file:PATH, redis://HOST or rediss://HOST"),
        ("STORE", "file:", "file:PATH"),
        ("STORE", "http://:hunter2@redis.internal", "redis://HOST"),
        ("STORE", "redis://:hunter2@", "redis"),
        ("SECONDS", "abc", "seconds, such as 10"),
        ("SECONDS", "-1", "seconds, such as 10"),
        ("CONCURRENCY", "many", "a number of calls"),
        ("CONCURRENCY", "0", "1 or more"),
        ("GRACE", "x", "seconds, such as 10"),
        ("LOG", "/no/such/directory/log", "write a path"),
        ("API_URL", "", "API_URL is not set"),
        ("OAUTH_ISSUER", "", "OAUTH_TOKEN_URL"),
    ] {
        let (output, stdout, stderr) = run(worker(&server, &api, &[(variable, value)])).await;
        assert!(!output.status.success() && stdout.is_empty(), "{variable}={value}: {stdout}");
        assert!(stderr.contains(hint) && stderr.trim_end().lines().count() == 1, "{variable}={value}: {stderr}");
        assert!(!stderr.contains("hunter2"), "{stderr}");
    }
    assert_eq!((server.token_requests(), api.calls()), (0, 0));
}
