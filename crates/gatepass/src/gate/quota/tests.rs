use super::*;
use crate::gate::tests::rate_limit;

const MINUTE: Duration = Duration::from_secs(60);

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn limits(line: &str) -> RateLimits {
    RateLimits::parse(&rate_limit(line), std::time::SystemTime::UNIX_EPOCH).unwrap()
}

fn report(now: Instant, number: u64) -> Report {
    Report { now, number, took: Duration::ZERO, in_flight: 0, longest: MINUTE }
}

/// Quotas that were told this, and when.
fn told(line: &str) -> (Quotas, Instant) {
    let now = Instant::now();
    let mut quotas = Quotas::default();
    quotas.report(Some(&limits(line)), report(now, 1));
    (quotas, now)
}

/// How long until the next may go.
fn wait(quotas: &Quotas, now: Instant, in_flight: u32) -> Duration {
    quotas.ready_at(now, in_flight).map_or(Duration::ZERO, |ready_at| ready_at.saturating_duration_since(now))
}

#[test]
fn r6_more_than_a_fifth_left_is_free_and_less_is_spread_over_the_time_to_the_reset() {
    let (quotas, now) = told(r#""a";r=21;t=60;q=100;w=60"#);
    assert_eq!(wait(&quotas, now, 0), Duration::ZERO);
    let (mut quotas, now) = told(r#""a";r=20;t=60;q=100;w=60"#);
    assert_eq!(wait(&quotas, now, 0), secs(3));
    quotas.take(now + secs(3), 0);
    assert_eq!(wait(&quotas, now + secs(3), 1), secs(3), "57 s for 19");
}

#[test]
fn r6_what_is_under_way_is_spent() {
    let (quotas, now) = told(r#""a";r=30;t=60;q=100;w=60"#);
    assert_eq!(wait(&quotas, now, 5), Duration::ZERO);
    assert_eq!(wait(&quotas, now, 10), secs(3), "20 left");
    assert_eq!(wait(&quotas, now, 30), secs(60), "none left");
}

#[test]
fn r6_without_a_quota_the_most_that_was_ever_left_stands_for_it() {
    let (mut quotas, now) = told(r#""a";r=100;t=60"#);
    quotas.report(Some(&limits(r#""a";r=20;t=60"#)), report(now, 2));
    assert_eq!(wait(&quotas, now, 0), secs(3));
}

#[test]
fn rl_4_when_the_reset_has_come_the_quota_is_spread_until_an_answer_says_what_there_is() {
    let (mut quotas, now) = told(r#""a";r=0;t=10;q=60;w=60"#);
    assert_eq!(wait(&quotas, now, 0), secs(10));
    let reset = now + secs(10);
    assert_eq!(wait(&quotas, reset, 0), Duration::ZERO);
    quotas.take(reset, 0);
    assert_eq!(wait(&quotas, reset, 1), secs(1), "one a second, not all at once");
    quotas.report(Some(&limits(r#""a";r=59;t=60;q=60;w=60"#)), report(reset, 2));
    assert_eq!(wait(&quotas, reset, 0), Duration::ZERO);
}

#[test]
fn rl_4_fields_that_do_not_come_again_are_forgotten_a_window_after_the_reset() {
    let (mut quotas, now) = told(r#""a";r=0;t=10;q=1;w=60"#);
    quotas.report(None, report(now + secs(69), 2));
    assert!(!quotas.is_empty());
    quotas.report(None, report(now + secs(70), 3));
    assert!(quotas.is_empty());
}

#[test]
fn rl_5_the_tightest_of_several_policies_governs() {
    let (quotas, now) = told(r#""a";r=900;t=60;q=1000;w=60, "b";r=2;t=10;q=20;w=10"#);
    assert_eq!(wait(&quotas, now, 0), secs(5));
}

#[test]
fn rl_5_no_more_go_before_the_reset_than_were_left() {
    let (mut quotas, start) = told(r#""a";r=20;t=60;q=100;w=60"#);
    let (mut now, mut went) = (start, 0);
    while now < start + MINUTE {
        while wait(&quotas, now, went).is_zero() {
            quotas.take(now, went);
            went += 1;
        }
        now += Duration::from_millis(10);
    }
    assert!((19..=20).contains(&went), "{went}");
}

#[test]
fn rl_6_retry_after_wins_over_the_reset() {
    let (mut quotas, now) = told(r#""a";r=0;t=60;q=100;w=60"#);
    quotas.retry_after(now + secs(2));
    assert_eq!(wait(&quotas, now, 0), secs(2));
}

#[test]
fn rl_9_of_several_partitions_nobody_knows_which_is_next_so_none_paces() {
    let (mut quotas, now) = told(r#""a";r=0;t=60;pk=:dTE=:"#);
    assert_eq!(wait(&quotas, now, 0), MINUTE);
    quotas.report(Some(&limits(r#""a";r=50;t=60;pk=:dTI=:"#)), report(now, 2));
    assert_eq!(wait(&quotas, now, 0), Duration::ZERO);
    quotas.report(Some(&limits(r#""a";r=0;t=60;pk=:dTI=:"#)), report(now, 3));
    assert_eq!(wait(&quotas, now, 0), Duration::ZERO, "for good");
}

#[test]
fn rl_12_absurd_values_hold_nobody_up_for_longer_than_a_call_may_wait() {
    for line in [
        r#""a";r=0;t=1000000000"#,
        r#""a";r=0;t=18446744073709551615;q=0;w=18446744073709551615"#,
        r#""a";r=1;t=1000000000;q=1;w=1000000000"#,
        r#""a";r=18446744073709551615;t=0;q=18446744073709551615;w=0"#,
    ] {
        let (mut quotas, now) = told(line);
        for i in 0..3 {
            assert!(wait(&quotas, now + i * MINUTE, 1) <= MINUTE, "{line}");
            quotas.take(now + i * MINUTE + wait(&quotas, now + i * MINUTE, 1), 1);
        }
        assert!(quotas.foresee(now, 1_000) >= Duration::ZERO);
    }
}

#[test]
fn r6_a_quota_of_a_day_does_not_stop_who_has_plenty_left() {
    let (quotas, now) = told(r#""a";r=4000;t=80000;q=5000;w=86400"#);
    assert_eq!(wait(&quotas, now, 100), Duration::ZERO);
}

#[test]
fn r6_responses_that_overtook_each_other_do_not_bring_back_what_is_spent() {
    let (mut quotas, now) = told(r#""a";r=50;t=60;q=100;w=60"#);
    let in_flight = |number| Report { in_flight: 10, ..report(now, number) };
    quotas.report(Some(&limits(r#""a";r=15;t=60;q=100;w=60"#)), in_flight(7));
    quotas.report(Some(&limits(r#""a";r=48;t=60;q=100;w=60"#)), in_flight(3));
    assert_eq!(wait(&quotas, now, 0), secs(4), "15 left");
}

/// Whole seconds, rounded up: each answer names a later one.
#[test]
fn r6_the_earliest_reset_that_was_named_for_a_window_counts() {
    let (mut quotas, now) = told(r#""a";r=50;t=1;q=100;w=1"#);
    let later = now + Duration::from_millis(600);
    quotas.report(Some(&limits(r#""a";r=0;t=1;q=100;w=1"#)), report(later, 2));
    assert_eq!(wait(&quotas, later, 0), Duration::from_millis(400));
}

#[test]
fn r6_an_answer_of_the_window_before_spoils_nothing() {
    let (mut quotas, now) = told(r#""a";r=10;t=1;q=100;w=60"#);
    let later = now + secs(2);
    quotas.report(Some(&limits(r#""a";r=99;t=59;q=100;w=60"#)), report(later, 9));
    quotas.report(Some(&limits(r#""a";r=0;t=0;q=100;w=60"#)), report(later, 8));
    assert_eq!(wait(&quotas, later, 0), Duration::ZERO);
}

#[test]
fn r6_an_answer_that_took_longer_than_half_the_window_says_nothing_about_this_one() {
    let (now, mut quotas) = (Instant::now(), Quotas::default());
    let slow = Report { took: secs(2), ..report(now, 1) };
    quotas.report(Some(&limits(r#""a";r=0;t=1;q=100;w=1"#)), slow);
    assert!(quotas.is_empty());
}

#[test]
fn r6_what_counts_something_else_than_requests_paces_none() {
    let (quotas, now) = told(r#""a";r=0;t=60;q=100;qu="content-bytes""#);
    assert_eq!(wait(&quotas, now, 0), Duration::ZERO);
}

#[test]
fn r6_a_request_that_was_lost_counts_as_spent() {
    let (mut quotas, now) = told(r#""a";r=21;t=60;q=100;w=60"#);
    quotas.lost();
    assert_eq!(wait(&quotas, now, 0), secs(3));
}

#[test]
fn rl_12_one_response_slows_nobody_for_more_than_a_day() {
    for line in [r#""a";r=0;t=9999999;q=1;w=315360000"#, r#""a";r=0;t=1;q=0;w=18446744073709551615"#] {
        let (mut quotas, now) = told(line);
        quotas.report(None, report(now + secs(86_400) + 2 * MINUTE, 2));
        assert!(quotas.is_empty(), "{line}");
    }
}

/// 10,000 lanes with eight policies each, and a server that names them.
#[test]
fn rl_12_names_of_any_length_are_not_kept() {
    let long = "a".repeat(10_000);
    let (quotas, _) = told(&format!(r#""{long}";r=0;t=60, "b";r=0;t=60;pk="{long}""#));
    assert!(quotas.is_empty());
}
