//! When a token has to be renewed: pure, with the time as an argument.

use std::time::{Duration, SystemTime};

use crate::clock::{self, FAR, Tick};

/// What a server or a setting asks for sooner than that is not done: "at once" would be a hot loop (C9).
const SOONEST: Duration = Duration::from_secs(1);

/// The windows before the end of a token, and the end on both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) enum Schedule {
    Ends {
        at: Moment,
        /// How long before the end one background refresh is started.
        advisory: Duration,
        /// How long before the end callers wait for that refresh.
        mandatory: Duration,
    },
    /// When a token of unknown end is renewed (C10).
    Renewed(Moment),
    /// It has no end that is known, and nothing to renew it with.
    Kept,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    tick: Tick,
    wall: SystemTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing to do.
    Fresh,
    /// Used at once; one refresh is due in the background.
    Advisory,
    /// Callers join the refresh.
    Mandatory,
    /// Not to be sent.
    Expired,
}

/// What a schedule says at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) phase: Phase,
    /// How long it says so at the longest.
    pub(super) lasts: Duration,
    /// What is left of the token; `None` when its end is not known.
    pub(super) remaining: Option<Duration>,
}

/// A moment by both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    pub(super) tick: Tick,
    pub(super) wall: SystemTime,
}

impl Now {
    fn plus(self, by: Duration) -> Moment {
        Moment { tick: self.tick.plus(by), wall: clock::after(self.wall, by) }
    }

    /// How long until a moment by the clock that says it is nearer (C11).
    fn until(self, moment: Moment) -> Duration {
        moment.tick.since(self.tick).min(clock::until(self.wall, moment.wall))
    }
}

impl Schedule {
    /// For a token that can be renewed and ends at `ends`.
    ///
    /// `lifetime` is what it had when it was issued, if that is known; `hint` is the server's own wish, counted from
    /// then; `jitter` is between 0 and 1.
    pub(super) fn renewable(
        now: Now,
        ends: SystemTime,
        lifetime: Option<Duration>,
        hint: Option<Duration>,
        jitter: f64,
    ) -> Self {
        let remaining = clock::until(now.wall, ends).min(FAR);
        let lifetime = lifetime.unwrap_or(remaining).max(remaining);
        let advisory = match hint {
            Some(hint) if hint >= SOONEST && hint < lifetime => lifetime - hint,
            _ => advisory(lifetime),
        };
        Self::Ends {
            at: Moment { tick: now.tick.plus(remaining), wall: ends },
            // Later than the window begins, never earlier: a fleet that started together refreshes apart.
            advisory: advisory.mul_f64(1.0 - 0.2 * jitter),
            mandatory: mandatory(advisory),
        }
    }

    /// For a token of unknown end that can be renewed.
    pub(super) fn unknown(now: Now, renew_after: Duration, jitter: f64) -> Self {
        let renew_after = renew_after.clamp(SOONEST, FAR);
        Self::Renewed(now.plus(renew_after.mul_f64(1.0 - 0.2 * jitter)))
    }

    /// For a token that cannot be renewed: used until it ends, if it ends.
    pub(super) fn fixed(now: Now, ends: Option<SystemTime>) -> Self {
        let Some(wall) = ends else {
            return Self::Kept;
        };
        let at = Moment { tick: now.tick.plus(clock::until(now.wall, wall)), wall };
        Self::Ends { at, advisory: Duration::ZERO, mandatory: Duration::ZERO }
    }

    pub(super) fn read(&self, now: Now) -> Reading {
        let (at, advisory, mandatory) = match *self {
            Self::Ends { at, advisory, mandatory } => (at, advisory, mandatory),
            Self::Kept => return Reading { phase: Phase::Fresh, lasts: FAR, remaining: None },
            Self::Renewed(at) => {
                return match now.until(at) {
                    Duration::ZERO => Reading { phase: Phase::Advisory, lasts: FAR, remaining: None },
                    lasts => Reading { phase: Phase::Fresh, lasts, remaining: None },
                };
            }
        };
        let remaining = now.until(at);
        let (phase, lasts) = if remaining.is_zero() {
            (Phase::Expired, FAR)
        } else if remaining <= mandatory {
            (Phase::Mandatory, remaining)
        } else if remaining <= advisory {
            (Phase::Advisory, remaining - mandatory)
        } else {
            (Phase::Fresh, remaining - advisory)
        };
        Reading { phase, lasts, remaining: Some(remaining) }
    }
}

/// C7.
fn advisory(lifetime: Duration) -> Duration {
    (lifetime / 5).max(Duration::from_secs(30)).min(Duration::from_secs(300)).min(lifetime / 2)
}

/// C7.
fn mandatory(advisory: Duration) -> Duration {
    (advisory / 3).min(Duration::from_secs(60))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn start() -> Now {
        Now { tick: Tick::START, wall: SystemTime::UNIX_EPOCH + HOUR * 1000 }
    }

    fn later(tick: Duration, wall: Duration) -> Now {
        Now { tick: start().tick.plus(tick), wall: start().wall + wall }
    }

    fn hour_token(jitter: f64) -> Schedule {
        Schedule::renewable(start(), start().wall + HOUR, Some(HOUR), None, jitter)
    }

    #[test]
    fn c7_windows_follow_the_lifetime() {
        for (lifetime, advisory_secs, mandatory_secs) in [
            (86_400.0, 300.0, 60.0),
            (3600.0, 300.0, 60.0),
            (600.0, 120.0, 40.0),
            (100.0, 30.0, 10.0),
            (40.0, 20.0, 20.0 / 3.0),
            (1.0, 0.5, 0.5 / 3.0),
        ] {
            let advisory = advisory(Duration::from_secs_f64(lifetime));
            assert!((advisory.as_secs_f64() - advisory_secs).abs() < 1e-6, "{lifetime}: {advisory:?}");
            assert!((mandatory(advisory).as_secs_f64() - mandatory_secs).abs() < 1e-6, "{lifetime}");
        }
    }

    #[test]
    fn c7_the_phases_come_in_order_and_each_says_how_long_it_lasts() {
        let schedule = hour_token(0.0);
        for (second, phase, lasts) in [
            (0, Phase::Fresh, 3300),
            (3299, Phase::Fresh, 1),
            (3300, Phase::Advisory, 240),
            (3540, Phase::Mandatory, 60),
        ] {
            let passed = Duration::from_secs(second);
            let reading = schedule.read(later(passed, passed));
            assert_eq!((reading.phase, reading.lasts), (phase, Duration::from_secs(lasts)), "at {second}");
        }
        assert_eq!(schedule.read(later(HOUR, HOUR)).phase, Phase::Expired);
    }

    #[test]
    fn c7_jitter_moves_the_advisory_refresh_later_and_never_into_the_mandatory_window() {
        let latest = hour_token(1.0);
        let before = Duration::from_secs(3359);
        assert_eq!(latest.read(later(before, before)).phase, Phase::Fresh);
        let after = Duration::from_secs(3360);
        assert_eq!(latest.read(later(after, after)).phase, Phase::Advisory);
    }

    #[test]
    fn c7_the_servers_hint_decides_when_the_advisory_window_begins() {
        let hinted = Schedule::renewable(start(), start().wall + HOUR, Some(HOUR), Some(HOUR / 2), 0.0);
        assert_eq!(hinted.read(later(HOUR / 2, HOUR / 2)).phase, Phase::Advisory);
        let nonsense = Schedule::renewable(start(), start().wall + HOUR, Some(HOUR), Some(HOUR * 2), 0.0);
        assert_eq!(nonsense.read(later(HOUR / 2, HOUR / 2)).phase, Phase::Fresh);
    }

    #[test]
    fn c11_the_earlier_of_the_two_clocks_ends_the_token() {
        let schedule = hour_token(0.0);
        assert_eq!(schedule.read(later(Duration::ZERO, HOUR)).phase, Phase::Expired, "the machine slept");
        assert_eq!(schedule.read(later(HOUR, Duration::ZERO)).phase, Phase::Expired, "the clock was set back");
    }

    #[test]
    fn c10_an_unknown_end_is_renewed_after_a_while_and_never_counts_as_expired() {
        let schedule = Schedule::unknown(start(), HOUR, 0.0);
        assert_eq!(schedule.read(later(HOUR / 2, HOUR / 2)).phase, Phase::Fresh);
        assert_eq!(schedule.read(later(HOUR * 9000, HOUR * 9000)).phase, Phase::Advisory);
    }

    #[test]
    fn c10_what_cannot_be_renewed_is_fresh_to_its_end() {
        let schedule = Schedule::fixed(start(), Some(start().wall + HOUR));
        let last = HOUR - Duration::from_millis(1);
        assert_eq!(schedule.read(later(last, last)).phase, Phase::Fresh);
        assert_eq!(schedule.read(later(HOUR, HOUR)).phase, Phase::Expired);
    }

    #[test]
    fn c10_absurd_ends_are_cut_and_do_not_overflow() {
        let far = start().wall + Duration::from_secs(1 << 40);
        assert_eq!(Schedule::renewable(start(), far, None, None, 0.5).read(start()).phase, Phase::Fresh);
        assert_eq!(Schedule::unknown(start(), Duration::MAX, 1.0).read(start()).phase, Phase::Fresh);
    }
}
