//! Cookies that others set, and how many of our own there are.

use std::sync::Arc;

use gatepass::store::SealKey;
use gatepass_axum::{Builder, Site};
use gatepass_testkit::{Api, AuthorizationServer};
use http::StatusCode;

use super::get;
use crate::{
    browser::Browser,
    world::{World, app, http, provider},
};

const SECURE: &str = "https://app.example.com";

/// A site behind TLS.
async fn secure() -> (AuthorizationServer, Browser) {
    let auth = AuthorizationServer::start().await;
    auth.register_redirect_uri("client", &format!("{SECURE}/callback"));
    let api = Api::start(&auth).await;
    let builder = Site::builder(SECURE).key(SealKey::random().unwrap()).provider(provider("main", &auth));
    let app = app(&builder.build().unwrap(), &api);
    (auth, Browser { app, cookies: Arc::default(), http: http(), origin: SECURE })
}

#[tokio::test]
async fn rfc10017_2_no_other_spelling_of_the_sessions_cookie_is_taken_for_it() {
    let (auth, mallory) = secure().await;
    auth.sign_in_as("mallory");
    mallory.sign_in("/login").await;
    let (name, planted) = mallory.cookie("__Host-session").unwrap();
    // Browsers keep these from nobody: a sibling of the site's domain may set them for all of it.
    for spelled in ["%5F%5FHost-session", "__Host%2Dsession", "\u{2000}__Host-session", "\u{85}__Host-session"] {
        let cookies = format!("{spelled}={planted}");
        let answer = get(&mallory.app, "app.example.com", "/", cookies.as_bytes()).await;
        assert_eq!(answer.text(), "hello stranger", "{spelled:?}");
    }

    let alice = Browser { cookies: Arc::default(), ..mallory };
    auth.sign_in_as("alice");
    alice.sign_in("/login").await;
    let (_, own) = alice.cookie("__Host-session").unwrap();
    for cookies in
        [format!("{name}={own}; %5f%5fHost-session={planted}"), format!("%5f%5fHost-session={planted}; {name}={own}")]
    {
        assert_eq!(get(&alice.app, "app.example.com", "/me", cookies.as_bytes()).await.text(), "alice", "{cookies}");
    }
}

#[tokio::test]
async fn a_cookie_of_somebody_else_that_is_no_text_keeps_nobody_from_signing_in() {
    let world = World::new().await;
    let browser = world.browser();
    let callback = browser.begin("/login").await;
    let (name, value) = browser.cookie("sign-in").unwrap();
    for other in [&b"name=Zo\xc3\xab"[..], b"name=Zo\xeb"] {
        let cookies = [other, b"; ", name.as_bytes(), b"=", value.as_bytes()].concat();
        let answer = get(&world.app, "127.0.0.1:4180", "/login", &cookies).await;
        assert_eq!(answer.set_cookies().len(), 1, "the one before is not taken away");
    }
    let cookies = [b"name=Zo\xeb; ", name.as_bytes(), b"=", value.as_bytes(), b"; x=\xff"].concat();
    let answer = get(&world.app, "127.0.0.1:4180", &callback, &cookies).await;
    assert_eq!((answer.status(), answer.location()), (StatusCode::SEE_OTHER, "/"), "{}", answer.text());

    let session = answer.set_cookies().into_iter().find(|cookie| cookie.starts_with("session")).unwrap().to_owned();
    let session = session.split(';').next().unwrap();
    let cookies = [b"name=Zo\xeb; ", session.as_bytes()].concat();
    assert_eq!(get(&world.app, "127.0.0.1:4180", "/me", &cookies).await.text(), "alice");
}

#[tokio::test]
async fn the_sessions_cookie_is_taken_away_in_a_way_that_browsers_accept() {
    let (_auth, browser) = secure().await;
    browser.sign_in("/login").await;
    let out = browser.post("/logout").await;
    let removed = out.set_cookies().into_iter().find(|cookie| cookie.starts_with("__Host-session=;")).unwrap();
    // What a browser asks of any cookie of this name.
    assert!(removed.contains("; Secure") && removed.contains("; Path=/") && !removed.contains("Domain"), "{removed}");
}

#[tokio::test]
async fn a_site_on_the_usual_port_leaves_the_sign_ins_of_its_neighbours_alone() {
    let world = World::new().await;
    let auth = AuthorizationServer::start().await;
    let usual = Site::builder("http://127.0.0.1").provider(provider("main", &auth)).build().unwrap();
    let usual = app(&usual, &Api::start(&auth).await);
    let browser = world.browser();
    let callback = browser.begin("/login").await;
    // Cookies know no ports.
    let neighbour = Browser { app: usual, origin: "http://127.0.0.1", ..browser.clone() };
    assert_eq!(neighbour.get("/login").await.status(), StatusCode::SEE_OTHER);
    assert_eq!(browser.get(&callback).await.location(), "/");
}

#[tokio::test]
async fn two_sites_on_one_host_keep_their_cookies_apart() {
    let auth = AuthorizationServer::start().await;
    let at = |origin: &str| {
        let builder = Site::builder(origin).key(SealKey::random().unwrap()).provider(provider("main", &auth));
        let site = builder.build().unwrap();
        axum::Router::new().merge(site.routes()).layer(site.layer())
    };
    let begun = get(&at(SECURE), "app.example.com", "/login", b"").await;
    let cookie = begun.set_cookies()[0].split(';').next().unwrap().to_owned();
    let other = get(&at("https://app.example.com:8443"), "app.example.com:8443", "/login", cookie.as_bytes()).await;
    let set = other.set_cookies();
    assert!(set.len() == 1 && set[0].starts_with("__Host-sign-in-8443-"), "{set:?}");
    let cookie = set[0].split(';').next().unwrap();
    let first = get(&at(SECURE), "app.example.com", "/login", cookie.as_bytes()).await;
    assert_eq!(first.set_cookies().len(), 1);
}

async fn asking_for(scopes: usize) -> World {
    let auth = AuthorizationServer::start().await;
    let provider = provider("main", &auth).scope("s".repeat(scopes));
    World::of(auth, |builder: Builder| builder.provider(provider)).await
}

#[tokio::test]
async fn a_sign_in_that_does_not_fit_into_a_cookie_says_so_before_anybody_is_sent_away() {
    let far = format!("/login?return_to=/{}", "p".repeat(1400));
    for scopes in [1, 500, 1000, 1500, 2000, 4000] {
        let world = asking_for(scopes).await;
        let sent = world.browser().get(&far).await;
        // RFC 6265 section 6.1: what browsers keep at least, name and attributes included.
        assert!(sent.set_cookies().iter().all(|cookie| cookie.len() <= 4096), "{scopes}");
        assert_eq!(sent.status() == StatusCode::SEE_OTHER, scopes < 4000, "{scopes}: {}", sent.text());
        assert_eq!(sent.status() == StatusCode::SEE_OTHER, !sent.set_cookies().is_empty());
    }
    let world = asking_for(2000).await;
    let done = world.browser().sign_in(&far).await;
    assert_eq!((done.status(), done.location()), (StatusCode::SEE_OTHER, "/"), "rather there than not at all");
}

#[tokio::test]
async fn links_that_begin_one_sign_in_after_the_other_do_not_lock_the_browser_out() {
    let world = World::new().await;
    let browser = world.browser();
    let mut last = String::new();
    for _ in 0..12 {
        last = browser.begin(&format!("/login?return_to=/{}", "p".repeat(1400))).await;
        let cookies: usize =
            browser.cookies.lock().unwrap().iter().map(|(name, value)| name.len() + value.len() + 3).sum();
        assert!(cookies <= 12 * 1024, "servers refuse requests whose head is too large: {cookies}");
    }
    assert!(browser.get(&last).await.location().starts_with("/ppp"), "the newest is kept");
}
