//! The settings of a cell.

use std::{sync::Arc, time::Duration};

use tokio::runtime::Handle;

use super::{Inner, TokenCell};
use crate::{
    clock::Clock,
    source::{ErasedSource, TokenSource},
    store::{ErasedStore, TokenStore},
    token::{Texts, TokenSet},
};

/// Sets up a [`TokenCell`]. From [`TokenCell::builder`].
///
/// Cells made from clones of one builder share its source, its store and its settings, not their tokens.
#[derive(Clone)]
#[must_use]
pub struct Builder {
    settings: Arc<Settings>,
    subject: Option<Arc<str>>,
    start_from: Option<Box<TokenSet>>,
}

#[derive(Clone)]
pub(super) struct Settings {
    pub(super) source: Arc<dyn ErasedSource>,
    pub(super) store: Option<Arc<dyn ErasedStore>>,
    pub(super) grace: Duration,
    pub(super) name: Option<String>,
    pub(super) clock: Clock,
    pub(super) runtime: Option<Handle>,
    pub(super) attempt_timeout: Duration,
    pub(super) renew_unknown_after: Duration,
    pub(super) copies: usize,
    pub(super) texts: Arc<Texts>,
}

impl Builder {
    pub(super) fn new(source: impl TokenSource) -> Self {
        Self {
            subject: None,
            start_from: None,
            settings: Arc::new(Settings {
                source: Arc::new(source),
                store: None,
                grace: Duration::from_secs(300),
                name: None,
                clock: Clock::default(),
                runtime: None,
                attempt_timeout: Duration::from_secs(10),
                renew_unknown_after: Duration::from_secs(3600),
                copies: 8,
                texts: Arc::default(),
            }),
        }
    }

    fn settings(&mut self) -> &mut Settings {
        Arc::make_mut(&mut self.settings)
    }

    /// Where the token set is kept, beyond this cell: for a restart, for other processes and instances (C4, C5).
    ///
    /// The key in the store is made of the source's [`Identity`](crate::source::Identity) and the
    /// [`subject`](Self::subject). A set that is there is used without an exchange while it is fresh. While the store
    /// is away the token in memory is used to its end; then a source that spends a refresh token fails, since another
    /// instance may have spent it, and any other goes on without.
    pub fn store(mut self, store: impl TokenStore) -> Self {
        self.settings().store = Some(Arc::new(store));
        self
    }

    /// Whose token it is, in the store: a user, a session, an account. Not needed when the client has just one. Where
    /// it has several, each cell needs its own: cells of one source, one store and one subject share the token.
    pub fn subject(mut self, subject: impl AsRef<str>) -> Self {
        self.subject = Some(subject.as_ref().into());
        self
    }

    /// What to start from when there is nothing yet: a set, or only a refresh token, from a sign-in made elsewhere.
    /// With a store, what is kept there goes first. When that grant turns out to be dead and did not start from the
    /// same refresh token, this one takes its place: so a new refresh token in the settings is a new sign-in, and an
    /// old one does no harm.
    pub fn start_from(mut self, set: TokenSet) -> Self {
        self.start_from = Some(Box::new(set));
        self
    }

    /// For how long a refresh token whose answer was lost may be presented again: 5 min unless set, counted from the
    /// first time (F4).
    ///
    /// It was sent, and no answer came: whether it is spent nobody here can know. It is tried again twice at most, and
    /// after that, or after this time, somebody has to sign in.
    ///
    /// - A server with a grace of its own (a setting at Okta and Auth0, seconds to a minute) accepts the token again
    ///   within that. The two tries are made in the first seconds, if anybody asks for the token, so they meet it.
    /// - A server that takes reuse for theft, without a grace or after it: if the first request arrived, the new
    ///   refresh token was lost with the answer, and trying again ends what still lived of the grant; at some servers
    ///   (Keycloak) the person's whole session. If it did not arrive, trying saves the session. `Duration::ZERO` never
    ///   tries; a program that starts again after it was killed wants minutes; `Duration::MAX` rather tries than asks
    ///   for a sign-in.
    /// - A server that does not rotate is not concerned: once a refresh brought no new refresh token, nothing is in
    ///   doubt.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.settings().grace = grace;
        self
    }

    /// What spans and the status call the cell. Not a secret, and of few values: it becomes a label.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.settings().name = Some(name.into());
        self
    }

    /// Where the time is read; tests give a [`TestClock`](crate::clock::TestClock)'s.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.settings().clock = clock;
        self
    }

    /// The runtime that exchanges run on. Without it they run on the runtime of the caller who starts them (C3).
    pub fn runtime(mut self, runtime: Handle) -> Self {
        self.settings().runtime = Some(runtime);
        self
    }

    /// How long one exchange may take before it counts as failed: 10 s unless set.
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.settings().attempt_timeout = timeout;
        self
    }

    /// How long a token whose end is not known is used before it is renewed: 1 h unless set (C10).
    pub fn renew_unknown_after(mut self, wait: Duration) -> Self {
        self.settings().renew_unknown_after = wait;
        self
    }

    /// How many copies of the token's header value threads share (C1): 8 unless set; 1 to 64, rounded up to a power of two. One is right for a cell
    /// that one user's requests use, and takes the least room; each of several costs about 450 bytes.
    pub fn copies(mut self, copies: usize) -> Self {
        self.settings().copies = copies.clamp(1, 64);
        self
    }

    /// The cell. Works outside a runtime and does no I/O.
    pub fn build(self) -> TokenCell {
        TokenCell(Arc::new(Inner::new(self.settings, self.subject, self.start_from)))
    }
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder").field("name", &self.settings.name).finish_non_exhaustive()
    }
}
