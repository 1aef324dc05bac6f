use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// Lets as many go as may until then, answering each at once; returns how many.
fn run(pace: &mut Pace, from: Instant, time: Duration) -> u32 {
    let (mut now, mut went) = (from, 0);
    while now < from + time {
        while pace.ready_at() <= now {
            pace.take(now, true);
            pace.accepted(now);
            went += 1;
        }
        now += Duration::from_millis(1);
    }
    went
}

#[test]
fn r5_the_pace_shown_is_kept_for_three_seconds_then_raised_by_ever_more() {
    let start = Instant::now();
    let mut pace = Pace::new(100.0, SECOND, start);
    let mut rates = vec![];
    for _ in 0..5 {
        let (rate, raise_at) = (pace.rate, pace.raise_at);
        run(&mut pace, raise_at - HOLD, HOLD);
        assert_eq!(pace.rate, rate);
        run(&mut pace, raise_at, SECOND / 5);
        rates.push(pace.rate);
    }
    assert_eq!(rates, [122.5, 183.75, 367.5, 735.0, 1470.0]);
}

#[test]
fn r5_a_pace_is_kept_for_as_long_as_the_wait_was_and_until_ten_went() {
    let start = Instant::now();
    let mut pace = Pace::new(100.0, 7 * SECOND, start);
    run(&mut pace, start, 6_900 * SECOND / 1_000);
    assert!(pace.rate < 98.1, "{}", pace.rate);
    run(&mut pace, start + 7 * SECOND, SECOND);
    assert!(pace.rate > 120.0, "{}", pace.rate);

    let mut pace = Pace::new(0.5, SECOND, start);
    run(&mut pace, start, 22 * SECOND);
    assert!(pace.rate < 0.5, "nine went");
    run(&mut pace, start + 22 * SECOND, 5 * SECOND);
    assert!(pace.rate > 0.5);
}

#[test]
fn r5_who_tried_more_in_vain_goes_back_keeps_that_for_twice_as_long_and_then_tries_half_of_it() {
    let start = Instant::now();
    let mut pace = Pace::new(100.0, SECOND, start);
    run(&mut pace, start, HOLD + SECOND / 2);
    assert!((122.0..123.0).contains(&pace.rate), "{}", pace.rate);
    let mut opens = start + HOLD + 2 * SECOND;
    // Nearer each time, then beyond it.
    for (hold, tried) in [(6, 110.25), (12, 104.1), (24, 101.0), (48, 107.8), (96, 102.9), (192, 107.8)] {
        pace = pace.refused(opens - SECOND, SECOND, opens, 0.0);
        assert!((97.9..98.1).contains(&pace.rate), "{}", pace.rate);
        run(&mut pace, opens, hold * SECOND - SECOND / 10);
        assert!(pace.rate < 98.1, "held for {hold} s");
        opens += hold * SECOND;
        run(&mut pace, opens, SECOND);
        assert!((tried - 0.2..tried + 0.2).contains(&pace.rate), "{} after {hold} s", pace.rate);
        opens += 2 * SECOND;
    }
}

#[test]
fn r5_who_tries_more_with_success_goes_on_trying() {
    let start = Instant::now();
    let mut pace = Pace::new(10.0, SECOND, start);
    // The server takes 100 a second.
    let mut now = start;
    let mut rates = vec![];
    while now < start + 60 * SECOND {
        run(&mut pace, now, SECOND);
        now += SECOND;
        if pace.rate > 100.0 {
            pace = pace.refused(now, SECOND, now + SECOND, 0.0);
            now += SECOND;
        }
        rates.push(pace.rate);
    }
    let reached = rates.iter().position(|rate| *rate > 50.0).unwrap();
    assert!(reached < 16, "{rates:?}");
    assert!(rates[40..].iter().all(|rate| *rate > 85.0), "{rates:?}");
}

#[test]
fn r5_a_pace_that_is_refused_falls_the_faster_the_oftener_but_not_below_what_was_accepted() {
    let start = Instant::now();
    let mut pace = Pace::new(100.0, SECOND, start);
    let mut rates = vec![];
    for i in 0..6 {
        let opens = start + i * SECOND;
        run(&mut pace, opens, Duration::from_millis(50));
        pace = pace.refused(opens + Duration::from_millis(50), SECOND, opens + SECOND, 0.0);
        rates.push(pace.rate.round() as u32);
    }
    assert_eq!(rates, [88, 71, 42, 21, 11, 5]);
    let at = start + 7_900 * SECOND / 1_000;
    run(&mut pace, start + 6 * SECOND, at - start - 6 * SECOND);
    let kept = pace.refused(at, SECOND / 5, at + SECOND / 5, 0.0).rate / pace.rate;
    assert!((0.85..0.98).contains(&kept), "nine tenths of the time it was accepted: {kept}");
}

#[test]
fn r5_refusals_of_a_server_that_accepts_nothing_say_nothing_of_its_pace() {
    let start = Instant::now();
    let mut pace = Pace::new(100.0, SECOND, start);
    for i in 1..30 {
        let opens = start + i * SECOND;
        pace = pace.refused(opens - SECOND, SECOND, opens, 0.0);
        pace.take(opens, true);
        assert!(pace.ready_at() > opens + SECOND, "one at a time");
    }
    pace.accepted(start + 29 * SECOND);
    assert_eq!(pace.rate, 98.0);
    assert!(pace.ready_at() < start + 29 * SECOND + SECOND / 50, "then goes on at its pace");
}

#[test]
fn r5_as_long_as_nothing_was_accepted_one_goes_at_a_time_then_twice_as_many_in_each_round() {
    let start = Instant::now();
    let mut pace = Pace::new(0.0, SECOND, start);
    let mut rounds = vec![];
    for _ in 0..5 {
        let mut went = 0;
        while pace.ready_at() <= start {
            pace.take(start, true);
            went += 1;
        }
        (0..went).for_each(|_| pace.accepted(start));
        rounds.push(went);
    }
    assert_eq!(rounds, [1, 2, 4, 8, 16]);
    let shown = pace.refused(start, SECOND, start + SECOND, 0.0).rate;
    assert!((30.0..31.0).contains(&shown), "what it took before it refused: {shown}");
}

#[test]
fn r5_one_that_does_not_come_back_holds_the_others_up_for_two_seconds() {
    let start = Instant::now();
    let mut pace = Pace::new(0.0, SECOND, start);
    pace.take(start, true);
    assert_eq!(pace.ready_at(), start + PATIENCE);
    pace.gone();
    assert!(pace.ready_at() <= start);
}
