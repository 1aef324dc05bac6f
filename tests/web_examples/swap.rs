//! `token_swap_server`, and the example that is its client.

use std::process::Command;

use gatepass_testkit::{Api, AuthorizationServer};
use http::StatusCode;
use serde_json::Value;

use crate::{
    browser::Browser,
    program::{Program, example},
};

const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

fn server_of(server: &AuthorizationServer) -> Command {
    let mut command = example("token_swap_server");
    command.env("OAUTH_TOKEN_URL", server.token_url());
    command
}

async fn post(url: &str, form: &[(&str, &str)]) -> (StatusCode, Value) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let request = reqwest::Client::new().post(url).header("content-type", "application/x-www-form-urlencoded");
    let response = request.body(body).send().await.unwrap();
    let status = response.status();
    (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap())
}

#[tokio::test]
async fn the_client_example_signs_in_by_it() {
    let server = AuthorizationServer::start().await;
    let api = Api::start(&server).await;
    let swap = Program::start(server_of(&server)).await;
    let home = std::env::temp_dir().join(format!("gatepass-swap-{}", std::process::id()));
    std::fs::create_dir_all(&home).unwrap();
    let mut command = example("token_swap_client");
    command.env_remove("PORT").env_remove("OAUTH_CLIENT_SECRET").env("HOME", &home).env("API_URL", api.url("/v1/me"));
    command.env("OAUTH_AUTH_URL", server.authorization_url()).arg("--no-browser");
    command.env("SWAP_URL", format!("{}/swap", swap.origin)).env("REFRESH_URL", format!("{}/refresh", swap.origin));
    let mut program = Program::spawn(command);
    let address = program.line_after("open: ").await;
    let callback = Browser::new("").visit(&address).await;
    assert_eq!(callback.status, 200);
    let ended = program.end().await;
    assert!(ended.succeeded && ended.stdout.iter().any(|line| line.contains("/v1/me")), "{ended:?}");
    // The secret was added by the server.
    assert!(server.journal()[0].has_authorization);
    let _ = std::fs::remove_dir_all(home);
}

#[tokio::test]
async fn a_sealed_refresh_token_is_good_here_and_nowhere_else() {
    let server = AuthorizationServer::start().await;
    let mut command = server_of(&server);
    command.env("COOKIE_KEY", KEY).env("REDIRECT_URIS", "my-app://callback http://127.0.0.1/callback");
    let swap = Program::start(command).await;
    let (swap_url, refresh_url) = (format!("{}/swap", swap.origin), format!("{}/refresh", swap.origin));
    let raw = server.issue_refresh_token();
    let (status, body) = post(&refresh_url, &[("refresh_token", &raw)]).await;
    assert_eq!((status.as_u16(), &body["error"]), (400, &"invalid_grant".into()));

    let code = code_of(&server).await;
    let (status, body) = post(&swap_url, &[("code", &code), ("redirect_uri", "http://127.0.0.1:7777/callback")]).await;
    assert_eq!(status, 200, "{body}");
    let sealed = body["refresh_token"].as_str().unwrap();
    assert!(!server.is_refreshable(sealed) && server.is_active(body["access_token"].as_str().unwrap()));
    let (status, body) = post(&refresh_url, &[("refresh_token", sealed)]).await;
    assert_eq!(status, 200, "{body}");
    let (status, body) = post(&swap_url, &[("code", "x"), ("redirect_uri", "https://evil.example")]).await;
    assert_eq!((status.as_u16(), &body["error"]), (400, &"invalid_request".into()));
}

/// What an app gets when somebody has signed in.
async fn code_of(server: &AuthorizationServer) -> String {
    let callback = "http%3A%2F%2F127.0.0.1%3A7777%2Fcallback";
    let url = server.authorization_url();
    let page = Browser::new(&server.issuer())
        .visit_once(&format!("{url}?response_type=code&client_id=client&redirect_uri={callback}&state=s"))
        .await;
    let location = page.header("location").to_owned();
    let query = location.split_once('?').unwrap().1;
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find_map(|(name, value)| (name == "code").then(|| value.into_owned())).unwrap_or_else(|| panic!("{location}"))
}

#[tokio::test]
async fn what_is_wrong_is_one_line() {
    let server = AuthorizationServer::start().await;
    for (variable, value, hint) in [
        ("OAUTH_TOKEN_URL", "", "OAUTH_TOKEN_URL"),
        ("OAUTH_CLIENT_SECRET", "", "OAUTH_CLIENT_SECRET is not set"),
        ("REDIRECT_URIS", "  ", "REDIRECT_URIS is blank"),
        ("COOKIE_KEY", "c2hvcnQ=", "openssl rand -base64 32"),
        ("PORT", "x", "a number from 1 to 65535"),
    ] {
        let mut command = server_of(&server);
        command.env(variable, value);
        let ended = Program::fail(command).await;
        assert!(ended.failed_with(hint), "{variable}={value}: {ended:?}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn it_ends_well() {
    let server = AuthorizationServer::start().await;
    let swap = Program::start(server_of(&server)).await;
    swap.tell("TERM");
    assert!(swap.end().await.succeeded);
}
