//! How many calls are allowed in a span of time. Pure: the caller says what time it is.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// So many calls in each span of time, for each holder of tokens.
#[derive(Debug)]
pub(super) struct Limit {
    kind: Kind,
    pub(super) calls: u32,
    pub(super) per: Duration,
    holders: HashMap<String, Holder>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// A window opens with the first call after the last one.
    Window,
    /// It holds so many calls, and gets them back one by one.
    Bucket,
}

#[derive(Debug)]
struct Holder {
    /// When the window ends, or the bucket is full again.
    whole_at: Instant,
    /// In this window.
    calls: u32,
}

/// What became of a call, and what is left after it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Counted {
    /// How long the holder has to wait, if it was refused.
    pub(super) wait: Option<Duration>,
    pub(super) remaining: u32,
    /// Until the next window, or until the bucket is full.
    pub(super) reset: Duration,
}

/// Added to a clock of today it overflows nothing.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

impl Limit {
    pub(super) fn new(kind: Kind, calls: usize, per: Duration) -> Self {
        let calls = calls.try_into().unwrap_or(u32::MAX);
        Self { kind, calls, per: per.min(LONGEST), holders: HashMap::new() }
    }

    pub(super) fn count(&mut self, holder: String, now: Instant) -> Counted {
        if self.holders.len() > 10_000 {
            self.holders.retain(|_, holder| holder.whole_at > now);
        }
        let holder = self.holders.entry(holder).or_insert(Holder { whole_at: now, calls: 0 });
        match self.kind {
            Kind::Window => holder.count_in_window(self.calls, self.per, now),
            Kind::Bucket => holder.count_in_bucket(self.calls, self.per, now),
        }
    }
}

impl Holder {
    fn count_in_window(&mut self, calls: u32, per: Duration, now: Instant) -> Counted {
        if self.whole_at <= now {
            *self = Self { whole_at: now + per, calls: 0 };
        }
        let reset = self.whole_at - now;
        let wait = (self.calls >= calls).then_some(reset);
        self.calls += u32::from(wait.is_none());
        Counted { wait, remaining: calls - self.calls, reset }
    }

    /// What is missing in the bucket is told by the time until it is full, so nothing has to fill it.
    fn count_in_bucket(&mut self, calls: u32, per: Duration, now: Instant) -> Counted {
        let one = (per / calls.max(1)).max(Duration::from_nanos(1));
        let all = one * calls;
        let missing = self.whole_at.saturating_duration_since(now);
        let wait = (missing + one).checked_sub(all).filter(|wait| !wait.is_zero());
        let reset = if wait.is_none() { missing + one } else { missing };
        self.whole_at = now + reset;
        let left = all.saturating_sub(reset).as_nanos() / one.as_nanos();
        Counted { wait, remaining: u32::try_from(left).unwrap_or(u32::MAX), reset }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Wait, what remains, reset.
    type Facts = (Option<u64>, u32, u64);

    fn counts(limit: &mut Limit, calls: &[(&str, u64)]) -> Vec<Facts> {
        let start = Instant::now();
        let mut count = |&(holder, at): &(&str, u64)| {
            let counted = limit.count(holder.to_owned(), start + seconds(at));
            (counted.wait.map(|it| it.as_secs()), counted.remaining, counted.reset.as_secs())
        };
        calls.iter().map(&mut count).collect()
    }

    #[test]
    fn a_holder_beyond_the_limit_waits_for_the_next_window_and_holds_up_nobody() {
        let mut limit = Limit::new(Kind::Window, 2, seconds(10));
        let facts = counts(&mut limit, &[("a", 0), ("a", 3), ("a", 4), ("b", 4), ("a", 10)]);
        assert_eq!(facts, [(None, 1, 10), (None, 0, 7), (Some(6), 0, 6), (None, 1, 10), (None, 1, 10)]);
    }

    #[test]
    fn a_bucket_gives_back_one_call_after_the_other() {
        let mut limit = Limit::new(Kind::Bucket, 2, seconds(10));
        let facts = counts(&mut limit, &[("a", 0), ("a", 0), ("a", 1), ("b", 1), ("a", 5), ("a", 6), ("a", 60)]);
        let expected =
            [(None, 1, 5), (None, 0, 10), (Some(4), 0, 9), (None, 1, 5), (None, 0, 10), (Some(4), 0, 9), (None, 1, 5)];
        assert_eq!(facts, expected);
    }

    #[test]
    fn a_hundred_calls_a_second_are_never_more() {
        for kind in [Kind::Window, Kind::Bucket] {
            let (mut limit, start) = (Limit::new(kind, 100, SECOND), Instant::now());
            // 300 a second, for ten seconds.
            let times = (0..3_000).map(|n| start + n * SECOND / 300);
            let admitted: Vec<_> = times.filter(|now| limit.count("a".to_owned(), *now).wait.is_none()).collect();
            let most = match kind {
                Kind::Window => 1_000,
                Kind::Bucket => 100 + 999,
            };
            assert_eq!(admitted.len(), most, "{kind:?}");
        }
    }

    #[test]
    fn who_waits_as_told_is_admitted() {
        for kind in [Kind::Window, Kind::Bucket] {
            let (mut limit, mut now) = (Limit::new(kind, 7, SECOND), Instant::now());
            for _ in 0..100 {
                if let Some(wait) = limit.count("a".to_owned(), now).wait {
                    now += wait;
                    assert_eq!(limit.count("a".to_owned(), now).wait, None, "{kind:?}");
                }
            }
        }
    }

    #[test]
    fn odd_limits_are_survived() {
        for kind in [Kind::Window, Kind::Bucket] {
            for (calls, per) in [(0, SECOND), (0, Duration::MAX), (usize::MAX, Duration::MAX), (usize::MAX, SECOND)] {
                let mut limit = Limit::new(kind, calls, per);
                let counted = limit.count("a".to_owned(), Instant::now());
                assert_eq!(
                    (counted.wait.is_some(), counted.remaining == 0),
                    (calls == 0, calls == 0),
                    "{calls} {per:?}"
                );
            }
            assert_eq!(Limit::new(kind, 1, Duration::ZERO).count("a".to_owned(), Instant::now()).wait, None);
        }
    }
}
