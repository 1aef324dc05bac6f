//! [`Rules::decide`]: pure, so a table says it all (R1 to R4, A1).

use std::time::SystemTime;

use http::{Extensions, HeaderMap, HeaderName, HeaderValue};

use super::*;
use crate::clock;

const JITTERS: [f64; 3] = [0.0, 0.5, 1.0];

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let pair = |&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value));
    pairs.iter().map(pair).collect()
}

fn facts(method: &Method) -> Facts {
    Facts::of(method, &HeaderMap::new(), &Extensions::new())
}

fn before(deadline: Deadline) -> Facts {
    let mut extensions = Extensions::new();
    extensions.insert(deadline);
    Facts::of(&Method::GET, &HeaderMap::new(), &extensions)
}

fn moment(jitter: f64) -> Moment {
    Moment { instant: clock::instant(), wall: SystemTime::UNIX_EPOCH + secs(1_000_000_000), jitter }
}

fn first(rules: &Rules, facts: Facts, status: u16, headers: &HeaderMap, jitter: f64) -> Decision {
    let outcome = Outcome::Response(StatusCode::from_u16(status).unwrap(), headers);
    rules.decide(&Attempts::start(), facts, outcome, moment(jitter))
}

#[tokio::test(start_paused = true)]
async fn r3_what_is_sent_again_by_status_method_and_retry_after() {
    const RETRY: bool = true;
    const RETURN: bool = false;
    let (plain, opted) = (Rules::new(), Rules::new().also(StatusCode::BAD_GATEWAY));
    let (none, some) = (headers(&[]), headers(&[("retry-after", "5")]));
    for (rules, status, method, headers, decision, costs) in [
        (&plain, 429, Method::GET, &some, RETRY, false),
        (&plain, 429, Method::POST, &some, RETRY, false),
        (&plain, 429, Method::POST, &none, RETRY, true),
        (&plain, 503, Method::GET, &some, RETRY, true),
        (&plain, 503, Method::PUT, &none, RETRY, true),
        (&plain, 503, Method::DELETE, &none, RETRY, true),
        (&plain, 503, Method::POST, &some, RETURN, false),
        (&plain, 503, Method::PATCH, &none, RETURN, false),
        (&plain, 200, Method::GET, &some, RETURN, false),
        (&plain, 401, Method::GET, &some, RETURN, false),
        (&plain, 403, Method::GET, &some, RETURN, false),
        (&plain, 500, Method::GET, &none, RETURN, false),
        (&plain, 502, Method::GET, &none, RETURN, false),
        (&opted, 502, Method::GET, &none, RETRY, true),
        (&opted, 502, Method::GET, &some, RETRY, true),
        (&opted, 502, Method::POST, &none, RETURN, false),
        (&opted, 504, Method::GET, &none, RETURN, false),
    ] {
        let decided = first(rules, facts(&method), status, headers, 0.5);
        let (got, cost) = match decided {
            Decision::Retry { costs, .. } => (RETRY, costs),
            _ => (RETURN, false),
        };
        let case = format!("{status} {method} {headers:?}: {decided:?}");
        assert_eq!((got, cost), (decision, costs), "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn r3_an_idempotency_key_makes_a_post_repeatable() {
    for (value, repeats) in [("8e03978e-40d5", true), ("", false)] {
        let key = headers(&[("idempotency-key", value)]);
        let facts = Facts::of(&Method::POST, &key, &Extensions::new());
        let decision = first(&Rules::new(), facts, 503, &headers(&[]), 0.5);
        assert_eq!(matches!(decision, Decision::Retry { .. }), repeats);
    }
}

#[tokio::test(start_paused = true)]
async fn r3_transport_errors_are_opt_in_and_for_what_may_be_repeated() {
    for (rules, method, again) in [
        (Rules::new(), Method::GET, false),
        (Rules::new().transport_errors(true), Method::GET, true),
        (Rules::new().transport_errors(true), Method::POST, false),
    ] {
        let error = Outcome::TransportError;
        let decision = rules.decide(&Attempts::start(), facts(&method), error, moment(0.5));
        match decision {
            Decision::Retry { costs, .. } => assert!(again && costs),
            other => assert!(!again && other == Decision::Return(None)),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn r1_never_early_and_the_jitter_comes_after() {
    for (headers, asked, spread) in [
        (headers(&[("retry-after", "0")]), 0.0, 0.05),
        (headers(&[("retry-after", "3")]), 3.0, 0.3),
        (headers(&[("retry-after", "60")]), 60.0, 1.0),
        (headers(&[("retry-after", "Sun, 09 Sep 2001 01:46:50 GMT")]), 10.0, 1.0),
        (
            headers(&[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT"), ("date", "Sun, 06 Nov 1994 08:49:17 GMT")]),
            20.0,
            1.0,
        ),
    ] {
        let waits = JITTERS.map(|jitter| match first(&Rules::new(), facts(&Method::GET), 429, &headers, jitter) {
            Decision::Retry { wait, .. } => wait.as_secs_f64(),
            other => panic!("{headers:?}: {other:?}"),
        });
        let expected = JITTERS.map(|jitter| asked + spread * jitter);
        for (wait, expected) in waits.into_iter().zip(expected) {
            assert!((wait - expected).abs() < 1e-6, "{headers:?}: {waits:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn r1_without_retry_after_it_backs_off() {
    let rules = Rules::new().max_retries(20).total_time(secs(10_000)).longest_wait(secs(4));
    let mut attempts = Attempts::start();
    for most in [0.5, 1.0, 2.0, 4.0, 4.0, 4.0] {
        let none = HeaderMap::new();
        let too_many = Outcome::Response(StatusCode::TOO_MANY_REQUESTS, &none);
        match attempts.next(&rules, facts(&Method::GET), too_many) {
            Decision::Retry { wait, .. } => {
                assert!((most / 2.0..=most).contains(&wait.as_secs_f64()), "{most}: {wait:?}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn r2_a_wait_beyond_the_cap_is_handed_back_with_what_was_asked() {
    for (asked, seconds) in [("61", 61), ("86400", 86_400), ("99999999999999999999", RetryAfter::MAX.as_secs())] {
        let headers = headers(&[("retry-after", asked)]);
        for status in [429, 503] {
            let decision = first(&Rules::new(), facts(&Method::GET), status, &headers, 0.0);
            assert_eq!(decision, Decision::Return(Some(RetryAfter::new(secs(seconds)))));
        }
    }
    let patient = Rules::new().longest_wait(secs(90));
    let headers = headers(&[("retry-after", "61")]);
    let decision = first(&patient, facts(&Method::GET), 429, &headers, 0.0);
    assert!(matches!(decision, Decision::Retry { .. }));
}

#[tokio::test(start_paused = true)]
async fn r2_a_wait_beyond_the_earlier_of_total_time_and_deadline_is_handed_back() {
    let ten = headers(&[("retry-after", "10")]);
    for (total, deadline, again) in [
        (secs(120), None, true),
        (secs(9), None, false),
        (secs(120), Some(secs(9)), false),
        (secs(120), Some(secs(12)), true),
        (secs(9), Some(secs(12)), false),
        (Duration::MAX, Some(Duration::MAX), true),
    ] {
        let facts = match deadline {
            Some(deadline) => before(Deadline::after(deadline)),
            None => facts(&Method::GET),
        };
        let decision = first(&Rules::new().total_time(total), facts, 429, &ten, 1.0);
        match decision {
            Decision::Retry { .. } => assert!(again, "{total:?} {deadline:?}"),
            other => {
                assert!(!again, "{total:?} {deadline:?}");
                assert_eq!(other, Decision::Return(Some(RetryAfter::new(secs(10)))));
            }
        }
    }
    let past = before(Deadline::at(clock::instant()));
    tokio::time::advance(secs(1)).await;
    let none = HeaderMap::new();
    assert_eq!(first(&Rules::new(), past, 429, &none, 0.0), Decision::Return(None));
    let refused = Outcome::TokenRefused { can_replay: true };
    let decision = Rules::new().decide(&Attempts::start(), past, refused, moment(0.0));
    assert_eq!(decision, Decision::Return(None), "nobody waits for it any more");
}

#[tokio::test(start_paused = true)]
async fn r4_attempts_and_total_time_are_bounded() {
    let zero = headers(&[("retry-after", "0")]);
    let too_many = Outcome::Response(StatusCode::TOO_MANY_REQUESTS, &zero);
    let (rules, get) = (Rules::new().max_retries(2), facts(&Method::GET));
    let mut attempts = Attempts::start();
    for _ in 0..2 {
        let decision = attempts.next(&rules, get, too_many);
        assert!(matches!(decision, Decision::Retry { .. }));
    }
    assert_eq!(attempts.next(&rules, get, too_many), Decision::Return(Some(RetryAfter::new(Duration::ZERO))));
    let mut attempts = Attempts::start();
    tokio::time::advance(secs(121)).await;
    let decision = attempts.next(&rules, get, too_many);
    assert!(matches!(decision, Decision::Return(_)), "two minutes in all");
}

#[tokio::test(start_paused = true)]
async fn a1_one_replay_for_a_refused_token_counted_apart_from_retries() {
    let zero = headers(&[("retry-after", "0")]);
    let too_many = Outcome::Response(StatusCode::TOO_MANY_REQUESTS, &zero);
    let refused = Outcome::TokenRefused { can_replay: true };
    let (rules, post) = (Rules::new().max_retries(1), facts(&Method::POST));

    let mut attempts = Attempts::start();
    assert_eq!(attempts.next(&rules, post, refused), Decision::Replay);
    let retry = attempts.next(&rules, post, too_many);
    assert!(matches!(retry, Decision::Retry { costs: false, .. }), "{retry:?}");
    assert_eq!(attempts.next(&rules, post, refused), Decision::Return(None));

    let mut attempts = Attempts::start();
    attempts.next(&rules, post, too_many);
    assert_eq!(attempts.next(&rules, post, refused), Decision::Replay, "and the other way round");

    let hopeless = Outcome::TokenRefused { can_replay: false };
    let decision = Attempts::start().next(&rules, post, hopeless);
    assert_eq!(decision, Decision::Return(None));
}

#[tokio::test(start_paused = true)]
async fn a1_a_401_is_not_retried_even_when_asked_for() {
    let rules = Rules::new().also(StatusCode::UNAUTHORIZED);
    let decision = first(&rules, facts(&Method::GET), 401, &headers(&[]), 0.5);
    assert_eq!(decision, Decision::Return(None));
}

#[tokio::test(start_paused = true)]
async fn r4_the_usual_budget_lets_fifty_pass_at_once_and_then_holds() {
    let (rules, none) = (Rules::new(), HeaderMap::new());
    let unavailable = Outcome::Response(StatusCode::SERVICE_UNAVAILABLE, &none);
    let passed = (0..1000).filter(|_| {
        let decision = Attempts::start().next(&rules.clone(), facts(&Method::GET), unavailable);
        matches!(decision, Decision::Retry { .. })
    });
    assert_eq!(passed.count(), 50, "clones share it");
}
