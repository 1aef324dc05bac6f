//! A provider that is down, slow, or answers with something else, at each step of a sign-in.

use std::time::Duration;

use gatepass::{AuthorizationServer as Server, ClientAuth, endpoint::Client};
use gatepass_axum::Provider;
use gatepass_testkit::{AuthorizationServer, Failure, Metadata, RetryAfter};
use http::StatusCode;

use crate::{
    browser::Answer,
    world::{World, http},
};

/// A site that waits for its provider for a moment only.
async fn world() -> World {
    let auth = AuthorizationServer::start().await;
    let client = Client::new(http(), Server::issuer(auth.issuer()), ClientAuth::basic("client", "secret")).unwrap();
    let provider = Provider::new("main", client.timeout(Duration::from_millis(500))).scope("openid profile");
    World::of(auth, |site| site.provider(provider)).await
}

fn failures() -> [Failure; 6] {
    [
        Failure::status(500),
        Failure::status(503).retry_after(RetryAfter::Seconds(7)),
        Failure::html(502),
        Failure::dropped(),
        Failure::torn_connection(),
        Failure::late(Duration::from_secs(60)),
    ]
}

/// What passes for an answer and is none.
fn garbage() -> [Failure; 2] {
    [Failure::html(200), Failure::torn_json()]
}

fn is_for_now(answer: &Answer, failure: &Failure) {
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "{failure:?}: {}", answer.text());
    assert!(answer.text().contains("Try again in a moment"), "{failure:?}");
    assert!(!answer.text().contains("127.0.0.1"), "where it is, is in the log: {}", answer.text());
    if format!("{failure:?}").contains("Seconds(7)") {
        assert_eq!(answer.headers()["retry-after"], "7", "{failure:?}");
    }
}

#[tokio::test]
async fn metadata_that_cannot_be_read_now_are_read_when_they_can() {
    for failure in failures() {
        let world = world().await;
        world.auth.oauth_metadata(Metadata::Fails(failure.clone()));
        world.auth.openid_configuration(Metadata::Fails(failure.clone()));
        let browser = world.browser();
        let answer = browser.get("/login?return_to=%2Fme").await;
        is_for_now(&answer, &failure);
        assert!(answer.text().contains("href=\"/login?return_to=%2Fme\""));
        world.auth.oauth_metadata(Metadata::Correct).openid_configuration(Metadata::Correct);
        assert_eq!(browser.sign_in("/login").await.status(), StatusCode::SEE_OTHER);
    }
}

#[tokio::test]
async fn metadata_that_are_none_may_be_a_wrong_address_and_are_read_again_all_the_same() {
    for failure in garbage() {
        let world = world().await;
        world.auth.oauth_metadata(Metadata::Fails(failure.clone()));
        world.auth.openid_configuration(Metadata::Fails(failure));
        let browser = world.browser();
        let answer = browser.get("/login").await;
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR, "{}", answer.text());
        world.auth.oauth_metadata(Metadata::Correct).openid_configuration(Metadata::Correct);
        assert_eq!(browser.sign_in("/login").await.status(), StatusCode::SEE_OTHER);
    }
}

#[tokio::test]
async fn rfc9126_4_a_request_that_cannot_be_pushed_now_is_pushed_later() {
    let world = world().await;
    world.auth.require_pushed(true);
    let browser = world.browser();
    for failure in failures().into_iter().chain(garbage()) {
        world.auth.fail_next_at("/par", 1, failure.clone());
        let answer = browser.get("/login").await;
        is_for_now(&answer, &failure);
        assert_eq!((answer.location(), answer.set_cookies().len()), ("", 0), "{failure:?}");
    }
    assert_eq!(browser.sign_in("/login").await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_token_endpoint_that_fails_signs_nobody_in_and_the_next_sign_in_works() {
    let world = world().await;
    for failure in failures().into_iter().chain(garbage()) {
        let browser = world.browser();
        world.auth.fail_next(1, failure.clone());
        let answer = browser.sign_in("/login").await;
        is_for_now(&answer, &failure);
        world.assert_nobody_is_signed_in(&browser, &answer).await;
        assert_eq!(browser.sign_in("/login").await.status(), StatusCode::SEE_OTHER);
        browser.post("/logout").await;
    }
}

#[tokio::test]
async fn keys_that_cannot_be_read_sign_nobody_in() {
    for failure in failures().into_iter().chain(garbage()) {
        let world = world().await;
        world.auth.fail_until_told_at("/jwks", failure.clone());
        let browser = world.browser();
        let answer = browser.sign_in("/login").await;
        is_for_now(&answer, &failure);
        world.assert_nobody_is_signed_in(&browser, &answer).await;
        // The provider is not asked again at once, and who comes meanwhile is told for how long.
        let asked = world.auth.jwks_requests();
        let answer = browser.sign_in("/login").await;
        assert_eq!((answer.status(), world.auth.jwks_requests()), (StatusCode::SERVICE_UNAVAILABLE, asked));
        let wait: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=7).contains(&wait), "{wait}");
        world.assert_nobody_is_signed_in(&browser, &answer).await;
    }
}

#[tokio::test]
async fn keys_that_are_there_already_do_while_the_provider_has_none() {
    let world = world().await;
    world.signed_in("ann").await;
    world.auth.fail_until_told_at("/jwks", Failure::status(500));
    world.signed_in("bob").await;
}

#[tokio::test]
async fn a_user_endpoint_that_fails_costs_the_name_and_not_the_sign_in() {
    let world = world().await;
    world.auth.edit_id_tokens(|token| token.claims.retain(|name, _| !name.contains("name")));
    for failure in failures().into_iter().chain(garbage()).chain([Failure::status(403), Failure::json(200, "[]")]) {
        world.auth.fail_next_at("/userinfo", 1, failure);
        let browser = world.signed_in("ann").await;
        assert_eq!(browser.get("/").await.text(), "hello ann at main");
    }
}

#[tokio::test]
async fn where_the_user_endpoint_says_who_it_is_nobody_is_signed_in_without_it() {
    let auth = AuthorizationServer::start().await;
    let server = Server::token_endpoint(auth.token_url())
        .authorization_endpoint(auth.authorization_url())
        .userinfo_endpoint(auth.userinfo_url());
    let client = Client::new(http(), server, ClientAuth::basic("client", "secret")).unwrap();
    let user = gatepass::provider::UserEndpoint {
        url: auth.userinfo_url().into(),
        subject: "/sub".into(),
        names: vec!["/name".into()].into(),
        email: None,
        picture: None,
    };
    let provider = Provider::new("main", client.timeout(Duration::from_millis(500))).user(user);
    let world = World::of(auth, |site| site.provider(provider)).await;
    let browser = world.browser();
    for failure in failures().into_iter().chain(garbage()) {
        world.auth.fail_next_at("/userinfo", 1, failure.clone());
        let answer = browser.sign_in("/login").await;
        is_for_now(&answer, &failure);
        world.assert_nobody_is_signed_in(&browser, &answer).await;
    }
    assert_eq!(browser.sign_in("/login").await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_provider_that_is_away_is_found_again_when_it_is_back() {
    let world = world().await;
    let browser = world.browser();
    let callback = browser.begin("/login").await;
    world.auth.stop().await;
    let answer = browser.get(&callback).await;
    is_for_now(&answer, &Failure::dropped());
    assert_eq!(browser.get("/login").await.status(), StatusCode::SERVICE_UNAVAILABLE);
    world.auth.restart().await.unwrap();
    assert_eq!(browser.sign_in("/login").await.status(), StatusCode::SEE_OTHER);
}
