//! Sessions: who comes back as whom, and who stays gone.

use std::sync::{Arc, atomic::Ordering};

use axum::{Extension, Router, middleware, routing::get as page};
use gatepass_axum::{Failed, OnBehalf, Site, User, tower_sessions::Session};
use gatepass_testkit::{Api, AuthorizationServer};
use http::StatusCode;
use tokio::sync::Notify;

use super::{Records, browser, get, with_pages};
use crate::world::{HOUR, SITE, World, app, provider};

#[tokio::test]
async fn who_signed_in_at_a_provider_that_is_gone_signs_in_at_another() {
    let (auth, records) = (AuthorizationServer::start().await, Records::default());
    let api = Api::start(&auth).await;
    let at = |name: &str| Site::builder(SITE).sessions(records.clone()).provider(provider(name, &auth)).build();
    let (before, after) = (app(&at("old").unwrap(), &api), app(&at("main").unwrap(), &api));
    let mut browser = browser(&before);
    browser.sign_in("/login").await;
    browser.app = after;
    assert_eq!(browser.get("/").await.text(), "hello stranger");
    let done = browser.sign_in("/login").await;
    assert_eq!((done.status(), done.location()), (StatusCode::SEE_OTHER, "/"), "{}", done.text());
    assert!(browser.get("/").await.text().contains("at main"));
}

#[tokio::test]
async fn w5_a_request_under_way_does_not_bring_the_sign_in_before_back() {
    let (began, may_end) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (auth, app) = with_pages(|router| {
        let (began, may_end) = (began.clone(), may_end.clone());
        let slow = async move |Extension(session): Extension<Session>| {
            session.insert("slow", true).await.unwrap();
            began.notify_one();
            may_end.notified().await;
        };
        router.route("/slow", page(slow)).route("/me", page(async |user: User| user.subject().to_owned()))
    })
    .await;
    let browser = browser(&app);
    auth.sign_in_as("alice");
    browser.sign_in("/login").await;
    let (name, value) = browser.cookie("session").unwrap();
    let copied = format!("{name}={value}");
    let slow = tokio::spawn(async move { get(&app, "127.0.0.1:4180", "/slow", copied.as_bytes()).await });
    began.notified().await;

    auth.sign_in_as("bob");
    browser.sign_in("/login").await;
    may_end.notify_one();
    assert_eq!(slow.await.unwrap().status(), StatusCode::OK);
    assert_eq!(browser.get("/me").await.text(), "bob");
    let old = get(&browser.app, "127.0.0.1:4180", "/me", format!("{name}={value}").as_bytes()).await;
    assert_eq!(old.status(), StatusCode::SEE_OTHER, "{}", old.text());
}

#[tokio::test]
async fn w3_what_another_person_left_goes_even_where_who_it_was_cannot_be_read() {
    let (auth, app) = with_pages(|router| {
        let old = async |Extension(session): Extension<Session>| {
            session.insert("gatepass", "of an older version").await.unwrap();
            session.insert("cart", "ann's").await.unwrap();
        };
        let cart = async |Extension(session): Extension<Session>| {
            session.get::<String>("cart").await.unwrap().unwrap_or_default()
        };
        router.route("/old", page(old)).route("/cart", page(cart))
    })
    .await;
    auth.sign_in_as("bob");
    let browser = browser(&app);
    browser.get("/old").await;
    assert_eq!(browser.get("/cart").await.text(), "ann's");
    browser.sign_in("/login").await;
    assert_eq!(browser.get("/cart").await.text(), "");
}

#[tokio::test]
async fn w5_who_is_busy_stays_also_where_each_page_changes_the_session() {
    let world = World::new().await;
    let counted = async |user: Option<User>, Extension(session): Extension<Session>| {
        let pages = session.get::<u32>("pages").await.unwrap().unwrap_or(0) + 1;
        session.insert("pages", pages).await.unwrap();
        format!("{}: {pages}", user.is_some())
    };
    let app = Router::new().route("/counted", page(counted)).merge(world.site.routes()).layer(world.site.layer());
    let browser = browser(&app);
    browser.sign_in("/login").await;
    for pages in 1..=11 {
        world.time.advance(HOUR);
        assert_eq!(browser.get("/counted").await.text(), format!("true: {pages}"), "an hour after the one before");
    }
    world.time.advance(HOUR);
    assert_eq!(browser.get("/counted").await.text(), "false: 1", "the ceiling");
}

#[tokio::test]
async fn w5_what_was_changed_before_anybody_asked_who_it_is_is_kept() {
    let world = World::new().await;
    let marked =
        async |Extension(session): Extension<Session>, rest: axum::extract::Request, next: middleware::Next| {
            session.insert("seen-by", "a layer").await.unwrap();
            next.run(rest).await
        };
    let shown = async |_: User, Extension(session): Extension<Session>| {
        session.get::<String>("seen-by").await.unwrap().unwrap_or_default()
    };
    let app = Router::new()
        .route("/shown", page(shown).layer(middleware::from_fn(marked)))
        .merge(world.site.routes())
        .layer(world.site.layer());
    let browser = browser(&app);
    browser.sign_in("/login").await;
    for _ in 0..5 {
        world.time.advance(HOUR);
        assert_eq!(browser.get("/shown").await.text(), "a layer");
    }
}

#[tokio::test]
async fn a_layer_that_changes_the_sessions_identifier_signs_nobody_out_and_hides_nobody() {
    let world = World::new().await;
    let cycled =
        async |Extension(session): Extension<Session>, request: axum::extract::Request, next: middleware::Next| {
            session.cycle_id().await.unwrap();
            next.run(request).await
        };
    let app = Router::new()
        .route("/me", page(async |user: User| user.subject().to_owned()))
        .merge(world.site.routes())
        .layer(middleware::from_fn(cycled))
        .layer(world.site.layer());
    let browser = browser(&app);
    browser.sign_in("/login").await;
    assert_eq!(browser.get("/me").await.text(), "alice");
    assert!(browser.post("/logout").await.location().starts_with(&world.auth.end_session_url()));
    assert_eq!(browser.get("/me").await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn w8_a_sign_out_goes_on_when_the_mark_stands_and_the_session_cannot_be_deleted() {
    let records = Records::default();
    let world = World::with(|builder| builder.sessions(records.clone())).await;
    let browser = world.signed_in("alice").await;
    records.no_deletes.store(true, Ordering::Relaxed);
    let out = browser.post("/logout").await;
    assert_eq!(out.status(), StatusCode::SEE_OTHER, "{}", out.text());
    assert_eq!(world.auth.revocations().len(), 1, "the tokens are ended");
    records.no_deletes.store(false, Ordering::Relaxed);
    assert_eq!(browser.get("/").await.text(), "hello stranger");
}

#[tokio::test]
async fn w8_who_signs_out_without_tokens_is_signed_out_at_the_provider_too() {
    let (auth, app) = with_pages(|router| {
        let forget = async |person: OnBehalf| person.cell().remove().await.map_err(Failed::from);
        router.route("/forget", page(forget))
    })
    .await;
    let browser = browser(&app);
    browser.sign_in("/login").await;
    assert_eq!(browser.get("/forget").await.status(), StatusCode::OK);
    let out = browser.post("/logout").await;
    assert!(out.location().starts_with(&auth.end_session_url()), "{}", out.location());
    assert!(!out.location().contains("id_token_hint"));
}

#[tokio::test]
async fn w7_a_page_that_fails_whoever_is_signed_in_does_not_send_them_round_and_round() {
    let (_auth, app) = with_pages(|router| {
        let dead = async || -> Result<(), Failed> {
            Err(gatepass::Error::reauth_required("the credential of a job is dead").into())
        };
        router.route("/job", page(dead))
    })
    .await;
    let browser = browser(&app);
    let first = browser.get("/job").await;
    assert_eq!(first.location(), "/login?return_to=%2Fjob");
    browser.sign_in(first.location()).await;
    let second = browser.get("/job").await;
    assert_eq!(second.location(), "/login?return_to=%2Fjob", "it may have helped");
    browser.sign_in(second.location()).await;
    let third = browser.get("/job").await;
    assert_eq!(third.status(), StatusCode::BAD_GATEWAY, "{}", third.location());
}

#[tokio::test]
async fn what_is_in_the_head_of_an_answer_outlives_that_somebody_has_to_sign_in() {
    let (_auth, app) = with_pages(|router| {
        let flash = async || {
            let head = [("set-cookie", "flash=1; Path=/"), ("access-control-allow-origin", "https://www.example.com")];
            (head, Failed::from(gatepass::Error::transient("not now")))
        };
        let needed = async || ([("set-cookie", "flash=1; Path=/")], gatepass_axum::SignInNeeded::SignedOut);
        router.route("/flash", page(flash)).route("/needed", page(needed))
    })
    .await;
    let browser = browser(&app);
    let answer = browser.fetch("/flash").await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers()["access-control-allow-origin"], "https://www.example.com");
    assert_eq!(
        (answer.set_cookies(), answer.headers()["retry-after"].to_str().unwrap()),
        (vec!["flash=1; Path=/"], "5")
    );
    assert_eq!(answer.headers()["content-type"], "application/json");
    assert_eq!(browser.get("/needed").await.set_cookies(), ["flash=1; Path=/"]);
}
