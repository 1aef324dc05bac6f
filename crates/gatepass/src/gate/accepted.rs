//! How many requests a server accepted lately, over spans of several lengths.

use std::time::{Duration, Instant};

const LENGTHS: [Duration; 4] =
    [Duration::from_millis(125), Duration::from_secs(1), Duration::from_secs(8), Duration::from_secs(64)];

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

    /// The pace the server showed, a second: the most over all spans, each counted as if the wait it asked for, which is
    /// the rest of its window, belonged to it. Zero if it accepted nothing.
    pub(super) fn rate(&self, now: Instant, wait: Duration) -> f64 {
        let over = |count: u32, since: Instant| {
            let time = now.saturating_duration_since(since) + wait;
            f64::from(count) / time.as_secs_f64().max(1e-3)
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
    fn r5_nothing_accepted_shows_nothing() {
        assert_eq!(Accepted::new(Instant::now()).rate(Instant::now(), Duration::ZERO), 0.0);
    }
}
