//! What a health page can show of a cell. No secret is in it.

use std::time::{Duration, SystemTime};

use super::Counts;
use crate::error::Error;

/// A snapshot of a cell. From [`TokenCell::status`](super::TokenCell::status).
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
