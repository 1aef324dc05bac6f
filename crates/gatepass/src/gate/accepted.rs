//! How many requests a server accepted lately, over spans of several lengths.

use std::time::{Duration, Instant};

const LENGTHS: [Duration; 4] =
    [Duration::from_millis(125), Duration::from_secs(1), Duration::from_secs(8), Duration::from_secs(64)];

/// Fewer show what somebody happened to send, not what the server takes.
const ENOUGH: u32 = 20;

#[derive(Clone, Debug)]
pub(super) struct Accepted([Span; LENGTHS.len()]);

/// What was counted in this span of time and in the one before, each since when.
#[derive(Clone, Copy, Debug)]
struct Span {
    current: (Instant, u32),
    earlier: (Instant, u32),
}

impl Accepted {
    pub(super) fn new(now: Instant) -> Self {
        Self([Span { current: (now, 0), earlier: (now, 0) }; LENGTHS.len()])
    }

    pub(super) fn count(&mut self, now: Instant) {
        for (span, length) in self.0.iter_mut().zip(LENGTHS) {
            if span.current.1 == 0 || now.saturating_duration_since(span.current.0) >= length {
                *span = Span { current: (now, 0), earlier: span.current };
            }
            span.current.1 = span.current.1.saturating_add(1);
        }
    }

    /// The pace the server showed, a second: the most over all spans. A wait that is longer than a span is the rest of the
    /// window that it used up; a shorter one says nothing about it. Zero if what was accepted is too little to tell.
    pub(super) fn rate(&self, now: Instant, wait: Duration) -> f64 {
        let over = |count: u32, since: Instant| {
            let time = now.saturating_duration_since(since);
            let time = if time < wait { time + wait } else { time };
            if count < ENOUGH { 0.0 } else { f64::from(count) / time.as_secs_f64().max(1e-3) }
        };
        let spans = self.0.iter().map(|span| {
            let (since, count) = span.current;
            let (earlier, before) = span.earlier;
            over(count, since).max(over(count.saturating_add(before), earlier))
        });
        spans.fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn r5_a_burst_and_the_wait_that_followed_it_show_the_pace() {
        let start = Instant::now();
        let mut accepted = Accepted::new(start);
        for i in 0..100 {
            accepted.count(start + Duration::from_micros(i * 500));
        }
        let rate = accepted.rate(start + Duration::from_millis(50), SECOND);
        assert!((95.0..96.0).contains(&rate), "{rate}");
    }

    #[test]
    fn r5_neither_idle_hours_nor_a_trickle_before_hide_a_burst() {
        for idle in [3600, 1] {
            let start = Instant::now();
            let mut accepted = Accepted::new(start);
            for i in 0..100 {
                accepted.count(start + i * SECOND);
            }
            let burst = start + 99 * SECOND + idle * SECOND;
            (0..100).for_each(|_| accepted.count(burst));
            let rate = accepted.rate(burst + Duration::from_millis(20), SECOND);
            assert!((95.0..101.0).contains(&rate), "{rate} after {idle} s");
        }
    }

    #[test]
    fn r5_a_steady_pace_is_seen_in_the_long_spans() {
        let start = Instant::now();
        let mut accepted = Accepted::new(start);
        for i in 0..20_000 {
            accepted.count(start + i * Duration::from_millis(10));
        }
        let rate = accepted.rate(start + 200 * SECOND, SECOND);
        assert!((97.0..101.0).contains(&rate), "{rate}");
    }

    #[test]
    fn r5_a_wait_after_a_long_steady_time_is_no_part_of_a_window() {
        let start = Instant::now();
        let mut accepted = Accepted::new(start);
        for i in 0..6_000 {
            accepted.count(start + i * Duration::from_millis(10));
        }
        let rate = accepted.rate(start + 60 * SECOND, 30 * SECOND);
        assert!((97.0..101.0).contains(&rate), "{rate}");
    }

    #[test]
    fn r5_nothing_and_little_accepted_show_nothing() {
        let now = Instant::now();
        let mut accepted = Accepted::new(now);
        for _ in 0..ENOUGH {
            assert_eq!(accepted.rate(now, SECOND), 0.0);
            accepted.count(now);
        }
        assert_eq!(accepted.rate(now, SECOND), 20.0);
    }
}
