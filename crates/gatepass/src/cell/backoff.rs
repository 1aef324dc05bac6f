//! When the next exchange may be tried: schedules that a test can read without time.

use std::time::Duration;

use crate::{clock::Tick, error::Error};

/// The first wait after a failure; each further one is twice as long.
const FIRST: Duration = Duration::from_secs(1);
/// The longest wait while a token lives (C8).
const LONGEST_WITH_TOKEN: Duration = Duration::from_secs(30);
/// The longest wait while callers ask and there is no token (C8).
const LONGEST_WITHOUT: Duration = Duration::from_secs(2);
/// The most of a token endpoint's Retry-After that is honoured (C8).
const LONGEST_ASKED: Duration = Duration::from_secs(60);
/// The longest a wrong setting is remembered (F2). At first briefly: it may be a gateway that answers for the server.
const LONGEST_MISCONFIGURED: Duration = Duration::from_secs(30);

/// How often a dead grant looks whether a newer set is in the store (F1).
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A failed exchange and what it means for the next.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) error: Error,
    /// How many in a row, this one included.
    streak: u32,
    ended: Tick,
    /// Between 0.75 and 1, drawn once for each failure.
    jitter: f64,
    /// Whether a newer set may be found in a store.
    stored: bool,
}

impl Failure {
    /// The failure that follows `earlier`, which ended now.
    ///
    /// A refusal that does not say why and repeats once is the grant's end (F1).
    pub(super) fn new(error: Error, earlier: Option<&Self>, now: Tick) -> Self {
        let error = Self::counted(error, earlier);
        let streak = earlier.map_or(0, |earlier| earlier.streak).saturating_add(1);
        Self { error, streak, ended: now, jitter: 0.75 + 0.25 * fastrand::f64(), stored: false }
    }

    /// What an error is after `earlier`: a refusal that does not say why and repeats once is the grant's end (F1).
    pub(super) fn counted(error: Error, earlier: Option<&Self>) -> Error {
        let repeated = error.doubts_the_grant() && earlier.is_some_and(|earlier| earlier.error.doubts_the_grant());
        match repeated {
            true => Error::reauth_required("run the sign-in again: the refresh was refused twice without a reason")
                .with_source(error),
            false => error,
        }
    }

    /// The same where a store is looked at again.
    pub(super) fn of_store(self) -> Self {
        Self { stored: true, ..self }
    }

    /// How long until the next try may start; `None` when it may now. Forever for a dead grant.
    ///
    /// With a living token the schedule is kinder to the server than without one (C8).
    pub(super) fn remaining(&self, now: Tick, token_lives: bool) -> Option<Duration> {
        if self.error.is_reauth_required() && !self.stored {
            return Some(Duration::MAX);
        }
        self.wait(token_lives).checked_sub(now.since(self.ended)).filter(|left| !left.is_zero())
    }

    fn wait(&self, token_lives: bool) -> Duration {
        if let Some(asked) = self.error.retry_after() {
            // Never early; what is added spreads a fleet that was told the same. "0" does not make a hot loop (C9).
            return asked.min(LONGEST_ASKED).mul_f64(1.0 + (1.0 - self.jitter) / 2.0).max(FIRST.mul_f64(self.jitter));
        }
        if self.error.is_reauth_required() {
            return LOOK_AGAIN.mul_f64(self.jitter);
        }
        let longest = match token_lives {
            _ if self.error.is_misconfigured() => LONGEST_MISCONFIGURED,
            true => LONGEST_WITH_TOKEN,
            false => LONGEST_WITHOUT,
        };
        let doubled = FIRST.saturating_mul(1 << (self.streak - 1).min(10));
        doubled.min(longest).mul_f64(self.jitter)
    }
}

/// What forced refreshes draw on (A4): five, one back every ten seconds; each time it runs dry, the next comes back
/// later.
#[derive(Debug)]
pub(super) struct Bucket {
    left: u32,
    /// In seconds: every cell has a bucket, and this is shorter.
    interval: u32,
    filled: Tick,
}

impl Bucket {
    const SIZE: u32 = 5;
    const INTERVAL: u32 = 10;
    const LONGEST_INTERVAL: u32 = 60;

    pub(super) fn full(now: Tick) -> Self {
        Self { left: Self::SIZE, interval: Self::INTERVAL, filled: now }
    }

    /// Takes one; or says how long until there is one again.
    pub(super) fn take(&mut self, now: Tick) -> Result<(), Duration> {
        self.fill(now);
        if self.left == 0 {
            return Err(self.interval().saturating_sub(now.since(self.filled)));
        }
        if self.left == Self::SIZE {
            self.filled = now;
        }
        self.left -= 1;
        if self.left == 0 {
            self.interval = (self.interval * 2).min(Self::LONGEST_INTERVAL);
        }
        Ok(())
    }

    /// How long until there is one again; `None` while there is.
    pub(super) fn dry_for(&self, now: Tick) -> Option<Duration> {
        let passed = now.since(self.filled);
        (self.left == 0 && passed < self.interval()).then(|| self.interval() - passed)
    }

    fn fill(&mut self, now: Tick) {
        while self.left < Self::SIZE && now.since(self.filled) >= self.interval() {
            self.filled = self.filled.plus(self.interval());
            self.left += 1;
        }
        if self.left == Self::SIZE {
            self.interval = Self::INTERVAL;
        }
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(self.interval.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Tick {
        Tick::START.plus(Duration::from_secs_f64(seconds))
    }

    fn failures(count: u32, error: &Error) -> Failure {
        let mut failure = Failure::new(error.clone(), None, at(0.0));
        for _ in 1..count {
            failure = Failure::new(error.clone(), Some(&failure), at(0.0));
        }
        failure
    }

    #[test]
    fn c8_waits_double_to_thirty_seconds_with_a_token_and_to_two_without() {
        let error = Error::transient("down");
        for (streak, living, without) in
            [(1, 1.0, 1.0), (2, 2.0, 2.0), (3, 4.0, 2.0), (5, 16.0, 2.0), (6, 30.0, 2.0), (99, 30.0, 2.0)]
        {
            let failure = failures(streak, &error);
            let with_token = failure.wait(true).as_secs_f64();
            assert!((living * 0.75..=living).contains(&with_token), "{streak}: {with_token}");
            let without_token = failure.wait(false).as_secs_f64();
            assert!((without * 0.75..=without).contains(&without_token), "{streak}: {without_token}");
        }
    }

    #[test]
    fn c8_the_endpoints_own_retry_after_counts_up_to_a_minute_and_is_never_cut_short() {
        let asked =
            |seconds| failures(4, &Error::transient("busy").with_retry_after(Duration::from_secs(seconds))).wait(false);
        assert!((7.0..=7.9).contains(&asked(7).as_secs_f64()));
        assert!((60.0..=67.5).contains(&asked(86_400).as_secs_f64()));
        assert!((0.75..=1.0).contains(&asked(0).as_secs_f64()), "no hot loop (C9)");
    }

    #[test]
    fn f1_a_dead_grant_is_never_tried_again() {
        let failure = failures(1, &Error::reauth_required("gone"));
        assert_eq!(failure.remaining(at(1e7), true), Some(Duration::MAX));
    }

    #[test]
    fn f1_a_refusal_without_a_reason_kills_the_grant_when_it_repeats_once() {
        let vague = Error::transient("400, empty").doubting_the_grant();
        assert!(failures(1, &vague).error.is_transient());
        assert!(failures(2, &vague).error.is_reauth_required());
        let between = Failure::new(Error::transient("503"), Some(&failures(1, &vague)), at(0.0));
        assert!(Failure::new(vague, Some(&between), at(0.0)).error.is_transient());
    }

    #[test]
    fn f2_a_wrong_setting_is_remembered_briefly() {
        let failure = failures(1, &Error::misconfigured("invalid_client"));
        assert!(failure.remaining(at(0.7), false).is_some());
        assert!(failure.remaining(at(1.0), false).is_none());
        let failure = failures(9, &Error::misconfigured("invalid_client"));
        assert!(failure.remaining(at(22.0), false).is_some());
        assert!(failure.remaining(at(30.5), false).is_none());
    }

    #[test]
    fn a4_the_bucket_gives_five_then_one_in_ten_seconds_then_less() {
        let mut bucket = Bucket::full(at(0.0));
        for _ in 0..5 {
            assert!(bucket.take(at(0.0)).is_ok());
        }
        assert_eq!(bucket.take(at(1.0)), Err(Duration::from_secs(19)));
        assert!(bucket.take(at(20.5)).is_ok());
        assert!(bucket.take(at(41.0)).is_err(), "the distance has grown");
        assert!(bucket.take(at(60.5)).is_ok());
        let mut later = at(10_000.0);
        for _ in 0..5 {
            assert!(bucket.take(later).is_ok(), "quiet times fill it again");
            later = later.plus(Duration::from_secs(1));
        }
    }
}
