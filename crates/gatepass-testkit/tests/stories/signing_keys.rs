//! `/jwks`: the key that ID tokens are signed with.

use gatepass_testkit::{AuthorizationServer, Failure, Jwks};
use serde_json::json;

use crate::{
    client::Http,
    id_tokens::{id_token, tokens},
};

async fn start() -> (AuthorizationServer, Http) {
    (AuthorizationServer::start().await, Http::new())
}

#[tokio::test]
async fn rfc7517_4_the_set_has_one_public_key_and_says_all_about_it() {
    let (server, http) = start().await;
    let answer = http.open(&server.jwks_url()).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/json"));
    let key = &answer.json()["keys"][0];
    let names: Vec<&str> = key.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["alg", "crv", "kid", "kty", "use", "x", "y"]);
    let says = ["kty", "crv", "alg", "use"].map(|name| key[name].as_str().unwrap());
    assert_eq!(says, ["EC", "P-256", "ES256", "sig"]);
    assert_eq!(answer.json(), json!({ "keys": [server.signing_jwk()] }));
    assert_eq!((server.jwks_requests(), server.token_requests()), (1, 0));
}

#[tokio::test]
async fn every_server_has_a_key_of_its_own() {
    let (one, other) = (AuthorizationServer::start().await, AuthorizationServer::start().await);
    assert_ne!(one.signing_jwk()["x"], other.signing_jwk()["x"]);
}

#[tokio::test]
async fn a_rotation_takes_the_old_key_away() {
    let (server, http) = start().await;
    let old_key = server.signing_jwk();
    let old_token = id_token(&tokens(&http, &server, "&scope=openid").await);
    server.rotate_signing_key();
    let keys = http.open(&server.jwks_url()).await.json();
    let new_token = id_token(&tokens(&http, &server, "&scope=openid").await);
    assert_eq!(keys["keys"].as_array().unwrap().len(), 1);
    let new_key = &keys["keys"][0];
    assert!(new_key["kid"] != old_key["kid"] && new_token.header["kid"] == new_key["kid"]);
    assert!(new_token.is_signed_by(new_key) && !new_token.is_signed_by(&old_key));
    assert!(old_token.is_signed_by(&old_key) && !old_token.is_signed_by(new_key));
}

#[tokio::test]
async fn the_set_fails_as_often_as_it_is_told_to() {
    let (server, http) = start().await;
    server.fail_next_at("/jwks", 2, Failure::status(503)).fail_next_at("/jwks", 1, Failure::torn_json());
    for status in [503, 503] {
        assert_eq!(http.open(&server.jwks_url()).await.status, status);
    }
    let torn = http.open(&server.jwks_url()).await.body.unwrap();
    assert!(serde_json::from_slice::<serde_json::Value>(&torn).is_err());
    assert_eq!(http.open(&server.jwks_url()).await.json()["keys"][0], server.signing_jwk());
    assert_eq!(server.jwks_requests(), 4);

    server.fail_until_told_at("/jwks", Failure::html(200));
    assert_eq!(http.open(&server.jwks_url()).await.header("content-type"), "text/html; charset=utf-8");
    server.recover().reset_journal();
    assert_eq!((http.open(&server.jwks_url()).await.status.as_u16(), server.jwks_requests()), (200, 1));
}

#[tokio::test]
async fn the_set_may_be_another_one_or_none() {
    let (server, http) = start().await;
    server.jwks(Jwks::Missing);
    assert_eq!(http.open(&server.jwks_url()).await.status, 404);
    server.jwks(Jwks::Fails(Failure::torn_json()));
    assert!(serde_json::from_slice::<serde_json::Value>(&http.open(&server.jwks_url()).await.body.unwrap()).is_err());
    let set = json!({ "keys": [{ "kty": "unheard-of" }, server.signing_jwk()] });
    server.jwks(Jwks::Json(set.to_string()));
    assert_eq!(http.open(&server.jwks_url()).await.json(), set);
    server.jwks(Jwks::Json("[".to_owned()));
    assert_eq!(http.open(&server.jwks_url()).await.page(), "[");
    server.jwks(Jwks::Correct);
    assert_eq!(http.open(&server.jwks_url()).await.json()["keys"][0], server.signing_jwk());
}
