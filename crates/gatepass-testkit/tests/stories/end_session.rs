//! `/end_session`: sign-out that a client begins.

use gatepass_testkit::{AuthorizationServer, Failure};
use serde_json::json;

use crate::{
    client::{Answer, Http},
    id_tokens::{id_token, tokens},
};

const BACK: &str = "http://127.0.0.1:49152/bye";

async fn start() -> (AuthorizationServer, Http) {
    let server = AuthorizationServer::start().await;
    server.add_public_client("app");
    (server, Http::new())
}

async fn sign_out(http: &Http, server: &AuthorizationServer, query: &str) -> Answer {
    http.open(&format!("{}?{query}", server.end_session_url())).await
}

#[tokio::test]
async fn oidc_3_the_browser_goes_back_with_the_state_and_the_test_learns_who_was_signed_out() {
    let (server, http) = start().await;
    let answer = tokens(&http, &server, "&scope=openid&login_hint=ann").await;
    let hint = answer.text("id_token");
    let query = format!("id_token_hint={hint}&post_logout_redirect_uri={BACK}&state=a%26b");
    let by_get = sign_out(&http, &server, &query).await;
    assert_eq!((by_get.status.as_u16(), by_get.header("location")), (303, &*format!("{BACK}?state=a%26b")));
    assert_eq!(by_get.header("cache-control"), "no-store");
    let form = format!("id_token_hint={hint}&client_id=app&post_logout_redirect_uri={BACK}?c%3Dd&state=s");
    let by_post = http.post(&server.end_session_url(), &form).await.unwrap();
    assert_eq!(by_post.header("location"), format!("{BACK}?c=d&state=s"));

    let [first, second] = &server.logouts()[..] else { panic!("{:?}", server.logouts()) };
    assert_eq!((first.method.as_str(), second.method.as_str()), ("GET", "POST"));
    for logout in [first, second] {
        assert_eq!((&logout.id_token_hint, &logout.sub), (&Some(hint.clone()), &Some("ann".to_owned())));
        assert_eq!(json!(logout.sid), id_token(&answer).claims["sid"]);
    }
    assert_eq!((first.client_id.as_deref(), second.client_id.as_deref()), (None, Some("app")));
    assert_eq!((first.state.as_deref(), second.state.as_deref()), (Some("a&b"), Some("s")));
    assert_eq!(first.post_logout_redirect_uri.as_deref(), Some(BACK));
    assert!(!format!("{first:?}").contains(&hint));
    // The tokens are another matter.
    assert!(server.is_active(&answer.access_token()) && server.is_refreshable(&answer.refresh_token()));
    assert!(server.reset_journal().logouts().is_empty());
}

#[tokio::test]
async fn without_a_way_back_there_is_a_page() {
    let (server, http) = start().await;
    let hint = tokens(&http, &server, "&scope=openid").await.text("id_token");
    for query in [String::new(), "client_id=app".to_owned(), format!("id_token_hint={hint}&state=s")] {
        let answer = sign_out(&http, &server, &query).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (200, ""), "{query}");
        assert!(answer.page().contains("signed out"));
    }
    assert_eq!(server.logouts().len(), 3);
}

#[tokio::test]
async fn registered_uris_are_the_only_ones_and_are_compared_byte_by_byte() {
    let (server, http) = start().await;
    server.register_post_logout_redirect_uri("app", "https://app.example/bye");
    let go = async |uri: &str| sign_out(&http, &server, &format!("client_id=app&post_logout_redirect_uri={uri}")).await;
    assert_eq!(go("https://app.example/bye").await.header("location"), "https://app.example/bye");
    for uri in [BACK, "https://app.example/bye/", "https://app.example/bye%23part"] {
        assert_eq!(go(uri).await.status, 400, "{uri}");
    }
    // To other clients the rule for loopback applies.
    let others = async |uri: &str| {
        sign_out(&http, &server, &format!("client_id=client&post_logout_redirect_uri={uri}")).await.status.as_u16()
    };
    assert_eq!((others(BACK).await, others("https://app.example/bye").await), (303, 400));
}

#[tokio::test]
async fn nobody_is_sent_anywhere_by_a_request_that_is_not_in_order() {
    let (server, http) = start().await;
    let hint = tokens(&http, &server, "&scope=openid").await.text("id_token");
    let elsewhere = AuthorizationServer::start().await;
    let foreign = tokens(&http, &elsewhere, "&scope=openid").await.text("id_token");
    for (query, why) in [
        (String::new(), "says who"),
        ("client_id=stranger".to_owned(), "unknown"),
        ("id_token_hint=made-up".to_owned(), "not an ID token"),
        (format!("id_token_hint={foreign}"), "not an ID token"),
        (format!("id_token_hint={hint}&client_id=client"), "not for this client"),
        ("client_id=app&client_id=app".to_owned(), "more than once"),
    ] {
        let answer = sign_out(&http, &server, &format!("post_logout_redirect_uri={BACK}&{query}")).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (400, ""), "{query}");
        assert!(answer.page().contains(why), "{}", answer.page());
    }
    assert_eq!(server.logouts().len(), 6);
}

#[tokio::test]
async fn an_id_token_that_has_expired_will_do_and_so_will_one_of_an_old_key() {
    let (server, http) = start().await;
    server.edit_id_tokens(|token| drop(token.claims.insert("exp".into(), 1_000_000_000.into())));
    let hint = tokens(&http, &server, "&scope=openid").await.text("id_token");
    server.rotate_signing_key();
    let answer = sign_out(&http, &server, &format!("id_token_hint={hint}&post_logout_redirect_uri={BACK}")).await;
    assert_eq!(answer.header("location"), BACK);
}

#[tokio::test]
async fn it_fails_on_command() {
    let (server, http) = start().await;
    server.fail_next_at("/end_session", 1, Failure::status(500));
    assert_eq!(sign_out(&http, &server, "").await.status, 500);
    assert_eq!((server.logouts().len(), server.arrived_at("/end_session")), (0, 1));
    assert_eq!(sign_out(&http, &server, "").await.status, 200);
}
