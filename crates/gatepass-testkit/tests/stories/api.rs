use std::time::Duration;

use gatepass_testkit::{Api, AuthorizationServer, Challenge, Failure, RetryAfter};
use http::Request;
use http_body_util::Full;

use crate::client::Http;

pub(crate) async fn started() -> (AuthorizationServer, Api, Http, String) {
    let server = AuthorizationServer::start().await;
    let (api, http) = (Api::start(&server).await, Http::new());
    let token = http.token(&server).await.access_token();
    (server, api, http, token)
}

#[tokio::test]
async fn a_good_token_gets_an_echo_of_what_arrived() {
    let (_server, api, http, token) = started().await;
    let request = Request::put(api.url("/a/b?c=d"))
        .header("authorization", format!("bearer {token}"))
        .header("x-twice", "1")
        .header("x-twice", "2")
        .body(Full::from("hello"))
        .unwrap();
    let echo = http.send(request).await.unwrap().json();
    assert_eq!(echo["method"], "PUT");
    assert_eq!((echo["path"].as_str(), echo["query"].as_str()), (Some("/a/b"), Some("c=d")));
    assert_eq!(echo["headers"]["authorization"], format!("bearer {token}"));
    assert_eq!(echo["headers"]["x-twice"], serde_json::json!(["1", "2"]));
    assert_eq!((echo["body"].as_str(), echo["body_length"].as_u64()), (Some("hello"), Some(5)));

    let call = &api.journal()[0];
    assert_eq!((call.uri.as_str(), call.token.as_deref()), ("/a/b?c=d", Some(token.as_str())));
    assert!(!format!("{api:?} {call:?}").contains(&token));
}

#[tokio::test]
async fn a_token_is_refused_when_it_is_missing_unknown_expired_or_revoked() {
    let (server, api, http, token) = started().await;
    let url = api.url("/");
    let challenge = async |token: &str| {
        let answer = http.get(&url, token).await.unwrap();
        (answer.status.as_u16(), answer.header("www-authenticate").contains("invalid_token"))
    };
    assert_eq!(challenge(&token).await, (200, false));
    assert_eq!(challenge("never-issued").await, (401, true));
    server.token_lifetime(Duration::from_secs(60));
    let short = http.token(&server).await.access_token();
    server.advance(Duration::from_secs(60));
    assert_eq!(challenge(&short).await, (401, true));
    assert_eq!(challenge(&token).await, (200, false));
    server.revoke_access_tokens();
    assert_eq!(challenge(&token).await, (401, true));

    let bare = Request::get(&url).body(Full::default()).unwrap();
    let answer = http.send(bare).await.unwrap();
    assert_eq!(answer.header("www-authenticate"), "Bearer");
    assert_eq!((api.calls(), api.answered(401), api.answered(200)), (6, 4, 2));
    assert_eq!(api.distinct_tokens_seen(), 3);
}

#[tokio::test]
async fn two_tokens_in_one_request_are_one_too_many() {
    let (_server, api, http, token) = started().await;
    let request = Request::get(api.url("/"))
        .header("authorization", format!("Bearer {token}"))
        .header("authorization", format!("Bearer {token}"))
        .body(Full::default())
        .unwrap();
    assert_eq!(http.send(request).await.unwrap().status, 400);
}

#[tokio::test]
async fn a_call_can_be_refused_dropped_or_answered_large() {
    let (_server, api, http, token) = started().await;
    let url = api.url("/");
    api.fail_next(1, Failure::challenge(Challenge::LowerCase).padding(300 * 1024))
        .fail_next(1, Failure::dropped())
        .fail_next(1, Failure::too_many_requests(RetryAfter::Raw("soon".into())));
    let large = http.get(&url, &token).await.unwrap();
    assert_eq!(large.header("www-authenticate"), "bearer error=\"invalid_token\"");
    assert_eq!(large.body.unwrap().len(), 300 * 1024);
    assert!(http.get(&url, &token).await.is_none());
    assert_eq!(http.get(&url, &token).await.unwrap().header("retry-after"), "soon");
    assert_eq!(http.get(&url, &token).await.unwrap().status, 200);
    assert_eq!((api.dropped(), api.answered(429)), (1, 1));
}

#[tokio::test]
async fn a_refusal_takes_the_form_it_was_told() {
    let (server, api, http, token) = started().await;
    api.refuse_with(Some(Failure::grpc_status(16)));
    server.revoke_access_tokens();
    // A late answer is the API's own, and that is a refusal.
    api.fail_next(1, Failure::late(Duration::from_millis(1)));
    for _ in 0..2 {
        let answer = http.get(&api.url("/"), &token).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.header("grpc-status")), (200, "16"));
        assert_eq!(answer.header("content-type"), "application/grpc");
    }
    api.refuse_with(None);
    assert_eq!(http.get(&api.url("/"), &token).await.unwrap().status, 401);
}

#[tokio::test]
async fn some_paths_redirect_need_no_token_or_take_their_time() {
    let (_server, api, http, token) = started().await;
    let url = api.url("/redirect?to=http%3A%2F%2Fa.example%2F&status=307");
    let redirect = http.get(&url, &token).await.unwrap();
    assert_eq!((redirect.status.as_u16(), redirect.header("location")), (307, "http://a.example/"));
    let public = Request::get(api.url("/public/x")).body(Full::default()).unwrap();
    assert_eq!(http.send(public).await.unwrap().json()["path"], "/public/x");
    let start = std::time::Instant::now();
    assert_eq!(http.get(&api.url("/sleep?ms=5"), &token).await.unwrap().status, 200);
    assert!(start.elapsed() >= Duration::from_millis(5));
}

#[tokio::test]
async fn the_journal_is_bounded_and_the_counters_are_exact() {
    let (_server, api, http, token) = started().await;
    api.keep_journal(2);
    for path in ["/1", "/2", "/3"] {
        http.get(&api.url(path), &token).await.unwrap();
    }
    let kept: Vec<_> = api.journal().into_iter().map(|call| call.uri).collect();
    assert_eq!(kept, ["/2", "/3"]);
    assert_eq!((api.calls(), api.answered(200)), (3, 3));
    api.reset_journal();
    assert_eq!((api.calls(), api.answered(200), api.journal().len()), (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_calls_at_once_are_all_answered() {
    let (_server, api, http, token) = started().await;
    api.hold();
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let (url, http, token) = (api.url("/"), http.clone(), token.clone());
            tokio::spawn(async move { http.get(&url, &token).await.map(|it| it.status.as_u16()) })
        })
        .collect();
    api.until_calls(100).await;
    assert_eq!((api.max_concurrent_calls(), api.max_concurrent_connections()), (100, 100));
    api.release();
    for call in calls {
        assert_eq!(call.await.unwrap(), Some(200));
    }
}
