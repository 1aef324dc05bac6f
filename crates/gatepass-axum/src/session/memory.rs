use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use tower_sessions::{
    SessionStore,
    cookie::time::OffsetDateTime,
    session::{Id, Record},
    session_store::Result,
};

/// Sessions in this process; a restart forgets them. Unlike tower-sessions' own it lets go of those that have ended.
#[derive(Clone, Default)]
pub(crate) struct MemorySessions(Arc<Mutex<HashMap<Id, Record>>>);

impl MemorySessions {
    fn lock(&self) -> MutexGuard<'_, HashMap<Id, Record>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For who writes: what has ended goes when room for more would be needed.
    fn with_room(&self) -> MutexGuard<'_, HashMap<Id, Record>> {
        let mut records = self.lock();
        if records.len() == records.capacity() {
            let now = OffsetDateTime::now_utc();
            records.retain(|_, record| record.expiry_date > now);
        }
        records
    }
}

#[async_trait]
impl SessionStore for MemorySessions {
    async fn create(&self, record: &mut Record) -> Result<()> {
        let mut records = self.with_room();
        let now = OffsetDateTime::now_utc();
        loop {
            match records.entry(record.id) {
                Entry::Occupied(taken) if taken.get().expiry_date > now => record.id = Id::default(),
                Entry::Occupied(mut ended) => {
                    ended.insert(record.clone());
                    return Ok(());
                }
                Entry::Vacant(free) => {
                    free.insert(record.clone());
                    return Ok(());
                }
            }
        }
    }

    async fn save(&self, record: &Record) -> Result<()> {
        self.with_room().insert(record.id, record.clone());
        Ok(())
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        Ok(self.lock().get(id).filter(|record| record.expiry_date > OffsetDateTime::now_utc()).cloned())
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.lock().remove(id);
        Ok(())
    }
}

impl fmt::Debug for MemorySessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemorySessions").field("records", &self.lock().len()).finish()
    }
}
