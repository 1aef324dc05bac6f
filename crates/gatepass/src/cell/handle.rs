use std::{
    any::Any,
    fmt,
    future::Future,
    mem,
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::runtime::Handle;

use super::{
    Builder, Events, Inner, State, Status,
    current::Current,
    flight::{self, Flight},
    ledger::{Reason, Step},
    saving,
    schedule::{Phase, Reading},
    visit,
};
use crate::{
    clock::{COARSE, Tick},
    error::Error,
    meter::{self, Waiting},
    source::TokenSource,
    store::ErasedStore,
    token::{Owner, Token, TokenSet},
};

/// The current token of one credential, kept fresh. See the [module docs](crate::cell).
///
/// A handle: clones share one token. While nobody asks, nothing runs (C12).
#[derive(Clone)]
pub struct TokenCell(pub(super) Arc<Inner>);

/// What a caller finds without waiting.
pub(crate) enum Claim {
    Token(Token),
    Wait(Waiter),
    Refused(Error),
}

/// What one caller who comes again and again has in hand, so that it need not ask the cell what is current as long as
/// nothing else was published.
///
/// A copy has nothing: whoever clones a service for each request would only pay for it.
#[derive(Default)]
pub(crate) struct InHand {
    edition: u64,
    current: Option<Arc<Current>>,
}

/// A caller that has to wait for the exchange.
pub(crate) struct Waiter {
    cell: TokenCell,
    flight: Flight,
}

impl TokenCell {
    /// A cell that gets its tokens from `source`. Works outside a runtime and does no I/O.
    pub fn new(source: impl TokenSource) -> Self {
        Self::builder(source).build()
    }

    /// The same with settings.
    pub fn builder(source: impl TokenSource) -> Builder {
        Builder::new(source)
    }

    /// The current token, if there is one and it has not ended. Lock-free; starts nothing.
    #[inline]
    pub fn peek(&self) -> Option<Token> {
        self.0.living()
    }

    /// The current token, if nothing is to be done about it: no renewal is due. Lock-free; starts nothing. For adapters: who
    /// finds none [gets](Self::get) it.
    #[inline]
    pub fn fresh(&self) -> Option<Token> {
        let now = self.0.settings.clock.tick();
        let current = self.0.current.load();
        current.as_ref().filter(|current| current.is_quiet(now)).map(|current| current.token().clone())
    }

    /// The current token; where there is none, that of the one exchange that everybody waits for (C2).
    ///
    /// Exchanges that are due are started on the way (C7).
    ///
    /// # Errors
    /// Why there is no token. While a failure is remembered, at once and with the time to the next attempt as
    /// [`retry_after`](Error::retry_after) (C8).
    ///
    /// # Panics
    /// Where it has to wait: on a tokio runtime without timers, unless the cell was given another one.
    ///
    /// # Cancel safety
    /// Dropping the future neither stops the exchange nor restarts it (C3).
    pub async fn get(&self) -> Result<Token, Error> {
        match self.claim() {
            Claim::Token(token) => Ok(token),
            Claim::Wait(waiter) => waiter.wait().await,
            Claim::Refused(error) => Err(error),
        }
    }

    /// Says that a server refused this token. Only if it is the current one, it is dropped; the next
    /// [`get`](Self::get) exchanges (A2). Starts nothing by itself.
    ///
    /// Refusals that follow each other too fast do not drop the token any more (A4). Returns whether it was dropped.
    pub fn reject(&self, refused: &Token) -> bool {
        refused.is_of(&*self.0) && self.0.reject(refused.generation())
    }

    /// Whether a request that failed with this token could be sent with another one: one is current, or an exchange
    /// runs or may be started now. It may not for a fixed token, a dead grant, or while a failure holds exchanges off.
    pub fn can_replace(&self, refused: &Token) -> bool {
        refused.is_of(&*self.0) && self.0.can_replace(refused.generation())
    }

    /// Gives the cell a set obtained elsewhere, by a sign-in. It replaces what there is, here and in the store, and
    /// revives a dead grant. An exchange under way does not overwrite it.
    ///
    /// # Errors
    /// Misconfigured, when the access token cannot be sent (X5), or there is neither an access token nor a refresh
    /// token; then nothing has changed. Any error of the store: then the set is in use all the same, here, and each
    /// exchange tries to store it before anything else; [`Status::unsaved`] says so until it is stored (C5).
    ///
    /// # Panics
    /// With a store: outside a tokio runtime with timers, unless the cell was given one.
    ///
    /// # Cancel safety
    /// A dropped call has put the set or not, or has put it into the store and not here, where the next exchange finds
    /// it.
    pub async fn put(&self, set: TokenSet) -> Result<(), Error> {
        let set = self.0.checked(set)?;
        let Some(store) = &self.0.settings.store else {
            return self.0.put(set, Ok(0));
        };
        self.0.on_runtime(self.put_into(&**store, set)).await
    }

    async fn put_into(&self, store: &dyn ErasedStore, set: TokenSet) -> Result<(), Error> {
        let _turn = self.0.turn().await;
        match visit::put(&self.0, store, &set).await {
            Ok(known) => self.0.put(set, Ok(known)),
            Err(error) => {
                tracing::warn!(cell = self.name(), %error, "the token set that was put is in use, but could not be stored");
                self.0.put(set, Err(error.clone()))?;
                Err(error)
            }
        }
    }

    /// The newest set, refresh token and all: the store's, where there is one. Nothing is exchanged, so its access token
    /// may have ended. For who owns the credential: to revoke it, to show whose it is, to go on elsewhere.
    ///
    /// # Errors
    /// Of the store; misconfigured, when the set in it is another server's or another client's (X6).
    ///
    /// # Panics
    /// As for [`put`](Self::put).
    ///
    /// # Cancel safety
    /// Nothing is changed.
    pub async fn token_set(&self) -> Result<Option<TokenSet>, Error> {
        if let Some(store) = &self.0.settings.store {
            return self.0.on_runtime(visit::newest(&self.0, &**store)).await;
        }
        let set = self.0.lock().set.clone();
        Ok(set.map(|set| (*set).clone()).or_else(|| self.0.start_from(self.0.settings.clock.wall())))
    }

    /// Forgets the set: a sign-out. It is gone here at once and from the store when this returns, and nothing that is
    /// under way brings it back, on this instance or another. Others that hold its access token use it until their
    /// next exchange, at the latest until it ends: revoke it to end it everywhere at once. [`put`](Self::put) begins
    /// anew.
    ///
    /// # Errors
    /// Of the store: then it is still there. This cell removes it before its next exchange, if that comes within a
    /// minute and nobody signed in meanwhile; call again to be sure.
    ///
    /// # Panics
    /// As for [`put`](Self::put).
    ///
    /// # Cancel safety
    /// It is gone here, and from the store before this cell's next exchange.
    pub async fn remove(&self) -> Result<(), Error> {
        self.0.remove();
        if let Some(store) = &self.0.settings.store {
            self.0.on_runtime(visit::remove(&self.0, &**store)).await?;
        }
        self.0.removed();
        Ok(())
    }

    /// Exchanges now, whatever the token's age, or joins the exchange that runs.
    ///
    /// # Errors
    /// Why there is no new token; also when this is called too often (A4) or a failure holds exchanges off (C8).
    ///
    /// # Panics
    /// As for [`get`](Self::get).
    ///
    /// # Cancel safety
    /// As for [`get`](Self::get).
    pub async fn refresh(&self) -> Result<Token, Error> {
        let flight = self.force().inspect_err(|error| meter::turned_away(self.name(), error))?;
        match self.outcome_of(flight).await {
            Some(outcome) => outcome,
            // A set was put meanwhile.
            None => self.get().await,
        }
    }

    fn force(&self) -> Result<Flight, Error> {
        let now = self.0.settings.clock.tick();
        let mut ledger = self.0.lock();
        if let Some(flight) = ledger.to_join(now) {
            return Ok(flight.clone());
        }
        ledger.force(now)?;
        flight::launch(&self.0, ledger, Reason::Forced, None)
    }

    /// How the cell stands, for health pages. Reads only; takes the lock for a moment.
    pub fn status(&self) -> Status {
        let now = self.0.now();
        let ledger = self.0.lock();
        let current = self.0.current.load_full();
        let reading =
            current.as_ref().map(|current| current.read(now)).filter(|reading| reading.phase != Phase::Expired);
        let failure = ledger.failure.as_ref();
        let dead = ledger.is_dead();
        Status {
            name: self.0.settings.name.clone(),
            state: match reading {
                Some(Reading { phase: Phase::Fresh, .. }) => State::Fresh,
                Some(_) => State::Due,
                None if dead => State::ReauthRequired,
                None => State::Empty,
            },
            generation: ledger.generation,
            expires_at: reading.and_then(|_| current.as_ref()?.token().expires_at()),
            remaining: reading.and_then(|reading| reading.remaining),
            exchanging: ledger.flight.is_some(),
            unsaved: ledger.trouble().unsaved.as_ref().map(|unsaved| unsaved.error.clone()),
            counts: ledger.counts(),
            last_error: failure.map(|failure| failure.error.clone()),
            refusals_ignored_for: ledger.refusals_ignored_for(now.tick),
            next_attempt_in: failure
                .filter(|_| !dead)
                .and_then(|failure| failure.remaining(now.tick, reading.is_some())),
        }
    }

    /// Waits until no exchange is under way, and what one brought is stored or was tried for a minute: for a graceful
    /// shutdown, after the last request. One that [`put`](Self::put) made pointless is not waited for.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn settled(&self) {
        loop {
            let (flight, saving, has_unsaved) = {
                let ledger = self.0.lock();
                let trouble = ledger.trouble();
                let saving = trouble.saving.iter().find(|saving| saving.has_changed().is_ok()).cloned();
                (ledger.flight.clone(), saving, trouble.unsaved.is_some())
            };
            // What takes longer is on a runtime that does not run it.
            let ended = match (flight, saving) {
                (Some(flight), _) => {
                    let (_, overdue) = flight.limits(self.0.settings.clock.tick());
                    self.within(overdue, flight.outcome()).await.is_some()
                }
                // Closed when it is done.
                (None, Some(mut saving)) => {
                    let longest = saving::longest(has_unsaved, self.0.settings.attempt_timeout);
                    self.within(longest, saving.changed()).await.is_some()
                }
                (None, None) => return,
            };
            if !ended {
                return;
            }
        }
    }

    /// The newest set each time one is issued from now on, to be persisted or shown (C14): with a refresh token that
    /// rotates, whoever wants to start again from where this left off keeps the newest.
    pub fn events(&self) -> Events {
        self.0.issued.subscribe()
    }

    /// For how long this token has been there, by the cell's clock; zero for one of another cell.
    pub fn age_of(&self, token: &Token) -> Duration {
        let is_ours = token.is_of(&*self.0);
        token.issued_at().filter(|_| is_ours).map_or(Duration::ZERO, |then| self.0.settings.clock.tick().since(then))
    }

    /// The name it was given.
    pub fn name(&self) -> Option<&str> {
        self.0.settings.name.as_deref()
    }

    /// Whether a map may drop this cell: nobody uses it, and what it holds can be had again.
    ///
    /// Holds as long as the caller, who has one handle, lets nobody clone it.
    pub(crate) fn is_evictable(&self) -> bool {
        // A token that is on its way with a request may come back refused: the cell then heals and replaces it.
        let is_used = Arc::strong_count(&self.0) > 1
            || self.0.current.load().as_ref().is_some_and(|current| current.is_held())
            || self.0.issued.is_watched();
        !is_used && self.0.is_expendable()
    }

    /// Whether another cell made the same way would have the same key in the store, and the same refresh token.
    pub(crate) fn shares_its_key(&self) -> bool {
        let settings = &self.0.settings;
        settings.store.is_some() && settings.source.spends_refresh_token() && self.0.subject().is_empty()
    }

    /// What tells this cell from others, as long as its [place](Self::place) is held.
    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    /// Keeps the address from being given to another cell; keeps nothing else alive, and is never upgraded, so that a
    /// map may go on counting handles.
    pub(crate) fn place(&self) -> Weak<dyn Any + Send + Sync> {
        let place: Weak<Inner> = Arc::downgrade(&self.0);
        place
    }

    /// What comes of an exchange, awaited no longer than until it is overdue.
    async fn outcome_of(&self, flight: Flight) -> Option<Result<Token, Error>> {
        let (_, overdue) = flight.limits(self.0.settings.clock.tick());
        self.within(overdue, flight.outcome()).await?
    }

    /// An exchange that runs on another caller's runtime stops when that one stops running: who waits for it keeps the
    /// time himself. One on a runtime that was given runs, and those who wait there need no timers, nor tokio.
    async fn within<F: Future>(&self, limit: Duration, future: F) -> Option<F::Output> {
        if self.0.settings.runtime.is_some() || Handle::try_current().is_err() {
            return Some(future.await);
        }
        tokio::time::timeout(limit + COARSE, future).await.ok()
    }

    fn generation(&self) -> u64 {
        self.0.lock().generation
    }

    /// The token, or what to wait for. The hot path: with a fresh token one load and one comparison.
    #[inline]
    pub(crate) fn claim(&self) -> Claim {
        self.fresh().map_or_else(|| self.decide(self.0.settings.clock.tick()), Claim::Token)
    }

    /// The token, if nothing has to be decided about it. Starts nothing. For who may have it in hand from the last time.
    #[inline]
    pub(crate) fn at_hand(&self, in_hand: &mut InHand) -> Option<Token> {
        let now = self.0.settings.clock.tick();
        let edition = self.0.edition();
        if in_hand.edition == edition
            && let Some(current) = &in_hand.current
        {
            return current.is_quiet(now).then(|| current.token().clone());
        }
        in_hand.renew(self, edition);
        self.fresh()
    }

    #[cold]
    fn decide(&self, tick: Tick) -> Claim {
        let now = self.0.now();
        let ledger = self.0.lock();
        let current = self.0.current.load_full();
        let reading = current.as_ref().map(|current| current.read(now));
        let remaining = reading.and_then(|reading| reading.remaining);
        let step = ledger.step(reading, now.tick);
        match (step, current) {
            (Step::Use { quiet, stale }, Some(current)) => {
                drop(ledger);
                current.keep_quiet(tick, quiet);
                if stale {
                    meter::stale_served(self.name());
                }
                Claim::Token(current.token().clone())
            }
            (Step::StartAndUse { quiet }, Some(current)) => {
                current.keep_quiet(tick, quiet);
                if let Err(error) = flight::launch(&self.0, ledger, Reason::Advisory, remaining) {
                    tracing::warn!(cell = self.name(), %error, "the token is due, and could not be renewed in the background");
                }
                Claim::Token(current.token().clone())
            }
            (Step::Join(flight), _) => {
                drop(ledger);
                flight.link();
                Claim::Wait(Waiter { cell: self.clone(), flight })
            }
            (Step::Refuse(error), _) => {
                drop(ledger);
                meter::turned_away(self.name(), &error);
                Claim::Refused(error)
            }
            (Step::Start(reason), _) => match flight::launch(&self.0, ledger, reason, remaining) {
                Ok(flight) => Claim::Wait(Waiter { cell: self.clone(), flight }),
                Err(error) => self.0.living().map_or(Claim::Refused(error), Claim::Token),
            },
            (Step::Use { .. } | Step::StartAndUse { .. }, None) => {
                Claim::Refused(Error::transient("there is no token"))
            }
        }
    }
}

impl InHand {
    /// Only what is seen for the second time is taken in hand.
    #[inline(never)]
    fn renew(&mut self, cell: &TokenCell, edition: u64) {
        let seen = mem::replace(&mut self.edition, edition) == edition;
        self.current = if seen { cell.0.current.load_full() } else { None };
    }
}

impl Clone for InHand {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl fmt::Debug for InHand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InHand").finish_non_exhaustive()
    }
}

impl Waiter {
    /// The cell whose token is waited for.
    pub(crate) fn cell(&self) -> &TokenCell {
        &self.cell
    }

    /// What the exchange brought. If it failed or takes long, the token there is, while it lives (C7).
    pub(crate) async fn wait(self) -> Result<Token, Error> {
        let Self { cell, flight } = self;
        let waiting = Waiting::begin(cell.name());
        let result = outcome_for_a_waiter(&cell, flight).await;
        waiting.end(result.is_ok());
        result
    }
}

async fn outcome_for_a_waiter(cell: &TokenCell, mut flight: Flight) -> Result<Token, Error> {
    // A second and a third time only when the token ended while this task was not running, a set was put
    // meanwhile, or another exchange took the place of one whose runtime stopped running it.
    for _ in 0..3 {
        let started_at = flight.generation();
        let (late, _) = flight.limits(cell.0.settings.clock.tick());
        if cell.within(late, flight.late()).await.unwrap_or(true)
            && let Some(living) = cell.peek()
        {
            meter::stale_served(cell.name());
            return Ok(living);
        }
        match cell.outcome_of(flight).await {
            Some(Err(error)) if cell.generation() == started_at => {
                let living = cell.peek().ok_or(error)?;
                meter::stale_served(cell.name());
                return Ok(living);
            }
            Some(Ok(token)) if cell.peek().is_some_and(|living| living.generation() == token.generation()) => {
                return Ok(token);
            }
            _ => match cell.claim() {
                Claim::Token(token) => return Ok(token),
                Claim::Refused(error) => return Err(error),
                Claim::Wait(next) => flight = next.flight,
            },
        }
    }
    Err(Error::transient("no token: each that came had ended or was replaced before it could be used; ask again"))
}

impl fmt::Debug for TokenCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCell").field("name", &self.name()).field("token", &self.peek()).finish_non_exhaustive()
    }
}

/// Getting a token is the same for whoever holds a cell or waits for one.
#[expect(dead_code, reason = "states that the futures can be sent")]
fn futures_are_send(cell: &TokenCell) {
    fn is_send(_: impl Future + Send) {}
    is_send(cell.get());
    is_send(cell.refresh());
    is_send(cell.settled());
}
