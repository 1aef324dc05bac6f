//! At which pace a lane goes on after it was closed: decisions that a test can read without time.

use std::time::{Duration, Instant};

/// A little less than the server showed: its windows and ours do not begin together.
const MARGIN: f64 = 0.98;
/// The slowest: even then somebody finds out that it goes better again.
const SLOWEST: f64 = 1.0 / 30.0;
/// How long a pace is kept, at the least, before more is tried; twice as long each time that was refused.
const HOLD: Duration = Duration::from_secs(3);
const LONGEST_HOLD: Duration = Duration::from_secs(300);
/// How many that went after that have to be accepted.
const KEPT: u32 = 10;
/// The first raise; each further one is twice as large, up to all.
const FIRST_STEP: f64 = 0.25;
/// The first beyond a pace that was refused once: it may have been refused for something else.
const SMALL_STEP: f64 = 0.1;
/// No nearer than this to a pace that was refused.
const CLOSE: f64 = 1.05;
/// How much of a lost moment may be caught up: timers are a millisecond or more late.
const SLACK: Duration = Duration::from_millis(20);
/// How long those who go one at a time wait for one that does not come back.
const PATIENCE: Duration = Duration::from_secs(2);

/// The pace of a lane since it opened last.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    /// Admissions a second. Infinite as long as the server accepted nothing that would show one.
    rate: f64,
    /// The last rate that was kept without a refusal; below `rate` while more is tried.
    proven: f64,
    /// The last rate above that was refused.
    refused: Option<f64>,
    step: f64,
    /// How long this one is kept; what that is usually.
    hold: Duration,
    usual: Duration,
    raise_at: Instant,
    /// When the next may go.
    due: Instant,
    last: Instant,
    opened: Instant,
    /// Refusals in a row that were not for trying more.
    cuts: u32,
    /// Since the lane opened.
    accepted: u32,
    /// Of those that went since more may be tried: when they are back, so are those before them.
    kept: u32,
    /// Not answered yet, of those that went since it opened.
    out: u32,
    /// How many may be out at a time, until the server accepts something again.
    window: Option<u32>,
}

impl Pace {
    /// For a lane that was closed for `wait`, opens at `opens` and showed this rate a second; zero if none.
    pub(super) fn new(shown: f64, wait: Duration, opens: Instant) -> Self {
        let is_known = shown > 0.0;
        let rate = if is_known { (shown * MARGIN).max(SLOWEST) } else { f64::INFINITY };
        // As long as its windows may be.
        let usual = wait.clamp(HOLD, LONGEST_HOLD);
        Self {
            rate,
            proven: rate,
            refused: None,
            step: FIRST_STEP,
            hold: usual,
            usual,
            raise_at: opens + usual,
            due: opens,
            last: opens,
            opened: opens,
            cuts: 0,
            accepted: 0,
            kept: 0,
            out: 0,
            window: (!is_known).then_some(1),
        }
    }

    /// The pace after a refusal at `at`, for a wait of `wait` and a lane that opens again at `opens`. `shown` is the rate
    /// to start from if this one knows none.
    ///
    /// If more was tried, back to what was proven. If that was refused, less, and the more the oftener; but not less
    /// than was accepted since. If nothing was accepted since, the server is not back yet, which says nothing about its pace.
    pub(super) fn refused(&self, at: Instant, wait: Duration, opens: Instant, shown: f64) -> Self {
        let time = (at.saturating_duration_since(self.opened) + wait).as_secs_f64().max(1e-3);
        let since = f64::from(self.accepted) / time;
        if self.rate.is_infinite() {
            return Self::new(shown.max(since), wait, opens);
        }
        let again = Self { due: opens, last: opens, opened: opens, out: 0, ..self.clone() };
        if self.accepted == 0 {
            return Self { raise_at: opens + self.hold, window: Some(1), ..again };
        }
        let (rate, hold, cuts) = if self.rate > self.proven {
            (self.proven, (self.hold * 2).min(LONGEST_HOLD), 0)
        } else {
            // It takes less than before: when it takes more again is not known either.
            let rate = (self.rate * cut(self.cuts)).max((since * MARGIN).min(self.rate)).max(SLOWEST);
            (rate, self.usual, self.cuts.saturating_add(1))
        };
        Self {
            rate,
            proven: rate,
            refused: Some(self.rate),
            step: SMALL_STEP,
            hold,
            raise_at: opens + hold,
            cuts,
            accepted: 0,
            kept: 0,
            window: None,
            ..again
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
        // Not where something else holds them up.
        let held_up = waited && now <= self.due + SLACK;
        if held_up && self.kept >= KEPT && self.window.is_none() {
            self.raise(now);
        }
        let earliest = now.checked_sub(SLACK).unwrap_or(now);
        self.due = self.due.max(earliest) + self.interval();
        self.last = now;
        self.out = self.out.saturating_add(1);
    }

    /// One that went at `sent`, since the lane opened, came back, accepted.
    pub(super) fn accepted(&mut self, sent: Instant) {
        self.gone();
        self.accepted = self.accepted.saturating_add(1);
        if sent >= self.raise_at {
            self.kept = self.kept.saturating_add(1);
        }
        self.window = match self.window {
            Some(window) if self.rate.is_infinite() => Some(window.saturating_add(1)),
            _ => None,
        };
    }

    /// One that went since the lane opened will not count.
    pub(super) fn gone(&mut self) {
        self.out = self.out.saturating_sub(1);
    }

    /// Half of the way to what was refused, as long as that is far; then beyond.
    fn raise(&mut self, now: Instant) {
        if self.rate > self.proven {
            self.hold = self.usual;
        }
        self.proven = self.rate;
        self.refused = self.refused.filter(|refused| *refused > self.rate * CLOSE);
        self.rate = match self.refused {
            Some(refused) => self.rate.midpoint(refused),
            None => {
                let step = self.step;
                self.step = (step * 2.0).min(1.0);
                self.rate * (1.0 + step)
            }
        };
        self.raise_at = now + self.hold;
        self.kept = 0;
        self.cuts = 0;
    }
}

fn cut(times: u32) -> f64 {
    1.0 - (0.1 * f64::from(1 << times.min(3))).min(0.5)
}

#[cfg(test)]
mod tests;
