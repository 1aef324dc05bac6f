//! What an exchange, a sign-in and a sign-out do with the store: load, swap, lease, and what is said when it cannot be
//! done.

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::time::Instant;

use super::{Inner, attempt::Lost, ledger::Removal, trouble::Unsaved};
use crate::{
    clock,
    error::Error,
    store::{ErasedLease, ErasedStore, Key, LATEST, Record, Version},
    token::TokenSet,
};

/// How often a set from outside is tried to be stored while others store theirs.
const ROUNDS: usize = 8;

/// How long a removed key refuses to come back: longer than any exchange that knew it.
pub(super) const TOMBSTONE: Duration = Duration::from_secs(120);

/// What one exchange does with the store, until it is published.
pub(super) struct Visit<'a> {
    pub(super) inner: &'a Arc<Inner>,
    pub(super) store: &'a dyn ErasedStore,
    pub(super) key: Key,
    pub(super) variant: String,
    /// The set in memory.
    pub(super) current: Option<Arc<TokenSet>>,
    /// The generation in the store that it stands for.
    pub(super) known: u64,
    pub(super) lease: Option<Box<dyn ErasedLease>>,
    pub(super) pending: Option<Pending>,
    /// An intent of somebody else that stood for a while.
    pub(super) watched: Option<u64>,
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

impl Found {
    pub(super) fn take(&mut self) -> Self {
        Self { version: self.version, record: self.record.take(), removed: self.removed }
    }

    /// What is issued next has to be newer.
    pub(super) fn newest(&self) -> u64 {
        // Of a store that numbers by time; others may number as they like.
        let version = self.version.map_or(0, |version| version.0);
        let version = if version <= LATEST { version } else { 0 };
        self.record.as_ref().map_or(0, |record| record.generation).max(version)
    }
}

impl<'a> Visit<'a> {
    pub(super) fn new(inner: &'a Arc<Inner>, store: &'a dyn ErasedStore, current: Option<Arc<TokenSet>>) -> Self {
        let identity = inner.settings.source.identity();
        let key = identity.key(inner.subject());
        let known = inner.lock().known;
        let variant = identity.variant;
        Self { inner, store, key, variant, current, known, lease: None, pending: None, watched: None }
    }

    pub(super) async fn swap(&self, expected: Option<Version>, record: &Record) -> Result<Option<Version>, Lost> {
        let text = record.write();
        let swapped =
            self.bounded(self.store.compare_and_swap(&self.key, expected, &text)).await.map_err(Lost::store)?;
        if swapped.is_some() {
            self.inner.lock().saw(record.lineage());
        }
        Ok(swapped)
    }

    pub(super) async fn conflict(&self) -> Result<Found, Lost> {
        self.inner.conflicted();
        self.load().await
    }

    /// Whether a set of this visit is what is not stored yet.
    pub(super) fn is_own(&self, unsaved: &Unsaved) -> bool {
        self.pending
            .as_ref()
            .is_some_and(|pending| pending.record.set(&self.variant).refresh_token == unsaved.set.refresh_token)
    }

    /// Whether a tombstone may have come and gone since: what is not in the store may have been removed.
    pub(super) fn is_too_old(&self, unsaved: &Unsaved) -> bool {
        clock::until(unsaved.since, self.now()) >= TOMBSTONE / 2
    }

    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.inner.settings.attempt_timeout.min(clock::FAR)
    }

    pub(super) async fn load(&self) -> Result<Found, Lost> {
        let found = self.bounded(self.store.load(&self.key)).await.map_err(Lost::store)?;
        let Some(found) = found else {
            return Ok(Found { version: None, record: None, removed: false });
        };
        let record = found.value.as_ref().map(|text| Record::read(text, &self.key)).transpose().map_err(Lost::store)?;
        if let Some(record) = &record {
            let mut ledger = self.inner.lock();
            ledger.newest = ledger.newest.max(record.generation);
            ledger.saw(record.lineage());
        }
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
    pub(super) async fn bounded<T>(&self, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        bounded(self.inner, call).await
    }

    /// Until the exchange before has stored what it brought.
    pub(super) async fn until_saved(&self) {
        let saving = {
            let ledger = self.inner.lock();
            let trouble = ledger.trouble();
            // One that only gives its lease back is waited for at the lease.
            if trouble.unsaved.is_some() { trouble.saving.clone() } else { Vec::new() }
        };
        let closed = async {
            for mut saving in saving {
                while saving.changed().await.is_ok() {}
            }
        };
        let _ = tokio::time::timeout(self.inner.settings.attempt_timeout.min(clock::FAR), closed).await;
    }

    /// Whoever signed in since on another instance keeps what he has.
    pub(super) fn removal_in_time(&self) -> Result<(), Lost> {
        let since = self.inner.lock().trouble().removed_at;
        match since {
            Some(since) if clock::until(since, self.now()) >= TOMBSTONE / 2 => Err(Error::reauth_required(format!(
                "sign in again: the token set of `{}` was removed here, and the token store could not be told; remove it once more to \
                 remove it there",
                self.key
            ))
            .into()),
            _ => Ok(()),
        }
    }

    pub(super) fn removal_pending(&self) -> bool {
        self.inner.lock().removed == Removal::Pending
    }

    /// What is there was refused for good, and nobody signed in since.
    pub(super) fn still_dead(&self, found: &Found) -> Result<(), Lost> {
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

    pub(super) fn accepts(&self, set: &TokenSet) -> Result<(), Lost> {
        self.inner.settings.source.accepts(set).map_err(Lost::store)
    }

    pub(super) fn may_spend(&self) -> bool {
        self.inner.settings.source.spends_refresh_token()
            && self.current.as_ref().is_none_or(|current| current.refresh_token.is_some())
    }

    pub(super) fn can_renew(&self) -> bool {
        self.current.as_ref().is_none_or(|current| self.inner.settings.source.can_renew(current))
    }

    pub(super) fn start_from(&self) -> Option<TokenSet> {
        self.inner.start_from(self.now())
    }

    pub(super) fn now(&self) -> SystemTime {
        self.inner.settings.clock.wall()
    }

    pub(super) fn about(&self, record: &Record, error: Error) -> Lost {
        Lost { error, generation: record.generation, store_away: false, removed: false }
    }

    pub(super) fn was_removed(&self) -> Lost {
        let error = Error::reauth_required(format!(
            "sign in again: the token set of `{}` was removed from the token store, by a sign-out here or on another instance",
            self.key
        ));
        Lost { removed: true, ..error.into() }
    }

    pub(super) fn is_missing(&self) -> Lost {
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
        let newest = found.newest();
        let mut record = found.record.unwrap_or_else(|| Record::after(newest));
        // Newer than what anybody here remembers, whatever the clock says.
        record.generation = record.generation.max(inner.lock().newest);
        record.replace(&visit.variant, set, visit.now());
        if visit.swap(found.version, &record).await.map_err(|lost| lost.error)?.is_some() {
            return Ok(record.generation);
        }
        inner.conflicted();
    }
    Err(Error::transient(format!("`{}` is changed all the time in the token store; put it again", visit.key)))
}

/// The newest set, wherever it is.
///
/// # Errors
/// Of the store; or misconfigured, when what it has is another's (X6).
pub(super) async fn newest(inner: &Arc<Inner>, store: &dyn ErasedStore) -> Result<Option<TokenSet>, Error> {
    if let Some(unsaved) = &inner.lock().trouble().unsaved {
        return Ok(Some((*unsaved.set).clone()));
    }
    let visit = Visit::new(inner, store, None);
    let found = visit.load().await.map_err(|lost| lost.error)?;
    let Some(record) = found.record.filter(|record| !record.is_empty()) else {
        return Ok(if found.removed { None } else { inner.start_from(visit.now()) });
    };
    let set = record.set(&visit.variant);
    visit.accepts(&set).map_err(|lost| lost.error)?;
    Ok(Some(set))
}

/// Removes what is kept, and leaves a tombstone.
///
/// # Errors
/// Of the store.
pub(super) async fn remove(inner: &Arc<Inner>, store: &dyn ErasedStore) -> Result<(), Error> {
    let _turn = inner.turn().await;
    // What was being put comes before this.
    inner.remove_again();
    let visit = Visit::new(inner, store, None);
    // Only to know what the next sign-in has to be newer than.
    let _ = visit.load().await;
    bounded(inner, store.remove(&visit.key, TOMBSTONE)).await
}
