//! The examples, run as the programs they are, against servers that they know only by their environment.

use std::{
    path::PathBuf,
    process::{Command, Output},
};

use gatepass_testkit::{Api, AuthorizationServer, Challenge, Failure};

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
