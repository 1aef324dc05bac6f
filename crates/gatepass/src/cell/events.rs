//! What owners can watch: each set that was issued.

use std::sync::{Arc, OnceLock};

use tokio::sync::watch;

use super::ledger::Reason;
use crate::token::TokenSet;

/// A new set was issued.
///
/// When the access token of an answer could not be used but its refresh token was a new one, `generation` equals
/// `previous` and the set has no access token: persist it all the same.
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

/// The newest set a cell has issued, each time there is a newer one (C14). From
/// [`TokenCell::events`](super::TokenCell::events).
///
/// A listener that falls behind skips to the newest set: with rotating refresh tokens it is the only one that counts.
#[derive(Debug)]
pub struct Events {
    issued: watch::Receiver<Option<Issued>>,
}

/// Where sets are announced. Takes room only once somebody has listened.
#[derive(Default)]
pub(super) struct Channel(OnceLock<watch::Sender<Option<Issued>>>);

impl Channel {
    pub(super) fn subscribe(&self) -> Events {
        Events { issued: self.0.get_or_init(|| watch::Sender::new(None)).subscribe() }
    }

    /// Whether somebody listens.
    pub(super) fn is_watched(&self) -> bool {
        self.0.get().is_some_and(|sender| sender.receiver_count() > 0)
    }

    /// Outside the lock. Two announcements may overtake each other; the newer stays.
    pub(super) fn announce(&self, issued: Issued) {
        let Some(sender) = self.0.get() else {
            return;
        };
        sender.send_if_modified(|last| {
            let newer = last.as_ref().is_none_or(|last| last.generation <= issued.generation);
            if newer {
                *last = Some(issued);
            }
            newer
        });
    }
}

impl Events {
    /// The next set; `None` once the cell is gone.
    ///
    /// # Cancel safety
    /// A set is not lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Issued> {
        self.issued.changed().await.ok()?;
        self.issued.borrow_and_update().clone()
    }
}
