//! Settings that look right.

use gatepass_axum::Site;
use gatepass_testkit::{Api, AuthorizationServer};
use http::StatusCode;

use super::{Records, browser, get};
use crate::world::{SITE, World, app, provider};

#[tokio::test]
async fn a_proxy_that_rewrites_the_host_on_ones_own_machine_sends_nobody_in_a_circle() {
    let world = World::new().await;
    // The dev server of a frontend listens where people look, and asks this one by its own address.
    for host in ["127.0.0.1:3000", "localhost:3000", "localhost"] {
        let sent = get(&world.app, host, "/login", b"").await;
        assert!(sent.location().starts_with(&world.auth.issuer()), "{host}: {}", sent.location());
    }
    let by_name = get(&world.app, "localhost:4180", "/login?return_to=/a", b"").await;
    assert_eq!(
        (by_name.status(), by_name.location()),
        (StatusCode::SEE_OTHER, "http://127.0.0.1:4180/login?return_to=/a")
    );
}

#[tokio::test]
async fn who_signed_in_at_a_trial_site_is_nobody_at_the_real_one_that_shares_its_session_store() {
    let records = Records::default();
    let (trial, real) = (AuthorizationServer::start().await, AuthorizationServer::start().await);
    let at = async |origin: &str, auth: &AuthorizationServer| {
        let site = Site::builder(origin).sessions(records.clone()).provider(provider("main", auth)).build().unwrap();
        app(&site, &Api::start(auth).await)
    };
    let (on_trial, on_real) = (at(SITE, &trial).await, at("http://127.0.0.1:4181", &real).await);
    // Anybody may be called anything there.
    trial.sign_in_as("admin");
    let mallory = browser(&on_trial);
    mallory.sign_in("/login").await;
    assert_eq!(mallory.get("/me").await.text(), "admin");
    let (_, value) = mallory.cookie("session").unwrap();
    let moved = format!("session-4181={value}");
    let answer = get(&on_real, "127.0.0.1:4181", "/me", moved.as_bytes()).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{}", answer.text());
}

#[tokio::test]
async fn an_address_that_browsers_write_otherwise_is_refused_or_written_their_way() {
    let auth = AuthorizationServer::start().await;
    let site = |origin: &str| {
        let key = gatepass::store::SealKey::random().unwrap();
        Site::builder(origin).key(key).provider(provider("main", &auth)).build()
    };
    for (given, origin) in [
        ("https://a.example:443", "https://a.example"),
        ("HTTPS://A.Example/", "https://a.example"),
        ("http://[::1]:4180", "http://[::1]:4180"),
        ("http://[0:0:0:0:0:0:0:1]:4180", "http://[::1]:4180"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
    ] {
        assert_eq!(site(given).unwrap().origin(), origin);
    }
    for wrong in [
        "https://a.example:99999",
        "https://a.example:x",
        "https://a.example/app",
        "https://a.example?x",
        "https://a.example#x",
        "https://ann@a.example",
        "https://b\u{fc}cher.example",
        "http://a.example",
        "ftp://127.0.0.1",
        "//a.example",
        "a.example",
        "",
    ] {
        assert!(site(wrong).unwrap_err().is_misconfigured(), "{wrong}");
    }
}

#[tokio::test]
async fn settings_as_large_and_as_small_as_can_be_do_no_harm() {
    use std::time::Duration;
    let longest = Duration::MAX;
    let world =
        World::with(|site| site.idle(longest).ceiling(longest).revocation_deadline(longest).people(0).on_sign_in(kept))
            .await;
    let (alice, bob) = (world.signed_in("alice").await, world.signed_in("bob").await);
    assert_eq!(alice.get("/orders").await.status(), StatusCode::OK);
    assert_eq!(bob.get("/orders").await.status(), StatusCode::OK);
    let back = Duration::from_secs(3600);
    world.time.set_back(back);
    assert_eq!(alice.get("/me").await.text(), "alice");
    world.time.advance(back + Duration::from_secs(100 * 366 * 24 * 3600));
    assert_eq!(alice.get("/me").await.status(), StatusCode::SEE_OTHER, "400 days are over");
    assert!(bob.post("/logout").await.location().starts_with(&world.auth.end_session_url()));
}

async fn kept(arrival: gatepass_axum::Arrival) -> Result<gatepass_axum::User, gatepass_axum::Refused> {
    Ok(arrival.user)
}

#[tokio::test]
async fn a_providers_name_that_makes_two_pages_one_is_refused() {
    let auth = AuthorizationServer::start().await;
    let clash = Site::builder("http://127.0.0.1:4180")
        .login_path("/auth")
        .logout_path("/auth/out")
        .provider(provider("out", &auth))
        .provider(provider("main", &auth))
        .build();
    assert!(clash.unwrap_err().is_misconfigured());
}
