//! A gate between the cell and the token: who waits there, with which token they go on, and who does not wait.

mod stories;

use tokio::{
    task::yield_now,
    time::{Instant, advance, sleep},
};

use super::*;
use crate::{
    Gate, RetryAfter, RetryPolicy,
    retry::{Deadline, Rules},
};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A cell that has its first token.
async fn warm() -> TokenCell {
    let (cell, _) = cell();
    cell.get().await.unwrap();
    cell
}

/// A 429 with this `Retry-After`.
fn turned_away(seconds: u64) -> Response<String> {
    response(429, &[("retry-after", &seconds.to_string())])
}

/// Turns the first call away for so many seconds, and accepts the others; takes `takes` for each.
fn limiter(seconds: u64, takes: Duration) -> Probe {
    let mut first = true;
    Probe::slow(takes, move |_| Ok(if std::mem::take(&mut first) { turned_away(seconds) } else { status(200) }))
}

/// A layer with a gate that one call has closed for so many seconds; the probe beneath accepts the others.
async fn closed(gate: Gate, seconds: u64) -> (TokenCell, Probe, BearerLayer) {
    let (cell, probe) = (warm().await, limiter(seconds, Duration::ZERO));
    let layer = layer(&cell).gate(gate);
    let response = layer.layer(probe.clone()).oneshot(request(API)).await.unwrap();
    assert_eq!(response.status(), 429, "without a policy it is handed back");
    (cell, probe, layer)
}

fn rate_limited(error: BoxError) -> Error {
    let error = of_ours(error);
    assert!(error.is_rate_limited(), "{error}");
    error
}

fn with_deadline(wait: Duration) -> Request<String> {
    let mut request = request(API);
    request.extensions_mut().insert(Deadline::after(wait));
    request
}

#[tokio::test(start_paused = true)]
async fn r5_after_one_429_the_siblings_wait_at_the_gate_and_earn_none_of_their_own() {
    let (cell, probe) = (warm().await, limiter(20, Duration::ZERO));
    let service = layer(&cell).gate(Gate::new()).retry(RetryPolicy::new()).layer(probe.clone());
    let start = Instant::now();
    let mut calls = vec![tokio::spawn(service.clone().oneshot(request(API)))];
    yield_now().await;
    assert_eq!(probe.count(), 1);
    calls.extend((0..9).map(|_| tokio::spawn(service.clone().oneshot(request(API)))));
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().status(), 200);
    }
    assert_eq!(probe.count(), 11, "the one that was turned away, and each once");
    assert!(probe.seen()[1..].iter().all(|seen| seen.at >= start + secs(20)), "never early (R1)");
    assert!(start.elapsed() < secs(22), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn r5_the_other_keys_of_a_keyed_layer_pass_at_once() {
    let users = TokenMap::new(8, |user: &&'static str| {
        let user = *user;
        TokenCell::new(move |_| async move { Ok(TokenSet::new(user)) })
    });
    let mut first = true;
    let probe = Probe::new(move |seen| {
        let is_first = seen.token() == Some("ann") && std::mem::take(&mut first);
        Ok(if is_first { turned_away(20) } else { status(200) })
    });
    let service = BearerLayer::keyed(users, api()).gate(Gate::new()).retry(RetryPolicy::new()).layer(probe.clone());
    let of = |user: &'static str| {
        let mut request = request(API);
        request.extensions_mut().insert(user);
        service.clone().oneshot(request)
    };
    let start = Instant::now();
    let ann = tokio::spawn(of("ann"));
    yield_now().await;
    for _ in 0..3 {
        of("bob").await.unwrap();
    }
    assert!(start.elapsed().is_zero());
    ann.await.unwrap().unwrap();
    assert!(start.elapsed() >= secs(20));
    assert_eq!(probe.tokens(), ["ann", "bob", "bob", "bob", "ann"]);
}

#[tokio::test(start_paused = true)]
async fn c7_a_token_that_ends_while_its_request_waits_at_the_gate_is_not_sent() {
    let (_, probe, layer) = closed(Gate::new().longest_wait(secs(7200)), 5400).await;
    let response = layer.layer(probe.clone()).oneshot(request(API)).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(probe.tokens(), ["token-1", "token-2"], "the first lived for an hour");
}

#[tokio::test(start_paused = true)]
async fn a2_a_token_that_is_rejected_while_its_request_waits_at_the_gate_is_not_sent() {
    let (cell, probe, layer) = closed(Gate::new(), 20).await;
    let waits = tokio::spawn(layer.layer(probe.clone()).oneshot(request(API)));
    sleep(secs(10)).await;
    assert!(cell.reject(&cell.peek().unwrap()));
    waits.await.unwrap().unwrap();
    assert_eq!(probe.tokens(), ["token-1", "token-2"]);
}

#[tokio::test(start_paused = true)]
async fn r2_a_deadline_before_the_gate_opens_fails_at_once_and_nothing_is_sent() {
    let (_, probe, layer) = closed(Gate::new(), 20).await;
    let service = layer.retry(RetryPolicy::new()).layer(probe.clone());
    let start = Instant::now();
    let error = rate_limited(service.clone().oneshot(with_deadline(secs(5))).await.unwrap_err());
    assert!((secs(20)..secs(22)).contains(&error.retry_after().unwrap()), "{error:?}");
    assert!(start.elapsed().is_zero());
    assert_eq!(probe.count(), 1);
    assert_eq!(service.oneshot(with_deadline(secs(30))).await.unwrap().status(), 200, "in time");
}

#[tokio::test(start_paused = true)]
async fn r2_a_deadline_that_comes_while_a_request_waits_ends_the_wait_and_nothing_is_sent() {
    let (cell, probe) = (warm().await, limiter(1, secs(4)));
    let service = layer(&cell).gate(Gate::new()).layer(probe.clone());
    service.clone().oneshot(request(API)).await.unwrap();
    // Nothing was accepted yet, so one goes first, and takes four seconds.
    let goes_first = tokio::spawn(service.clone().oneshot(request(API)));
    yield_now().await;
    let start = Instant::now();
    let error = rate_limited(service.oneshot(with_deadline(secs(3))).await.unwrap_err());
    assert_eq!(start.elapsed(), secs(3));
    assert!(error.retry_after().is_some());
    assert_eq!(goes_first.await.unwrap().unwrap().status(), 200);
    assert_eq!(probe.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn r5_while_a_request_waits_at_the_gate_another_takes_its_permit() {
    let (_, probe, layer) = closed(Gate::new(), 20).await;
    let mut service = layer.layer(ConcurrencyLimit::new(probe.clone(), 1));
    let other = service.clone();
    let mut waits = service.ready().await.unwrap().call(request(API));
    assert!(poll(&mut waits).is_pending());
    let passing = other.oneshot(request("https://elsewhere.example/"));
    assert!(tokio::time::timeout(secs(1), passing).await.is_ok(), "it still holds the permit");
    assert_eq!(waits.await.unwrap().status(), 200);
    assert_eq!(probe.tokens(), ["token-1", "none", "token-1"]);
}

#[tokio::test(start_paused = true)]
async fn r5_a_hundred_calls_through_a_gate_over_one_permit_all_pass() {
    let (cell, probe) = (warm().await, limiter(2, Duration::from_millis(10)));
    let limited = ConcurrencyLimit::new(probe.clone(), 1);
    let service = layer(&cell).gate(Gate::new()).retry(RetryPolicy::new()).layer(limited);
    let calls: Vec<_> = (0..100).map(|_| tokio::spawn(service.clone().oneshot(request(API)))).collect();
    for call in calls {
        let call = tokio::time::timeout(secs(60), call).await.expect("it waits for ever");
        assert_eq!(call.unwrap().unwrap().status(), 200);
    }
    assert_eq!(probe.count(), 101);
}

#[tokio::test(start_paused = true)]
async fn r5_who_passed_before_the_429_and_then_waited_comes_back_to_the_gate() {
    let (cell, issued) = cell();
    let probe = limiter(20, Duration::ZERO);
    let limited = ConcurrencyLimit::new(probe.clone(), 1);
    let service = layer(&cell).gate(Gate::new()).retry(RetryPolicy::new()).layer(limited);
    let start = Instant::now();
    // All pass at once, wait for the token, and then for the permit. The first earns the 429.
    let calls: Vec<_> = (0..10).map(|_| tokio::spawn(service.clone().oneshot(request(API)))).collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().status(), 200);
    }
    assert_eq!((probe.count(), issued.load(SeqCst)), (11, 1));
    assert!(probe.seen()[1..].iter().all(|seen| seen.at >= start + secs(21)));
}

#[tokio::test(start_paused = true)]
async fn r5_to_drop_a_request_that_waits_at_the_gate_frees_its_place() {
    let (_, probe, layer) = closed(Gate::new().queue(1), 20).await;
    let mut service = layer.layer(probe.clone());
    let mut waits = service.ready().await.unwrap().call(request(API));
    assert!(poll(&mut waits).is_pending());
    let error = rate_limited(service.clone().oneshot(request(API)).await.unwrap_err());
    assert!(error.to_string().contains("Gate::queue"), "{error}");
    drop(waits);
    assert_eq!(service.oneshot(request(API)).await.unwrap().status(), 200);
    assert_eq!(probe.count(), 2, "what was dropped was not sent");
}

#[tokio::test(start_paused = true)]
async fn r5_to_drop_a_request_in_flight_lets_the_next_go_that_waits_for_it() {
    let (cell, probe) = (warm().await, limiter(1, secs(4)));
    let service = layer(&cell).gate(Gate::new()).layer(probe.clone());
    service.clone().oneshot(request(API)).await.unwrap();
    let in_flight = tokio::spawn(service.clone().oneshot(request(API)));
    let next = tokio::spawn(service.oneshot(request(API)));
    sleep(secs(3)).await;
    assert_eq!(probe.count(), 2, "one goes first, as nothing was accepted yet");
    in_flight.abort();
    let dropped = Instant::now();
    next.await.unwrap().unwrap();
    assert_eq!(probe.seen()[2].at, dropped, "it counts as lost");
}

#[tokio::test(start_paused = true)]
async fn a5_a_request_with_its_own_authorization_passes_by_the_gate() {
    let (_, probe, layer) = closed(Gate::new(), 20).await;
    let start = Instant::now();
    let mut own = request(API);
    own.headers_mut().insert(header::AUTHORIZATION, "Basic b3du".parse().unwrap());
    assert_eq!(layer.layer(probe).oneshot(own.clone()).await.unwrap().status(), 200);
    assert!(start.elapsed().is_zero());

    // Nor does its 429 close one.
    let (cell, probe) = (warm().await, limiter(20, Duration::ZERO));
    let service = super::layer(&cell).gate(Gate::new()).layer(probe.clone());
    let start = Instant::now();
    let refused = service.clone().oneshot(own).await.unwrap();
    assert_eq!(refused.status(), 429);
    assert!(refused.extensions().is_empty(), "so a policy sleeps by itself");
    service.oneshot(request(API)).await.unwrap();
    assert!(start.elapsed().is_zero());
}

#[tokio::test(start_paused = true)]
async fn r2_a_wait_beyond_the_longest_of_the_gate_hands_the_429_back_and_is_a_typed_error_for_the_siblings() {
    let (cell, probe) = (warm().await, limiter(20, Duration::ZERO));
    let gate = Gate::new().longest_wait(secs(10));
    let service = layer(&cell).gate(gate).retry(RetryPolicy::new()).layer(probe.clone());
    let start = Instant::now();
    let response = service.clone().oneshot(request(API)).await.unwrap();
    assert_eq!(response.status(), 429);
    let wait = response.extensions().get::<RetryAfter>().unwrap().wait();
    assert!((secs(20)..=secs(21)).contains(&wait), "{wait:?}");

    let error = rate_limited(service.clone().oneshot(request(API)).await.unwrap_err());
    assert!(error.to_string().contains("Gate::longest_wait"), "{error}");
    assert!((secs(20)..secs(22)).contains(&error.retry_after().unwrap()), "{error:?}");
    assert!(start.elapsed().is_zero());
    assert_eq!(probe.count(), 1);
    advance(secs(15)).await;
    assert_eq!(service.oneshot(request(API)).await.unwrap().status(), 200, "now it is short enough");
}

/// Its response is worth more than the error that would come in its place.
#[tokio::test(start_paused = true)]
async fn r2_who_was_turned_away_and_has_no_time_or_place_to_wait_gets_the_response() {
    let fields = [("ratelimit", r#""a";r=0;t=50"#), ("ratelimit-policy", r#""a";q=100;w=60"#)];
    let in_ten = Deadline::after(secs(10));
    for (gate, deadline) in
        [(Gate::new().longest_wait(secs(40)), None), (Gate::new(), Some(in_ten)), (Gate::new().queue(0), None)]
    {
        let (cell, probe) = (warm().await, Probe::new(move |_| Ok(response(429, &fields))));
        let service = layer(&cell).gate(gate).retry(RetryPolicy::new()).layer(probe.clone());
        let mut request = request(API);
        if let Some(deadline) = deadline {
            request.extensions_mut().insert(deadline);
        }
        let start = Instant::now();
        let response = service.oneshot(request).await.unwrap();
        assert_eq!((response.status().as_u16(), start.elapsed(), probe.count()), (429, Duration::ZERO, 1));
        let wait = response.extensions().get::<RetryAfter>().unwrap().wait();
        assert!((secs(50)..=secs(51)).contains(&wait), "{wait:?}");
    }
}

/// Sixty seconds are what most servers ask for, and the longest wait of both: the spread is ours.
#[tokio::test(start_paused = true)]
async fn r2_a_wait_as_long_as_the_longest_is_waited_with_a_gate_as_without() {
    for gate in [Some(Gate::new()), None] {
        let (cell, probe) = (warm().await, limiter(60, Duration::ZERO));
        let service = maybe_gated(&cell, gate).retry(RetryPolicy::new()).layer(probe.clone());
        let start = Instant::now();
        assert_eq!(service.oneshot(request(API)).await.unwrap().status(), 200);
        assert!((secs(60)..secs(62)).contains(&start.elapsed()), "{:?}", start.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn r2_a_wait_beyond_the_longest_of_the_rules_hands_the_429_back_with_its_retry_after() {
    for gate in [Some(Gate::new()), None] {
        let (cell, probe) = (warm().await, limiter(20, Duration::ZERO));
        let policy = RetryPolicy::new().rules(Rules::new().longest_wait(secs(10)));
        let service = maybe_gated(&cell, gate).retry(policy).layer(probe.clone());
        let start = Instant::now();
        let response = service.oneshot(request(API)).await.unwrap();
        assert_eq!(response.status(), 429);
        let wait = response.extensions().get::<RetryAfter>().unwrap().wait();
        assert!((secs(20)..=secs(21)).contains(&wait), "{wait:?}");
        assert!(start.elapsed().is_zero());
        assert_eq!(probe.count(), 1);
    }
}

fn maybe_gated(cell: &TokenCell, gate: Option<Gate>) -> BearerLayer {
    match gate {
        Some(gate) => layer(cell).gate(gate),
        None => layer(cell),
    }
}

#[tokio::test(start_paused = true)]
async fn a1_a_401_through_the_gate_heals_as_ever_and_closes_nothing() {
    let (cell, issued) = cell();
    let probe = refusing(&["token-1"]);
    let service = layer(&cell).gate(Gate::new()).retry(RetryPolicy::new()).layer(probe.clone());
    let start = Instant::now();
    for _ in 0..2 {
        assert_eq!(service.clone().oneshot(request(API)).await.unwrap().status(), 200);
    }
    assert_eq!(probe.tokens(), ["token-1", "token-2", "token-2"]);
    assert_eq!((start.elapsed(), issued.load(SeqCst)), (secs(2), 2), "two exchanges, no other wait");
}

#[tokio::test(start_paused = true)]
async fn r5_a_403_that_the_gate_took_for_a_429_is_sent_again_and_costs_no_budget() {
    let mut first = true;
    let probe = Probe::new(move |_| {
        let spent = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "7")];
        Ok(if std::mem::take(&mut first) { response(403, &spent) } else { status(200) })
    });
    let none = tower::retry::budget::TpsBudget::new(secs(10), 0, 0.0);
    let policy = RetryPolicy::new().rules(Rules::new().budget(none));
    let gate = Gate::new().forbidden_when_spent();
    let service = layer(&warm().await).gate(gate).retry(policy).layer(probe.clone());
    let start = Instant::now();
    let mut post = request(API);
    *post.method_mut() = http::Method::POST;
    assert_eq!(service.oneshot(post).await.unwrap().status(), 200);
    assert!(start.elapsed() >= secs(7) && probe.count() == 2);
}
