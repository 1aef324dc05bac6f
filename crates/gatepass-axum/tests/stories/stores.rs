//! Stores that fail on command, and say what is in them.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use gatepass::{
    Error, Secret,
    store::{Key, MemoryStore, TokenStore, Version, Versioned},
};
use gatepass_axum::tower_sessions::{
    SessionStore,
    session::{Id, Record},
    session_store,
};

/// A session store that outlives the site.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sessions(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    records: Mutex<HashMap<Id, Record>>,
    is_away: AtomicBool,
    /// How many calls more succeed, plus one; 0 is for all.
    left: AtomicUsize,
}

impl Sessions {
    /// Nothing works from now on, or all does.
    pub(crate) fn is_away(&self, is_away: bool) {
        self.0.left.store(0, Ordering::SeqCst);
        self.0.is_away.store(is_away, Ordering::SeqCst);
    }

    /// So many calls more succeed.
    pub(crate) fn fail_after(&self, calls: usize) {
        self.0.left.store(calls + 1, Ordering::SeqCst);
    }

    /// How many sessions somebody is signed in to.
    pub(crate) fn signed_in(&self) -> usize {
        self.0.records.lock().unwrap().values().filter(|record| record.data.contains_key("gatepass")).count()
    }

    /// Everything that is kept, as a text.
    pub(crate) fn text(&self) -> String {
        serde_json::to_string(&self.0.records.lock().unwrap().values().collect::<Vec<_>>()).unwrap()
    }

    fn call(&self) -> session_store::Result<std::sync::MutexGuard<'_, HashMap<Id, Record>>> {
        let left = &self.0.left;
        if left.load(Ordering::SeqCst) == 1 {
            self.0.is_away.store(true, Ordering::SeqCst);
        }
        let _ = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| (left > 1).then(|| left - 1));
        match self.0.is_away.load(Ordering::SeqCst) {
            true => Err(session_store::Error::Backend("the session store is away".to_owned())),
            false => Ok(self.0.records.lock().unwrap()),
        }
    }
}

#[async_trait]
impl SessionStore for Sessions {
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        let mut records = self.call()?;
        while records.contains_key(&record.id) {
            record.id = Id::default();
        }
        records.insert(record.id, record.clone());
        Ok(())
    }

    async fn save(&self, record: &Record) -> session_store::Result<()> {
        self.call()?.insert(record.id, record.clone());
        Ok(())
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        Ok(self.call()?.get(id).cloned())
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        self.call()?.remove(id);
        Ok(())
    }
}

/// The least that a session store may be: it relies on what tower-sessions does for it.
#[derive(Clone, Debug, Default)]
pub(crate) struct WithoutCreate(pub(crate) Sessions);

#[async_trait]
impl SessionStore for WithoutCreate {
    async fn save(&self, record: &Record) -> session_store::Result<()> {
        self.0.save(record).await
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        self.0.load(id).await
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        self.0.delete(id).await
    }
}

/// A token store that outlives the site.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tokens {
    store: MemoryStore,
    keys: Arc<Mutex<HashSet<Key>>>,
    is_away: Arc<AtomicBool>,
}

impl Tokens {
    /// Nothing works from now on, or all does.
    pub(crate) fn is_away(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::SeqCst);
    }

    /// How many people's tokens are in it.
    pub(crate) async fn kept(&self) -> usize {
        let keys: Vec<Key> = self.keys.lock().unwrap().iter().cloned().collect();
        let mut kept = 0;
        for key in keys {
            kept += usize::from(self.store.load(&key).await.unwrap().is_some_and(|found| found.value.is_some()));
        }
        kept
    }

    /// All that is kept, as a text.
    pub(crate) async fn text(&self) -> String {
        let keys: Vec<Key> = self.keys.lock().unwrap().iter().cloned().collect();
        let mut text = String::new();
        for key in keys {
            let found = self.store.load(&key).await.unwrap();
            text += found.and_then(|found| found.value).as_ref().map_or("", Secret::expose);
        }
        text
    }

    fn call(&self, key: &Key) -> Result<(), Error> {
        self.keys.lock().unwrap().insert(key.clone());
        match self.is_away.load(Ordering::SeqCst) {
            true => Err(Error::transient("the token store is away")),
            false => Ok(()),
        }
    }
}

impl TokenStore for Tokens {
    type Lease = <MemoryStore as TokenStore>::Lease;

    async fn load(&self, key: &Key) -> Result<Option<Versioned>, Error> {
        self.call(key)?;
        self.store.load(key).await
    }

    async fn compare_and_swap(
        &self,
        key: &Key,
        expected: Option<Version>,
        value: &Secret,
    ) -> Result<Option<Version>, Error> {
        self.call(key)?;
        self.store.compare_and_swap(key, expected, value).await
    }

    async fn lease(&self, key: &Key, seen: Option<Version>) -> Result<Option<Self::Lease>, Error> {
        self.call(key)?;
        self.store.lease(key, seen).await
    }

    async fn remove(&self, key: &Key, tombstone: Duration) -> Result<(), Error> {
        self.call(key)?;
        self.store.remove(key, tombstone).await
    }
}
