//! The one exchange that runs: a task that belongs to nobody (C3), and those who wait for it.

use std::sync::{Arc, MutexGuard, OnceLock};

use tokio::{runtime::Handle, sync::watch};
use tracing::{Instrument, instrument::WithSubscriber};

use super::{
    Inner,
    ledger::{Ledger, Reason},
};
use crate::{
    error::Error,
    token::{Token, TokenSet},
};

type Outcome = Option<Result<Token, Error>>;

/// An exchange under way, to wait for.
#[derive(Clone)]
pub(super) struct Flight {
    outcome: watch::Receiver<Outcome>,
    /// The generation that was current when it started.
    generation: u64,
    /// Set once the lock is free: a subscriber is code of others.
    span: Arc<OnceLock<tracing::Span>>,
}

impl Flight {
    /// What came of it. Cancel safe: whoever leaves changes nothing for the others.
    pub(super) async fn outcome(mut self) -> Result<Token, Error> {
        match self.outcome.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone().unwrap_or_else(|| Err(abandoned())),
            Err(_) => Err(abandoned()),
        }
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

    /// Waits until it is over, however it ends.
    pub(super) async fn over(mut self) {
        let _ = self.outcome.wait_for(Option::is_some).await;
    }
}

/// Starts the exchange. There must be none: the caller holds the lock, and hands it over.
///
/// # Errors
/// Misconfigured, when there is no runtime to run it on.
pub(super) fn launch(inner: &Arc<Inner>, mut ledger: MutexGuard<'_, Ledger>, reason: Reason) -> Result<Flight, Error> {
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
    let (publish, outcome) = watch::channel(None);
    let flight = Flight { outcome, generation, span: Arc::default() };
    ledger.flight = Some(flight.clone());
    let current = ledger.set.clone();
    drop(ledger);
    // Made here, so that a runtime that never polls the task drops it too, and the slot is cleared all the same.
    let landing = Landing { inner: inner.clone(), generation, publish, landed: false };
    let span = tracing::info_span!(
        "token_exchange",
        cell = inner.settings.name.as_deref(),
        reason = reason.as_str(),
        generation
    );
    let span = flight.span.get_or_init(|| span).clone();
    runtime.spawn(exchange(landing, current, reason).instrument(span).with_current_subscriber());
    Ok(flight)
}

async fn exchange(landing: Landing, current: Option<Arc<TokenSet>>, reason: Reason) {
    let inner = landing.inner.clone();
    let attempt = inner.source.exchange(current.as_deref());
    let result = match tokio::time::timeout(inner.settings.attempt_timeout, attempt).await {
        Ok(result) => result,
        Err(_) => Err(Error::transient(format!(
            "no token within {:?}: the token source took too long",
            inner.settings.attempt_timeout
        ))),
    };
    // Where a store is told, before anybody uses the set (C5).
    landing.land(result, current.as_deref(), reason);
}

/// Clears the slot, whatever happens to the task.
struct Landing {
    inner: Arc<Inner>,
    /// The generation that was current when it started.
    generation: u64,
    publish: watch::Sender<Outcome>,
    landed: bool,
}

impl Landing {
    fn land(mut self, result: Result<TokenSet, Error>, current: Option<&TokenSet>, reason: Reason) {
        let outcome = self.inner.settle(self.generation, result, current, reason);
        self.landed = true;
        self.inner.clear_slot();
        match &outcome {
            Ok(token) => tracing::debug!(generation = token.generation(), "token issued"),
            Err(error) => tracing::warn!(%error, code = error.code(), "no token"),
        }
        self.publish.send_replace(Some(outcome));
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        if self.landed {
            return;
        }
        let error = if std::thread::panicking() {
            self.inner.crash(Error::transient(
                "the exchange panicked, in the token source or for want of the runtime's timers; its message is in the log",
            ))
        } else {
            // It says nothing about the server: the next may start at once.
            abandoned()
        };
        self.inner.clear_slot();
        self.publish.send_replace(Some(Err(error)));
    }
}

fn abandoned() -> Error {
    Error::transient("the exchange was abandoned: the runtime it ran on has ended")
}
