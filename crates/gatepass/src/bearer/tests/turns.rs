//! A pass that was had before the token or the service was: the request goes later, if it goes at all.

use super::*;
use crate::{Gate, retry::Deadline};

/// A cell that has a token, and will get no other.
async fn last_token() -> TokenCell {
    let cell = broken();
    cell.put(TokenSet::new("last").expires_in(Duration::from_secs(3600))).await.unwrap();
    cell
}

/// Cold, over few permits: all have a pass before the first is sent.
#[tokio::test(start_paused = true)]
async fn r5_who_has_a_pass_and_was_not_sent_yet_does_not_go_into_a_closed_lane() {
    let (cell, _) = cell();
    let start = tokio::time::Instant::now();
    let probe = Probe::slow(Duration::from_millis(10), move |seen| {
        let is_early = seen.at < start + Duration::from_secs(4);
        Ok(if is_early { response(429, &[("retry-after", "5")]) } else { status(200) })
    });
    let service = layer(&cell).gate(Gate::new()).layer(ConcurrencyLimit::new(probe, 2));
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..50 {
        calls.spawn(service.clone().oneshot(request(API)));
    }
    let answers = calls.join_all().await;
    let refused = answers.into_iter().filter(|answer| answer.as_ref().unwrap().status() == 429).count();
    assert!(refused <= 2, "{refused} of 50, with two under way at a time");
}

#[tokio::test(start_paused = true)]
async fn r5_who_comes_back_to_the_gate_with_a_pass_has_the_same_deadline() {
    let (cell, _) = cell();
    let probe = Probe::new(|_| Ok(response(429, &[("retry-after", "5")])));
    let limited = ConcurrencyLimit::new(probe.clone(), 1);
    let service = layer(&cell).gate(Gate::new()).layer(limited.clone());
    let mut pressed = request(API);
    pressed.extensions_mut().insert(Deadline::after(Duration::from_secs(3)));
    let calls = [pressed.clone(), pressed].map(|request| tokio::spawn(service.clone().oneshot(request)));
    let (mut answers, mut errors) = (vec![], vec![]);
    for call in calls {
        match call.await.unwrap() {
            Ok(answer) => answers.push(answer.status().as_u16()),
            Err(error) => errors.push(of_ours(error)),
        }
    }
    assert_eq!(answers, [429], "whichever was first");
    assert!(errors[0].is_rate_limited() && errors[0].to_string().contains("deadline"), "{errors:?}");
    assert_eq!(probe.count(), 1);
    assert!(limited.oneshot(request(API)).await.is_ok(), "and gave its permit back");
}

/// Else who asks for a token in vain spends a quota, and the next waits for its reset to be told the same.
#[tokio::test(start_paused = true)]
async fn r6_a_request_for_which_there_was_no_token_is_not_counted_as_sent() {
    let cell = last_token().await;
    let fields = [("ratelimit", r#""a";r=25;t=50"#), ("ratelimit-policy", r#""a";q=100;w=60"#)];
    let probe = Probe::new(move |_| Ok(response(200, &fields)));
    let service = layer(&cell).gate(Gate::new().pacing()).layer(probe);
    service.clone().oneshot(request(API)).await.unwrap();
    assert!(cell.reject(&cell.peek().unwrap()));
    let start = tokio::time::Instant::now();
    for number in 0..50 {
        let error = of_ours(service.clone().oneshot(request(API)).await.unwrap_err());
        assert!(error.is_misconfigured(), "call {number}: {error}");
    }
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn r6_a_call_dropped_before_it_was_sent_is_not_counted_either() {
    let (cell, _) = cell();
    let fields = [("ratelimit", r#""a";r=25;t=50"#), ("ratelimit-policy", r#""a";q=100;w=60"#)];
    let probe = Probe::new(move |_| Ok(response(200, &fields)));
    let service = layer(&cell).gate(Gate::new().pacing()).layer(probe);
    service.clone().oneshot(request(API)).await.unwrap();
    assert!(cell.reject(&cell.peek().unwrap()));
    for _ in 0..20 {
        let mut dropped = service.clone().ready().await.unwrap().call(request(API));
        assert!(poll(&mut dropped).is_pending(), "waits for the token");
    }
    let start = tokio::time::Instant::now();
    service.oneshot(request(API)).await.unwrap();
    assert!(start.elapsed() <= Duration::from_secs(1), "the exchange: {:?}", start.elapsed());
}

/// What the exchange took says nothing of how old the fields are.
#[tokio::test(start_paused = true)]
async fn r6_the_fields_of_a_call_that_waited_for_its_token_count() {
    let (cell, _) = cell();
    let fields = [("ratelimit", r#""a";r=0;t=1"#), ("ratelimit-policy", r#""a";q=100;w=1"#)];
    let probe = Probe::new(move |_| Ok(response(200, &fields)));
    let service = layer(&cell).gate(Gate::new().pacing()).layer(probe);
    service.clone().oneshot(request(API)).await.unwrap();
    let start = tokio::time::Instant::now();
    service.oneshot(request(API)).await.unwrap();
    assert_eq!(start.elapsed(), Duration::from_secs(1));
}

/// What the response asks for is in time, and what a sibling was asked for is not.
#[tokio::test(start_paused = true)]
async fn r4_the_total_time_of_a_policy_bounds_the_wait_at_the_gate_before_the_next_attempt() {
    let cell = last_token().await;
    let mut waits = ["30", "1"].into_iter();
    let probe =
        Probe::slow(Duration::from_secs(1), move |_| Ok(response(429, &[("retry-after", waits.next().unwrap())])));
    let rules = crate::retry::Rules::new().total_time(Duration::from_secs(5));
    let policy = crate::RetryPolicy::new().rules(rules);
    let service = layer(&cell).gate(Gate::new()).retry(policy).layer(probe.clone());
    let first = tokio::spawn(service.clone().oneshot(request(API)));
    tokio::time::sleep(Duration::from_millis(500)).await;
    let start = tokio::time::Instant::now();
    let response = service.oneshot(request(API)).await.unwrap();
    assert_eq!(first.await.unwrap().unwrap().status(), 429);
    let wait = response.extensions().get::<crate::RetryAfter>().unwrap().wait();
    assert!(response.status() == 429 && wait > Duration::from_secs(28), "not one second: {wait:?}");
    assert_eq!((start.elapsed(), probe.count()), (Duration::from_secs(1), 2));
}

/// Else all whose turn came meanwhile go at once, faster than the server takes them.
#[tokio::test(start_paused = true)]
async fn r5_turns_that_came_during_a_long_wait_for_the_token_do_not_go_in_one_burst() {
    let source = |_| async {
        tokio::time::sleep(Duration::from_secs(4)).await;
        Ok(TokenSet::new("second"))
    };
    let cell = TokenCell::builder(source).clock(TestClock::new().clock()).build();
    cell.put(TokenSet::new("first")).await.unwrap();
    let gate = Gate::new();
    let lane = gate.lane(&cell, "https", "api.example.com", None);
    let mut passes: Vec<_> = (0..21).map(|_| lane.try_enter().unwrap()).collect();
    let last = passes.pop().unwrap();
    passes.into_iter().for_each(|pass| assert!(pass.answered(http::StatusCode::OK, &http::HeaderMap::new()).is_none()));
    let refusal = response(429, &[("retry-after", "1")]);
    assert!(last.answered(refusal.status(), refusal.headers()).is_some());

    // Twenty a second.
    let probe = ok("");
    let service = layer(&cell).gate(gate).layer(probe.clone());
    let calls: Vec<_> = (0..120).map(|_| tokio::spawn(service.clone().oneshot(request(API)))).collect();
    tokio::task::yield_now().await;
    assert!(cell.reject(&cell.peek().unwrap()));
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().status(), 200);
    }
    let came: Vec<_> = probe.seen().iter().map(|seen| seen.at).collect();
    let within = |at| came.iter().filter(|&&other| other >= at && other < at + Duration::from_millis(500)).count();
    let most = came.iter().map(|&at| within(at)).max().unwrap();
    assert!(most <= 34, "{most} in half a second: what is due in it, and of a second before");
}

#[tokio::test(start_paused = true)]
async fn r5_a_call_that_failed_is_not_under_way_though_somebody_keeps_its_future() {
    let cell = last_token().await;
    let mut answers = [Ok(response(429, &[("retry-after", "1")])), Err("no connection".into())].into_iter();
    let probe = Probe::new(move |_| answers.next().unwrap_or_else(|| Ok(status(200))));
    let mut service = layer(&cell).gate(Gate::new()).layer(probe);
    service.ready().await.unwrap().call(request(API)).await.unwrap();
    // Nothing was accepted, so one goes at a time.
    let mut failed = service.ready().await.unwrap().call(request(API));
    assert!((&mut failed).await.is_err());
    let start = tokio::time::Instant::now();
    service.ready().await.unwrap().call(request(API)).await.unwrap();
    assert!(start.elapsed().is_zero(), "{:?}", start.elapsed());
    drop(failed);
}
