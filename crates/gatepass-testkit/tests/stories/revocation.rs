//! Revocation (RFC 7009), and failures of endpoints other than the token endpoint.

use std::time::{Duration, Instant};

use gatepass_testkit::{AuthorizationServer, Failure, RetryAfter};

use crate::client::{CLIENT, Http};

async fn revoke(http: &Http, server: &AuthorizationServer, form: &str) -> u16 {
    http.post(&server.url("/revoke"), form).await.unwrap().status.as_u16()
}

#[tokio::test]
async fn rfc7009_2_1_a_public_client_ends_its_sign_in_with_its_refresh_token() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    server.add_public_client("app");
    let first = server.issue_refresh_token_to("app", None);
    let form = format!("grant_type=refresh_token&refresh_token={first}&client_id=app");
    let answer = http.post(&server.token_url(), &form).await.unwrap();
    let (access, refresh) = (answer.access_token(), answer.refresh_token());

    let form = format!("token={refresh}&token_type_hint=refresh_token&client_id=app");
    assert_eq!(revoke(&http, &server, &form).await, 200);
    assert!(!server.is_active(&access) && !server.is_refreshable(&refresh));
    // What is not there is no error.
    assert_eq!(revoke(&http, &server, &form).await, 200);
    assert_eq!(revoke(&http, &server, "token=made-up&client_id=app").await, 200);
}

#[tokio::test]
async fn rfc7009_2_1_a_client_revokes_only_its_own() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    server.add_public_client("app");
    let token = server.issue_refresh_token();
    assert_eq!(revoke(&http, &server, &format!("token={token}&client_id=app")).await, 200);
    assert!(server.is_refreshable(&token));
    assert_eq!(revoke(&http, &server, &format!("token={token}")).await, 401);
    assert_eq!(revoke(&http, &server, &format!("token={token}&{CLIENT}")).await, 200);
    assert!(!server.is_refreshable(&token));
}

#[tokio::test]
async fn rfc7009_2_2_1_revocation_may_be_unavailable() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    let token = server.issue_refresh_token();
    let form = format!("token={token}&{CLIENT}");
    server.fail_next_at("/revoke", 1, Failure::status(503).retry_after(RetryAfter::Seconds(1)));
    let answer = http.post(&server.url("/revoke"), &form).await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, "1"));
    assert!(server.is_refreshable(&token));
    assert_eq!(revoke(&http, &server, &form).await, 200);
    assert!(!server.is_refreshable(&token));
}

#[tokio::test]
async fn each_endpoint_fails_by_itself_until_all_recover() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    let revocation = format!("token=t&{CLIENT}");
    server.fail_until_told_at("/device_authorization", Failure::html(502));
    server.fail_until_told_at("/token", Failure::status(500));
    for _ in 0..2 {
        let answer = http.post(&server.device_authorization_url(), CLIENT).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (502, "text/html; charset=utf-8"));
        assert_eq!(http.token(&server).await.status, 500);
        assert_eq!(revoke(&http, &server, &revocation).await, 200);
    }
    server.recover();
    assert_eq!(http.post(&server.device_authorization_url(), CLIENT).await.unwrap().status, 200);
    assert_eq!(http.token(&server).await.status, 200);
}

#[tokio::test]
async fn an_endpoint_may_answer_late() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    let (late, asked) = (Duration::from_millis(50), Instant::now());
    server.fail_next_at("/revoke", 1, Failure::late(late));
    assert_eq!(revoke(&http, &server, &format!("token=t&{CLIENT}")).await, 200);
    assert!(asked.elapsed() >= late);
}

#[tokio::test]
#[should_panic = "an endpoint is at this path"]
async fn an_order_for_a_path_that_leads_nowhere_is_a_mistake() {
    AuthorizationServer::start().await.fail_next_at("/revocation", 1, Failure::status(503));
}
