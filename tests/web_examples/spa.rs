//! `web_spa`: scripts that call an API by way of the server.

use gatepass_testkit::{Api, AuthorizationServer, Challenge, Failure};

use crate::{
    browser::{Browser, Page},
    program::{Program, example, with},
};

const CSRF: (&str, &str) = ("x-csrf", "1");

struct World {
    server: AuthorizationServer,
    api: Api,
    browser: Browser,
    _program: Program,
}

impl World {
    async fn start() -> Self {
        let server = AuthorizationServer::start().await;
        let api = Api::start(&server).await;
        let program = Program::start(with("web_spa", &server, &api)).await;
        let browser = Browser::new(&program.origin);
        Self { server, api, browser, _program: program }
    }

    async fn signed_in() -> Self {
        let world = Self::start().await;
        assert_eq!(world.browser.open("/login").await.url.path(), "/");
        world
    }

    /// So many requests at once.
    async fn burst(&self, requests: usize) -> Vec<Page> {
        let calls = (0..requests).map(|_| self.browser.fetch("/api/items", &[CSRF]));
        futures_util::future::join_all(calls).await
    }
}

#[tokio::test]
async fn the_page_is_for_everybody_and_all_of_it_is_from_here() {
    let world = World::start().await;
    let World { browser, .. } = &world;
    for (path, content_type, text) in [
        ("/", "text/html; charset=utf-8", "<script src=\"/app.js\" defer>"),
        ("/app.js", "text/javascript; charset=utf-8", "\"x-csrf\": \"1\""),
        ("/style.css", "text/css; charset=utf-8", ":root"),
    ] {
        let page = browser.open(path).await;
        assert_eq!((page.status.as_u16(), page.header("content-type")), (200, content_type));
        assert!(page.header("content-security-policy").starts_with("default-src 'self';"));
        page.shows(&[text]).hides(&["https://", "//cdn"]);
    }
}

#[tokio::test]
async fn scripts_learn_who_is_signed_in_and_where_to_sign_in() {
    let world = World::start().await;
    let World { server, browser, .. } = &world;
    let nobody = browser.fetch("/user", &[]).await;
    assert_eq!((nobody.status.as_u16(), &nobody.json()["error"]), (401, &"sign_in_required".into()));
    assert!(nobody.json()["sign_in"].as_str().unwrap().starts_with("/login"));
    assert_eq!(browser.fetch("/api/items", &[CSRF]).await.status, 401);

    browser.open("/login").await;
    let user = browser.fetch("/user", &[]).await;
    assert_eq!(user.header("cache-control"), "no-store");
    assert_eq!((&user.json()["name"], &user.json()["token"]["generation"]), (&"Alice".into(), &1.into()));

    browser.press("/logout").await;
    assert_eq!(browser.fetch("/user", &[]).await.status, 401);
    assert_eq!(browser.fetch("/api/items", &[CSRF]).await.status, 401);
    assert_eq!(server.families_revoked(), 1);
}

#[tokio::test]
async fn a_script_calls_what_is_below_the_apis_address() {
    let world = World::signed_in().await;
    let World { api, browser, .. } = &world;
    for (path, arrives) in
        [("/api", "/v1/me"), ("/api/a/b?c=d", "/v1/me/a/b?c=d"), ("/api/%C3%A9?x=%2F", "/v1/me/%C3%A9?x=%2F")]
    {
        assert_eq!(browser.fetch(path, &[CSRF]).await.status, 200);
        let call = api.journal().pop().unwrap();
        assert_eq!(call.uri, arrives);
        assert!(call.token.is_some() && !call.headers.contains_key("cookie") && !call.headers.contains_key("x-csrf"));
    }
    let calls = api.calls();
    for path in ["/api/..%2fadmin", "/api/a%5cadmin", "/api//admin"] {
        assert_eq!(browser.fetch(path, &[CSRF]).await.status, 400, "{path}");
    }
    assert_eq!(browser.fetch("/apix", &[CSRF]).await.status, 404);
    assert_eq!(api.calls(), calls);
}

#[tokio::test]
async fn rfc10017_4_what_another_site_could_send_is_not_forwarded() {
    let world = World::signed_in().await;
    let World { api, browser, .. } = &world;
    assert_eq!(browser.fetch("/api/items", &[]).await.status, 403);
    assert_eq!(browser.post("/api/items", &[("sec-fetch-site", "same-site"), CSRF]).await.status, 403);
    assert_eq!(browser.post("/api/items", &[("origin", "http://127.0.0.1:1"), CSRF]).await.status, 403);
    assert_eq!(api.calls(), 0);
}

#[tokio::test]
async fn twenty_at_once_that_find_the_token_ended_cost_one_exchange() {
    let world = World::signed_in().await;
    world.server.revoke_access_tokens();
    let answers = world.burst(20).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    assert_eq!(world.server.token_requests(), 2);
    assert_eq!(world.browser.fetch("/user", &[]).await.json()["token"]["generation"], 2);
}

#[tokio::test]
async fn the_apis_own_refusal_is_not_taken_for_a_sign_out() {
    let world = World::signed_in().await;
    let World { api, browser, .. } = &world;
    api.fail_until_told(Failure::challenge(Challenge::InvalidToken));
    let refused = browser.fetch("/api/items", &[CSRF]).await;
    assert_eq!(refused.status, 401);
    refused.hides(&["sign_in_required"]);
    assert_eq!(browser.fetch("/user", &[]).await.status, 200);
}

#[tokio::test]
async fn an_api_that_is_away_is_a_502_without_its_address() {
    let world = World::signed_in().await;
    let World { api, browser, .. } = &world;
    let origin = api.origin().to_owned();
    api.stop().await;
    let answer = browser.fetch("/api/items", &[CSRF]).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (502, &"api_unreachable".into()));
    answer.hides(&[&origin]);
}

#[tokio::test]
async fn it_needs_an_api_whose_address_is_a_path_and_no_more() {
    let server = AuthorizationServer::start().await;
    for (url, hint) in [("", "API_URL is not set"), ("https://api.example.com/v1?x=1", "leave out query")] {
        let mut command = example("web_spa");
        command.env("OAUTH_ISSUER", server.issuer()).env("API_URL", url);
        let ended = Program::fail(command).await;
        assert!(ended.failed_with(hint), "{url}: {ended:?}");
    }
}
