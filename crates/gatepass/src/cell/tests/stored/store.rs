//! A store that fails, stalls and forgets on command.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use crate::{
    error::Error,
    secret::Secret,
    store::{Key, MemoryStore, TokenStore, Version, Versioned},
};

#[derive(Clone)]
pub(super) struct TestStore {
    pub(super) memory: MemoryStore,
    told: Arc<Told>,
}

/// What becomes of a write.
#[derive(Clone, Copy)]
pub(super) enum Fault {
    /// It is kept, and the answer is lost.
    AnswerLost,
    /// It is not kept.
    Refused,
}

#[derive(Default)]
struct Told {
    faults: Mutex<VecDeque<Fault>>,
    removals_take_ms: AtomicUsize,
    away: AtomicBool,
    /// Fails once that many writes went through.
    writes_left: AtomicUsize,
    writes_fail: AtomicBool,
    takes_ms: AtomicUsize,
}

impl TestStore {
    pub(super) fn new() -> Self {
        Self { memory: MemoryStore::new(), told: Arc::default() }
    }

    pub(super) fn with_term(term: Duration) -> Self {
        Self { memory: MemoryStore::with_term(term), told: Arc::default() }
    }

    /// Another way to the same memory, with faults of its own: another instance's.
    pub(super) fn beside(&self) -> Self {
        Self { memory: self.memory.clone(), told: Arc::default() }
    }

    /// What becomes of the next writes; then they go through.
    pub(super) fn writes(&self, faults: &[Fault]) {
        self.told.faults.lock().unwrap().extend(faults);
    }

    pub(super) fn heal(&self) {
        self.told.faults.lock().unwrap().clear();
    }

    pub(super) fn removals_take(&self, time: Duration) {
        self.told.removals_take_ms.store(usize::try_from(time.as_millis()).unwrap(), SeqCst);
    }

    pub(super) fn go_away(&self) {
        self.told.away.store(true, SeqCst);
    }

    pub(super) fn come_back(&self) {
        self.told.away.store(false, SeqCst);
        self.told.writes_fail.store(false, SeqCst);
    }

    /// Lets so many writes through, then goes away.
    pub(super) fn go_away_after_writes(&self, writes: usize) {
        self.told.writes_left.store(writes, SeqCst);
        self.told.writes_fail.store(true, SeqCst);
    }

    pub(super) fn takes(&self, time: Duration) {
        self.told.takes_ms.store(usize::try_from(time.as_millis()).unwrap(), SeqCst);
    }

    async fn reach(&self) -> Result<(), Error> {
        let takes = self.told.takes_ms.load(SeqCst);
        if takes > 0 {
            tokio::time::sleep(Duration::from_millis(takes as u64)).await;
        }
        match self.told.away.load(SeqCst) {
            true => Err(Error::transient("the test store is away")),
            false => Ok(()),
        }
    }
}

impl TokenStore for TestStore {
    type Lease = <MemoryStore as TokenStore>::Lease;

    async fn load(&self, key: &Key) -> Result<Option<Versioned>, Error> {
        self.reach().await?;
        self.memory.load(key).await
    }

    async fn compare_and_swap(
        &self,
        key: &Key,
        expected: Option<Version>,
        value: &Secret,
    ) -> Result<Option<Version>, Error> {
        self.reach().await?;
        if self.told.writes_fail.load(SeqCst) {
            let left = self.told.writes_left.load(SeqCst);
            if left == 0 {
                self.go_away();
                return Err(Error::transient("the test store is away"));
            }
            self.told.writes_left.store(left - 1, SeqCst);
        }
        let fault = self.told.faults.lock().unwrap().pop_front();
        if let Some(Fault::Refused) = fault {
            return Err(Error::transient("the test store refuses to write"));
        }
        let swapped = self.memory.compare_and_swap(key, expected, value).await;
        match fault {
            Some(Fault::AnswerLost) => Err(Error::transient("the test store does not answer")),
            _ => swapped,
        }
    }

    async fn lease(&self, key: &Key, seen: Option<Version>) -> Result<Option<Self::Lease>, Error> {
        self.reach().await?;
        self.memory.lease(key, seen).await
    }

    async fn remove(&self, key: &Key, tombstone: Duration) -> Result<(), Error> {
        self.reach().await?;
        let takes = self.told.removals_take_ms.load(SeqCst);
        tokio::time::sleep(Duration::from_millis(takes as u64)).await;
        self.memory.remove(key, tombstone).await
    }
}
