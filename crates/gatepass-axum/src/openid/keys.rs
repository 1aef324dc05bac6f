//! One provider's keys, kept for a day and asked for again when a token names one that is not among them (OIDC-1).
//!
//! Whoever sends tokens can make up key ids; so asking again is limited, and one answer is for all who wait.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use gatepass::Error;
use tokio::time::Instant;

use super::{jwks::KeySet, signed::Kind};

/// After this long the keys are asked for again, whether or not one is missing.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Between two times that a missing key leads to asking again.
const BETWEEN_REFETCHES: Duration = Duration::from_secs(60);

/// After a failure, where the provider names no longer wait.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// However long a wait the provider names.
const LONGEST_AFTER_FAILURE: Duration = Duration::from_secs(60);

/// How many in a row may go away while the provider is asked, until that counts as a failure: else whoever hangs up at
/// once could have it asked without end.
const MOST_ABANDONED: u32 = 3;

/// Asks the provider for its JWKS document. It has to end by itself, and its answer to have a limit.
pub(crate) trait FetchKeys: Send + Sync {
    fn fetch(&self) -> Pin<Box<dyn Future<Output = Result<String, Error>> + Send + '_>>;
}

/// The keys of one provider. Nothing is asked before the first token comes.
#[derive(Default)]
pub(crate) struct Keys {
    state: Mutex<State>,
    /// Whose turn it is to ask the provider. Who goes away meanwhile hands the turn to the next.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    cached: Option<Cached>,
    /// What everybody gets who would ask before then.
    failure: Option<(Error, Instant)>,
    /// When a missing key last led to an answer, for each kind of token: strangers bring logout tokens with made-up key
    /// ids, and that must not keep those out who sign in while the keys change.
    refetched: [Option<Instant>; 2],
    abandoned: u32,
}

#[derive(Clone)]
struct Cached {
    set: Arc<KeySet>,
    came: Instant,
    /// When they are asked for again in any case.
    renew: Instant,
}

/// The keys as one caller got them.
pub(super) struct Current {
    pub(super) set: Arc<KeySet>,
    came: Instant,
    /// They came while this caller waited: there are no newer ones.
    just_came: bool,
}

/// Why the keys that there are do not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    Key,
    /// There is one of that id and it does not verify: the provider may have put another in its place, but that is
    /// rare, and a forged signature is not.
    RightKey,
}

impl Keys {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The keys that there are, or those the provider gives.
    ///
    /// # Errors
    /// What the provider's failure was, when there are none.
    ///
    /// # Cancel safety
    /// Who goes away while the provider is asked leaves it to the next who waits to ask again.
    pub(super) async fn current(&self, fetch: &dyn FetchKeys) -> Result<Current, Error> {
        let Some(cached) = self.cached() else {
            let turn = self.turn.lock().await;
            return match self.cached() {
                Some(cached) => Ok(cached.just_came()),
                None => self.ask(fetch, &turn).await.map(Cached::just_came),
            };
        };
        if Instant::now() < cached.renew {
            return Ok(cached.unchanged());
        }
        // While somebody asks, and when nothing comes of it, the old ones are better than none.
        let Ok(turn) = self.turn.try_lock() else {
            return Ok(cached.unchanged());
        };
        match self.cached() {
            Some(newer) if Instant::now() < newer.renew => Ok(newer.unchanged()),
            _ => Ok(self.ask(fetch, &turn).await.map_or_else(|_| cached.unchanged(), Cached::just_came)),
        }
    }

    /// Other keys than these, for a token that they do not verify. None, when it is too early to ask again.
    ///
    /// # Errors
    /// What the provider's failure was, also a moment ago.
    ///
    /// # Cancel safety
    /// As for [`current`](Self::current).
    pub(super) async fn newer(
        &self,
        fetch: &dyn FetchKeys,
        kind: Kind,
        than: &Current,
        missing: Missing,
    ) -> Result<Option<Arc<KeySet>>, Error> {
        let too_young = missing == Missing::RightKey && than.came.elapsed() < BETWEEN_REFETCHES;
        if than.just_came || too_young {
            return Ok(None);
        }
        let turn = self.turn.lock().await;
        if let Some(cached) = self.cached().filter(|cached| !Arc::ptr_eq(&cached.set, &than.set)) {
            return Ok(Some(cached.set));
        }
        if self.state().refetched[kind as usize].is_some_and(|last| last.elapsed() < BETWEEN_REFETCHES) {
            return Ok(None);
        }
        let cached = self.ask(fetch, &turn).await?;
        self.state().refetched[kind as usize] = Some(cached.came);
        Ok(Some(cached.set))
    }

    async fn ask(&self, fetch: &dyn FetchKeys, _turn: &tokio::sync::MutexGuard<'_, ()>) -> Result<Cached, Error> {
        if let Some(error) = self.state().held_off() {
            return Err(error);
        }
        let mut attempt = Attempt { keys: self, over: false };
        let answer = fetch.fetch().await.and_then(|document| KeySet::parse(&document));
        attempt.over = true;
        self.state().answered(answer)
    }

    fn cached(&self) -> Option<Cached> {
        self.state().cached.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The failure of a moment ago, with what is left of its wait.
    fn held_off(&self) -> Option<Error> {
        let (error, until) = self.failure.as_ref()?;
        let left = until.saturating_duration_since(Instant::now());
        (!left.is_zero()).then(|| error.clone().with_retry_after(left))
    }

    fn answered(&mut self, answer: Result<KeySet, Error>) -> Result<Cached, Error> {
        self.abandoned = 0;
        let now = Instant::now();
        match answer {
            Ok(set) => {
                self.failure = None;
                Ok(self.cached.insert(Cached { set: Arc::new(set), came: now, renew: now + DAY }).clone())
            }
            Err(error) => {
                self.failed(error.clone());
                Err(error)
            }
        }
    }

    fn failed(&mut self, error: Error) {
        let now = Instant::now();
        let wait = error.retry_after().unwrap_or(AFTER_FAILURE).clamp(AFTER_FAILURE, LONGEST_AFTER_FAILURE);
        self.failure = Some((error, now + wait));
        if let Some(cached) = &mut self.cached {
            // A provider that is down must not delay a sign-in every few seconds while the old keys do.
            cached.renew = cached.renew.max(now + BETWEEN_REFETCHES);
        }
    }
}

impl Cached {
    fn just_came(self) -> Current {
        Current { just_came: true, ..self.unchanged() }
    }

    fn unchanged(self) -> Current {
        Current { set: self.set, came: self.came, just_came: false }
    }
}

/// Notices when nobody waits for the answer any more.
struct Attempt<'a> {
    keys: &'a Keys,
    over: bool,
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let mut state = self.keys.state();
        state.abandoned += 1;
        if state.abandoned >= MOST_ABANDONED {
            state.abandoned = 0;
            state.failed(Error::transient(
                "nobody waited until the provider had sent its keys: give it more time, or try again in a few seconds",
            ));
        }
    }
}
