//! One exchange where a store keeps the set: lease, load, adopt or exchange, store (C4, C5). Publishing, and giving the lease back after it,
//! is the flight's.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    Inner,
    attempt::{self, Got, Lost},
    ledger::Removal,
};
use crate::{
    clock,
    error::Error,
    store::{ErasedLease, ErasedStore, Intent, Key, Record, Version},
    token::{Expiry, TokenSet},
};

/// How often one exchange starts over because somebody else changed the record.
const ROUNDS: usize = 8;

/// How long a removed key refuses to come back: longer than any exchange that knew it.
const TOMBSTONE: Duration = Duration::from_secs(120);

/// What one exchange does with the store, until it is published.
pub(super) struct Visit<'a> {
    pub(super) inner: &'a Arc<Inner>,
    pub(super) store: &'a dyn ErasedStore,
    pub(super) key: Key,
    variant: String,
    /// The set in memory.
    current: Option<Arc<TokenSet>>,
    /// The generation in the store that it stands for.
    known: u64,
    pub(super) lease: Option<Box<dyn ErasedLease>>,
    pub(super) pending: Option<Pending>,
    tried_seed: bool,
}

/// What has to be stored still.
pub(super) struct Pending {
    pub(super) record: Record,
    pub(super) expected: Option<Version>,
    /// The generation it was issued upon.
    pub(super) base: u64,
}

/// What is in the store.
pub(super) struct Found {
    pub(super) version: Option<Version>,
    pub(super) record: Option<Record>,
    /// Whether it was removed just now.
    pub(super) removed: bool,
}

enum Round {
    Got(Got),
    Again(Found),
}

impl<'a> Visit<'a> {
    pub(super) fn new(inner: &'a Arc<Inner>, store: &'a dyn ErasedStore, current: Option<Arc<TokenSet>>) -> Self {
        let identity = inner.settings.source.identity();
        let key = identity.key(inner.subject());
        let known = inner.lock().known;
        let variant = identity.variant;
        Self { inner, store, key, variant, current, known, lease: None, pending: None, tried_seed: false }
    }

    /// Everything before publishing.
    pub(super) async fn run(&mut self) -> Result<Got, Lost> {
        match self.exchange().await {
            // Whoever has nothing to lose goes on without.
            Err(lost) if lost.store_away && !self.may_spend() => {
                tracing::warn!(key = %self.key, error = %lost.error, "the token store is left out of this exchange");
                let current = self.current.clone();
                attempt::alone(self.inner, current).await
            }
            result => result,
        }
    }

    async fn exchange(&mut self) -> Result<Got, Lost> {
        self.saved().await;
        if self.removal_pending() {
            self.bounded(self.store.remove(&self.key, TOMBSTONE)).await.map_err(Lost::store)?;
            self.inner.lock().removed = Removal::Done;
        }
        let mut found = self.load().await?;
        let waits_until = Instant::now() + self.inner.settings.attempt_timeout;
        let mut rounds = 0;
        while rounds < ROUNDS {
            if let Some(got) = self.adopt(&found)? {
                return Ok(got);
            }
            self.still_dead(&found)?;
            if self.lease.is_none() {
                self.lease = self.take_lease(found.version, waits_until).await?;
                // C4: again, now that nobody else changes it.
                found = self.load().await?;
                continue;
            }
            found = match self.alone(found).await? {
                Round::Got(got) => return Ok(got),
                Round::Again(found) => found,
            };
            rounds += 1;
        }
        Err(Error::transient(format!("`{}` is changed all the time in the token store; ask again", self.key)).into())
    }

    /// C4. What is there and newer, if it can be used.
    fn adopt(&mut self, found: &Found) -> Result<Option<Got>, Lost> {
        let Some(record) = &found.record else {
            return Ok(None);
        };
        let generation = record.generation_of(&self.variant);
        if generation <= self.known
            || self.inner.lock().trouble().unsaved.as_ref().is_some_and(|unsaved| unsaved.base.is_none())
        {
            return Ok(None);
        }
        let set = record.set(&self.variant);
        self.accepts(&set)?;
        let now = self.inner.settings.clock.wall();
        if let Expiry::At { ends, .. } = set.expiry
            && clock::until(now, ends) < super::inner::SHORTEST_LIFE
        {
            return Ok(None);
        }
        self.inner.lock().adopted += 1;
        Ok(Some(Got { set, before: None, adopted: true, known: generation, rotates: record.rotates(), at_risk: None }))
    }

    /// Under the lease, with nothing to adopt.
    async fn alone(&mut self, mut found: Found) -> Result<Round, Lost> {
        if let Some(again) = self.save_first(&mut found).await? {
            return Ok(Round::Again(again));
        }
        let spends = self.inner.settings.source.spends_refresh_token();
        let mut record = match found.record {
            Some(record) => record,
            None if spends && found.removed => return Err(self.was_removed()),
            None if spends && self.known > 0 => return Err(self.is_missing()),
            None => {
                let record = Record::start(&self.variant, self.start_from().as_ref(), self.now());
                if record.generation > 0 {
                    return self.write(found.version, record).await;
                }
                record
            }
        };
        let spent = record.set(&self.variant);
        self.accepts(&spent)?;
        let spent = (record.generation > 0).then(|| Arc::new(spent));
        let earlier = self.in_doubt(&record);
        let present = spends && record.rotates() && spent.as_ref().is_some_and(|set| set.refresh_token.is_some());
        let mut version = found.version;
        if present {
            let intent = attempt::intend(self.inner, earlier).map_err(|error| self.about(&record, error))?;
            record.intent = Some(intent);
            // A store that fails may have kept it.
            self.settle_intent(Some((intent.id, earlier)));
            match self.swap(version, &record).await? {
                Some(swapped) => version = Some(swapped),
                None => return Ok(Round::Again(self.conflict().await?)),
            }
            self.settle_intent(None);
        }
        let began = Instant::now();
        match attempt::call(self.inner, spent.as_deref()).await {
            Ok(set) => self.keep(record, version, spent, set).await,
            Err(error) if present && error.is_in_doubt() => {
                self.inner.lock().trouble_mut().in_doubt += 1;
                let attempts = record.intent.map_or(0, |intent| intent.attempts);
                if attempt::again_at_once(attempts, began.elapsed()).await {
                    return Ok(Round::Again(Found { version, record: Some(record), removed: false }));
                }
                let error = attempt::held(self.inner, record.intent, error);
                Err(self.about(&record, error))
            }
            Err(error) => self.answered(record, version, present.then_some(earlier), error).await,
        }
    }

    /// C5: stores the answer before anybody uses it.
    async fn keep(
        &mut self,
        mut record: Record,
        mut version: Option<Version>,
        spent: Option<Arc<TokenSet>>,
        mut set: TokenSet,
    ) -> Result<Round, Lost> {
        let base = record.generation;
        let now = self.now();
        set.arrive(now);
        if let Some(spent) = &spent {
            set.keep_from(spent);
        }
        match self.inner.is_fit(&set) {
            true => record.issue(&self.variant, &set, now),
            false => record.issue(&self.variant, &set.clone().without_access_token(), now),
        }
        let known = record.generation;
        let rotates = record.rotates();
        let before = spent.as_ref().and_then(|spent| spent.refresh_token.clone());
        let got = |set, at_risk| Ok(Round::Got(Got { set, before: spent, adopted: false, known, rotates, at_risk }));
        for _ in 0..2 {
            let error = match self.swap(version, &record).await {
                Ok(Some(_)) => return got(set, None),
                Err(lost) => lost.error,
                Ok(None) => match self.conflict().await {
                    Err(lost) => lost.error,
                    Ok(found) if found.removed => return Err(self.was_removed()),
                    Ok(Found { version: None, .. }) => {
                        // Evicted under our eyes.
                        version = None;
                        continue;
                    }
                    Ok(found) if found.record.as_ref().is_some_and(|found| found.generation > base) => {
                        return Ok(Round::Again(found));
                    }
                    // Somebody took over the lease, and is about to present the same token.
                    Ok(_) => Error::transient("the lease was lost while the token was exchanged"),
                },
            };
            if set.refresh_token == before {
                tracing::warn!(key = %self.key, %error, "the token could not be stored: other instances get their own");
                return got(set, None);
            }
            self.pending = Some(Pending { record, expected: version, base });
            return got(set, Some((base, error)));
        }
        Err(Error::transient(format!("`{}` is changed all the time in the token store; ask again", self.key)).into())
    }

    /// The server answered, and brought nothing: what was in doubt before is as it was.
    async fn answered(
        &mut self,
        mut record: Record,
        mut version: Option<Version>,
        intent_before: Option<Option<Intent>>,
        error: Error,
    ) -> Result<Round, Lost> {
        if let Some(before) = intent_before {
            // A dead grant is in no doubt.
            let before = before.filter(|_| !error.is_reauth_required());
            self.settle_intent(record.intent.map(|intent| (intent.id, before)));
            record.intent = before;
            if let Ok(Some(swapped)) = self.swap(version, &record).await {
                version = Some(swapped);
            }
        }
        if error.is_reauth_required() {
            // F1: somebody may have signed in meanwhile.
            let found = self.load().await?;
            if found.removed || found.record.as_ref().is_some_and(|found| found.generation > record.generation) {
                return Ok(Round::Again(found));
            }
            let seed = self.start_from().filter(|seed| record.started_elsewhere(seed));
            if let Some(seed) = seed.filter(|_| !std::mem::replace(&mut self.tried_seed, true)) {
                record.replace(&self.variant, &seed, self.now());
                return self.write(version, record).await;
            }
        }
        Err(self.about(&record, error))
    }

    /// What is in doubt of the refresh token in the store.
    fn in_doubt(&self, record: &Record) -> Option<Intent> {
        let intent = record.intent?;
        match self.inner.lock().trouble().settled {
            Some((settled, before)) if settled == intent.id => before,
            _ => Some(intent),
        }
    }

    fn settle_intent(&self, settled: Option<(u64, Option<Intent>)>) {
        let mut ledger = self.inner.lock();
        ledger.trouble_mut().settled = settled;
        ledger.tidy();
    }

    /// Stores what an earlier exchange could not, or what a store lost that went back in time. `Some`: look again.
    async fn save_first(&mut self, found: &mut Found) -> Result<Option<Found>, Lost> {
        let unsaved = self.inner.lock().trouble().unsaved.clone();
        let stored = found.record.as_ref().map_or(0, |record| record.generation);
        let (set, replaces) = match (&unsaved, &self.current) {
            (Some(unsaved), _) => match unsaved.base {
                Some(_) if found.removed => return Err(self.was_removed()),
                Some(base) if stored > base => {
                    // Newer wins.
                    self.inner.saved(unsaved, None);
                    return Ok(None);
                }
                base => (unsaved.set.clone(), base.is_none()),
            },
            (None, Some(current)) if found.record.is_some() && stored < self.known => (current.clone(), false),
            _ => return Ok(None),
        };
        let mut record = found.record.take().unwrap_or_default();
        match replaces {
            true => record.replace(&self.variant, &set, self.now()),
            false => record.issue(&self.variant, &set, self.now()),
        }
        match self.swap(found.version, &record).await? {
            Some(version) => {
                self.known = record.generation;
                match &unsaved {
                    Some(unsaved) => self.inner.saved(unsaved, Some(record.generation)),
                    None => self.inner.lock().known = record.generation,
                }
                *found = Found { version: Some(version), record: Some(record), removed: false };
                Ok(None)
            }
            None => Ok(Some(self.conflict().await?)),
        }
    }

    async fn write(&mut self, expected: Option<Version>, record: Record) -> Result<Round, Lost> {
        Ok(Round::Again(match self.swap(expected, &record).await? {
            Some(version) => Found { version: Some(version), record: Some(record), removed: false },
            None => self.conflict().await?,
        }))
    }

    async fn swap(&self, expected: Option<Version>, record: &Record) -> Result<Option<Version>, Lost> {
        let text = record.write();
        self.bounded(self.store.compare_and_swap(&self.key, expected, &text)).await.map_err(Lost::store)
    }

    async fn conflict(&self) -> Result<Found, Lost> {
        self.inner.lock().trouble_mut().conflicts += 1;
        self.load().await
    }

    pub(super) async fn load(&self) -> Result<Found, Lost> {
        let found = self.bounded(self.store.load(&self.key)).await.map_err(Lost::store)?;
        let Some(found) = found else {
            return Ok(Found { version: None, record: None, removed: false });
        };
        let record = found.value.as_ref().map(|text| Record::read(text, &self.key)).transpose().map_err(Lost::store)?;
        Ok(Found { version: Some(found.version), removed: record.is_none(), record })
    }

    /// `None` when there is something to load first.
    pub(super) async fn take_lease(
        &self,
        seen: Option<Version>,
        until: Instant,
    ) -> Result<Option<Box<dyn ErasedLease>>, Lost> {
        match tokio::time::timeout_at(until, self.store.lease(&self.key, seen)).await {
            Ok(lease) => lease.map_err(Lost::store),
            Err(_) => Err(Lost::store(Error::transient(format!(
                "another holder of the lease of `{}` has been exchanging its token for {:?}; ask again",
                self.key, self.inner.settings.attempt_timeout
            )))),
        }
    }

    /// A store bounds its own waits; this is for one that does not.
    async fn bounded<T>(&self, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        bounded(self.inner, call).await
    }

    /// Until the exchange before has stored what it brought.
    async fn saved(&self) {
        let saving = self.inner.lock().trouble().saving.clone();
        if let Some(mut saving) = saving {
            let closed = async { while saving.changed().await.is_ok() {} };
            let _ = tokio::time::timeout(self.inner.settings.attempt_timeout, closed).await;
        }
    }

    fn removal_pending(&self) -> bool {
        self.inner.lock().removed == Removal::Pending
    }

    /// What is there was refused for good, and nobody signed in since.
    fn still_dead(&self, found: &Found) -> Result<(), Lost> {
        let ledger = self.inner.lock();
        let Some(failure) = ledger.failure.as_ref().filter(|failure| failure.error.is_reauth_required()) else {
            return Ok(());
        };
        match &found.record {
            Some(record) if ledger.trouble().dead == Some(record.generation) => {
                Err(Lost { error: failure.error.clone(), ..self.about(record, Error::transient("")) })
            }
            _ => Ok(()),
        }
    }

    fn accepts(&self, set: &TokenSet) -> Result<(), Lost> {
        self.inner.settings.source.accepts(set).map_err(Lost::store)
    }

    fn may_spend(&self) -> bool {
        self.inner.settings.source.spends_refresh_token()
            && self.current.as_ref().is_none_or(|current| current.refresh_token.is_some())
    }

    fn start_from(&self) -> Option<TokenSet> {
        self.inner.start_from(self.now())
    }

    fn now(&self) -> std::time::SystemTime {
        self.inner.settings.clock.wall()
    }

    fn about(&self, record: &Record, error: Error) -> Lost {
        Lost { error, generation: record.generation, store_away: false, removed: false }
    }

    fn was_removed(&self) -> Lost {
        let error = Error::reauth_required(format!(
            "sign in again: the token set of `{}` was removed from the token store, by a sign-out here or on another instance",
            self.key
        ));
        Lost { removed: true, ..error.into() }
    }

    fn is_missing(&self) -> Lost {
        Error::reauth_required(format!(
            "sign in again: the token store has lost the set of `{}`, or it was removed long ago; the refresh token in memory \
             is not presented, since another instance may have spent it. Does the store evict keys, or forget them at a restart?",
            self.key
        ))
        .into()
    }
}

pub(super) async fn bounded<T>(inner: &Inner, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let limit = inner.settings.attempt_timeout;
    match tokio::time::timeout(limit, call).await {
        Ok(result) => result,
        Err(_) => Err(Error::transient(format!("no answer from the token store within {limit:?}"))),
    }
}

/// Keeps a set from outside, whatever is there.
///
/// # Errors
/// Of the store.
pub(super) async fn put(inner: &Arc<Inner>, store: &dyn ErasedStore, set: &TokenSet) -> Result<u64, Error> {
    let visit = Visit::new(inner, store, None);
    for _ in 0..ROUNDS {
        let found = visit.load().await.map_err(|lost| lost.error)?;
        let mut record = found.record.unwrap_or_default();
        record.replace(&visit.variant, set, visit.now());
        if visit.swap(found.version, &record).await.map_err(|lost| lost.error)?.is_some() {
            return Ok(record.generation);
        }
        inner.lock().trouble_mut().conflicts += 1;
    }
    Err(Error::transient(format!("`{}` is changed all the time in the token store; put it again", visit.key)))
}

/// Removes what is kept, and leaves a tombstone.
///
/// # Errors
/// Of the store.
pub(super) async fn remove(inner: &Arc<Inner>, store: &dyn ErasedStore) -> Result<(), Error> {
    let key = inner.settings.source.identity().key(inner.subject());
    bounded(inner, store.remove(&key, TOMBSTONE)).await
}
