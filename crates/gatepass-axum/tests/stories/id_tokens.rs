//! ID tokens that are wrong: nobody is signed in by one, not by half.

use gatepass_testkit::{IdToken, Jwks, Signing};
use http::StatusCode;
use serde_json::json;

use crate::world::{World, seconds};

type Edit = fn(&mut IdToken);

fn set(token: &mut IdToken, name: &str, value: impl Into<serde_json::Value>) {
    token.claims.insert(name.to_owned(), value.into());
}

fn now() -> u64 {
    seconds(std::time::SystemTime::now())
}

/// Nobody is signed in; the page says what to do, and nothing secret.
async fn is_refused(world: &World, why: &str, status: StatusCode) {
    let browser = world.browser();
    let callback = browser.begin("/login?return_to=%2Fme").await;
    let answer = browser.get(&callback).await;
    let text = answer.text();
    assert_eq!(answer.status(), status, "{why}: {text}");
    assert!(text.contains("Sign in again</a>") && text.contains("/login?return_to=%2Fme"), "{why}: {text}");
    for secret in callback.split(['?', '&', '=']).filter(|it| it.len() > 20 && !it.starts_with("http")) {
        assert!(!text.contains(secret), "{why}: {text}");
    }
    for secret in ["eyJ", "\"at_", "rt_", "alice", "evil.example"] {
        assert!(!text.contains(secret), "{why} {secret}: {text}");
    }
    assert!(answer.set_cookies().iter().all(|cookie| cookie.contains("Max-Age=0")), "{why}");
    world.assert_nobody_is_signed_in(&browser, &answer).await;
}

#[tokio::test]
async fn oidc_1_a_wrong_claim_signs_nobody_in() {
    let world = World::new().await;
    let wrong: [(&str, Edit); 17] = [
        ("iss", |token| set(token, "iss", "https://evil.example")),
        ("no iss", |token| drop(token.claims.remove("iss"))),
        ("aud", |token| set(token, "aud", "another")),
        ("no aud", |token| drop(token.claims.remove("aud"))),
        ("several aud and no azp", |token| set(token, "aud", json!(["client", "another"]))),
        ("azp", |token| set(token, "azp", "another")),
        ("nonce", |token| set(token, "nonce", "another")),
        ("no nonce", |token| drop(token.claims.remove("nonce"))),
        ("exp", |token| set(token, "exp", now() - 61)),
        ("no exp", |token| drop(token.claims.remove("exp"))),
        ("exp of another kind", |token| set(token, "exp", "tomorrow")),
        ("iat", |token| set(token, "iat", now() + 600)),
        ("no iat", |token| drop(token.claims.remove("iat"))),
        ("no sub", |token| drop(token.claims.remove("sub"))),
        ("empty sub", |token| set(token, "sub", "")),
        ("at_hash", |token| set(token, "at_hash", "AAAAAAAAAAAAAAAAAAAAAA")),
        ("a logout token", |token| set(token, "events", json!({}))),
    ];
    for (why, edit) in wrong {
        world.auth.edit_id_tokens(edit);
        is_refused(&world, why, StatusCode::BAD_REQUEST).await;
    }
    world.auth.edit_id_tokens(|_| {});
    world.signed_in("ann").await;
}

#[tokio::test]
async fn oidc_1_a_wrong_signature_signs_nobody_in() {
    let world = World::new().await;
    let key = world.auth.signing_jwk().to_string();
    let signings = [
        Signing::None,
        Signing::AnotherKey,
        Signing::Torn,
        Signing::Hmac("secret".to_owned()),
        Signing::Hmac(key),
        Signing::Hmac(String::new()),
    ];
    for signing in signings {
        let why = format!("{signing:?}");
        world.auth.edit_id_tokens(move |token| token.signing = signing.clone());
        is_refused(&world, &why, StatusCode::BAD_REQUEST).await;
    }
    for algorithm in ["none", "None", "HS256", "RS256", "ES384", ""] {
        world.auth.edit_id_tokens(move |token| drop(token.header.insert("alg".into(), algorithm.into())));
        is_refused(&world, algorithm, StatusCode::BAD_REQUEST).await;
    }
    let jwk = world.auth.signing_jwk();
    world.auth.edit_id_tokens(move |token| {
        token.header.insert("jwk".into(), jwk.clone());
        token.header.insert("kid".into(), "mine".into());
        token.signing = Signing::AnotherKey;
    });
    is_refused(&world, "a key of its own", StatusCode::BAD_REQUEST).await;
    assert!(world.auth.jwks_requests() <= 2, "made-up keys are no way to have the provider asked without end");
}

#[tokio::test]
async fn oidc_1_no_id_token_signs_nobody_in() {
    let world = World::new().await;
    world.auth.omit_id_token(true);
    is_refused(&world, "none", StatusCode::INTERNAL_SERVER_ERROR).await;
    world.auth.omit_id_token(false).member("id_token", Some("\"no token\""));
    let browser = world.browser();
    let answer = browser.sign_in("/login").await;
    assert!(answer.status().is_client_error() || answer.status().is_server_error());
    world.assert_nobody_is_signed_in(&browser, &answer).await;
}

#[tokio::test]
async fn oidc_1_a_key_that_is_new_is_found_by_asking_once() {
    let world = World::new().await;
    world.signed_in("ann").await;
    world.signed_in("bob").await;
    assert_eq!(world.auth.jwks_requests(), 1);
    world.auth.rotate_signing_key();
    world.signed_in("ann").await;
    world.signed_in("bob").await;
    assert_eq!(world.auth.jwks_requests(), 2);
}

#[tokio::test]
async fn oidc_1_a_provider_without_keys_signs_nobody_in() {
    for jwks in [Jwks::Missing, Jwks::Json("{}".into()), Jwks::Json("[]".into())] {
        let world = World::new().await;
        world.auth.jwks(jwks);
        is_refused(&world, "no keys", StatusCode::INTERNAL_SERVER_ERROR).await;
    }
    let world = World::new().await;
    world.auth.jwks(Jwks::Json(r#"{"keys":[]}"#.into()));
    is_refused(&world, "none among them", StatusCode::BAD_REQUEST).await;
}

#[tokio::test]
async fn oidc_1_the_clocks_may_differ_by_a_minute() {
    let world = World::new().await;
    world.auth.edit_id_tokens(|token| {
        set(token, "iat", now() + 50);
        set(token, "exp", now() - 50);
    });
    world.signed_in("ann").await;
}

#[tokio::test]
async fn oidc_2_a_refresh_that_brings_somebody_else_ends_the_calls_on_behalf() {
    let world = World::new().await;
    let browser = world.signed_in("ann").await;
    world.later(crate::world::HOUR);
    world.auth.edit_id_tokens(|token| set(token, "sub", "mallory"));
    assert_eq!(browser.fetch("/orders").await.status(), StatusCode::UNAUTHORIZED);
    let needed = browser.get("/orders").await;
    assert_eq!((needed.status(), needed.location()), (StatusCode::SEE_OTHER, "/login?return_to=%2Forders"));
    assert_eq!((browser.get("/me").await.text(), world.tokens.kept().await), ("ann", 0));
    assert_eq!(world.api.calls(), 0, "mallory's token went nowhere");
}
