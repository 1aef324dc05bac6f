//! What a program says at its start, and how it ends.

use std::{net::TcpListener, process::Command};

use gatepass_testkit::{Api, AuthorizationServer};

use crate::{
    browser::Browser,
    program::{Program, example, with},
};

const PROGRAMS: [&str; 3] = ["web_login", "web_spa", "background_jobs"];
const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

async fn servers() -> (AuthorizationServer, Api) {
    let server = AuthorizationServer::start().await;
    let api = Api::start(&server).await;
    (server, api)
}

#[tokio::test]
async fn what_is_wrong_is_one_line_that_says_what_to_do() {
    let (server, api) = servers().await;
    for name in PROGRAMS {
        for (variable, value, hint) in [
            ("OAUTH_ISSUER", "", "set OAUTH_ISSUER"),
            ("OAUTH_ISSUER", "http://auth.example.com", "plain http is for loopback"),
            ("OAUTH_ISSUER", "nonsense", "write a whole URL"),
            ("OAUTH_CLIENT_ID", "", "OAUTH_CLIENT_ID is not set"),
            ("OAUTH_CLIENT_SECRET", "", "OAUTH_CLIENT_SECRET is not set"),
            ("OAUTH_CLIENT_AUTH", "magic", "basic, post or none"),
            ("API_URL", "nonsense", "write a whole URL"),
            ("API_URL", "http://api.example.com/me", "plain http is for loopback"),
            ("PORT", "x", "a number from 1 to 65535"),
            ("PORT", "70000", "a number from 1 to 65535"),
            ("COOKIE_KEY", "c2hvcnQ=", "openssl rand -base64 32"),
            ("COOKIE_KEY", "no base64 at all, but long enough for it", "openssl rand -base64 32"),
            ("PUBLIC_URL", "https://app.example.com", "PUBLIC_URL needs COOKIE_KEY"),
        ] {
            let mut command = with(name, &server, &api);
            let ended = Program::fail(set(&mut command, variable, value)).await;
            assert!(ended.failed_with(hint), "{name} {variable}={value}: {ended:?}");
            assert!(value.is_empty() || !variable.contains("KEY") || !ended.stderr.contains(value), "{ended:?}");
        }
        for (url, hint) in [
            ("http://app.example.com", "plain http is for loopback"),
            ("https://app.example.com/path", "it has a path"),
            ("app.example.com", "no whole URL"),
        ] {
            let mut command = with(name, &server, &api);
            let ended = Program::fail(set(command.env("COOKIE_KEY", KEY), "PUBLIC_URL", url)).await;
            assert!(ended.failed_with(hint), "{name} {url}: {ended:?}");
        }
        for (missing, hint) in [("OAUTH_AUTH_URL", "set OAUTH_AUTH_URL"), ("OAUTH_USER_URL", "set OAUTH_USER_URL")] {
            let mut command = example(name);
            command.env("API_URL", api.url("/")).env("OAUTH_TOKEN_URL", server.token_url());
            command.env("OAUTH_AUTH_URL", server.authorization_url()).env("OAUTH_USER_URL", server.userinfo_url());
            let ended = Program::fail(set(&mut command, missing, "")).await;
            assert!(ended.failed_with(hint), "{name} {missing}: {ended:?}");
        }
    }
    assert!(server.arrivals().is_empty() && api.calls() == 0, "nobody was asked");
}

#[tokio::test]
async fn a_port_that_is_taken_is_one_line() {
    let (server, api) = servers().await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for name in PROGRAMS {
        let ended = Program::fail(set(&mut with(name, &server, &api), "PORT", &port)).await;
        assert!(ended.failed_with(&format!("port {port} cannot be used")), "{name}: {ended:?}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn one_that_is_told_to_end_answers_first_and_ends_well() {
    for name in PROGRAMS {
        for signal in ["INT", "TERM"] {
            let (server, api) = servers().await;
            let program = Program::start(with(name, &server, &api)).await;
            let browser = Browser::new(&program.origin);
            // Somebody comes back from the provider, whose tokens take their time; other connections are idle.
            let login = browser.step("/login").await;
            let provider = browser.visit_once(login.header("location")).await;
            server.hold();
            let under_way = browser.visit_once(provider.header("location"));
            let told = async {
                server.until_token_requests(1).await;
                program.tell(signal);
                server.release();
            };
            let (page, ()) = tokio::join!(under_way, told);
            assert_eq!((page.status.as_u16(), page.header("location")), (303, "/"));
            let ended = program.end().await;
            assert!(ended.succeeded && ended.stdout.is_empty(), "{name} {signal}: {ended:?}");
        }
    }
}

#[tokio::test]
async fn behind_a_proxy_people_see_another_address() {
    let (server, api) = servers().await;
    for name in PROGRAMS {
        let mut command = with(name, &server, &api);
        command.env("PUBLIC_URL", "https://app.example.com/").env("COOKIE_KEY", KEY);
        let program = Program::start(command).await;
        let page = Browser::new(&program.origin).step("/login").await;
        let location = page.header("location");
        assert!(location.contains("redirect_uri=https%3A%2F%2Fapp.example.com%2Fcallback&"), "{location}");
        let cookie = page.header("set-cookie");
        assert!(cookie.starts_with("__Host-sign-in-") && cookie.contains("Secure"), "{cookie}");
    }
}

fn set(command: &mut Command, variable: &str, value: &str) -> Command {
    let mut other = Command::new(command.get_program());
    other.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    other.env(variable, value);
    other
}
