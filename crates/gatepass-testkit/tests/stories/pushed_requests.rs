//! Pushed authorization requests (RFC 9126).

use std::time::Duration;

use gatepass_testkit::AuthorizationServer;

use crate::{
    browsers::{PKCE, REDIRECT_URI, VERIFIER, sign_in},
    client::{Answer, CLIENT, Http},
};

fn request() -> String {
    format!("response_type=code&redirect_uri={REDIRECT_URI}&state=s1&{PKCE}")
}

async fn push(http: &Http, server: &AuthorizationServer, form: &str) -> Answer {
    server.add_public_client("app");
    http.post(&server.url("/par"), form).await.unwrap()
}

async fn open(http: &Http, server: &AuthorizationServer, client: &str, pushed: &Answer) -> Answer {
    let uri = pushed.text("request_uri");
    http.open(&format!("{}?client_id={client}&request_uri={uri}", server.authorization_url())).await
}

#[tokio::test]
async fn rfc9126_2_2_a_pushed_request_is_good_for_one_sign_in() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    for client in [CLIENT, "client_id=app"] {
        let pushed = push(&http, &server, &format!("{}&{client}", request())).await;
        assert_eq!((pushed.status.as_u16(), &pushed.json()["expires_in"]), (201, &60.into()));
        let id = if client == CLIENT { "client" } else { "app" };
        let answer = open(&http, &server, id, &pushed).await;
        assert_eq!(answer.sent_back("state").as_deref(), Some("s1"));
        assert_eq!(open(&http, &server, id, &pushed).await.status, 400);

        let code = answer.sent_back("code").unwrap();
        let grant = format!("grant_type=authorization_code&code={code}&redirect_uri={REDIRECT_URI}");
        let form = format!("{grant}&code_verifier={VERIFIER}&{client}");
        assert_eq!(http.post(&server.token_url(), &form).await.unwrap().status, 200);
    }
}

#[tokio::test]
async fn rfc9126_2_2_a_pushed_request_expires_and_is_only_its_own_clients() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    let pushed = push(&http, &server, &format!("{}&client_id=app", request())).await;
    assert_eq!(open(&http, &server, "client", &pushed).await.status, 400);

    let pushed = push(&http, &server, &format!("{}&client_id=app", request())).await;
    server.advance(Duration::from_secs(60));
    assert_eq!(open(&http, &server, "app", &pushed).await.status, 400);
}

#[tokio::test]
async fn rfc9126_2_3_a_request_is_refused_when_it_is_pushed() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    for (form, status, error) in [
        (request(), 401, "invalid_client"),
        (format!("{}&client_id=client&client_secret=wrong", request()), 401, "invalid_client"),
        (format!("{}&{CLIENT}&request_uri=urn:a", request()), 400, "invalid_request"),
        (format!("response_type=code&redirect_uri=https://evil.example/&{CLIENT}"), 400, "invalid_request"),
        (format!("response_type=code&redirect_uri={REDIRECT_URI}&client_id=app"), 400, "invalid_request"),
        (format!("response_type=token&redirect_uri={REDIRECT_URI}&{CLIENT}"), 400, "unsupported_response_type"),
    ] {
        let answer = push(&http, &server, &form).await;
        assert_eq!((answer.status.as_u16(), answer.text("error").as_str()), (status, error), "{form}");
    }
}

#[tokio::test]
async fn rfc9126_5_a_server_may_insist_on_pushed_requests() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    server.require_pushed(true);
    let refused = sign_in(&http, &server, "").await;
    assert_eq!(refused.sent_back("error").as_deref(), Some("invalid_request"));
    let pushed = push(&http, &server, &format!("{}&client_id=app", request())).await;
    assert!(open(&http, &server, "app", &pushed).await.sent_back("code").is_some());
    let document = http.open(&server.url("/.well-known/openid-configuration")).await;
    assert_eq!(document.json()["require_pushed_authorization_requests"], true);
}
