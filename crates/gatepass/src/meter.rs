//! What is counted, with the feature `metrics`; without it nothing here does anything.
//!
//! One function for each thing that happens. Names, labels and meanings are the table of `docs/observability.md`, which
//! a test holds against what is emitted here. Nothing is called for a fresh token (C1), and nothing under a cell's lock:
//! a recorder is code of others.

#[cfg(not(feature = "metrics"))]
mod nobody;
#[cfg(feature = "metrics")]
mod recorder;
mod table;
#[cfg(all(test, feature = "metrics"))]
pub(crate) mod tests;

use std::time::{Duration, Instant, SystemTime};

use http::StatusCode;

#[cfg(not(feature = "metrics"))]
use self::nobody as sink;
#[cfg(feature = "metrics")]
use self::recorder as sink;
use self::{sink::Raised, table as of};
use crate::{cell::Reason, clock, error::Error};

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Issued,
    /// From the store, or what the cell was told to start from.
    Adopted,
    /// The source handed out the same token again.
    Unchanged,
    /// A set was put meanwhile.
    Replaced,
    ReauthRequired,
    Misconfigured,
    /// It was sent, and no answer came.
    InDoubt,
    Transient,
    Panicked,
    /// Its runtime ended.
    Abandoned,
}

/// What became of a token that a server refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rejection {
    Dropped,
    /// Another one was current already (A2).
    Outdated,
    /// It stays, since refusals follow each other too fast (A4).
    Kept,
}

/// An exchange ended.
pub(crate) fn exchanged(cell: Option<&str>, reason: Reason, outcome: Outcome, took: Duration) {
    sink::count(&of::EXCHANGES, &[name(cell), reason.as_str(), outcome.as_str()]);
    sink::observe(&of::EXCHANGE_DURATION, &[name(cell), outcome.as_str()], took);
}

/// A token is current that ends then; at infinity, if that is not known.
pub(crate) fn token_ends(cell: Option<&str>, expires_at: Option<SystemTime>) {
    let seconds = expires_at.map_or(f64::INFINITY, |at| clock::until(SystemTime::UNIX_EPOCH, at).as_secs_f64());
    sink::set(&of::TOKEN_EXPIRY, &[name(cell)], seconds);
}

/// The token set was removed: there is nothing that could end, and nothing to alarm anybody.
pub(crate) fn token_removed(cell: Option<&str>) {
    sink::set(&of::TOKEN_EXPIRY, &[name(cell)], f64::NAN);
}

/// A token was used though its renewal failed or is late.
pub(crate) fn stale_served(cell: Option<&str>) {
    sink::count(&of::STALE_SERVED, &[name(cell)]);
}

/// A caller got the remembered error at once (C8).
pub(crate) fn turned_away(cell: Option<&str>, error: &Error) {
    sink::count(&of::TURNED_AWAY, &[name(cell), Outcome::of(error).as_str()]);
}

/// A server refused a token.
pub(crate) fn rejected(cell: Option<&str>, rejection: Rejection) {
    sink::count(&of::REJECTIONS, &[name(cell), rejection.as_str()]);
}

/// A refresh token was presented, and no answer came (F4).
pub(crate) fn in_doubt(cell: Option<&str>) {
    sink::count(&of::IN_DOUBT, &[name(cell)]);
}

/// Somebody else changed the record in the store meanwhile.
pub(crate) fn conflicted(cell: Option<&str>) {
    sink::count(&of::STORE_CONFLICTS, &[name(cell)]);
}

/// A request is sent again with another token (A1).
pub(crate) fn replayed() {
    sink::count(&of::REPLAYS, &[]);
}

/// A request is sent again after a wait: because of this status, or because no response came.
///
/// Neither the cell nor the host is known where this is decided.
pub(crate) fn retried(status: Option<StatusCode>, wait: Duration) {
    let status = match status.map(|status| status.as_u16()) {
        Some(429) => "429",
        Some(503) => "503",
        Some(_) => "other",
        None => "none",
    };
    sink::observe(&of::RETRY_WAIT, &[status], wait);
}

/// A request was held back because a sibling was told to wait (R5).
pub(crate) fn gated(cell: Option<&str>, wait: Duration) {
    sink::observe(&of::GATE_WAIT, &[name(cell)], wait);
}

/// A server turned a request away, and its siblings wait (R5).
pub(crate) fn gate_closed(cell: Option<&str>) {
    sink::count(&of::GATE_CLOSED, &[name(cell)]);
}

/// A request was refused because it would have been held back for too long (R5).
pub(crate) fn refused_at_the_gate(cell: Option<&str>) {
    sink::count(&of::GATE_REFUSED, &[name(cell)]);
}

/// A caller that waits for an exchange. It counts until this is dropped, also when the caller leaves.
#[derive(Debug)]
pub(crate) struct Waiting<'a> {
    cell: Option<&'a str>,
    since: Instant,
    outcome: &'static str,
    _raised: Raised,
}

impl<'a> Waiting<'a> {
    pub(crate) fn begin(cell: Option<&'a str>) -> Self {
        let raised = sink::raise(&of::CALLERS_WAITING, &[name(cell)]);
        Self { cell, since: clock::instant(), outcome: "left", _raised: raised }
    }

    pub(crate) fn end(mut self, got_token: bool) {
        self.outcome = if got_token { "token" } else { "error" };
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let waited = clock::instant().saturating_duration_since(self.since);
        sink::observe(&of::WAIT_DURATION, &[name(self.cell), self.outcome], waited);
    }
}

/// A set that is not in the store, though it should be (C5). At risk until this is dropped, which must not be under the
/// cell's lock.
#[derive(Debug)]
pub(crate) struct AtRisk {
    _raised: Raised,
}

impl AtRisk {
    pub(crate) fn begin(cell: Option<&str>) -> Self {
        sink::count(&of::PUT_AT_RISK, &[name(cell)]);
        Self { _raised: sink::raise(&of::AT_RISK, &[name(cell)]) }
    }
}

impl Outcome {
    pub(crate) fn of(error: &Error) -> Self {
        match error {
            error if error.is_reauth_required() => Self::ReauthRequired,
            error if error.is_misconfigured() => Self::Misconfigured,
            error if error.is_in_doubt() => Self::InDoubt,
            _ => Self::Transient,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::Adopted => "adopted",
            Self::Unchanged => "unchanged",
            Self::Replaced => "replaced",
            Self::ReauthRequired => "reauth_required",
            Self::Misconfigured => "misconfigured",
            Self::InDoubt => "in_doubt",
            Self::Transient => "transient",
            Self::Panicked => "panicked",
            Self::Abandoned => "abandoned",
        }
    }
}

impl Rejection {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Dropped => "dropped",
            Self::Outdated => "outdated",
            Self::Kept => "kept",
        }
    }
}

/// A cell without a name has an empty label: a label that is there at times only makes two series of one.
fn name(cell: Option<&str>) -> &str {
    cell.unwrap_or_default()
}
