//! What a session is, whose it is, and how long it lasts.

use std::{sync::Arc, time::Duration};

use axum::{Extension, Router, routing::get};
use gatepass_axum::{User, tower_sessions::Session};
use http::{Method, StatusCode};
use tokio::sync::Notify;

use crate::{
    browser::Browser,
    world::{HOUR, MINUTE, World},
};

const COOKIE: &str = "session-4180";

fn session(browser: &Browser) -> String {
    browser.cookie(COOKIE).unwrap().1
}

#[tokio::test]
async fn a_session_has_another_identifier_after_the_sign_in_and_the_one_before_knows_nothing() {
    let world = World::new().await;
    let mallory = world.browser();
    mallory.post("/cart").await;
    let planted = session(&mallory);
    for planted in [planted.as_str(), "AAAAAAAAAAAAAAAAAAAAAA", "no identifier at all", ""] {
        let victim = world.browser();
        victim.set_cookie(COOKIE, planted);
        world.sign_in(&victim, "ann").await;
        assert_ne!(session(&victim), planted);
        mallory.set_cookie(COOKIE, planted);
        assert!(!mallory.is_signed_in().await, "{planted}");
        assert_eq!(victim.get("/me").await.text(), "ann");
    }
}

#[tokio::test]
async fn a_session_has_another_identifier_after_each_further_sign_in() {
    let world = World::new().await;
    let browser = world.signed_in("ann").await;
    let before = browser.copy();
    world.sign_in(&browser, "ann").await;
    assert_ne!(session(&before), session(&browser));
    assert!(!before.is_signed_in().await && browser.is_signed_in().await);
    assert_eq!((world.sessions.signed_in(), world.tokens.kept().await), (1, 1));
}

#[tokio::test]
async fn what_a_stranger_put_into_the_session_is_theirs_when_they_sign_in_and_again() {
    let world = World::new().await;
    let browser = world.browser();
    browser.post("/cart").await;
    world.sign_in(&browser, "ann").await;
    browser.post("/cart").await;
    world.sign_in(&browser, "ann").await;
    assert_eq!(browser.get("/cart").await.text(), "2");
}

#[tokio::test]
async fn the_next_person_in_the_same_browser_gets_nothing_of_the_one_before() {
    let world = World::new().await;
    let browser = world.signed_in("ann").await;
    browser.post("/cart").await;
    let anns = browser.copy();
    world.sign_in(&browser, "bob").await;
    assert_eq!((browser.get("/me").await.text(), browser.get("/cart").await.text()), ("bob", "0"));
    assert!(!anns.is_signed_in().await);
    assert_eq!((world.sessions.signed_in(), world.tokens.kept().await), (1, 1));
    world.revoked(1).await;
    assert_eq!(browser.get("/orders").await.status(), StatusCode::OK, "ann's were ended, and not bob's");
}

#[tokio::test]
async fn the_sign_out_takes_the_sites_own_data_too() {
    let world = World::new().await;
    let browser = world.signed_in("ann").await;
    browser.post("/cart").await;
    browser.post("/logout").await;
    assert_eq!(browser.get("/cart").await.text(), "0");
}

#[tokio::test]
async fn who_is_away_for_two_hours_has_to_sign_in_again() {
    let world = World::new().await;
    let browser = world.signed_in("ann").await;
    world.later(2 * HOUR - MINUTE);
    assert_eq!(browser.get("/me").await.text(), "ann");
    world.later(2 * HOUR);
    let needed = browser.get("/me").await;
    assert_eq!((needed.status(), needed.location()), (StatusCode::SEE_OTHER, "/login?return_to=%2Fme"));
    assert!(browser.cookie(COOKIE).is_none());
    world.assert_nobody_is_signed_in(&browser, &needed).await;
}

#[tokio::test]
async fn rfc10017_7_who_is_never_away_stays_until_the_ceiling_and_not_beyond() {
    let world = World::new().await;
    let browser = world.signed_in("ann").await;
    for _ in 0..23 {
        world.later(30 * MINUTE);
        assert_eq!(browser.get("/me").await.text(), "ann");
    }
    assert_eq!(browser.get("/orders").await.status(), StatusCode::OK);
    let exchanges = world.auth.token_requests();
    world.later(30 * MINUTE);
    assert_eq!(browser.fetch("/orders").await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!((world.auth.token_requests(), world.tokens.kept().await), (exchanges, 0), "nothing is renewed past it");
}

/// Each of these requests writes the whole session back, as it was when the request began.
#[tokio::test]
async fn who_is_never_away_stays_though_each_request_changes_the_session() {
    let world = World::new().await;
    let browser = world.signed_in("ann").await;
    for round in 1..=20 {
        world.later(20 * MINUTE);
        assert_eq!(browser.post("/cart").await.text(), round.to_string());
    }
    assert_eq!(browser.get("/me").await.text(), "ann");
}

#[tokio::test]
async fn settings_say_for_how_long() {
    let world = World::with(|site| site.idle(10 * MINUTE).ceiling(HOUR)).await;
    let (idle, busy) = (world.signed_in("ann").await, world.signed_in("bob").await);
    world.later(9 * MINUTE);
    assert!(busy.is_signed_in().await);
    world.later(MINUTE);
    assert!(!idle.is_signed_in().await && busy.is_signed_in().await);
    for _ in 0..10 {
        world.later(5 * MINUTE);
        busy.get("/").await;
    }
    assert!(!busy.is_signed_in().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_at_once_keep_a_session_alive_and_whole() {
    let world = World::new().await;
    let browser = world.signed_in("ann").await;
    browser.post("/cart").await;
    for _ in 0..5 {
        world.later(HOUR);
        let requests: Vec<_> = (0..20)
            .map(|_| {
                let browser = browser.copy();
                tokio::spawn(async move { browser.get("/me").await.text() == "ann" })
            })
            .collect();
        for request in requests {
            assert!(request.await.unwrap());
        }
    }
    assert_eq!(browser.get("/cart").await.text(), "1");
}

/// A page that takes its time and then writes into the session.
struct Slow {
    app: Router,
    arrived: Arc<Notify>,
    go_on: Arc<Notify>,
}

impl Slow {
    fn of(world: &World) -> Self {
        let (arrived, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let wait = (arrived.clone(), go_on.clone());
        let page = get(async move |_: User, Extension(session): Extension<Session>| {
            session.get::<u32>("cart").await.unwrap();
            wait.0.notify_one();
            wait.1.notified().await;
            session.insert("late", true).await.unwrap();
            "slow"
        });
        let app = Router::new().route("/slow", page).layer(world.site.layer()).fallback_service(world.app.clone());
        Self { app, arrived, go_on }
    }

    /// Meanwhile something happens to the session.
    async fn around(&self, browser: &Browser, meanwhile: impl Future<Output = ()>) {
        let tab = browser.at(&self.app);
        let late = tokio::spawn(async move { tab.get("/slow").await.status() });
        self.arrived.notified().await;
        meanwhile.await;
        self.go_on.notify_one();
        assert_eq!(late.await.unwrap(), StatusCode::OK);
    }
}

#[tokio::test]
async fn a_request_that_outlives_the_sign_out_brings_nobody_back() {
    let world = World::new().await;
    let (browser, slow) = (world.signed_in("ann").await, Slow::of(&world));
    let kept = browser.copy();
    slow.around(&browser, async { drop(browser.post("/logout").await) }).await;
    assert!(!browser.is_signed_in().await && !kept.is_signed_in().await);
    assert_eq!((world.sessions.signed_in(), world.tokens.kept().await), (0, 0));
}

#[tokio::test]
async fn a_request_that_outlives_the_sign_in_of_the_next_person_brings_the_one_before_not_back() {
    let world = World::new().await;
    let (browser, slow) = (world.signed_in("ann").await, Slow::of(&world));
    let kept = browser.copy();
    slow.around(&browser, world.sign_in(&browser, "bob")).await;
    assert_ne!(browser.get("/").await.text(), "hello Ann at main");
    assert!(!kept.is_signed_in().await);
    assert_eq!(world.tokens.kept().await, 1, "bob's");
}

#[tokio::test]
async fn a_request_that_outlives_the_end_of_the_session_brings_it_not_back() {
    let world = World::new().await;
    let (browser, slow) = (world.signed_in("ann").await, Slow::of(&world));
    let other = browser.copy();
    slow.around(&browser, async {
        world.later(3 * HOUR);
        assert!(!other.is_signed_in().await);
    })
    .await;
    assert!(!browser.is_signed_in().await);
    assert_eq!((world.sessions.signed_in(), world.tokens.kept().await), (0, 0));
}

#[tokio::test]
async fn a_page_within_the_site_needs_no_session_and_gives_strangers_none() {
    let world = World::new().await;
    let browser = world.browser();
    for _ in 0..3 {
        assert!(browser.get("/").await.set_cookies().is_empty());
    }
    browser.request(Method::GET, "/me", &[("accept", "text/html")], "").await;
    assert!(browser.cookie_names().is_empty() && world.sessions.text() == "[]");
    world.time.advance(Duration::from_secs(1));
}
