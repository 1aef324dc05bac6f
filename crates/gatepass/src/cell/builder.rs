//! The settings of a cell.

use std::{sync::Arc, time::Duration};

use tokio::runtime::Handle;

use super::{Inner, TokenCell};
use crate::{
    clock::Clock,
    source::{ErasedSource, TokenSource},
};

/// Sets up a [`TokenCell`]. From [`TokenCell::builder`].
#[must_use]
pub struct Builder {
    source: Box<dyn ErasedSource>,
    settings: Settings,
}

pub(super) struct Settings {
    pub(super) name: Option<String>,
    pub(super) clock: Clock,
    pub(super) runtime: Option<Handle>,
    pub(super) attempt_timeout: Duration,
    pub(super) renew_unknown_after: Duration,
    pub(super) copies: usize,
}

impl Builder {
    pub(super) fn new(source: impl TokenSource) -> Self {
        Self {
            source: Box::new(source),
            settings: Settings {
                name: None,
                clock: Clock::default(),
                runtime: None,
                attempt_timeout: Duration::from_secs(10),
                renew_unknown_after: Duration::from_secs(3600),
                copies: 8,
            },
        }
    }

    /// What spans and the status call the cell. Not a secret, and of few values: it becomes a label.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.settings.name = Some(name.into());
        self
    }

    /// Where the time is read; tests give a [`TestClock`](crate::clock::TestClock)'s.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.settings.clock = clock;
        self
    }

    /// The runtime that exchanges run on. Without it they run on the runtime of the caller who starts them (C3).
    pub fn runtime(mut self, runtime: Handle) -> Self {
        self.settings.runtime = Some(runtime);
        self
    }

    /// How long one exchange may take before it counts as failed: 10 s unless set.
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.settings.attempt_timeout = timeout;
        self
    }

    /// How long a token whose end is not known is used before it is renewed: 1 h unless set (C10).
    pub fn renew_unknown_after(mut self, wait: Duration) -> Self {
        self.settings.renew_unknown_after = wait;
        self
    }

    /// How many copies of the token's header value threads share (C1): 8 unless set; 1 to 64. One is right for a cell that
    /// one user's requests use; each costs the token's length and about 512 bytes.
    pub fn copies(mut self, copies: usize) -> Self {
        self.settings.copies = copies.clamp(1, 64);
        self
    }

    /// The cell. Works outside a runtime and does no I/O.
    pub fn build(self) -> TokenCell {
        TokenCell(Arc::new_cyclic(|inner| Inner::new(inner.clone(), self.source, self.settings)))
    }
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder").field("name", &self.settings.name).finish_non_exhaustive()
    }
}
