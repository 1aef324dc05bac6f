//! Calls to an API for somebody: what they cost, what heals by itself, and when somebody has to sign in again.

use axum::{Router, routing::get};
use gatepass_axum::OnBehalf;
use gatepass_testkit::{Challenge, Failure, RetryAfter};
use http::{Method, StatusCode};

use crate::{
    browser::Browser,
    world::{HOUR, MINUTE, World},
};

/// Who opens the page is sent to sign in and comes back; a script is told so.
async fn has_to_sign_in(browser: &Browser) {
    let needed = browser.get("/orders?page=2").await;
    assert_eq!((needed.status(), needed.location()), (StatusCode::SEE_OTHER, "/login?return_to=%2Forders%3Fpage%3D2"));
    let script = browser.fetch_on("/orders?page=2", "/orders").await;
    assert_eq!(script.status(), StatusCode::UNAUTHORIZED);
    assert!(script.headers().contains_key("www-authenticate"));
    let said: serde_json::Value = serde_json::from_slice(&script.body).unwrap();
    assert_eq!((&said["error"], &said["sign_in"]), (&"sign_in_required".into(), &needed.location().into()));
}

#[tokio::test]
async fn a_token_that_has_ended_is_renewed_before_the_call() {
    let world = World::new().await;
    let browser = world.signed_in("ann").await;
    world.later(HOUR);
    assert_eq!(browser.get("/orders").await.status(), StatusCode::OK);
    assert_eq!((world.auth.token_requests(), world.api.answered(401)), (2, 0));
}

#[tokio::test]
async fn a_token_that_the_api_refuses_is_replaced_and_the_call_repeated() {
    let world = World::new().await;
    let browser = world.signed_in("ann").await;
    world.auth.revoke_access_tokens();
    assert_eq!(browser.get("/orders").await.status(), StatusCode::OK);
    assert_eq!((world.auth.token_requests(), world.api.answered(401)), (2, 1));
}

#[tokio::test]
async fn who_took_the_sites_rights_back_has_to_sign_in_again_and_comes_back() {
    let world = World::new().await;
    let browser = world.signed_in("ann").await;
    world.later(HOUR);
    world.auth.revoke_everything();
    has_to_sign_in(&browser).await;
    assert_eq!((browser.get("/me").await.text(), world.tokens.kept().await), ("ann", 0), "known, and nothing is left");
    let exchanges = world.auth.token_requests();
    has_to_sign_in(&browser).await;
    assert_eq!(world.auth.token_requests(), exchanges, "what is dead is not tried again");

    let done = browser.sign_in("/login?return_to=%2Forders").await;
    assert_eq!(browser.get(done.location()).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn the_same_when_the_api_notices_it_first() {
    let world = World::new().await;
    let browser = world.signed_in("ann").await;
    world.later(MINUTE);
    world.auth.revoke_everything();
    let first = browser.get("/orders?page=2").await.status();
    assert!(matches!(first, StatusCode::SEE_OTHER | StatusCode::UNAUTHORIZED), "{first}");
    has_to_sign_in(&browser).await;
    assert_eq!(browser.get("/me").await.text(), "ann");
}

#[tokio::test]
async fn without_a_refresh_token_people_sign_in_again_when_the_token_has_ended() {
    let world = World::new().await;
    world.auth.member("refresh_token", None);
    let browser = world.signed_in("ann").await;
    assert_eq!(browser.get("/orders").await.status(), StatusCode::OK);
    world.later(HOUR);
    has_to_sign_in(&browser).await;
    assert_eq!(browser.get("/me").await.text(), "ann");
}

#[tokio::test]
async fn a_page_for_everybody_may_do_without_tokens_and_not_without_knowing() {
    let world = World::new().await;
    let page = get(async |person: Option<OnBehalf>| person.map_or("nobody to call for", |_| "somebody"));
    let app = Router::new().route("/", page).merge(world.site.routes()).layer(world.site.layer());
    let browser = world.browser_of(&app);
    assert_eq!(browser.get("/").await.text(), "nobody to call for");
    world.sign_in(&browser, "ann").await;
    assert_eq!(browser.get("/").await.text(), "somebody");
    world.later(HOUR);
    world.auth.fail_next(1, Failure::status(503));
    assert_eq!(browser.get("/").await.status(), StatusCode::SERVICE_UNAVAILABLE);
    world.later(MINUTE);
    world.auth.revoke_everything();
    assert_eq!(browser.get("/").await.text(), "nobody to call for");
}

#[tokio::test]
async fn a_form_that_was_sent_leads_back_to_the_page_it_was_on() {
    let world = World::new().await;
    let browser = world.browser();
    let post = |referer: &'static str| {
        let browser = browser.clone();
        async move {
            let headers = [("accept", "text/html"), ("sec-fetch-mode", "navigate"), ("referer", referer)];
            let needed = browser.request(Method::POST, "/orders", &headers, "amount=3").await;
            assert_eq!(needed.status(), StatusCode::SEE_OTHER);
            needed.location().to_owned()
        }
    };
    assert_eq!(post("http://127.0.0.1:4180/cart?full=1").await, "/login?return_to=%2Fcart%3Ffull%3D1");
    assert_eq!(post("https://evil.example/cart").await, "/login");
    assert_eq!(post("http://127.0.0.1:41800/cart").await, "/login");
    assert_eq!(post("http://127.0.0.1:4180//evil.example").await, "/login");
}

#[tokio::test]
async fn while_the_token_lives_the_provider_may_be_away() {
    let world = World::new().await;
    let browser = world.signed_in("ann").await;
    world.auth.stop().await;
    assert_eq!(browser.get("/orders").await.status(), StatusCode::OK);
    // It is due, and still good.
    world.time.advance(58 * MINUTE);
    for _ in 0..5 {
        assert_eq!(browser.get("/orders").await.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn when_it_has_ended_and_the_provider_is_away_the_answer_is_to_come_back_later() {
    let world = World::new().await;
    let browser = world.signed_in("ann").await;
    world.later(HOUR);
    for failure in [Failure::status(503).retry_after(RetryAfter::Seconds(7)), Failure::dropped(), Failure::html(200)] {
        world.auth.fail_until_told(failure);
        for answer in [browser.get("/orders").await, browser.fetch("/orders").await] {
            assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "{}", answer.text());
            let wait: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
            assert!((1..=10).contains(&wait), "{wait}");
        }
        world.time.advance(MINUTE);
    }
    world.auth.recover();
    assert_eq!(browser.get("/orders").await.status(), StatusCode::OK);
    assert_eq!(browser.get("/me").await.text(), "ann");
}

#[tokio::test]
async fn tokens_of_no_use_right_after_the_sign_in_are_a_page_and_no_circle() {
    let world = World::new().await;
    world.auth.member("refresh_token", None).member("expires_in", Some("0"));
    let browser = world.browser();
    let done = browser.sign_in("/login?return_to=%2Forders").await;
    assert_eq!((done.status(), done.location()), (StatusCode::SEE_OTHER, "/orders"), "{}", done.text());
    let once_more = browser.get("/orders").await;
    assert_eq!(once_more.location(), "/login?return_to=%2Forders", "it may have been bad luck");
    browser.sign_in(once_more.location()).await;
    let page = browser.get("/orders").await;
    assert_eq!((page.status(), page.location()), (StatusCode::BAD_GATEWAY, ""));
    assert!(
        page.text().contains("of no use") && page.text().contains("tell whoever runs this site"),
        "{}",
        page.text()
    );
    assert_eq!(browser.fetch("/orders").await.status(), StatusCode::UNAUTHORIZED);
    world.later(MINUTE);
    assert_eq!(browser.get("/orders").await.status(), StatusCode::SEE_OTHER, "later it may be worth a try");
}

#[tokio::test]
async fn an_api_that_wants_more_than_was_granted_is_no_reason_to_sign_in_again() {
    let world = World::new().await;
    let browser = world.signed_in("ann").await;
    world.api.fail_until_told(Failure::challenge(Challenge::InsufficientScope("write".to_owned())));
    assert_eq!(browser.get("/orders").await.status(), StatusCode::FORBIDDEN);
    world.api.recover();
    world.api.fail_until_told(Failure::status(500));
    assert_eq!(browser.get("/orders").await.status(), StatusCode::INTERNAL_SERVER_ERROR);
    world.api.stop().await;
    assert_eq!(browser.get("/orders").await.status(), StatusCode::BAD_GATEWAY);
    assert_eq!(world.auth.token_requests(), 1);
}
