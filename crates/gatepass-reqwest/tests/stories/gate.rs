use std::time::{Duration, Instant};

use gatepass::{
    Gate, RetryAfter, TokenMap,
    bearer::Story,
    retry::{Deadline, Rules},
};
use gatepass_reqwest::{BearerMiddleware, token_error};
use gatepass_testkit::{Failure, LimitFields, RetryAfter as Asked};
use reqwest_middleware::ClientWithMiddleware;

use crate::{Stage, client};

fn gated(stage: &Stage, gate: Gate) -> ClientWithMiddleware {
    client(stage.bearer().gate(gate))
}

#[tokio::test]
async fn r5_one_429_pauses_the_siblings_and_all_pass() {
    let stage = Stage::set().await;
    let http = gated(&stage, Gate::new());
    stage.api.fail_next(1, Failure::too_many_requests(Asked::Seconds(1)));
    let started = Instant::now();
    let first = tokio::spawn(http.get(stage.api.url("/")).send());
    while stage.api.answered(429) == 0 {
        tokio::task::yield_now().await;
    }
    let siblings: Vec<_> = (0..20).map(|_| tokio::spawn(http.get(stage.api.url("/")).send())).collect();
    assert_eq!(first.await.unwrap().unwrap().status(), 200);
    for sibling in siblings {
        assert_eq!(sibling.await.unwrap().unwrap().status(), 200);
    }
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_eq!((stage.api.answered(429), stage.api.calls()), (1, 22));
}

#[tokio::test]
async fn r5_who_cannot_wait_so_long_is_told_at_once_and_nothing_is_sent() {
    let stage = Stage::set().await;
    let http = gated(&stage, Gate::new());
    stage.api.fail_next(1, Failure::too_many_requests(Asked::Seconds(30)));
    let hurried = |http: &ClientWithMiddleware| {
        http.get(stage.api.url("/")).with_extension(Deadline::after(Duration::from_secs(5))).send()
    };
    // The one that was turned away gets its response.
    let response = hurried(&http).await.unwrap();
    assert_eq!(response.status(), 429);
    let wait = response.extensions().get::<RetryAfter>().unwrap().wait();
    assert!((30..=31).contains(&wait.as_secs()), "{wait:?}");

    let error = hurried(&http).await.unwrap_err();
    let error = token_error(&error).expect("gatepass's own error");
    assert!(error.is_rate_limited() && error.retry_after() > Some(Duration::from_secs(25)), "{error}");
    assert_eq!(stage.api.calls(), 1);
}

#[tokio::test]
async fn r5_another_credential_passes() {
    let stage = Stage::set().await;
    let cells = TokenMap::new(2, {
        let (one, other) = (stage.cell(), stage.cell());
        move |first: &bool| if *first { one.clone() } else { other.clone() }
    });
    let http = client(BearerMiddleware::keyed(cells, stage.origins()).gate(Gate::new()).no_retries());
    stage.api.fail_next(1, Failure::too_many_requests(Asked::Seconds(30)));
    let call = |first: bool| http.get(stage.api.url("/")).with_extension(first).send();
    assert_eq!(call(true).await.unwrap().status(), 429);
    assert_eq!(call(false).await.unwrap().status(), 200);
}

#[tokio::test]
async fn r6_fields_slow_the_sender_before_it_is_refused() {
    let stage = Stage::set().await;
    stage.api.limit(10, Duration::from_secs(1)).limit_fields(Some(LimitFields::RateLimit));
    let http = gated(&stage, Gate::new().pacing());
    for _ in 0..25 {
        assert_eq!(http.get(stage.api.url("/")).send().await.unwrap().status(), 200);
    }
    assert_eq!(stage.api.answered(429), 0);
}

#[tokio::test]
async fn the_story_of_a_request_is_told_where_it_was_asked_for() {
    let stage = Stage::set().await;
    let rules = Rules::new();
    let http = client(stage.bearer().rules(rules).gate(Gate::new()).stories());
    let response = http.get(stage.api.url("/")).send().await.unwrap();
    let first = response.extensions().get::<Story>().unwrap().clone();
    assert_eq!((first.generation, first.attempts), (1, 1));

    stage.auth.revoke_access_tokens();
    let response = http.get(stage.api.url("/")).send().await.unwrap();
    let replayed = response.extensions().get::<Story>().unwrap();
    assert_eq!((replayed.generation, replayed.attempts), (2, 2));

    stage.api.fail_next(1, Failure::too_many_requests(Asked::Seconds(1)));
    let response = http.get(stage.api.url("/")).send().await.unwrap();
    let gated = response.extensions().get::<Story>().unwrap();
    assert!(gated.waited_at_gate >= Duration::from_millis(900) && gated.attempts == 2, "{gated:?}");
    assert_eq!(gated.waited_to_retry, Duration::ZERO);

    let plain = stage.http().get(stage.api.url("/")).send().await.unwrap();
    assert!(plain.extensions().get::<Story>().is_none());
}
