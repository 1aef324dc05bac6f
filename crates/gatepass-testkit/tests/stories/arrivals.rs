//! What the server remembers of every endpoint.

use gatepass_testkit::{AuthorizationServer, Failure};

use crate::{
    browsers::{REDIRECT_URI, sign_in},
    client::{CLIENT, Http},
};

#[tokio::test]
async fn what_arrived_is_counted_and_kept_by_path() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    sign_in(&http, &server, "&nonce=n").await;
    http.post(&server.device_authorization_url(), "client_id=app&scope=watch").await;
    http.open(&server.url("/device?user_code=none")).await;
    http.token(&server).await;
    server.fail_next_at("/revoke", 1, Failure::dropped());
    assert!(http.post(&server.url("/revoke"), &format!("token=t&{CLIENT}")).await.is_none());
    http.open(&server.url("/nowhere")).await;

    let counted: Vec<_> = server.arrived().into_iter().collect();
    let paths = ["/authorize", "/device", "/device_authorization", "/revoke", "/token"];
    assert_eq!(counted, paths.map(|path| (path.to_owned(), 1)));
    assert_eq!((server.arrived_at("/authorize"), server.arrived_at("/par")), (1, 0));
    assert!(server.last_arrival("/par").is_none());

    let authorize = server.last_arrival("/authorize").unwrap();
    assert_eq!((authorize.method.as_str(), authorize.status), ("GET", Some(303)));
    assert_eq!((authorize.param("nonce"), authorize.param("redirect_uri")), (Some("n"), Some(REDIRECT_URI)));
    assert_eq!(server.last_arrival("/device_authorization").unwrap().param("scope"), Some("watch"));
    assert_eq!(server.last_arrival("/token").unwrap().param("client_id"), Some("client"));
    assert_eq!(server.last_arrival("/revoke").unwrap().status, None);

    let order: Vec<_> = server.arrivals().into_iter().map(|it| it.path).collect();
    assert_eq!(order, ["/authorize", "/device_authorization", "/device", "/token", "/revoke"]);
    server.reset_journal();
    assert!(server.arrivals().is_empty() && server.arrived().is_empty());
}

#[tokio::test]
async fn a_test_waits_for_what_arrives() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    server.keep_journal(0);
    let browser = tokio::spawn({
        let server = server.clone();
        async move { sign_in(&http, &server, "").await }
    });
    server.until_arrived_at("/authorize", 1).await;
    assert_eq!(browser.await.unwrap().status, 303);
    assert!(server.arrivals().is_empty() && server.arrived_at("/authorize") == 1);
}

#[tokio::test]
async fn debug_shows_no_code() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    http.post(&server.url("/swap"), "code=hush").await;
    let shown = format!("{:?}", server.arrivals());
    assert!(shown.contains("/swap") && shown.contains("code") && !shown.contains("hush"), "{shown}");
}
