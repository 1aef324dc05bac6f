//! The one exchange that runs: a task that belongs to nobody (C3), and those who wait for it.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{Arc, MutexGuard, OnceLock},
    time::{Duration, Instant},
};

use tokio::{runtime::Handle, sync::watch};
use tracing::{Instrument, instrument::WithSubscriber};

use super::{
    Inner,
    attempt::{self, Got, Lost},
    ledger::{Ledger, Reason},
    report, saving,
    visit::Visit,
};
use crate::{
    clock::{self, Tick},
    error::Error,
    meter::Outcome,
    store::ErasedStore,
    token::{Token, TokenSet},
};

/// The longest that callers with a living token wait for an exchange.
const PATIENCE: Duration = Duration::from_secs(2);

/// However short the time-out is: who is overtaken at once never gets to report a failure, and nothing holds the next
/// off.
const SHORTEST_OVERDUE: Duration = Duration::from_secs(1);

/// Where an exchange stands.
enum State {
    UnderWay,
    /// Still under way, but who has a token need not wait for it.
    Late,
    Done(Result<Token, Error>),
    /// Another one took its place.
    Overtaken,
}

/// An exchange under way, to wait for.
#[derive(Clone)]
pub(super) struct Flight {
    state: Arc<watch::Sender<State>>,
    number: u64,
    /// The generation that was current when it started.
    generation: u64,
    late: Tick,
    /// When its time-out should have ended it long ago. It has not if its runtime does not run: `block_on` once in a
    /// while.
    overdue: Tick,
    /// Set once the lock is free: a subscriber is code of others.
    span: Arc<OnceLock<tracing::Span>>,
}

impl Flight {
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Whether nobody should wait for it any more: the next takes its place.
    pub(super) fn is_overdue(&self, now: Tick) -> bool {
        now >= self.overdue
    }

    /// Whether callers with a living token do not wait for it any more.
    pub(super) fn is_late(&self, now: Tick) -> bool {
        // Either may be first: the clock is coarse.
        now >= self.late || matches!(*self.state.borrow(), State::Late)
    }

    /// What came of it; `None` when another one took its place. Cancel safe: whoever leaves changes nothing for the
    /// others.
    pub(super) async fn outcome(self) -> Option<Result<Token, Error>> {
        let mut state = self.state.subscribe();
        match &*state.wait_for(|state| !matches!(state, State::UnderWay | State::Late)).await.ok()? {
            State::Done(outcome) => Some(outcome.clone()),
            State::UnderWay | State::Late | State::Overtaken => None,
        }
    }

    /// How long until it is late, and until it is overdue.
    pub(super) fn limits(&self, now: Tick) -> (Duration, Duration) {
        (self.late.since(now), self.overdue.since(now))
    }

    /// Waits until it is late or over; whether it is late.
    pub(super) async fn late(&self) -> bool {
        let mut state = self.state.subscribe();
        state.wait_for(|state| !matches!(state, State::UnderWay)).await.is_ok_and(|state| matches!(*state, State::Late))
    }

    /// Sends its waiters to ask again.
    pub(super) fn overtake(self) {
        self.state.send_replace(State::Overtaken);
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// Links the caller's span to the exchange it waits for.
    pub(super) fn link(&self) {
        if let Some(span) = self.span.get() {
            tracing::Span::current().follows_from(span);
        }
    }
}

/// Starts the exchange. There must be none, or one that is overdue: the caller holds the lock, and hands it over.
///
/// # Errors
/// Misconfigured, when there is no runtime to run it on.
pub(super) fn launch(
    inner: &Arc<Inner>,
    mut ledger: MutexGuard<'_, Ledger>,
    reason: Reason,
    token_lives: Option<Duration>,
) -> Result<Flight, Error> {
    let runtime = match &inner.settings.runtime {
        Some(runtime) => runtime.clone(),
        None => Handle::try_current().map_err(|_| {
            Error::misconfigured(
                "there is no tokio runtime here to get a token on: call from within one, or give its handle to \
                 TokenCell::builder(..).runtime(..)",
            )
        })?,
    };
    let generation = ledger.generation;
    let number = ledger.next_flight();
    let now = inner.settings.clock.tick();
    // With a store it waits for others too: for the lease, and for the store itself.
    let attempts = if inner.settings.store.is_some() { 4 } else { 2 };
    let overdue = now.plus(inner.settings.attempt_timeout.saturating_mul(attempts).max(SHORTEST_OVERDUE));
    let patience = token_lives.map_or(PATIENCE, |lives| PATIENCE.min(lives / 2));
    let late = now.plus(patience);
    let state = Arc::new(watch::Sender::new(State::UnderWay));
    let flight = Flight { state: state.clone(), number, late, overdue, generation, span: Arc::default() };
    let overtaken = ledger.flight.replace(Box::new(flight.clone()));
    let current = ledger.set.clone();
    drop(ledger);
    if let Some(overtaken) = overtaken {
        overtaken.overtake();
    }
    // Made here, so that a runtime that never polls the task drops it too, and the slot is cleared all the same.
    let landing = Landing {
        inner: inner.clone(),
        number,
        generation,
        reason,
        began: clock::instant(),
        span: flight.span.clone(),
        state,
        landed: false,
    };
    let span = report::span(inner, reason, generation);
    let span = flight.span.get_or_init(|| span).clone();
    match inner.settings.store.clone() {
        None => {
            let exchange = exchange(landing, current, patience);
            runtime.spawn(exchange.instrument(span).with_current_subscriber());
        }
        Some(store) => {
            let exchange = exchange_stored(store, landing, current, patience);
            runtime.spawn(exchange.instrument(span).with_current_subscriber());
        }
    }
    Ok(flight)
}

async fn exchange(landing: Landing, current: Option<Arc<TokenSet>>, patience: Duration) {
    let inner = landing.inner.clone();
    let mut work = pin!(attempt::without_store(&inner, current));
    let result = landing.watch(&mut work, patience).await;
    landing.land(result);
}

async fn exchange_stored(
    store: Arc<dyn ErasedStore>,
    landing: Landing,
    current: Option<Arc<TokenSet>>,
    patience: Duration,
) {
    let inner = landing.inner.clone();
    let mut visit = Visit::new(&inner, &*store, current);
    let result = {
        let mut work = pin!(visit.run());
        landing.watch(&mut work, patience).await
    };
    // Who waits until the cell has settled waits until this is dropped.
    let saving = landing.saves();
    landing.land(result);
    saving::finish(visit).await;
    drop(saving);
    let mut ledger = inner.lock();
    ledger.trouble_mut().saving.retain(|saving| saving.has_changed().is_ok());
    ledger.tidy();
}

/// Clears the slot, whatever happens to the task.
struct Landing {
    inner: Arc<Inner>,
    number: u64,
    /// The generation that was current when it started.
    generation: u64,
    reason: Reason,
    began: Instant,
    span: Arc<OnceLock<tracing::Span>>,
    state: Arc<watch::Sender<State>>,
    landed: bool,
}

impl Landing {
    /// Waits for the work, and says so when it takes long.
    async fn watch<T>(&self, work: &mut (impl Future<Output = T> + Unpin), patience: Duration) -> T {
        if let Ok(result) = tokio::time::timeout(patience, &mut *work).await {
            return result;
        }
        self.state.send_if_modified(|state| {
            let late = matches!(state, State::UnderWay);
            if late {
                *state = State::Late;
            }
            late
        });
        work.await
    }

    /// Announces that there is something to do after it has landed.
    fn saves(&self) -> watch::Sender<()> {
        let (saving, is_saving) = watch::channel(());
        self.inner.lock().trouble_mut().saving.push(is_saving);
        saving
    }

    fn land(mut self, result: Result<Got, Lost>) {
        let (outcome, result) = self.inner.settle(self.number, self.generation, result, self.reason);
        self.landed = true;
        self.conclude(outcome, &result);
    }

    fn conclude(&self, outcome: Outcome, result: &Result<Token, Error>) {
        self.inner.clear_slot(self.number);
        self.state.send_replace(State::Done(result.clone()));
        // Last: a subscriber is code of others, and may panic.
        let report = || {
            let none = tracing::Span::none();
            let span = self.span.get().unwrap_or(&none);
            let took = clock::instant().saturating_duration_since(self.began);
            report::exchanged(&self.inner, span, self.reason, took, (outcome, result));
        };
        match std::thread::panicking() {
            // It may be what panicked, and a second time would end the process.
            true => drop(catch_unwind(AssertUnwindSafe(report))),
            false => report(),
        }
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        if self.landed {
            return;
        }
        let (outcome, error) = if std::thread::panicking() {
            let error = Error::transient(
                "the exchange panicked, in the token source or for want of the runtime's timers; its message is in the log",
            );
            (Outcome::Panicked, self.inner.crash(self.number, error))
        } else {
            // It says nothing about the server: the next may start at once.
            (Outcome::Abandoned, abandoned())
        };
        self.conclude(outcome, &Err(error));
    }
}

pub(super) fn abandoned() -> Error {
    Error::transient("the exchange was abandoned: the runtime it ran on has ended")
}
