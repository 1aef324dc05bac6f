//! What owners can watch: each set that was issued.

use std::sync::Arc;

use tokio::sync::watch;

use super::ledger::Reason;
use crate::token::TokenSet;

/// A new set was issued.
///
/// When the access token of an answer could not be used but its refresh token was a new one, `generation` equals `previous` and
/// the set has no access token: persist it all the same.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Issued {
    /// The generation before; 0 when there was none.
    pub previous: u64,
    /// The generation of this set.
    pub generation: u64,
    /// Why it was asked for; `None` when it was [`put`](super::TokenCell::put).
    pub reason: Option<Reason>,
    /// Whether it is from the store, or what the cell was told to start from: nothing was exchanged.
    pub adopted: bool,
    /// The set, refresh token and all.
    pub set: Arc<TokenSet>,
}

/// The newest set a cell has issued, each time there is a newer one (C14). From [`TokenCell::events`](super::TokenCell::events).
///
/// A listener that falls behind skips to the newest set: with rotating refresh tokens it is the only one that counts.
#[derive(Debug)]
pub struct Events {
    issued: watch::Receiver<Option<Issued>>,
}

impl Events {
    pub(super) fn new(issued: watch::Receiver<Option<Issued>>) -> Self {
        Self { issued }
    }

    /// The next set; `None` once the cell is gone.
    ///
    /// # Cancel safety
    /// A set is not lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Issued> {
        self.issued.changed().await.ok()?;
        self.issued.borrow_and_update().clone()
    }
}
