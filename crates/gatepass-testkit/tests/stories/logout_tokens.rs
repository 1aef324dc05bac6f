//! Logout tokens: sign-out that the server begins.

use std::time::SystemTime;

use gatepass_testkit::{AuthorizationServer, Signing};
use serde_json::json;

use crate::jwt::Jwt;

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

#[tokio::test]
async fn oidc_3_a_logout_token_says_whose_sign_ins_have_ended() {
    let server = AuthorizationServer::start().await;
    let token = Jwt::read(&server.logout_token("app", Some("ann"), Some("sid-1")));
    assert!(token.is_signed_by(&server.signing_jwk()));
    let header = json!({ "alg": "ES256", "kid": server.signing_jwk()["kid"], "typ": "logout+jwt" });
    assert_eq!(token.header, header);
    let claims = token.claims.as_object().unwrap();
    for (claim, value) in [
        ("iss", json!(server.issuer())),
        ("aud", json!("app")),
        ("sub", json!("ann")),
        ("sid", json!("sid-1")),
        ("events", json!({ EVENT: {} })),
    ] {
        assert_eq!(claims[claim], value, "{claim}");
    }
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    assert!(now - token.seconds("iat") < 60 && token.seconds("exp") == token.seconds("iat") + 120);
    assert!(claims.len() == 8 && claims["jti"].as_str().unwrap().len() > 16);

    let another = Jwt::read(&server.logout_token("app", None, Some("sid-1")));
    assert!(another.claims.get("sub").is_none() && another.claims["jti"] != claims["jti"]);
    assert!(Jwt::read(&server.logout_token("app", Some("ann"), None)).claims.get("sid").is_none());
}

#[tokio::test]
async fn a_logout_token_may_be_wrong_in_any_way() {
    let server = AuthorizationServer::start().await;
    // What changes ID tokens leaves them alone.
    server.edit_id_tokens(|token| token.signing = Signing::None);
    let token = Jwt::read(&server.logout_token_with("app", |token| {
        token.header.remove("typ");
        token.claims.insert("sub".into(), server.sids_of("nobody").len().into());
        token.claims.insert("nonce".into(), "n".into());
        token.claims.remove("events");
    }));
    assert!(token.is_signed_by(&server.signing_jwk()));
    assert!(token.header.get("typ").is_none() && token.claims.get("events").is_none());
    assert_eq!((&token.claims["sub"], &token.claims["nonce"]), (&json!(0), &json!("n")));
    let unsigned = server.logout_token_with("app", |token| token.signing = Signing::None);
    assert!(unsigned.ends_with('.') && Jwt::read(&unsigned).header["alg"] == "none");
}
