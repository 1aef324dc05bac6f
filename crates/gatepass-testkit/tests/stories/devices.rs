//! Sign-in on devices.

use std::time::Duration;

use gatepass_testkit::{AuthorizationServer, Consent};

use crate::client::{Answer, Http};

async fn start() -> (AuthorizationServer, Http) {
    let server = AuthorizationServer::start().await;
    server.add_public_client("tv");
    (server, Http::new())
}

async fn device(http: &Http, server: &AuthorizationServer) -> Answer {
    http.post(&server.device_authorization_url(), "client_id=tv&scope=watch").await.unwrap()
}

async fn poll(http: &Http, server: &AuthorizationServer, device: &Answer) -> Answer {
    let code = device.text("device_code");
    let grant = "urn:ietf:params:oauth:grant-type:device_code";
    let form = format!("grant_type={grant}&device_code={code}&client_id=tv");
    http.post(&server.token_url(), &form).await.unwrap()
}

#[tokio::test]
async fn rfc8628_3_2_a_device_gets_codes_and_where_to_enter_them() {
    let (server, http) = start().await;
    let device = device(&http, &server).await;
    assert_eq!((device.status.as_u16(), device.header("cache-control")), (200, "no-store"));
    assert_eq!(device.text("verification_uri"), server.url("/device"));
    let complete = format!("{}?user_code={}", server.url("/device"), device.text("user_code"));
    assert_eq!(device.text("verification_uri_complete"), complete);
    assert_eq!((&device.json()["expires_in"], &device.json()["interval"]), (&600.into(), &1.into()));
    assert_eq!(server.waiting_user_codes(), [device.text("user_code")]);

    let stranger = http.post(&server.device_authorization_url(), "client_id=stranger").await.unwrap();
    assert_eq!(stranger.text("error"), "invalid_client");
}

#[tokio::test]
async fn rfc8628_3_5_a_device_waits_until_it_is_approved_and_gets_its_tokens_once() {
    let (server, http) = start().await;
    let device = device(&http, &server).await;
    assert_eq!(poll(&http, &server, &device).await.text("error"), "authorization_pending");
    assert!(!server.approve("NOSUCH") && server.approve(&device.text("user_code").to_lowercase().replace('-', "")));
    let answer = poll(&http, &server, &device).await;
    assert_eq!((answer.status.as_u16(), answer.text("scope").as_str()), (200, "watch"));
    assert!(server.is_active(&answer.access_token()) && server.is_refreshable(&answer.refresh_token()));
    assert_eq!(poll(&http, &server, &device).await.text("error"), "invalid_grant");
}

#[tokio::test]
async fn rfc8628_3_5_a_device_may_be_denied() {
    let (server, http) = start().await;
    let device = device(&http, &server).await;
    assert!(server.deny(&device.text("user_code")));
    assert_eq!(poll(&http, &server, &device).await.text("error"), "access_denied");
    // It has been decided.
    assert!(!server.approve(&device.text("user_code")));
}

#[tokio::test]
async fn what_becomes_of_a_device_may_be_settled_before_it_begins() {
    let (server, http) = start().await;
    for (consent, error) in [
        (Consent::Approve, ""),
        (Consent::Deny, "access_denied"),
        (Consent::Error("server_error".into()), "server_error"),
        (Consent::Ask, "authorization_pending"),
    ] {
        server.device_consent(consent);
        let device = device(&http, &server).await;
        assert_eq!(poll(&http, &server, &device).await.text("error"), error);
    }
}

#[tokio::test]
async fn the_next_polls_are_told_to_wait_or_to_slow_down() {
    let (server, http) = start().await;
    server.device_consent(Consent::Approve).pending(1).slow_down(2).slow_down(0);
    let device = device(&http, &server).await;
    let mut errors = Vec::new();
    for _ in 0..4 {
        errors.push(poll(&http, &server, &device).await.text("error"));
    }
    assert_eq!(errors, ["authorization_pending", "slow_down", "slow_down", ""]);
}

#[tokio::test]
async fn rfc8628_3_5_who_polls_too_early_is_slowed_down_by_five_seconds_if_told() {
    let (server, http) = start().await;
    server.enforce_interval(true).device_interval(Some(10));
    let device = device(&http, &server).await;
    for (wait, error) in [
        (0, "authorization_pending"),
        (9, "slow_down"),
        (14, "slow_down"),
        (20, "authorization_pending"),
        (19, "slow_down"),
    ] {
        server.advance(Duration::from_secs(wait));
        assert_eq!(poll(&http, &server, &device).await.text("error"), error, "after {wait} s");
    }
}

#[tokio::test]
async fn rfc8628_3_5_codes_expire_with_time_or_on_command() {
    let (server, http) = start().await;
    let first = device(&http, &server).await;
    server.expire_device_codes();
    assert_eq!(poll(&http, &server, &first).await.text("error"), "expired_token");
    assert!(!server.approve(&first.text("user_code")));

    server.device_code_lifetime(Duration::from_secs(30));
    let second = device(&http, &server).await;
    assert_eq!(second.json()["expires_in"], 30);
    server.advance(Duration::from_secs(29));
    assert_eq!(poll(&http, &server, &second).await.text("error"), "authorization_pending");
    server.advance(Duration::from_secs(1));
    assert_eq!(poll(&http, &server, &second).await.text("error"), "expired_token");
}

#[tokio::test]
async fn rfc8628_3_2_the_optional_members_may_be_left_out() {
    let (server, http) = start().await;
    server.device_interval(None).omit_verification_uri_complete(true);
    let device = device(&http, &server).await.json();
    assert!(device.get("interval").is_none() && device.get("verification_uri_complete").is_none());
    assert!(device["user_code"].is_string());
}

#[tokio::test]
async fn a_device_code_is_only_its_own_clients() {
    let (server, http) = start().await;
    server.add_public_client("other").device_consent(Consent::Approve);
    let device = device(&http, &server).await;
    let grant = "urn:ietf:params:oauth:grant-type:device_code";
    let form = format!("grant_type={grant}&device_code={}&client_id=other", device.text("device_code"));
    assert_eq!(http.post(&server.token_url(), &form).await.unwrap().text("error"), "invalid_grant");
    assert_eq!(poll(&http, &server, &device).await.status, 200);
}

#[tokio::test]
async fn a_person_decides_on_the_page() {
    let (server, http) = start().await;
    for (decision, error) in [("approve", ""), ("deny", "access_denied")] {
        let device = device(&http, &server).await;
        let user_code = device.text("user_code");
        let page = http.open(&device.text("verification_uri_complete")).await.page();
        assert!(page.contains("<b>tv</b>") && page.contains("watch") && page.contains(&user_code), "{page}");
        assert!(!http.open(&server.url("/device")).await.page().contains("<b>tv</b>"));

        let form = format!("user_code={user_code}&decision={decision}");
        assert_eq!(http.post(&server.url("/device"), &form).await.unwrap().status, 200);
        assert_eq!(http.post(&server.url("/device"), &form).await.unwrap().status, 400);
        assert_eq!(poll(&http, &server, &device).await.text("error"), error);
    }
}
