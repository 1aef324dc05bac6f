//! The token that is published: what the hot path reads without a lock.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::schedule::{Now, Reading, Schedule};
use crate::{
    clock::{COARSE, Tick},
    error::Error,
    token::{Copies, Owner, Token, TokenSet},
};

/// How long a reading of the wall clock is good for (C11: at most one a second).
const WALL_IS_GOOD_FOR: Duration = Duration::from_secs(1);

pub(super) struct Current {
    copies: Copies,
    schedule: Schedule,
    /// Until then nothing has to be decided about this token, by any thread.
    quiet_until: AtomicU64,
}

impl Current {
    /// # Errors
    /// Misconfigured, when the set has no token that can be sent.
    pub(super) fn new(
        set: &mut TokenSet,
        generation: u64,
        issued: Tick,
        schedule: Schedule,
        copies: usize,
        owner: &Weak<dyn Owner>,
    ) -> Result<Arc<Self>, Error> {
        let copies = Copies::new(set, generation, issued, copies, owner)?;
        Ok(Arc::new(Self { copies, schedule, quiet_until: AtomicU64::new(0) }))
    }

    #[inline]
    pub(super) fn is_quiet(&self, now: Tick) -> bool {
        now.as_u64() < self.quiet_until.load(Ordering::Relaxed)
    }

    #[inline]
    pub(super) fn token(&self) -> &Token {
        self.copies.pick()
    }

    /// Whether somebody has one of the tokens.
    pub(super) fn is_held(&self) -> bool {
        self.copies.as_slice().iter().any(Token::is_shared)
    }

    pub(super) fn generation(&self) -> u64 {
        self.copies.pick().generation()
    }

    pub(super) fn read(&self, now: Now) -> Reading {
        self.schedule.read(now)
    }

    /// Lets the hot path use the token without asking for `wait`, or until the wall clock has to be read again.
    pub(super) fn keep_quiet(&self, now: Tick, wait: Duration) {
        self.quiet_until.store(now.plus(quiet(wait)).as_u64(), Ordering::Relaxed);
    }
}

/// The coarse clock may lag behind when it is read next: what is as near as that is decided by the wall clock.
fn quiet(wait: Duration) -> Duration {
    wait.min(WALL_IS_GOOD_FOR).saturating_sub(COARSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c7_a_token_about_to_end_is_not_left_to_the_coarse_clock() {
        assert_eq!(quiet(COARSE), Duration::ZERO);
        assert_eq!(quiet(Duration::from_millis(500)), Duration::from_millis(480));
        assert!(quiet(Duration::MAX) <= WALL_IS_GOOD_FOR);
    }
}
