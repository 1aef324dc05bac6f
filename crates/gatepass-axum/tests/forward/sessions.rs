//! A session store that counts, and fails on command.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use gatepass_axum::tower_sessions::{
    SessionStore,
    session::{Id, Record},
    session_store::{Error, Result},
};

#[derive(Clone, Debug, Default)]
pub(crate) struct Sessions(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    records: Mutex<HashMap<Id, Record>>,
    loads: AtomicUsize,
    is_away: AtomicBool,
}

impl Sessions {
    /// From now on nothing can be looked up or kept.
    pub(crate) fn go_away(&self) {
        self.0.is_away.store(true, Ordering::SeqCst);
    }

    pub(crate) fn loads(&self) -> usize {
        self.0.loads.load(Ordering::SeqCst)
    }

    pub(crate) fn forget_loads(&self) {
        self.0.loads.store(0, Ordering::SeqCst);
    }

    fn with<T>(&self, act: impl FnOnce(&mut HashMap<Id, Record>) -> T) -> Result<T> {
        match self.0.is_away.load(Ordering::SeqCst) {
            true => Err(Error::Backend("the store at 10.1.2.3 is away".to_owned())),
            false => Ok(act(&mut self.0.records.lock().unwrap())),
        }
    }
}

#[async_trait]
impl SessionStore for Sessions {
    async fn create(&self, record: &mut Record) -> Result<()> {
        self.with(|records| {
            while records.contains_key(&record.id) {
                record.id = Id::default();
            }
            records.insert(record.id, record.clone());
        })
    }

    async fn save(&self, record: &Record) -> Result<()> {
        self.with(|records| drop(records.insert(record.id, record.clone())))
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        self.0.loads.fetch_add(1, Ordering::SeqCst);
        self.with(|records| records.get(id).cloned())
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.with(|records| drop(records.remove(id)))
    }
}
