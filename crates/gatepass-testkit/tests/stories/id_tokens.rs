//! ID tokens: what is in them, and on which occasions there are any.

use std::time::{Duration, SystemTime};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use gatepass_testkit::AuthorizationServer;
use http::Request;
use http_body_util::Full;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::{
    browsers::{REDIRECT_URI, VERIFIER, sign_in, ticket},
    client::{Answer, CLIENT, Http},
    jwt::Jwt,
};

/// The client `app`, all the way: its answer from the token endpoint.
pub(crate) async fn tokens(http: &Http, server: &AuthorizationServer, more: &str) -> Answer {
    let code = sign_in(http, server, more).await.sent_back("code").unwrap();
    redeem(http, server, &code).await
}

pub(crate) async fn refresh(http: &Http, server: &AuthorizationServer, tokens: &Answer, more: &str) -> Answer {
    let form = format!("grant_type=refresh_token&refresh_token={}&client_id=app{more}", tokens.refresh_token());
    http.post(&server.token_url(), &form).await.unwrap()
}

pub(crate) fn id_token(answer: &Answer) -> Jwt {
    Jwt::read(&answer.text("id_token"))
}

async fn redeem(http: &Http, server: &AuthorizationServer, code: &str) -> Answer {
    let code = format!("code={code}&redirect_uri={REDIRECT_URI}&code_verifier={VERIFIER}");
    let form = format!("grant_type=authorization_code&client_id=app&{code}");
    http.post(&server.token_url(), &form).await.unwrap()
}

async fn start() -> (AuthorizationServer, Http) {
    (AuthorizationServer::start().await, Http::new())
}

fn now() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()
}

#[tokio::test]
async fn oidc_core_2_an_id_token_says_who_signed_in_where_and_for_whom() {
    let (server, http) = start().await;
    let before = now();
    let answer = tokens(&http, &server, "&scope=openid+read&nonce=n-1").await;
    let token = id_token(&answer);
    let times = ["iat", "auth_time"].map(|claim| token.seconds(claim));
    assert!(times.iter().all(|time| (before..=now()).contains(time)), "{times:?}");
    assert_eq!(token.seconds("exp"), token.seconds("iat") + 3600);
    let at_hash = URL_SAFE_NO_PAD.encode(&Sha256::digest(answer.access_token())[..16]);
    let claims = token.claims.as_object().unwrap();
    for (claim, value) in [
        ("iss", json!(server.issuer())),
        ("sub", json!("alice")),
        ("aud", json!("app")),
        ("nonce", json!("n-1")),
        ("sid", json!(server.sids_of("alice")[0])),
        ("at_hash", json!(at_hash)),
    ] {
        assert_eq!(claims[claim], value, "{claim}");
    }
    assert_eq!(claims.len(), 9, "{claims:?}");

    let keys = http.open(&server.jwks_url()).await.json();
    assert!(token.is_signed_by(&keys["keys"][0]));
    assert_eq!(token.header, json!({ "alg": "ES256", "kid": keys["keys"][0]["kid"] }));
}

#[tokio::test]
async fn oidc_core_5_4_profile_and_email_say_more() {
    let (server, http) = start().await;
    let claims = id_token(&tokens(&http, &server, "&scope=openid+profile+email").await).claims;
    assert_eq!((&claims["name"], &claims["preferred_username"]), (&json!("Alice"), &json!("alice")));
    assert_eq!(claims["email"], "alice@example.com");
    assert!(claims.get("nonce").is_none());
}

#[tokio::test]
async fn without_openid_in_the_scope_that_is_granted_there_is_none() {
    let (server, http) = start().await;
    for scope in ["", "&scope=read", "&scope=openid2+profile"] {
        assert!(tokens(&http, &server, scope).await.json().get("id_token").is_none(), "{scope}");
    }
    server.granted_scope(Some("read"));
    assert!(tokens(&http, &server, "&scope=openid").await.json().get("id_token").is_none());
}

#[tokio::test]
async fn oidc_2_a_refresh_is_answered_with_another_one_of_the_same_sign_in() {
    let (server, http) = start().await;
    let first = tokens(&http, &server, "&scope=openid+email&nonce=n-1").await;
    // Who signs in later has nothing to do with it.
    server.sign_in_as("ann");
    let second = refresh(&http, &server, &first, "").await;
    let (before, after) = (id_token(&first).claims, id_token(&second).claims);
    for claim in ["iss", "sub", "aud", "sid", "auth_time", "email"] {
        assert_eq!(before[claim], after[claim], "{claim}");
    }
    assert!(after.get("nonce").is_none());
    assert_ne!(before["at_hash"], after["at_hash"]);

    // It may ask for less (RFC 6749, 6).
    let third = refresh(&http, &server, &second, "&scope=email").await;
    assert!(third.status == 200 && third.json().get("id_token").is_none());
}

#[tokio::test]
async fn id_tokens_may_be_left_out_on_refresh_or_altogether() {
    let (server, http) = start().await;
    let has_one = |answer: &Answer| answer.status == 200 && answer.json().get("id_token").is_some();
    server.id_token_on_refresh(false);
    let first = tokens(&http, &server, "&scope=openid").await;
    let second = refresh(&http, &server, &first, "").await;
    assert!(has_one(&first) && !has_one(&second));
    server.id_token_on_refresh(true);
    let third = refresh(&http, &server, &second, "").await;
    assert!(has_one(&third));
    server.omit_id_token(true);
    assert!(!has_one(&refresh(&http, &server, &third, "").await));
    assert!(!has_one(&tokens(&http, &server, "&scope=openid").await));

    server.omit_id_token(false).member("id_token", Some("7"));
    assert_eq!(tokens(&http, &server, "&scope=openid").await.json()["id_token"], 7);
}

#[tokio::test]
async fn the_test_says_who_signs_in_and_a_hint_does_for_one_sign_in() {
    let (server, http) = start().await;
    let who = async |more: &str| {
        let answer = tokens(&http, &server, &format!("&scope=openid{more}")).await;
        id_token(&answer).claims["sub"].as_str().unwrap().to_owned()
    };
    assert_eq!(who("").await, "alice");
    server.sign_in_as("ann");
    assert_eq!(who("&login_hint=user-7").await, "user-7");
    assert_eq!(who("").await, "ann");
    assert_eq!(who("").await, "ann");
    let count = |sub| server.sids_of(sub).len();
    assert_eq!((count("alice"), count("user-7"), count("ann"), count("nobody")), (1, 1, 2, 0));
}

#[tokio::test]
async fn many_people_sign_in_at_once_and_none_is_taken_for_another() {
    let (server, http) = start().await;
    let mut under_way = tokio::task::JoinSet::new();
    for number in 0..50 {
        let (server, http) = (server.clone(), http.clone());
        under_way.spawn(async move {
            let more = format!("&scope=openid&nonce=n{number}&login_hint=user{number}");
            let claims = id_token(&tokens(&http, &server, &more).await).claims;
            let (sub, nonce) = (format!("user{number}"), format!("n{number}"));
            assert_eq!((&claims["sub"], &claims["nonce"]), (&json!(sub), &json!(nonce)));
            assert_eq!(json!(server.sids_of(&sub)), json!([claims["sid"]]));
        });
    }
    under_way.join_all().await;
}

#[tokio::test]
async fn a_person_may_type_who_they_are() {
    let (server, http) = start().await;
    server.ask(true);
    for (hint, typed, who) in [("", "", "alice"), ("&login_hint=ann", "", "ann"), ("&login_hint=ann", "eve", "eve")] {
        let page = sign_in(&http, &server, &format!("&scope=openid{hint}")).await.page();
        let offered = if hint.is_empty() { "alice" } else { "ann" };
        assert!(page.contains(&format!("name=login value=\"{offered}\"")), "{page}");
        let form = format!("ticket={}&decision=approve&login={typed}", ticket(&page));
        let answer = http.post(&server.url("/consent"), &form).await.unwrap();
        let tokens = redeem(&http, &server, &answer.sent_back("code").unwrap()).await;
        assert_eq!(id_token(&tokens).claims["sub"], who);
    }
}

#[tokio::test]
async fn a_pushed_request_a_device_and_a_sign_in_had_elsewhere_get_one_too() {
    let (server, http) = start().await;
    server.add_public_client("app").sign_in_as("ann").device_consent(gatepass_testkit::Consent::Approve);
    let pkce = crate::browsers::PKCE;
    let form = format!(
        "response_type=code&client_id=app&redirect_uri={REDIRECT_URI}&scope=openid&nonce=n&login_hint=eve&{pkce}"
    );
    let uri = http.post(&server.url("/par"), &form).await.unwrap().text("request_uri");
    let url = format!("{}?client_id=app&request_uri={uri}", server.authorization_url());
    let code = http.open(&url).await.sent_back("code").unwrap();
    let claims = id_token(&redeem(&http, &server, &code).await).claims;
    assert_eq!((&claims["sub"], &claims["nonce"]), (&json!("eve"), &json!("n")));

    let device = http.post(&server.device_authorization_url(), "client_id=app&scope=openid").await.unwrap();
    let grant = "urn:ietf:params:oauth:grant-type:device_code";
    let form = format!("grant_type={grant}&device_code={}&client_id=app", device.text("device_code"));
    assert_eq!(id_token(&http.post(&server.token_url(), &form).await.unwrap()).claims["sub"], "ann");

    let refresh_token = server.issue_refresh_token_to("client", Some("openid"));
    let claims = id_token(&http.refresh(&server, &refresh_token).await).claims;
    assert_eq!((&claims["sub"], &claims["aud"]), (&json!("ann"), &json!("client")));
}

#[tokio::test]
async fn client_credentials_are_nobodys() {
    let (server, http) = start().await;
    server.refresh_token_for_every_grant(true);
    let form = format!("grant_type=client_credentials&scope=openid&{CLIENT}");
    let answer = http.post(&server.token_url(), &form).await.unwrap();
    assert!(answer.json().get("id_token").is_none());
    let refreshed = http.refresh(&server, &answer.refresh_token()).await;
    assert!(refreshed.status == 200 && refreshed.json().get("id_token").is_none());
}

#[tokio::test]
async fn the_clock_that_a_test_advances_does_not_date_them() {
    let (server, http) = start().await;
    let first = tokens(&http, &server, "&scope=openid").await;
    server.advance(Duration::from_secs(7200));
    assert!(!server.is_active(&first.access_token()));
    assert!(id_token(&refresh(&http, &server, &first, "").await).seconds("iat") <= now());
}

#[tokio::test]
async fn a_sign_in_that_has_ended_has_no_sid() {
    let (server, http) = start().await;
    let first = tokens(&http, &server, "&scope=openid").await;
    let second = tokens(&http, &server, "&scope=openid").await;
    let sid = |answer| id_token(answer).claims["sid"].clone();
    assert_ne!(sid(&first), sid(&second));
    assert_eq!(json!(server.sids_of("alice")), json!([sid(&first), sid(&second)]));
    server.revoke_family(&first.refresh_token());
    assert_eq!(json!(server.sids_of("alice")), json!([sid(&second)]));
}

#[tokio::test]
async fn the_documents_say_what_there_is() {
    let (server, http) = start().await;
    for name in ["oauth-authorization-server", "openid-configuration"] {
        let url = server.url(&format!("/.well-known/{name}"));
        let document = http.send(Request::get(url).body(Full::default()).unwrap()).await.unwrap().json();
        for (member, value) in [
            ("jwks_uri", json!(server.jwks_url())),
            ("userinfo_endpoint", json!(server.userinfo_url())),
            ("end_session_endpoint", json!(server.end_session_url())),
            ("backchannel_logout_supported", json!(true)),
            ("backchannel_logout_session_supported", json!(true)),
            ("id_token_signing_alg_values_supported", json!(["ES256"])),
        ] {
            assert_eq!(document[member], value, "{member}");
        }
        let lists = |member: &str, value: &str| document[member].as_array().unwrap().contains(&value.into());
        assert!(lists("scopes_supported", "openid") && lists("claims_supported", "sid"));
    }
}
