//! `/userinfo`: who a token is good for.

use std::time::Duration;

use gatepass_testkit::{AuthorizationServer, Failure};
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};

use crate::{
    client::{Answer, Http},
    id_tokens::{id_token, refresh, tokens},
};

async fn start() -> (AuthorizationServer, Http) {
    (AuthorizationServer::start().await, Http::new())
}

async fn ask(http: &Http, server: &AuthorizationServer, token: &str) -> Answer {
    http.get(&server.userinfo_url(), token).await.unwrap()
}

fn ann() -> Value {
    json!({ "sub": "ann", "name": "Ann", "preferred_username": "ann", "email": "ann@example.com", "email_verified": true })
}

#[tokio::test]
async fn oidc_core_5_3_the_scope_says_which_claims_there_are() {
    let (server, http) = start().await;
    server.sign_in_as("ann");
    for (scope, claims) in [
        ("openid", json!({ "sub": "ann" })),
        ("openid+email", json!({ "sub": "ann", "email": "ann@example.com", "email_verified": true })),
        ("openid+profile+email", ann()),
        // Plain OAuth: its scopes may mean anything.
        ("read", ann()),
    ] {
        let answer = tokens(&http, &server, &format!("&scope={scope}")).await;
        let user = ask(&http, &server, &answer.access_token()).await;
        assert_eq!((user.status.as_u16(), user.json()), (200, claims), "{scope}");
        assert_eq!(user.header("content-type"), "application/json");
        // By POST as well (5.3.1).
        let request = Request::post(server.userinfo_url());
        let request = request.header("authorization", format!("Bearer {}", answer.access_token()));
        assert_eq!(http.send(request.body(Full::default()).unwrap()).await.unwrap().json(), user.json());
    }
    assert_eq!(server.user_info_requests(), 8);
}

#[tokio::test]
async fn it_tells_of_the_person_the_token_is_for_whoever_signed_in_since() {
    let (server, http) = start().await;
    let first = tokens(&http, &server, "&scope=openid&login_hint=ann").await;
    tokens(&http, &server, "&scope=openid&login_hint=eve").await;
    let refreshed = refresh(&http, &server, &first, "").await;
    for answer in [&first, &refreshed] {
        let user = ask(&http, &server, &answer.access_token()).await.json();
        assert_eq!((&user["sub"], &user["sub"]), (&json!("ann"), &id_token(answer).claims["sub"]));
    }
    // Without a scope, too, and when it was had elsewhere.
    let elsewhere = http.refresh(&server, &server.issue_refresh_token()).await;
    assert_eq!(ask(&http, &server, &elsewhere.access_token()).await.json()["sub"], "alice");
}

#[tokio::test]
async fn rfc6750_3_a_token_that_is_not_good_is_challenged() {
    let (server, http) = start().await;
    let url = server.userinfo_url();
    let none = http.open(&url).await;
    assert_eq!((none.status.as_u16(), none.header("www-authenticate")), (401, "Bearer"));
    let answer = tokens(&http, &server, "&scope=openid").await;
    server.advance(Duration::from_secs(3600));
    for token in ["made-up", &answer.access_token(), &answer.refresh_token()] {
        let refused = ask(&http, &server, token).await;
        assert_eq!(refused.status, 401);
        assert!(refused.header("www-authenticate").contains("error=\"invalid_token\""));
    }
    // Nobody's.
    let refused = ask(&http, &server, &http.token(&server).await.access_token()).await;
    assert_eq!(refused.status, 403);
    assert!(refused.header("www-authenticate").contains("error=\"insufficient_scope\""));
}

#[tokio::test]
async fn a_test_may_change_the_claims_or_have_it_fail() {
    let (server, http) = start().await;
    let token = tokens(&http, &server, "&scope=openid").await.access_token();
    server.edit_user_info(|claims| {
        claims.insert("sub".into(), "mallory".into());
        claims.insert("groups".into(), json!(["staff"]));
    });
    assert_eq!(ask(&http, &server, &token).await.json(), json!({ "sub": "mallory", "groups": ["staff"] }));
    server.edit_user_info(|_| {}).fail_next_at("/userinfo", 1, Failure::html(502));
    assert_eq!(ask(&http, &server, &token).await.status, 502);
    assert_eq!(ask(&http, &server, &token).await.json(), json!({ "sub": "alice" }));
}
