//! What a cell has to remember only while something is in doubt, at risk or dead (F1, F4, C5).

use std::{sync::Arc, time::SystemTime};

use tokio::sync::watch;

use crate::{error::Error, meter::AtRisk, store::Intent, token::TokenSet};

/// What is in doubt, at risk or dead.
#[derive(Default)]
pub(super) struct Trouble {
    /// The generation in the store whose grant turned out to be dead.
    pub(super) dead: Option<u64>,
    /// What the store does not have yet, though it should (C5).
    pub(super) unsaved: Option<Arc<Unsaved>>,
    /// The tasks that still store what an exchange brought; each is gone when its own is closed.
    pub(super) saving: Vec<watch::Receiver<()>>,
    /// A refresh token that was presented, and no answer came: without a store this is the only place to know it (F4).
    pub(super) intent: Option<Intent>,
    /// An intent that may be in the store, though its request was never sent or was answered; and what was in doubt
    /// before it.
    pub(super) settled: Option<(u64, Option<Intent>)>,
    /// The intent that this cell wrote last.
    pub(super) own_intent: Option<u64>,
    /// When the set was removed, while the store has not heard of it.
    pub(super) removed_at: Option<SystemTime>,
    pub(super) in_doubt: u32,
    pub(super) conflicts: u32,
    pub(super) at_risk: u32,
}

pub(super) static CALM: Trouble = Trouble {
    dead: None,
    unsaved: None,
    saving: Vec::new(),
    intent: None,
    settled: None,
    own_intent: None,
    removed_at: None,
    in_doubt: 0,
    conflicts: 0,
    at_risk: 0,
};

impl Trouble {
    pub(super) fn is_over(&self) -> bool {
        let Self { dead, unsaved, saving, intent, settled, own_intent: _, removed_at, in_doubt, conflicts, at_risk } =
            self;
        let is_calm = dead.is_none()
            && unsaved.is_none()
            && saving.is_empty()
            && intent.is_none()
            && settled.is_none()
            && removed_at.is_none();
        is_calm && in_doubt + conflicts + at_risk == 0
    }
}

/// A set that could not be stored.
#[derive(Debug)]
pub(super) struct Unsaved {
    pub(super) set: Arc<TokenSet>,
    /// What was in the store when it was issued; `None` for a set that was put, which replaces whatever is there.
    pub(super) base: Option<u64>,
    /// When it came.
    pub(super) since: SystemTime,
    pub(super) error: Error,
    pub(super) _gauge: AtRisk,
}

/// How often what happened, since the cell was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Calls of the source.
    pub exchanges: u64,
    /// Sets taken from the store instead (C4).
    pub adopted: u64,
    /// Exchanges that presented a refresh token and got no answer (F4).
    pub in_doubt: u64,
    /// Writes that found the record changed by somebody else meanwhile.
    pub conflicts: u64,
    /// Sets that could not be stored at once (C5).
    pub at_risk: u64,
}
