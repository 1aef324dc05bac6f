//! Authorization codes at the token endpoint.

use std::time::Duration;

use gatepass_testkit::{AuthorizationServer, RevokedBy};

use crate::{
    browsers::{PKCE, REDIRECT_URI, VERIFIER, sign_in},
    client::{Answer, CLIENT, Http},
};

async fn code(http: &Http, server: &AuthorizationServer) -> String {
    sign_in(http, server, "&scope=read").await.sent_back("code").unwrap()
}

async fn redeem(http: &Http, server: &AuthorizationServer, code: &str, more: &str) -> Answer {
    let form = format!("grant_type=authorization_code&code={code}&client_id=app{more}");
    http.post(&server.token_url(), &form).await.unwrap()
}

fn all_right() -> String {
    format!("&redirect_uri={REDIRECT_URI}&code_verifier={VERIFIER}")
}

#[tokio::test]
async fn a_code_is_redeemed_for_tokens_that_a_public_client_can_refresh() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    let code = code(&http, &server).await;
    let answer = redeem(&http, &server, &code, &all_right()).await;
    assert_eq!((answer.status.as_u16(), answer.text("scope").as_str()), (200, "read"));
    assert!(server.is_active(&answer.access_token()));

    let form = format!("grant_type=refresh_token&refresh_token={}&client_id=app", answer.refresh_token());
    let refreshed = http.post(&server.token_url(), &form).await.unwrap();
    assert!(server.is_active(&refreshed.access_token()));
    assert_ne!(refreshed.refresh_token(), answer.refresh_token());
}

#[tokio::test]
async fn rfc6749_4_1_2_a_code_that_comes_again_ends_what_it_was_redeemed_for() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    let code = code(&http, &server).await;
    let first = redeem(&http, &server, &code, &all_right()).await;
    let second = redeem(&http, &server, &code, &all_right()).await;
    assert_eq!((second.status.as_u16(), second.text("error").as_str()), (400, "invalid_grant"));
    assert!(!server.is_active(&first.access_token()) && !server.is_refreshable(&first.refresh_token()));
    assert_eq!(server.revocations()[0].by, RevokedBy::CodeReuse);
}

#[tokio::test]
async fn rfc6749_4_1_3_a_code_is_good_only_for_what_it_was_given_for() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    let code = code(&http, &server).await;
    let wrong = VERIFIER.replace('d', "e");
    for more in [
        format!("&redirect_uri={REDIRECT_URI}"),
        format!("&redirect_uri={REDIRECT_URI}&code_verifier={wrong}"),
        format!("&redirect_uri={REDIRECT_URI}&code_verifier=short"),
        format!("&code_verifier={VERIFIER}"),
        format!("&redirect_uri={REDIRECT_URI}/&code_verifier={VERIFIER}"),
        format!("&redirect_uri=http://localhost:49152/callback&code_verifier={VERIFIER}"),
    ] {
        assert_eq!(redeem(&http, &server, &code, &more).await.text("error"), "invalid_grant", "{more}");
    }
    let others = format!("grant_type=authorization_code&code={code}&{CLIENT}{}", all_right());
    assert_eq!(http.post(&server.token_url(), &others).await.unwrap().text("error"), "invalid_grant");
    assert_eq!(redeem(&http, &server, "made-up", &all_right()).await.text("error"), "invalid_grant");
    // None of that cost the code.
    assert_eq!(redeem(&http, &server, &code, &all_right()).await.status, 200);
}

#[tokio::test]
async fn a_code_ends_after_a_minute() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    let code = code(&http, &server).await;
    server.advance(Duration::from_secs(60));
    assert_eq!(redeem(&http, &server, &code, &all_right()).await.text("error"), "invalid_grant");
}

#[tokio::test]
async fn rfc9700_4_8_2_a_verifier_without_a_challenge_is_refused() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    let query = format!("response_type=code&client_id=client&redirect_uri={REDIRECT_URI}");
    let answer = http.open(&format!("{}?{query}", server.authorization_url())).await;
    let code = answer.sent_back("code").unwrap();
    let form = format!("grant_type=authorization_code&code={code}&redirect_uri={REDIRECT_URI}&{CLIENT}");
    let refused = http.post(&server.token_url(), &format!("{form}&code_verifier={VERIFIER}")).await.unwrap();
    assert_eq!(refused.text("error"), "invalid_grant");
    assert_eq!(http.post(&server.token_url(), &form).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_redirect_uri_that_was_not_named_need_not_be_named_again() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    server.add_public_client("app").register_redirect_uri("app", REDIRECT_URI);
    let query = format!("response_type=code&client_id=app&{PKCE}");
    let answer = http.open(&format!("{}?{query}", server.authorization_url())).await;
    let code = answer.sent_back("code").unwrap();
    let answer = redeem(&http, &server, &code, &format!("&code_verifier={VERIFIER}")).await;
    assert_eq!(answer.status, 200);
}
