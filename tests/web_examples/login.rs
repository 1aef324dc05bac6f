//! `web_login`: one person, one page, one API.

use std::time::Duration;

use gatepass_testkit::{Api, AuthorizationServer, Challenge, Failure};

use crate::{
    browser::{Browser, Page},
    program::{Program, example, with},
};

/// Both servers, the program, and somebody with a browser.
struct World {
    server: AuthorizationServer,
    api: Api,
    program: Program,
    browser: Browser,
}

impl World {
    async fn start() -> Self {
        let server = AuthorizationServer::start().await;
        let api = Api::start(&server).await;
        server.sign_in_as("ann");
        let program = Program::start(with("web_login", &server, &api)).await;
        let browser = Browser::new(&program.origin);
        Self { server, api, program, browser }
    }

    async fn signed_in() -> Self {
        let world = Self::start().await;
        world.browser.open("/login").await.shows(&["Hello, Ann"]);
        world
    }
}

fn assert_is_nobodys_to_keep(page: &Page) {
    assert_eq!(page.header("cache-control"), "no-store");
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
}

#[tokio::test]
async fn somebody_signs_in_calls_renews_and_signs_out() {
    let world = World::start().await;
    let World { server, api, browser, .. } = &world;
    let nobody = browser.open("/").await;
    nobody.shows(&["Nobody is signed in", "href=\"/login\""]);
    assert_is_nobodys_to_keep(&nobody);
    assert_eq!(browser.status().await["signed_in"], false);

    let home = browser.open("/login").await;
    assert_eq!(home.url.path(), "/");
    home.shows(&["Hello, Ann", "ann@example.com", "openid profile email", "by itself", "data-session=\"main/ann\""]);
    assert_is_nobodys_to_keep(&home);
    assert_eq!((home.fact("subject"), home.fact("generation"), home.fact("token")), ("ann", "1", "fresh"));
    assert_eq!((home.fact("ends-in"), browser.cookie_names().len()), ("60 min", 1));

    let called = browser.open("/api-call").await;
    called.shows(&["200 OK", "&quot;path&quot;: &quot;/v1/me&quot;"]);
    assert_is_nobodys_to_keep(&called);
    let calls = api.journal();
    // It says what it was sent.
    called.shows(&["Bearer (the token)"]).hides(&[calls[0].token.as_deref().unwrap()]);
    assert_eq!(calls.len(), 1);

    let renewed = browser.press("/renew").await;
    assert_eq!((renewed.url.path(), renewed.fact("generation"), server.token_requests()), ("/", "2", 2));
    let status = browser.status().await;
    assert_eq!((&status["name"], &status["session"]), (&"Ann".into(), &"main/ann".into()));
    assert_eq!((&status["token"]["generation"], &status["token"]["renewable"]), (&2.into(), &true.into()));

    let out = browser.press("/logout").await;
    assert_eq!(out.url.as_str().split('?').next(), Some(server.end_session_url().as_str()));
    let nobody = browser.open("/").await;
    nobody.shows(&["Nobody is signed in"]).hides(&["Ann", "ann@"]);
    assert_eq!(browser.status().await["session"], "");
    assert_eq!(browser.step("/api-call").await.header("location"), "/login?return_to=%2Fapi-call");
    assert_eq!((server.families_revoked(), server.logouts().len()), (1, 1));

    let log = world.program.log();
    for secret in ["secret", "code=", "state=", "Bearer "] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[tokio::test]
async fn a_page_that_needs_a_sign_in_is_come_back_to() {
    let world = World::start().await;
    let page = world.browser.open("/api-call").await;
    assert_eq!(page.url.path(), "/api-call");
    page.shows(&["200 OK"]);
}

#[tokio::test]
async fn a_token_that_the_api_refuses_is_replaced() {
    let world = World::signed_in().await;
    world.api.fail_next(1, Failure::challenge(Challenge::InvalidToken));
    world.browser.open("/api-call").await.shows(&["200 OK"]);
    assert_eq!((world.api.calls(), world.server.token_requests()), (2, 2));

    // Refused for good: that is shown, and not tried for ever.
    world.api.fail_until_told(Failure::challenge(Challenge::InvalidToken));
    world.browser.open("/api-call").await.shows(&["401 Unauthorized", "refused the token, and a new one too"]);
    assert_eq!((world.api.calls(), world.server.token_requests()), (4, 3));
}

#[tokio::test]
async fn who_was_ended_at_the_provider_signs_in_again() {
    let world = World::signed_in().await;
    let World { server, browser, .. } = &world;
    server.revoke_everything();
    // The API refuses, and so is the refresh: by way of the provider they come back to the page they wanted.
    let page = browser.open("/api-call").await;
    assert_eq!((page.status.as_u16(), server.arrived_at("/authorize")), (200, 2));
    page.shows(&["200 OK"]);

    // Once more, so soon: to be sent there again and again would not end.
    server.revoke_everything();
    let page = browser.open("/api-call").await;
    assert_eq!((page.status.as_u16(), server.arrived_at("/authorize")), (502, 2));
    page.shows(&["Signed in, but of no use"]);
    browser.open("/").await.shows(&["Hello, Ann", "need a new sign-in", "href=\"/login\""]);
    assert_eq!(browser.status().await["token"]["state"], "ended");

    browser.open("/login").await.shows(&["Hello, Ann", "fresh"]);
    browser.open("/api-call").await.shows(&["200 OK"]);
}

#[tokio::test]
async fn a_provider_that_is_away_is_a_page() {
    let world = World::start().await;
    let World { server, browser, .. } = &world;
    server.stop().await;
    let page = browser.open("/login").await;
    assert_eq!(page.status, 503);
    page.shows(&["Signing in does not work right now", "Sign in again"]);
    server.restart().await.unwrap();
    // It is asked again after a moment.
    for _ in 0..50 {
        if browser.open("/login").await.status == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    browser.open("/").await.shows(&["Hello, Ann"]);
}

#[tokio::test]
async fn a_provider_that_gives_no_token_ends_no_session() {
    let server = AuthorizationServer::start().await;
    let api = Api::start(&server).await;
    server.token_lifetime(Duration::from_secs(1));
    let program = Program::start(with("web_login", &server, &api)).await;
    let browser = Browser::new(&program.origin);
    browser.open("/login").await.shows(&["Hello, Alice"]);
    server.fail_until_told(Failure::status(503));
    tokio::time::sleep(Duration::from_millis(1200)).await;

    let page = browser.open("/api-call").await;
    assert_eq!(page.status, 503);
    page.shows(&["There is no token at the moment", "Alice"]);
    assert!(page.header("retry-after").parse::<u64>().unwrap() > 0);
    browser.open("/").await.shows(&["Hello, Alice", "gives no token at the moment"]);
    assert_eq!(browser.status().await["token"]["state"], "not now");
    assert_eq!(browser.press("/renew").await.status, 503);

    server.recover();
    for _ in 0..50 {
        if browser.open("/api-call").await.status == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    browser.open("/api-call").await.shows(&["200 OK"]);
}

#[tokio::test]
async fn another_sites_page_renews_nothing() {
    let world = World::signed_in().await;
    let World { server, browser, .. } = &world;
    for headers in [
        &[("sec-fetch-site", "same-site"), ("origin", "http://127.0.0.1:1")][..],
        &[("sec-fetch-site", "cross-site")],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
    ] {
        let page = browser.post("/renew", headers).await;
        assert_eq!((page.status.as_u16(), server.token_requests()), (403, 1), "{headers:?}");
    }
    assert_eq!(browser.step("/renew").await.status, 405, "a link renews nothing");
}

#[tokio::test]
async fn what_others_wrote_is_text() {
    let world = World::start().await;
    let World { server, browser, .. } = &world;
    let evil = "<script>alert(1)</script>\"'&";
    server.sign_in_as(evil);
    let page = browser.open("/login").await;
    page.shows(&["&lt;script&gt;alert(1)"]).hides(&["<script>alert"]);
    assert_eq!(browser.status().await["subject"], evil);
}

#[tokio::test]
async fn an_answer_that_is_no_json_or_too_long_is_shown_as_far_as_that_goes() {
    let world = World::signed_in().await;
    let World { api, browser, .. } = &world;
    api.fail_next(1, Failure::json(200, "<b>no json</b>\u{0}"));
    browser.open("/api-call").await.shows(&["&lt;b&gt;no json&lt;/b&gt;\u{fffd}"]);
    api.fail_next(1, Failure::json(500, "[1,2]").padding(300 << 10));
    let page = browser.open("/api-call").await;
    page.shows(&["500 Internal Server Error", "[1,2]", "the first 64 KiB"]);
    assert!(page.body.len() < 80 << 10);
    api.stop().await;
    let page = browser.open("/api-call").await;
    assert_eq!(page.status, 502);
    page.shows(&["The API gave no answer"]).hides(&["127.0.0.1"]);
}

#[tokio::test]
async fn without_an_api_the_page_says_how_to_set_one() {
    let server = AuthorizationServer::start().await;
    let mut command = example("web_login");
    command.env("OAUTH_ISSUER", server.issuer());
    let program = Program::start(command).await;
    let browser = Browser::new(&program.origin);
    browser.open("/login").await.shows(&["Hello, Alice"]);
    browser.open("/api-call").await.shows(&["No API is set", "API_URL=https://"]);
}

#[tokio::test]
async fn a_server_without_openid_is_asked_who_signed_in() {
    let server = AuthorizationServer::start().await;
    for (path, edit, id) in [("/userinfo", "sub", None), ("/userinfo", "login", Some("login"))] {
        server.edit_user_info(move |claims| {
            let subject = claims["sub"].clone();
            claims.remove("sub");
            claims.insert(edit.to_owned(), subject);
            claims.insert("picture".to_owned(), "https://pictures.example/alice.png".into());
        });
        let mut command = example("web_login");
        command.env("OAUTH_TOKEN_URL", server.token_url()).env("OAUTH_AUTH_URL", server.authorization_url());
        command.env("OAUTH_USER_URL", server.url(path)).env("OAUTH_SCOPES", "read write");
        if let Some(id) = id {
            command.env("OAUTH_USER_ID", id);
        }
        let program = Program::start(command).await;
        let browser = Browser::new(&program.origin);
        let home = browser.open("/login").await;
        home.shows(&["Hello, Alice", "alice@example.com (not verified)", "read write"]);
        home.shows(&["src=\"https://pictures.example/alice.png\"", "referrerpolicy=\"no-referrer\""]);
        assert_eq!(home.fact("subject"), "alice");
        // It has no page to sign out at.
        browser.press("/logout").await.shows(&["Nobody is signed in"]);
    }
    assert_eq!(server.jwks_requests(), 0);
}

#[tokio::test]
async fn whom_the_provider_signs_out_is_signed_out_here() {
    let world = World::signed_in().await;
    let World { server, browser, program, .. } = &world;
    let sid = server.sids_of("ann").pop().unwrap();
    let token = server.logout_token("client", Some("ann"), Some(&sid));
    let form = form_urlencoded::Serializer::new(String::new()).append_pair("logout_token", &token).finish();
    let response = reqwest::Client::new()
        .post(format!("{}/backchannel-logout", program.origin))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(browser.status().await["signed_in"], false);
    browser.open("/").await.shows(&["Nobody is signed in"]);
}
