use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::watch, time::Instant};

use super::{Key, Lease, TokenStore, Version, Versioned};
use crate::{clock::FAR, error::Error, secret::Secret};

/// Keeps sets in this process, for cells that share them: several resources on one rotating refresh token, or one cell
/// that was dropped and made again. A restart forgets them.
#[derive(Clone)]
pub struct MemoryStore {
    shared: Arc<Shared>,
}

struct Shared {
    entries: Mutex<HashMap<Key, Entry>>,
    /// Of all keys, so that none is used twice.
    versions: AtomicU64,
    /// Changes with every change; waiters look again.
    changed: watch::Sender<()>,
    term: Duration,
    expiry: Option<Duration>,
}

#[derive(Default)]
struct Entry {
    kept: Option<Versioned>,
    /// When it may go: a tombstone, or what expires.
    forget: Option<Instant>,
    lease: Option<Held>,
}

#[derive(Clone, Copy)]
struct Held {
    number: u64,
    until: Instant,
}

impl MemoryStore {
    /// An empty store, whose leases last for 30 s.
    pub fn new() -> Self {
        Self::with_term(Duration::from_secs(30))
    }

    /// An empty store with another term for leases: how long a holder that stands still keeps the others waiting.
    pub fn with_term(term: Duration) -> Self {
        Self::with(term, None)
    }

    /// An empty store that forgets what was not changed for so long: for what ends with a session, which nobody may
    /// come back to. Choose it longer than whoever keeps something here may stay away.
    pub fn expiring_after(expiry: Duration) -> Self {
        Self::with(Duration::from_secs(30), Some(expiry.min(FAR)))
    }

    fn with(term: Duration, expiry: Option<Duration>) -> Self {
        Self {
            shared: Arc::new(Shared {
                entries: Mutex::default(),
                versions: AtomicU64::new(0),
                changed: watch::Sender::new(()),
                term,
                expiry,
            }),
        }
    }

    /// No code of others runs under this lock.
    fn entries(&self) -> MutexGuard<'_, HashMap<Key, Entry>> {
        let mut entries = self.shared.lock();
        // Amortised: what a sign-out left behind goes with the next write, not by a task.
        if entries.len() == entries.capacity() {
            let now = Instant::now();
            entries.retain(|_, entry| !entry.is_forgotten(now));
        }
        entries
    }

    fn next(&self) -> u64 {
        self.shared.versions.fetch_add(1, Ordering::Relaxed) + 1
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn kept(&self, now: Instant) -> Option<&Versioned> {
        self.kept.as_ref().filter(|_| self.forget.is_none_or(|forget| now < forget))
    }

    fn version(&self, now: Instant) -> Option<Version> {
        self.kept(now).map(|kept| kept.version)
    }

    fn is_forgotten(&self, now: Instant) -> bool {
        self.kept(now).is_none() && self.lease.is_none_or(|lease| now >= lease.until)
    }
}

impl TokenStore for MemoryStore {
    type Lease = MemoryLease;

    async fn load(&self, key: &Key) -> Result<Option<Versioned>, Error> {
        let now = Instant::now();
        Ok(self.shared.lock().get(key).and_then(|entry| entry.kept(now)).cloned())
    }

    async fn compare_and_swap(
        &self,
        key: &Key,
        expected: Option<Version>,
        value: &Secret,
    ) -> Result<Option<Version>, Error> {
        let now = Instant::now();
        let mut entries = self.entries();
        let found = entries.get(key).and_then(|entry| entry.version(now));
        if found != expected {
            return Ok(None);
        }
        let version = Version(self.next());
        let entry = entries.entry(key.clone()).or_default();
        entry.kept = Some(Versioned::new(version, Some(value.clone())));
        entry.forget = self.shared.expiry.map(|expiry| now + expiry);
        drop(entries);
        self.shared.changed.send_replace(());
        Ok(Some(version))
    }

    async fn lease(&self, key: &Key, seen: Option<Version>) -> Result<Option<MemoryLease>, Error> {
        let mut changed = self.shared.changed.subscribe();
        loop {
            let now = Instant::now();
            let until = {
                let mut entries = self.entries();
                let entry = entries.entry(key.clone()).or_default();
                if entry.version(now) != seen {
                    return Ok(None);
                }
                match entry.lease.filter(|lease| now < lease.until) {
                    Some(lease) => lease.until,
                    None => {
                        let number = self.next();
                        let until = now + self.shared.term.min(FAR);
                        entry.lease = Some(Held { number, until });
                        return Ok(Some(MemoryLease { shared: self.shared.clone(), key: key.clone(), number }));
                    }
                }
            };
            let _ = tokio::time::timeout_at(until, changed.changed()).await;
        }
    }

    async fn remove(&self, key: &Key, tombstone: Duration) -> Result<(), Error> {
        let version = Version(self.next());
        let mut entries = self.entries();
        let entry = entries.entry(key.clone()).or_default();
        entry.kept = Some(Versioned::new(version, None));
        entry.forget = Instant::now().checked_add(tombstone);
        drop(entries);
        self.shared.changed.send_replace(());
        Ok(())
    }
}

/// A lease of a [`MemoryStore`].
pub struct MemoryLease {
    shared: Arc<Shared>,
    key: Key,
    number: u64,
}

impl Lease for MemoryLease {
    async fn release(self) {}
}

impl Drop for MemoryLease {
    fn drop(&mut self) {
        let mut entries = self.shared.lock();
        if let Some(entry) = entries.get_mut(&self.key) {
            entry.lease.take_if(|lease| lease.number == self.number);
            if entry.is_forgotten(Instant::now()) {
                entries.remove(&self.key);
            }
        }
        drop(entries);
        self.shared.changed.send_replace(());
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("keys", &self.shared.lock().len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for MemoryLease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryLease").field("key", &self.key).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_nobody_changed_for_long_is_forgotten_where_that_was_asked_for() {
        let store = MemoryStore::expiring_after(Duration::from_secs(60));
        let keys: Vec<Key> = (0..100).map(|number: u32| Key::new([&*number.to_string()])).collect();
        let value = Secret::new("v");
        for key in &keys {
            store.compare_and_swap(key, None, &value).await.unwrap().unwrap();
        }
        tokio::time::advance(Duration::from_secs(40)).await;
        let version = store.load(&keys[0]).await.unwrap().unwrap().version;
        store.compare_and_swap(&keys[0], Some(version), &value).await.unwrap().unwrap();
        tokio::time::advance(Duration::from_secs(40)).await;
        assert!(store.load(&keys[0]).await.unwrap().is_some(), "it was changed meanwhile");
        assert!(store.load(&keys[1]).await.unwrap().is_none());
        for number in 100..400_u32 {
            store.compare_and_swap(&Key::new([&*number.to_string()]), None, &value).await.unwrap();
        }
        assert!(store.shared.lock().len() <= 301, "what was forgotten takes no room");
    }
}
