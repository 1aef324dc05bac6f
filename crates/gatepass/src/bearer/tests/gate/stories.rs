//! What the response of a request tells of its way, with a gate and without.

use super::*;

fn gates() -> [Option<Gate>; 2] {
    [Some(Gate::new()), None]
}

/// The layer that tells stories, with a policy above.
fn telling<S>(cell: &TokenCell, gate: Option<Gate>, inner: S) -> tower::retry::Retry<RetryPolicy, Bearer<S>> {
    maybe_gated(cell, gate).stories().retry(RetryPolicy::new()).layer(inner)
}

fn story(response: &Response<String>) -> Story {
    response.extensions().get::<Story>().expect("it was asked for").clone()
}

/// To the precision of the coarse clock.
fn assert_about(is: Duration, expected: Duration) {
    assert!(is.abs_diff(expected) < Duration::from_millis(20), "{is:?}, not {expected:?}");
}

#[tokio::test(start_paused = true)]
async fn a_story_names_the_token_and_its_age() {
    for gate in gates() {
        let cell = warm().await;
        cell.refresh().await.unwrap();
        sleep(secs(7)).await;
        let response = telling(&cell, gate, ok("")).oneshot(request(API)).await.unwrap();
        let story = story(&response);
        assert_about(story.age, secs(7));
        assert_eq!(story, Story { generation: 2, age: story.age, attempts: 1, ..Story::default() });
    }
}

#[tokio::test(start_paused = true)]
async fn a_story_tells_of_the_wait_for_a_token_and_of_the_replay_with_another() {
    for gate in gates() {
        let (cell, _) = cell();
        let service = telling(&cell, gate, refusing(&["token-1"]));
        let start = Instant::now();
        let story = story(&service.oneshot(request(API)).await.unwrap());
        assert_about(story.age, Duration::ZERO);
        assert_eq!((story.generation, story.attempts), (2, 2));
        assert_eq!((story.waited_for_token, start.elapsed()), (secs(2), secs(2)), "two exchanges of a second");
        assert!(story.waited_at_gate.is_zero() && story.waited_to_retry.is_zero(), "{story:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn r5_with_a_gate_the_time_a_429_takes_is_the_gates_and_the_policy_does_not_sleep() {
    let cell = warm().await;
    let start = Instant::now();
    let service = telling(&cell, Some(Gate::new()), limiter(20, Duration::ZERO));
    let story = story(&service.oneshot(request(API)).await.unwrap());
    assert_eq!((story.generation, story.attempts), (1, 2));
    assert!(story.waited_at_gate >= secs(20));
    assert_eq!(story.waited_at_gate, start.elapsed(), "all of it");
    assert!(story.waited_to_retry.is_zero() && story.waited_for_token.is_zero(), "{story:?}");
}

#[tokio::test(start_paused = true)]
async fn without_a_gate_the_time_a_429_takes_is_the_policys() {
    let cell = warm().await;
    let start = Instant::now();
    let service = telling(&cell, None, limiter(20, Duration::ZERO));
    let story = story(&service.oneshot(request(API)).await.unwrap());
    assert_eq!((story.generation, story.attempts), (1, 2));
    assert!(story.waited_to_retry >= secs(20));
    assert_about(story.waited_to_retry, start.elapsed());
    assert!(story.waited_at_gate.is_zero() && story.waited_for_token.is_zero(), "{story:?}");
}

#[tokio::test(start_paused = true)]
async fn a_story_adds_up_all_waits_of_all_attempts() {
    let (cell, _) = cell();
    let mut answers = [turned_away(5), status(401), turned_away(3), status(200)].into_iter();
    let service = telling(&cell, Some(Gate::new()), Probe::new(move |_| Ok(answers.next().unwrap())));
    let start = Instant::now();
    let story = story(&service.oneshot(request(API)).await.unwrap());
    assert_eq!((story.generation, story.attempts), (2, 4));
    assert_eq!(story.waited_for_token, secs(2));
    assert!(story.waited_at_gate >= secs(8));
    assert_eq!(story.waited_at_gate + story.waited_for_token, start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_response_that_is_handed_back_tells_its_story_too() {
    for gate in gates() {
        let (cell, _) = cell();
        let service = telling(&cell, gate, refusing(&["token-1", "token-2"]));
        let response = service.oneshot(request(API)).await.unwrap();
        assert_eq!((response.status().as_u16(), story(&response).attempts), (401, 2));
    }
}

#[tokio::test(start_paused = true)]
async fn c1_no_response_has_a_story_that_was_not_asked_for_or_had_no_token_of_ours() {
    for gate in gates() {
        let (cell, _) = cell();
        let service = maybe_gated(&cell, gate.clone()).retry(RetryPolicy::new()).layer(refusing(&["token-1"]));
        let replayed = service.clone().oneshot(request(API)).await.unwrap();
        let other = service.oneshot(request(API)).await.unwrap();
        assert!(replayed.extensions().is_empty() && other.extensions().is_empty());

        let mut own = request(API);
        own.headers_mut().insert(header::AUTHORIZATION, "Basic b3du".parse().unwrap());
        for not_ours in [own, request("https://elsewhere.example/")] {
            let response = telling(&cell, gate.clone(), ok("")).oneshot(not_ours).await.unwrap();
            assert!(response.extensions().is_empty());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_story_counts_an_attempt_that_got_no_response() {
    for gate in gates() {
        let mut answers = [Err("no connection".into()), Ok(turned_away(5))].into_iter();
        let probe = Probe::new(move |_| answers.next().unwrap_or_else(|| Ok(status(200))));
        let policy = RetryPolicy::new().rules(Rules::new().transport_errors(true));
        let service = maybe_gated(&warm().await, gate).stories().retry(policy).layer(probe.clone());
        let start = Instant::now();
        let story = story(&service.oneshot(request(API)).await.unwrap());
        assert_eq!((story.attempts, probe.count()), (3, 3));
        assert_about(story.waited_at_gate + story.waited_to_retry, start.elapsed());
    }
}
