use std::time::{Duration, Instant};

use gatepass::{
    RetryAfter,
    retry::{Deadline, Rules},
};
use gatepass_testkit::{Failure, RetryAfter as Asked};

use crate::{Stage, client};

#[tokio::test]
async fn r1_a_429_is_waited_out_and_the_call_succeeds() {
    let stage = Stage::set().await;
    stage.api.fail_next(1, Failure::too_many_requests(Asked::Seconds(1)));
    let started = Instant::now();
    let request = stage.http().post(stage.api.url("/")).body("x");
    assert_eq!(request.send().await.unwrap().status(), 200);
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_eq!(stage.api.calls(), 2);
}

#[tokio::test]
async fn r2_an_absurd_wait_is_handed_over_instead_of_slept() {
    let stage = Stage::set().await;
    let absurd = Asked::Raw(format!("1{}", "0".repeat(20)));
    stage.api.fail_next(1, Failure::too_many_requests(absurd));
    let response = stage.http().get(stage.api.url("/")).send().await.unwrap();
    assert_eq!(response.status(), 429);
    let asked = response.extensions().get::<RetryAfter>().unwrap();
    assert_eq!(asked.wait(), RetryAfter::MAX);
    assert_eq!(stage.api.calls(), 1);
}

#[tokio::test]
async fn r2_a_wait_beyond_the_requests_deadline_is_handed_over() {
    let stage = Stage::set().await;
    stage.api.fail_next(1, Failure::too_many_requests(Asked::Seconds(5)));
    let request = stage.http().get(stage.api.url("/"));
    let request = request.with_extension(Deadline::after(Duration::from_secs(2)));
    let response = request.send().await.unwrap();
    let asked = response.extensions().get::<RetryAfter>().unwrap();
    assert_eq!(asked.wait(), Duration::from_secs(5));
}

#[tokio::test]
async fn r3_a_503_is_repeated_for_get_and_handed_back_for_post() {
    let stage = Stage::set().await;
    let http = stage.http();
    let unavailable = Failure::status(503).retry_after(Asked::Seconds(0));

    stage.api.fail_next(1, unavailable.clone());
    let response = http.get(stage.api.url("/")).send().await.unwrap();
    assert_eq!((response.status().as_u16(), stage.api.calls()), (200, 2));

    stage.api.fail_next(1, unavailable.clone());
    let response = http.post(stage.api.url("/")).send().await.unwrap();
    assert_eq!((response.status().as_u16(), stage.api.calls()), (503, 3));

    stage.api.fail_next(1, unavailable);
    let request = http.post(stage.api.url("/"));
    let response = request.header("idempotency-key", "7").send().await.unwrap();
    assert_eq!((response.status().as_u16(), stage.api.calls()), (200, 5));
}

#[tokio::test]
async fn r3_a_call_without_an_answer_is_repeated_only_when_asked_for() {
    let stage = Stage::set().await;
    stage.api.fail_next(1, Failure::dropped());
    let error = stage.http().get(stage.api.url("/")).send().await;
    assert!(error.unwrap_err().is_request());

    let rules = Rules::new().transport_errors(true);
    let http = client(stage.bearer().rules(rules));
    stage.api.fail_next(1, Failure::dropped());
    let response = http.get(stage.api.url("/")).send().await.unwrap();
    assert_eq!((response.status().as_u16(), stage.api.calls()), (200, 3));
}

#[tokio::test]
async fn r4_attempts_are_bounded() {
    let stage = Stage::set().await;
    stage.api.fail_until_told(Failure::too_many_requests(Asked::Seconds(0)));
    let http = client(stage.bearer().rules(Rules::new().max_retries(2)));
    let response = http.get(stage.api.url("/")).send().await.unwrap();
    assert_eq!((response.status().as_u16(), stage.api.calls()), (429, 3));
}

#[tokio::test]
async fn a1_a_429_and_a_revoked_token_in_one_call_are_counted_apart() {
    let stage = Stage::set().await;
    let http = client(stage.bearer().rules(Rules::new().max_retries(1)));
    http.get(stage.api.url("/")).send().await.unwrap();
    stage.auth.revoke_access_tokens();
    stage.api.fail_next(1, Failure::too_many_requests(Asked::Seconds(0)));
    let response = http.get(stage.api.url("/")).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let statuses: Vec<_> = stage.api.journal().iter().map(|call| call.status.unwrap()).collect();
    assert_eq!(statuses, [200, 429, 401, 200]);
}
