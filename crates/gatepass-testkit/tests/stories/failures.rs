use std::time::{Duration, Instant};

use gatepass_testkit::{AuthorizationServer, Challenge, Failure, RetryAfter};
use http::Response;

use crate::client::Http;

#[tokio::test]
async fn failures_come_in_order_and_then_the_server_recovers() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    server.fail_next(2, Failure::status(503)).fail_next(1, Failure::oauth("invalid_client"));
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(http.token(&server).await.status.as_u16());
    }
    assert_eq!(statuses, [503, 503, 401, 200]);

    server.fail_until_told(Failure::html(502));
    for _ in 0..3 {
        assert_eq!(http.token(&server).await.header("content-type"), "text/html; charset=utf-8");
    }
    server.recover();
    assert_eq!(http.token(&server).await.status, 200);
    assert_eq!((server.token_requests(), server.tokens_issued()), (8, 2));
}

#[tokio::test]
async fn torn_json_is_complete_as_http_and_broken_as_json() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    for failure in [Failure::torn_json(), Failure::torn_json().after_processing()] {
        server.fail_next(1, failure);
        let answer = http.token(&server).await;
        let body = answer.body.as_ref().unwrap();
        assert_eq!(answer.header("content-length"), body.len().to_string());
        assert!(body.starts_with(b"{"));
        assert!(serde_json::from_slice::<serde_json::Value>(body).is_err());
    }
    assert_eq!(server.tokens_issued(), 1);
}

#[tokio::test]
async fn a_torn_connection_delivers_the_head_and_not_the_end() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    server.fail_next(1, Failure::torn_connection());
    let answer = http.token(&server).await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.is_none());
    assert_eq!(http.token(&server).await.status, 200);
}

#[tokio::test]
async fn ten_megabytes_are_streamed_without_a_length() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    server.fail_next(1, Failure::oversize(502, 10 << 20));
    let answer = http.token(&server).await;
    assert_eq!(answer.status, 502);
    assert!(!answer.headers.contains_key("content-length"));
    assert_eq!(answer.body.unwrap().len(), 10 << 20);
}

#[tokio::test]
async fn a_late_answer_was_processed_on_time() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    let token = server.issue_refresh_token();
    server.fail_next(1, Failure::late(Duration::from_millis(5)));
    let start = Instant::now();
    assert_eq!(http.refresh(&server, &token).await.status, 200);
    assert!(start.elapsed() >= Duration::from_millis(5));
    assert!(!server.is_refreshable(&token));
}

#[tokio::test]
async fn a_redirect_and_a_raw_answer_arrive_as_told() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    let raw = Response::builder().status(418).header("x-kept", "yes").body("short and stout");
    server.fail_next(1, Failure::redirect("http://127.0.0.1:9/")).fail_next(1, Failure::raw(raw.unwrap()));
    let answer = http.token(&server).await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (302, "http://127.0.0.1:9/"));
    let answer = http.token(&server).await;
    assert_eq!((answer.status.as_u16(), answer.header("x-kept")), (418, "yes"));
    assert_eq!(answer.body.unwrap(), "short and stout");
}

#[tokio::test]
async fn retry_after_and_date_tell_the_same_wrong_time() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    server.clock_skew(-86_400);
    let wait = RetryAfter::Date(Duration::from_secs(30));
    server.fail_next(1, Failure::too_many_requests(wait));
    let answer = http.token(&server).await;
    let time = |name| httpdate::parse_http_date(answer.header(name)).unwrap();
    let wait = time("retry-after").duration_since(time("date")).unwrap();
    assert!((30..=31).contains(&wait.as_secs()), "{wait:?}");
    assert!(time("date").elapsed().unwrap() >= Duration::from_secs(86_000));

    server.omit_date(true);
    assert!(!http.token(&server).await.headers.contains_key("date"));
}

#[tokio::test]
async fn challenges_have_the_lines_they_should() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    for (challenge, status, lines) in [
        (Challenge::Absent, 401, 0),
        (Challenge::Bearer, 401, 1),
        (Challenge::OneLine, 401, 1),
        (Challenge::SeveralLines, 401, 3),
        (Challenge::InsufficientScope("a \"b\"".into()), 403, 1),
        (Challenge::InsufficientUserAuthentication("gold".into()), 401, 1),
        (Challenge::Garbage, 401, 1),
        (Challenge::Raw(vec!["A".into(), "B\r\n".into()]), 401, 2),
    ] {
        server.fail_next(1, Failure::challenge(challenge.clone()));
        let answer = http.token(&server).await;
        assert_eq!(answer.status.as_u16(), status, "{challenge:?}");
        let sent = answer.headers.get_all("www-authenticate").iter().count();
        assert_eq!(sent, lines, "{challenge:?}");
    }
}

#[tokio::test]
async fn held_answers_let_callers_meet_without_a_sleep() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    server.hold();
    let callers: Vec<_> = (0..5)
        .map(|_| {
            let (server, http) = (server.clone(), http.clone());
            tokio::spawn(async move { http.token(&server).await.status })
        })
        .collect();
    server.until_token_requests(5).await;
    assert!(callers.iter().all(|caller| !caller.is_finished()));
    assert_eq!(server.max_concurrent_token_requests(), 5);
    server.release();
    for caller in callers {
        assert_eq!(caller.await.unwrap(), 200);
    }
}

#[tokio::test]
async fn a_length_that_is_not_the_body_s_is_put_right() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    let raw = Response::builder().header("content-length", "99").body("short");
    server.fail_next(1, Failure::raw(raw.unwrap()));
    assert_eq!(http.token(&server).await.body.unwrap(), "short");
}

#[tokio::test]
async fn the_own_answer_may_carry_a_header_more() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    let closing =
        Failure::late(Duration::ZERO).header(http::header::CONNECTION, http::HeaderValue::from_static("close"));
    server.fail_until_told(closing);
    for _ in 0..3 {
        let answer = http.token(&server).await;
        assert!(server.is_active(&answer.access_token()));
    }
    assert_eq!(server.connections(), 3);
}
