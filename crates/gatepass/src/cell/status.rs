//! What a health page can show of a cell. No secret is in it.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use super::Counts;
use crate::error::{Error, printable};

/// So much of an error is displayed.
const LONGEST_ERROR: usize = 300;

const LONGEST_NAME: usize = 100;

/// A snapshot of a cell. From [`TokenCell::status`](super::TokenCell::status).
///
/// Displayed, it is one line, for people: `billing: due, generation 3, ends in 41 s, next attempt in 1.4 s; the last
/// exchange failed: ...`. Neither that nor `Debug` has a secret in it (X5).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Status {
    /// The name the cell was given.
    pub name: Option<String>,
    /// Whether there is a token, and how it stands.
    pub state: State,
    /// Counts the sets issued; 0 before the first.
    pub generation: u64,
    /// When the token ends on the wall clock, if that is known.
    pub expires_at: Option<SystemTime>,
    /// What is left of it by the clock that says less, if that is known.
    pub remaining: Option<Duration>,
    /// Whether an exchange is under way.
    pub exchanging: bool,
    /// Why the last exchange failed, until one succeeds.
    pub last_error: Option<Error>,
    /// How long a refused token is kept, since refusals followed each other too fast (A4); `None` while refusals heal.
    pub refusals_ignored_for: Option<Duration>,
    /// Why the newest set is not in the store, though it should be (C5): a rotated refresh token that only this
    /// process has. `None` when it is there, or when there is no store.
    pub unsaved: Option<Error>,
    /// How often what happened, since the cell was made.
    pub counts: Counts,
    /// How long the next exchange is held off after a failure; `None` when it is not, or when only a new set helps.
    pub next_attempt_in: Option<Duration>,
}

/// How the token of a cell stands (C7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// There is none: nobody asked yet, or it ended or was refused.
    Empty,
    /// There is one, and nothing to do.
    Fresh,
    /// There is one, and a renewal is due.
    Due,
    /// There is none, and none will be had until somebody signs in again.
    ReauthRequired,
}

impl State {
    /// The word that is displayed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Fresh => "fresh",
            Self::Due => "due",
            Self::ReauthRequired => "reauth_required",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            write!(f, "{}: ", printable(name, LONGEST_NAME))?;
        }
        write!(f, "{}, generation {}", self.state.as_str(), self.generation)?;
        if let Some(remaining) = self.remaining {
            write!(f, ", ends in {} s", remaining.as_secs())?;
        }
        if self.exchanging {
            f.write_str(", an exchange is under way")?;
        }
        if let Some(wait) = self.next_attempt_in {
            write!(f, ", next attempt in {:.1} s", wait.as_secs_f64())?;
        }
        if let Some(wait) = self.refusals_ignored_for {
            write!(f, ", refused tokens stay for {:.1} s", wait.as_secs_f64())?;
        }
        for (what, error) in [("the last exchange failed", &self.last_error), ("not stored", &self.unsaved)] {
            if let Some(error) = error {
                write!(f, "; {what}: {}", printable(&error.to_string(), LONGEST_ERROR))?;
            }
        }
        Ok(())
    }
}
