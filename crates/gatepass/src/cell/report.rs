//! What people see of a cell beside its status: spans, events, metrics. Never under its lock: subscribers and recorders
//! are code of others.

use std::{sync::Arc, time::Duration};

use tracing::Span;

use super::{Inner, Reason, TokenCell, ledger::Removal};
use crate::{
    error::Error,
    meter::{self, Outcome},
    token::Token,
};

/// An exchange, from its start.
pub(super) fn span(inner: &Inner, reason: Reason, generation: u64) -> Span {
    tracing::info_span!(
        "token_exchange",
        cell = inner.name(),
        reason = reason.as_str(),
        generation,
        new_generation = tracing::field::Empty,
        outcome = tracing::field::Empty,
    )
}

/// The exchange has ended.
pub(super) fn exchanged(
    inner: &Arc<Inner>,
    span: &Span,
    reason: Reason,
    took: Duration,
    (outcome, result): (Outcome, &Result<Token, Error>),
) {
    let (cell, why, word) = (inner.name(), reason.as_str(), outcome.as_str());
    span.record("outcome", word);
    meter::exchanged(cell, reason, outcome, took);
    let error = match result {
        Ok(token) => {
            let generation = token.generation();
            span.record("new_generation", generation);
            if outcome != Outcome::Replaced {
                meter::token_ends(cell, token.expires_at());
            }
            match outcome {
                Outcome::Adopted => {
                    tracing::debug!(cell, reason = why, outcome = word, generation, "a token set was adopted");
                }
                Outcome::Replaced => {
                    tracing::debug!(cell, reason = why, outcome = word, generation, "a token set was put meanwhile");
                }
                _ => tracing::debug!(cell, reason = why, outcome = word, generation, ?took, "token issued"),
            }
            return;
        }
        Err(error) => error,
    };
    if inner.is_removed() {
        meter::token_removed(cell);
    }
    let code = error.code();
    let next_attempt_in = TokenCell(inner.clone()).status().next_attempt_in.map(tracing::field::debug);
    match outcome {
        Outcome::ReauthRequired => {
            tracing::warn!(cell, reason = why, outcome = word, %error, code, "the grant is dead: no token until a new sign-in");
        }
        Outcome::Misconfigured => {
            tracing::error!(cell, reason = why, outcome = word, %error, code, next_attempt_in, "no token: a setting is wrong");
        }
        Outcome::Replaced => {
            tracing::debug!(cell, reason = why, outcome = word, "a token set was put meanwhile");
        }
        _ => tracing::warn!(cell, reason = why, outcome = word, %error, code, next_attempt_in, "no token"),
    }
}

impl Inner {
    pub(super) fn name(&self) -> Option<&str> {
        self.settings.name.as_deref()
    }

    fn is_removed(&self) -> bool {
        self.lock().removed != Removal::No
    }

    /// Counts a refresh token that was presented and got no answer (F4).
    pub(super) fn lost_answer(&self) {
        self.lock().trouble_mut().in_doubt += 1;
        meter::in_doubt(self.name());
        tracing::warn!(cell = self.name(), "no answer to a refresh: the refresh token that was sent may be spent");
    }

    /// Counts a write that found the record changed by somebody else.
    pub(super) fn conflicted(&self) {
        self.lock().trouble_mut().conflicts += 1;
        meter::conflicted(self.name());
        tracing::debug!(cell = self.name(), "the record in the token store was changed meanwhile");
    }
}
