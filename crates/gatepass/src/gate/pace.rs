//! At which pace a lane goes on after it was closed: decisions that a test can read without time.

use std::time::{Duration, Instant};

/// A little less than the server showed: its windows and ours do not begin together.
const MARGIN: f64 = 0.98;
/// The slowest: even then somebody finds out that it goes better again.
const SLOWEST: f64 = 1.0 / 30.0;
/// How long a pace is kept before more is tried; twice as long each time that was refused.
const HOLD: Duration = Duration::from_secs(10);
const LONGEST_HOLD: Duration = Duration::from_secs(300);
/// The first raise; each further one is twice as large, up to all.
const FIRST_STEP: f64 = 0.1;
/// How much of a lost moment may be caught up: timers are a millisecond or more late.
const SLACK: Duration = Duration::from_millis(20);
/// How long those who go one at a time wait for one that does not come back.
const PATIENCE: Duration = Duration::from_secs(5);

/// The pace of a lane since it opened last.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    /// Admissions a second. Infinite as long as the server accepted nothing that would show one.
    rate: f64,
    /// The last rate that was kept without a refusal; below `rate` while more is tried.
    proven: f64,
    step: f64,
    hold: Duration,
    raise_at: Instant,
    /// When the next may go.
    due: Instant,
    last: Instant,
    opened: Instant,
    /// Refusals in a row that were not for trying more.
    cuts: u32,
    accepted: u32,
    /// Not answered yet, of those that went since it opened.
    out: u32,
    /// How many may be out at a time, until the server accepts something again.
    window: Option<u32>,
}

impl Pace {
    /// For a lane that opens at `opens` after it showed this rate a second; zero if none.
    pub(super) fn new(shown: f64, opens: Instant) -> Self {
        let is_known = shown > 0.0;
        let rate = if is_known { (shown * MARGIN).max(SLOWEST) } else { f64::INFINITY };
        Self {
            rate,
            proven: rate,
            step: FIRST_STEP,
            hold: HOLD,
            raise_at: opens + HOLD,
            due: opens,
            last: opens,
            opened: opens,
            cuts: 0,
            accepted: 0,
            out: 0,
            window: (!is_known).then_some(1),
        }
    }

    /// The pace after a refusal at `at`, for a wait of `wait` and a lane that opens again at `opens`. `shown` is the rate
    /// to start from if this one knows none.
    ///
    /// If more was tried, back to what was proven. If that was refused, less, and the more the oftener; but not less
    /// than was accepted since.
    pub(super) fn refused(&self, at: Instant, wait: Duration, opens: Instant, shown: f64) -> Self {
        if self.rate.is_infinite() {
            return Self::new(shown, opens);
        }
        let tried_more = self.rate > self.proven;
        let least = if tried_more { self.proven } else { self.rate * cut(self.cuts) };
        let time = (at.saturating_duration_since(self.opened) + wait).as_secs_f64().max(1e-3);
        let since = f64::from(self.accepted) / time * MARGIN;
        let rate = least.max(since.min(self.rate)).max(SLOWEST);
        let hold = if tried_more { (self.hold * 2).min(LONGEST_HOLD) } else { self.hold };
        Self {
            rate,
            proven: rate,
            hold,
            raise_at: opens + hold,
            cuts: if tried_more { 0 } else { self.cuts.saturating_add(1) },
            window: (self.accepted == 0).then_some(1),
            ..Self::new(rate, opens)
        }
    }

    /// The lane is closed until then after all; it counts as no refusal.
    pub(super) fn postpone(&mut self, opens: Instant) {
        self.due = self.due.max(opens);
    }

    /// When the next may go; `now` or before, if at once.
    pub(super) fn ready_at(&self) -> Instant {
        let is_full = self.window.is_some_and(|window| self.out >= window);
        if is_full { self.due.max(self.last + PATIENCE) } else { self.due }
    }

    /// The distance of those who go.
    pub(super) fn interval(&self) -> Duration {
        Duration::from_secs_f64(1.0 / self.rate)
    }

    pub(super) fn rate(&self) -> f64 {
        self.rate
    }

    /// Somebody goes. More is only tried when somebody had to wait for it.
    pub(super) fn take(&mut self, now: Instant, waited: bool) {
        if waited && now >= self.raise_at && self.window.is_none() {
            self.raise(now);
        }
        let earliest = now.checked_sub(SLACK).unwrap_or(now);
        self.due = self.due.max(earliest) + self.interval();
        self.last = now;
        self.out = self.out.saturating_add(1);
    }

    /// One that went since the lane opened came back, accepted.
    pub(super) fn accepted(&mut self) {
        self.gone();
        self.accepted = self.accepted.saturating_add(1);
        self.window = match self.window {
            Some(window) if self.rate.is_infinite() => Some(window.saturating_add(1)),
            _ => None,
        };
    }

    /// One that went since the lane opened will not count.
    pub(super) fn gone(&mut self) {
        self.out = self.out.saturating_sub(1);
    }

    fn raise(&mut self, now: Instant) {
        self.proven = self.rate;
        self.rate *= 1.0 + self.step;
        self.step = (self.step * 2.0).min(1.0);
        self.raise_at = now + HOLD;
        self.cuts = 0;
    }
}

fn cut(times: u32) -> f64 {
    1.0 - (0.1 * f64::from(1 << times.min(3))).min(0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Lets as many go as may until then, answering each at once; returns how many.
    fn run(pace: &mut Pace, from: Instant, time: Duration) -> u32 {
        let (mut now, mut went) = (from, 0);
        while now < from + time {
            while pace.ready_at() <= now {
                pace.take(now, true);
                pace.accepted();
                went += 1;
            }
            now += Duration::from_millis(1);
        }
        went
    }

    #[test]
    fn r5_the_pace_shown_is_kept_ten_seconds_then_raised_by_ever_more() {
        let start = Instant::now();
        let mut pace = Pace::new(100.0, start);
        let went: Vec<_> = (0..5).map(|i| run(&mut pace, start + i * HOLD, HOLD)).collect();
        for (went, rate) in went.iter().zip([98.0, 107.8, 129.4, 181.1, 326.0]) {
            let expected = rate * HOLD.as_secs_f64();
            assert!((f64::from(*went) - expected).abs() < 5.0, "{went} for {expected}");
        }
    }

    #[test]
    fn r5_who_tried_more_in_vain_goes_back_and_keeps_the_pace_for_twice_as_long() {
        let start = Instant::now();
        let mut pace = Pace::new(100.0, start);
        run(&mut pace, start, HOLD + SECOND / 2);
        assert!(pace.rate > 107.0);
        let at = start + HOLD + SECOND / 2;
        let mut pace = pace.refused(at, SECOND, at + SECOND, 0.0);
        assert!((97.9..98.1).contains(&pace.rate), "{}", pace.rate);
        run(&mut pace, at + SECOND, 2 * HOLD);
        assert!(pace.rate < 98.1, "held");
        run(&mut pace, at + SECOND + 2 * HOLD, SECOND);
        assert!(pace.rate > 107.0, "raised again");
    }

    #[test]
    fn r5_a_pace_that_is_refused_falls_the_faster_the_oftener_but_not_below_what_was_accepted() {
        let start = Instant::now();
        let mut pace = Pace::new(100.0, start);
        let mut rates = vec![];
        for i in 0..6 {
            let opens = start + i * SECOND;
            run(&mut pace, opens, Duration::from_millis(50));
            pace = pace.refused(opens + Duration::from_millis(50), SECOND, opens + SECOND, 0.0);
            rates.push(pace.rate.round() as u32);
        }
        assert_eq!(rates, [88, 71, 42, 21, 11, 5]);
        run(&mut pace, start + 6 * SECOND, 9 * SECOND);
        let at = start + 15 * SECOND;
        let kept = pace.refused(at, SECOND, at + SECOND, 0.0).rate / pace.rate;
        assert!((0.85..0.98).contains(&kept), "nine tenths of the time it was accepted: {kept}");
    }

    #[test]
    fn r5_as_long_as_nothing_was_accepted_one_goes_at_a_time_then_twice_as_many_in_each_round() {
        let start = Instant::now();
        let mut pace = Pace::new(0.0, start);
        let mut rounds = vec![];
        for _ in 0..5 {
            let mut went = 0;
            while pace.ready_at() <= start {
                pace.take(start, true);
                went += 1;
            }
            (0..went).for_each(|_| pace.accepted());
            rounds.push(went);
        }
        assert_eq!(rounds, [1, 2, 4, 8, 16]);
    }

    #[test]
    fn r5_one_that_does_not_come_back_holds_the_others_up_for_five_seconds() {
        let start = Instant::now();
        let mut pace = Pace::new(0.0, start);
        pace.take(start, true);
        assert_eq!(pace.ready_at(), start + PATIENCE);
        pace.gone();
        assert!(pace.ready_at() <= start);
    }

    #[test]
    fn r5_a_known_pace_of_which_nothing_was_accepted_begins_with_one() {
        let start = Instant::now();
        let mut pace = Pace::new(100.0, start).refused(start, SECOND, start + SECOND, 0.0);
        let opens = start + SECOND;
        pace.take(opens, true);
        assert!(pace.ready_at() > opens + SECOND, "waits for the first answer");
        pace.accepted();
        assert!(pace.ready_at() < opens + SECOND / 50, "then goes on at its pace");
    }
}
