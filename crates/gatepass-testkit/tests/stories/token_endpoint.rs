use std::time::Duration;

use gatepass_testkit::{AuthorizationServer, ExpiresIn};
use http::Request;
use http_body_util::Full;
use serde_json::json;

use crate::client::{CLIENT, FORM, Http};

#[tokio::test]
async fn client_credentials_are_answered_with_a_token_and_no_refresh_token() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    let answer = http.token(&server).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(server.is_active(&answer.access_token()));
    assert_eq!(answer.json()["expires_in"], 3600);
    assert_eq!(answer.json()["token_type"], "Bearer");
    assert!(answer.json().get("refresh_token").is_none());
    assert_eq!((server.token_requests(), server.tokens_issued()), (1, 1));
}

#[tokio::test]
async fn a_wrong_secret_is_refused_with_a_challenge_if_it_came_as_basic() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    let request = Request::post(server.token_url())
        .header("content-type", FORM)
        .header("authorization", "Basic Y2xpZW50Ondyb25n")
        .body(Full::from("grant_type=client_credentials"))
        .unwrap();
    let answer = http.send(request).await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.text("error").as_str()), (401, "invalid_client"));
    assert_eq!(answer.header("www-authenticate"), "Basic realm=\"testkit\"");

    let journal = server.journal();
    assert_eq!(journal[0].client_id.as_deref(), Some("client"));
    assert!(journal[0].has_authorization && !journal[0].granted);
    assert_eq!(server.tokens_issued(), 0);
}

#[tokio::test]
async fn malformed_requests_are_refused_each_for_its_reason() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    let url = server.token_url();
    let with_secret_in_url = format!("{url}?client_secret=secret");
    for (url, form, error) in [
        (&url, format!("grant_type=client_credentials&scope=a&scope=b&{CLIENT}"), "invalid_request"),
        (&url, CLIENT.to_owned(), "invalid_request"),
        (&url, format!("grant_type=&{CLIENT}"), "invalid_request"),
        (&url, format!("grant_type=password&{CLIENT}"), "unsupported_grant_type"),
        (&url, "grant_type=client_credentials".to_owned(), "invalid_client"),
        (&with_secret_in_url, format!("grant_type=client_credentials&{CLIENT}"), "invalid_request"),
    ] {
        let answer = http.post(url, &form).await.unwrap();
        assert_eq!(answer.text("error"), error, "{form}");
    }
    let json = Request::post(&url).header("content-type", "application/json");
    let answer = http.send(json.body(Full::from("{}")).unwrap()).await.unwrap();
    assert_eq!(answer.text("error"), "invalid_request");
    let get = http.send(Request::get(&url).body(Full::default()).unwrap()).await.unwrap();
    assert_eq!((get.status.as_u16(), get.header("allow")), (405, "POST"));
}

#[tokio::test]
async fn a_request_that_is_far_too_long_is_refused_and_counted() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    let answer = http.post(&server.token_url(), &"a".repeat(2 << 20)).await;
    // The server may close before the client has written all of it.
    assert!(answer.is_none_or(|answer| answer.status == 413));
    server.until_token_requests(1).await;
    assert_eq!(server.journal()[0].status, Some(413));
    assert_eq!(http.token(&server).await.status, 200);
}

#[tokio::test]
async fn the_answer_is_written_as_told() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    server.token_lifetime(Duration::from_millis(1500)).expires_in(ExpiresIn::Text);
    server.token_type("mac").member("id_token", Some("null")).token_length(2048);
    let answer = http.token(&server).await;
    assert_eq!(answer.json()["expires_in"], "1");
    assert_eq!(answer.json()["token_type"], "mac");
    assert!(answer.json()["id_token"].is_null());
    assert_eq!(answer.access_token().len(), 2048);

    server.reset_members().member("token_type", None).expires_in(ExpiresIn::Json("1e18".into()));
    let answer = http.token(&server).await;
    assert!(answer.json().get("token_type").is_none());
    assert_eq!(answer.json()["expires_in"], json!(1e18));
    assert!(String::from_utf8_lossy(answer.body.as_ref().unwrap()).contains(":1e18"));
}

#[tokio::test]
async fn a_token_may_be_chosen_even_one_that_fits_no_header() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    server.next_access_token("a\r\nb: c").next_access_token("again");
    assert_eq!(http.token(&server).await.access_token(), "a\r\nb: c");
    assert_eq!(http.token(&server).await.access_token(), "again");
    assert_ne!(http.token(&server).await.access_token(), "again");
    assert!(server.is_active("again"));
}

#[tokio::test]
async fn a_caching_server_repeats_a_token_even_a_revoked_one_until_it_expires() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    server.repeat_access_token(true);
    let first = http.token(&server).await.access_token();
    server.revoke_access_tokens().advance(Duration::from_secs(600));
    let second = http.token(&server).await;
    assert_eq!(second.access_token(), first);
    assert!(second.json()["expires_in"].as_u64().unwrap() <= 3000);
    assert!(!server.is_active(&first));
    server.advance(Duration::from_secs(3000));
    assert_ne!(http.token(&server).await.access_token(), first);
}

#[tokio::test]
async fn scopes_are_echoed_or_granted_differently() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    let form = format!("grant_type=client_credentials&scope=read+write&{CLIENT}");
    let url = server.token_url();
    assert_eq!(http.post(&url, &form).await.unwrap().text("scope"), "read write");
    server.granted_scope(Some("read"));
    assert_eq!(http.post(&url, &form).await.unwrap().text("scope"), "read");
}

#[tokio::test]
async fn another_grant_is_accepted_once_the_test_says_so() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    server.add_public_client("app");
    let form = "grant_type=urn:example:exchange&subject_token=x&client_id=app";
    let url = server.token_url();
    assert_eq!(http.post(&url, form).await.unwrap().text("error"), "unsupported_grant_type");
    server.accept_grant("urn:example:exchange").refresh_token_for_every_grant(true);
    let answer = http.post(&url, form).await.unwrap();
    assert!(server.is_active(&answer.access_token()));
    assert!(server.is_refreshable(&answer.refresh_token()));
}

#[tokio::test]
async fn introspection_and_revocation_agree_with_the_server() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    let refreshed = http.refresh(&server, &server.issue_refresh_token()).await;
    let (access, refresh) = (refreshed.access_token(), refreshed.refresh_token());
    let is_active = async |token: &str| {
        let form = format!("token={token}&{CLIENT}");
        let answer = http.post(&server.url("/introspect"), &form).await.unwrap();
        answer.json()["active"].as_bool().unwrap()
    };
    assert!(is_active(&access).await && is_active(&refresh).await);

    let form = format!("token={access}&{CLIENT}");
    assert_eq!(http.post(&server.url("/revoke"), &form).await.unwrap().status, 200);
    assert!(!is_active(&access).await && is_active(&refresh).await);

    let form = format!("token={refresh}&{CLIENT}");
    assert_eq!(http.post(&server.url("/revoke"), &form).await.unwrap().status, 200);
    assert!(!is_active(&refresh).await);
    assert_eq!(server.families_revoked(), 1);
}

#[tokio::test]
async fn debug_shows_no_secret() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    let refresh_token = server.issue_refresh_token();
    let access_token = http.refresh(&server, &refresh_token).await.access_token();
    let shown = format!("{server:?} {:?}", server.journal());
    assert!(shown.contains("grant_type") && shown.contains("refresh_token"), "{shown}");
    for secret in [refresh_token.as_str(), &access_token, "\"secret\""] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
