//! ID tokens that a client has to refuse.

use gatepass_testkit::{AuthorizationServer, Signing};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;

use crate::{
    client::Http,
    id_tokens::{id_token, refresh, tokens},
};

async fn start() -> (AuthorizationServer, Http) {
    (AuthorizationServer::start().await, Http::new())
}

#[tokio::test]
async fn any_claim_may_be_wrong_under_a_right_signature() {
    let (server, http) = start().await;
    for (claim, value) in [
        ("iss", json!("https://evil.example")),
        ("aud", json!(["app", "other"])),
        ("azp", json!("other")),
        ("nonce", json!("another")),
        ("exp", json!(1_000_000_000)),
        ("iat", json!(99_999_999_999_u64)),
        ("at_hash", json!(null)),
    ] {
        let wrong = value.clone();
        server.edit_id_tokens(move |token| drop(token.claims.insert(claim.into(), wrong.clone())));
        let token = id_token(&tokens(&http, &server, "&scope=openid&nonce=n").await);
        assert_eq!(token.claims[claim], value);
        assert!(token.is_signed_by(&server.signing_jwk()), "{claim}");
    }
    server.edit_id_tokens(|_| {});
    assert_eq!(id_token(&tokens(&http, &server, "&scope=openid").await).claims["iss"], server.issuer());
}

#[tokio::test]
async fn a_refresh_may_name_somebody_else() {
    let (server, http) = start().await;
    server.edit_id_tokens(|token| {
        if !token.claims.contains_key("nonce") {
            token.claims.insert("sub".into(), "mallory".into());
        }
    });
    let first = tokens(&http, &server, "&scope=openid&nonce=n").await;
    let second = refresh(&http, &server, &first, "").await;
    assert_eq!(
        (&id_token(&first).claims["sub"], &id_token(&second).claims["sub"]),
        (&json!("alice"), &json!("mallory"))
    );
}

#[tokio::test]
async fn the_key_may_be_unknown_or_another_one() {
    let (server, http) = start().await;
    server.edit_id_tokens(|token| drop(token.header.insert("kid".into(), "unknown".into())));
    let token = id_token(&tokens(&http, &server, "&scope=openid").await);
    assert!(token.header["kid"] == "unknown" && token.is_signed_by(&server.signing_jwk()));

    server.edit_id_tokens(|token| token.signing = Signing::AnotherKey);
    let token = id_token(&tokens(&http, &server, "&scope=openid").await);
    assert!(token.header["kid"] == server.signing_jwk()["kid"] && !token.is_signed_by(&server.signing_jwk()));
}

#[tokio::test]
async fn the_signature_may_be_missing_or_torn() {
    let (server, http) = start().await;
    for (signing, algorithm, length) in [(Signing::None, "none", 0), (Signing::Torn, "ES256", 32)] {
        server.edit_id_tokens(move |token| token.signing = signing.clone());
        let answer = tokens(&http, &server, "&scope=openid").await;
        assert_eq!(answer.text("id_token").ends_with('.'), length == 0);
        let token = id_token(&answer);
        assert_eq!((token.header["alg"].as_str(), token.signature.len()), (Some(algorithm), length));
    }
}

#[tokio::test]
async fn the_public_key_may_pass_for_a_secret() {
    let (server, http) = start().await;
    let public = server.signing_jwk().to_string();
    let secret = public.clone();
    server.edit_id_tokens(move |token| token.signing = Signing::Hmac(secret.clone()));
    let token = id_token(&tokens(&http, &server, "&scope=openid").await);
    assert_eq!((&token.header["alg"], &token.header["kid"]), (&json!("HS256"), &server.signing_jwk()["kid"]));
    let mac = Hmac::<Sha256>::new_from_slice(public.as_bytes()).unwrap().chain_update(&token.text);
    assert!(mac.verify_slice(&token.signature).is_ok());
}

#[tokio::test]
async fn whoever_edits_may_ask_the_server_things() {
    let (server, http) = start().await;
    let asked = server.clone();
    server.edit_id_tokens(move |token| {
        token.claims.insert("sign_ins".into(), asked.sids_of("alice").len().into());
    });
    server.edit_user_info({
        let asked = server.clone();
        move |claims| drop(claims.insert("requests".into(), asked.token_requests().into()))
    });
    let answer = tokens(&http, &server, "&scope=openid").await;
    assert_eq!(id_token(&answer).claims["sign_ins"], 1);
    let user = http.get(&server.userinfo_url(), &answer.access_token()).await.unwrap();
    assert_eq!(user.json()["requests"], 1);
}
