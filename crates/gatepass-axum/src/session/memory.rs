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

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: i128, seconds: i64) -> Record {
        let expiry_date = OffsetDateTime::now_utc() + tower_sessions::cookie::time::Duration::seconds(seconds);
        Record { id: Id(id), data: HashMap::new(), expiry_date }
    }

    #[tokio::test]
    async fn an_identifier_that_is_taken_is_replaced_and_one_that_has_ended_is_free() {
        let store = MemorySessions::default();
        let (mut first, mut second) = (record(2, 60), record(2, 60));
        store.create(&mut first).await.unwrap();
        store.create(&mut second).await.unwrap();
        assert!(first.id == Id(2) && second.id != Id(2));
        let (mut ended, mut next) = (record(4, -1), record(4, 60));
        store.create(&mut ended).await.unwrap();
        store.create(&mut next).await.unwrap();
        assert_eq!(next.id, Id(4));
        assert_eq!(store.load(&Id(4)).await.unwrap(), Some(next));
    }

    #[tokio::test]
    async fn what_has_ended_is_not_found_and_takes_no_room() {
        let store = MemorySessions::default();
        for id in 0..10_000 {
            store.save(&record(id, -1)).await.unwrap();
        }
        assert_eq!(store.load(&Id(9_999)).await.unwrap(), None);
        assert!(store.lock().len() < 100, "{}", store.lock().len());
        store.save(&record(7, 60)).await.unwrap();
        store.delete(&Id(7)).await.unwrap();
        assert_eq!(store.load(&Id(7)).await.unwrap(), None);
    }
}
