//! Assertions: as a grant, and as the proof of a client.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use gatepass_testkit::AuthorizationServer;
use serde_json::{Value, json};

use crate::client::{Answer, Http};

/// A JWT with these claims, good for a minute, and a signature that nobody made.
fn jwt(claims: &Value) -> String {
    let mut all = json!({ "exp": now() + 60, "jti": "id-1" });
    for (name, value) in claims.as_object().unwrap() {
        all[name] = value.clone();
    }
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    format!("{}.{}.c2lnbmF0dXJl", part(&json!({ "alg": "ES256" })), part(&all))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

async fn grant(http: &Http, server: &AuthorizationServer, assertion: &str, more: &str) -> Answer {
    let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    let form = format!("grant_type={grant}&assertion={assertion}{more}");
    http.post(&server.token_url(), &form).await.unwrap()
}

async fn client_credentials(http: &Http, server: &AuthorizationServer, assertion: &str, more: &str) -> Answer {
    http.post(&server.token_url(), &format!("grant_type=client_credentials&{}{more}", proof(assertion))).await.unwrap()
}

fn proof(assertion: &str) -> String {
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    format!("client_assertion_type={kind}&client_assertion={assertion}")
}

#[tokio::test]
async fn rfc7523_2_1_an_assertion_is_a_grant_once() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    let claims = json!({ "iss": "service@example", "sub": "a person", "aud": server.token_url() });
    let answer = grant(&http, &server, &jwt(&claims), "&scope=read").await;
    assert_eq!((answer.status.as_u16(), answer.text("scope").as_str()), (200, "read"));
    assert!(server.is_active(&answer.access_token()) && answer.json().get("refresh_token").is_none());
    server.repeat_access_token(true);
    let again = grant(&http, &server, &jwt(&claims), "").await;
    assert_eq!((again.status.as_u16(), again.text("error").as_str()), (400, "invalid_grant"));

    let mut next = claims;
    next["jti"] = "id-2".into();
    next["aud"] = json!(["https://other.example", server.issuer()]);
    let as_client = "&client_id=client&client_secret=secret";
    let one = grant(&http, &server, &jwt(&next), as_client).await.access_token();
    (next["jti"], next["sub"]) = ("id-3".into(), "another person".into());
    let two = grant(&http, &server, &jwt(&next), as_client).await.access_token();
    assert!(one != two && server.is_active(&one) && server.is_active(&two));
}

#[tokio::test]
async fn rfc7523_3_the_claims_of_an_assertion_are_checked() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    let aud = server.issuer();
    for claims in [
        json!({ "sub": "a", "aud": aud }),
        json!({ "iss": "a", "aud": aud }),
        json!({ "iss": "a", "sub": "a" }),
        json!({ "iss": "a", "sub": "a", "aud": "https://other.example" }),
        json!({ "iss": "a", "sub": "a", "aud": aud, "exp": now() - 1 }),
        json!({ "iss": "a", "sub": "a", "aud": aud, "exp": null }),
    ] {
        let answer = grant(&http, &server, &jwt(&claims), "").await;
        assert_eq!(answer.text("error"), "invalid_grant", "{claims}");
    }
    assert_eq!(grant(&http, &server, "not-a-jwt", "").await.text("error"), "invalid_grant");
    assert_eq!(grant(&http, &server, "", "").await.text("error"), "invalid_request");

    let good = json!({ "iss": "a", "sub": "a", "aud": aud });
    server.advance(Duration::from_secs(61));
    assert_eq!(grant(&http, &server, &jwt(&good), "").await.text("error"), "invalid_grant");
}

#[tokio::test]
async fn rfc7523_2_2_a_client_proves_itself_with_an_assertion_once() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    let claims = json!({ "iss": "client", "sub": "client", "aud": server.token_url() });
    let answer = client_credentials(&http, &server, &jwt(&claims), "").await;
    assert!(server.is_active(&answer.access_token()));
    assert_eq!(server.journal()[0].client_id.as_deref(), Some("client"));

    let again = client_credentials(&http, &server, &jwt(&claims), "").await;
    assert_eq!((again.status.as_u16(), again.text("error").as_str()), (401, "invalid_client"));
    let mut next = claims;
    next["jti"] = "id-2".into();
    assert_eq!(client_credentials(&http, &server, &jwt(&next), "&client_id=client").await.status, 200);
}

#[tokio::test]
async fn rfc7523_3_a_client_assertion_is_the_clients_own_and_for_this_server() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    server.add_public_client("app");
    let aud = server.issuer();
    let own = json!({ "iss": "client", "sub": "client", "aud": aud });
    let with = |name: &str, value: Value| {
        let mut claims = own.clone();
        claims[name] = value;
        jwt(&claims)
    };
    for (assertion, more, error) in [
        (with("iss", "other".into()), "", "invalid_client"),
        (with("sub", "other".into()), "", "invalid_client"),
        (with("aud", "https://other.example".into()), "", "invalid_client"),
        (with("exp", (now() - 1).into()), "", "invalid_client"),
        (with("jti", Value::Null), "", "invalid_client"),
        (jwt(&json!({ "iss": "stranger", "sub": "stranger", "aud": aud })), "", "invalid_client"),
        (jwt(&json!({ "iss": "app", "sub": "app", "aud": aud })), "", "invalid_client"),
        (jwt(&own), "&client_id=app", "invalid_client"),
        (jwt(&own), "&client_secret=secret", "invalid_request"),
    ] {
        let answer = client_credentials(&http, &server, &assertion, more).await;
        assert_eq!(answer.text("error"), error, "{assertion}");
    }
    assert_eq!(client_credentials(&http, &server, &jwt(&own), "").await.status, 200);
}

#[tokio::test]
async fn every_endpoint_takes_an_assertion_addressed_to_itself() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    for (path, more, status) in [
        ("/revoke", "&token=t", 200),
        ("/introspect", "&token=t", 200),
        ("/device_authorization", "", 200),
        ("/par", "&response_type=code&redirect_uri=http://127.0.0.1/", 201),
    ] {
        let url = server.url(path);
        let assertion = jwt(&json!({ "iss": "client", "sub": "client", "aud": url, "jti": path }));
        let form = format!("{}{more}", proof(&assertion));
        assert_eq!(http.post(&url, &form).await.unwrap().status, status, "{path}");
        assert_eq!(http.post(&url, &form).await.unwrap().text("error"), "invalid_client", "{path}");
    }
}
