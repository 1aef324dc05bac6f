//! The end of a session, by who is signed in.

use std::time::{Duration, Instant};

use gatepass_testkit::Failure;
use http::{Method, StatusCode};

use crate::world::{HOUR, World};

#[tokio::test]
async fn a_link_only_asks() {
    let world = World::new().await;
    let browser = world.signed_in("ann").await;
    let page = browser.get("/logout").await;
    assert_eq!(page.status(), StatusCode::OK);
    assert!(page.text().contains("<form method=\"post\" action=\"/logout\">"), "{}", page.text());
    assert!(browser.is_signed_in().await);
}

#[tokio::test]
async fn another_site_cannot_sign_anybody_out() {
    let world = World::new().await;
    let browser = world.signed_in("ann").await;
    for headers in [
        [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")],
        [("sec-fetch-site", "same-site"), ("origin", "http://127.0.0.1:4181")],
        [("accept", "text/html"), ("origin", "https://evil.example")],
        [("accept", "text/html"), ("origin", "null")],
    ] {
        let answer = browser.request(Method::POST, "/logout", &headers, "").await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{headers:?}");
        assert!(answer.text().contains("Another site asked for this"), "{}", answer.text());
    }
    assert!(browser.is_signed_in().await && world.auth.arrived_at("/revoke") == 0);
    let own = [("origin", "http://127.0.0.1:4180")];
    assert_eq!(browser.request(Method::POST, "/logout", &own, "").await.status(), StatusCode::SEE_OTHER);
    assert!(!browser.is_signed_in().await);
}

#[tokio::test]
async fn rfc7009_5_people_are_signed_out_whatever_the_provider_does() {
    for failure in [
        Failure::late(Duration::from_secs(60)),
        Failure::status(503),
        Failure::oauth("invalid_client"),
        Failure::dropped(),
        Failure::html(200),
        Failure::redirect("https://evil.example"),
    ] {
        let world = World::with(|site| site.revocation_deadline(Duration::from_millis(200))).await;
        let browser = world.signed_in("ann").await;
        world.auth.fail_until_told_at("/revoke", failure.clone());
        let began = Instant::now();
        let out = browser.post("/logout").await;
        assert_eq!(out.status(), StatusCode::SEE_OTHER, "{failure:?}");
        assert!(began.elapsed() < Duration::from_secs(10) && world.auth.arrived_at("/revoke") >= 1, "{failure:?}");
        world.assert_nobody_is_signed_in(&browser, &out).await;
    }
}

#[tokio::test]
async fn rfc7009_5_nor_does_it_matter_that_the_provider_is_away() {
    let world = World::with(|site| site.revocation_deadline(Duration::from_millis(200))).await;
    let browser = world.signed_in("ann").await;
    world.auth.stop().await;
    let out = browser.post("/logout").await;
    assert_eq!(out.status(), StatusCode::SEE_OTHER);
    world.assert_nobody_is_signed_in(&browser, &out).await;
}

#[tokio::test]
async fn nor_that_the_tokens_cannot_be_reached() {
    let world = World::new().await;
    let browser = world.signed_in("ann").await;
    world.tokens.is_away(true);
    assert_eq!(browser.post("/logout").await.status(), StatusCode::SEE_OTHER);
    assert!(!browser.is_signed_in().await);
}

#[tokio::test]
async fn rfc7009_5_an_exchange_under_way_brings_nothing_back() {
    let world = World::new().await;
    let browser = world.signed_in("ann").await;
    let id = browser.get("/id").await.text().to_owned();
    let job = world.site.on_behalf_of(&id).unwrap();
    world.later(HOUR);
    world.auth.hold();
    let tab = browser.copy();
    let late = tokio::spawn(async move { tab.fetch("/orders").await.status() });
    world.auth.until_token_requests(2).await;
    let out = browser.post("/logout").await;
    assert_eq!(out.status(), StatusCode::SEE_OTHER);
    world.auth.release();
    let late = late.await.unwrap();
    assert_ne!(late, StatusCode::OK, "its token was not used");
    job.cell().settled().await;
    world.assert_nobody_is_signed_in(&browser, &out).await;
    assert!(job.cell().get().await.unwrap_err().is_reauth_required());
    assert_eq!((world.tokens.kept().await, world.auth.families_revoked()), (0, 1));
}

#[tokio::test]
async fn another_browser_of_the_same_person_stays_signed_in() {
    let world = World::new().await;
    let (one, two) = (world.signed_in("ann").await, world.signed_in("ann").await);
    one.post("/logout").await;
    assert!(!one.is_signed_in().await);
    assert_eq!((two.get("/me").await.text(), two.get("/orders").await.status()), ("ann", StatusCode::OK));
}

#[tokio::test]
async fn who_is_signed_out_may_sign_out_again() {
    let world = World::new().await;
    let browser = world.signed_in("ann").await;
    let kept = browser.copy();
    browser.post("/logout").await;
    for browser in [browser, kept, world.browser()] {
        let out = browser.post("/logout").await;
        assert_eq!((out.status(), out.location()), (StatusCode::SEE_OTHER, "/"));
    }
    assert_eq!(world.auth.arrived_at("/revoke"), 1);
}

fn query(location: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(location.split_once('?').unwrap().1.as_bytes()).into_owned().collect()
}

#[tokio::test]
async fn oidc_3_the_session_at_the_provider_ends_too() {
    let world =
        World::at(|provider| provider.post_logout_redirect_uri("http://127.0.0.1:4180/bye?x=1"), |site| site).await;
    let browser = world.signed_in("ann").await;
    let out = browser.post("/logout").await;
    assert!(out.location().starts_with(&world.auth.end_session_url()));
    let names: Vec<_> = query(out.location()).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["client_id", "id_token_hint", "post_logout_redirect_uri"]);
    assert_eq!(browser.at_provider(out.location()).await, "/bye?x=1");
    let heard = &world.auth.logouts()[0];
    assert_eq!((heard.client_id.as_deref(), heard.sub.as_deref()), (Some("client"), Some("ann")));
    assert!(heard.sid.is_some());

    let world = World::new().await;
    let out = world.signed_in("ann").await.post("/logout").await;
    let names: Vec<_> = query(out.location()).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["client_id", "id_token_hint"]);
}

#[tokio::test]
async fn a_site_may_leave_people_signed_in_at_the_provider() {
    let world = World::at(gatepass_axum::Provider::local_sign_out, |site| site.after_sign_out("/bye")).await;
    let browser = world.signed_in("ann").await;
    let out = browser.post("/logout").await;
    assert_eq!((out.status(), out.location()), (StatusCode::SEE_OTHER, "/bye"));
    assert_eq!(world.auth.arrived_at("/revoke"), 1, "the site's own tokens end all the same");
    world.assert_nobody_is_signed_in(&browser, &out).await;
}
