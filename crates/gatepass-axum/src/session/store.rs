use std::{fmt, sync::Arc};

use async_trait::async_trait;
use tower_sessions::{
    SessionStore,
    session::{Id, Record},
    session_store::Result,
};

/// The session store of a site, whatever its type. Sessions have even identifiers here, and odd ones belong to
/// [`Marks`](super::Marks), so that no cookie reaches those.
#[derive(Clone)]
pub(crate) struct Sessions(pub(super) Arc<dyn SessionStore>);

impl Sessions {
    pub(crate) fn new(store: impl SessionStore) -> Self {
        Self(Arc::new(store))
    }
}

pub(super) fn is_odd(id: Id) -> bool {
    id.0 & 1 == 1
}

#[async_trait]
impl SessionStore for Sessions {
    async fn create(&self, record: &mut Record) -> Result<()> {
        loop {
            record.id = Id(record.id.0 & !1);
            self.0.create(record).await?;
            // The store chooses another one where the first was taken.
            if !is_odd(record.id) {
                return Ok(());
            }
            self.0.delete(&record.id).await?;
        }
    }

    async fn save(&self, record: &Record) -> Result<()> {
        if is_odd(record.id) {
            return Ok(());
        }
        self.0.save(record).await
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        if is_odd(*id) {
            return Ok(None);
        }
        self.0.load(id).await
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        if is_odd(*id) {
            return Ok(());
        }
        self.0.delete(id).await
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sessions").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tower_sessions::cookie::time::{Duration, OffsetDateTime};

    use super::*;
    use crate::session::MemorySessions;

    #[tokio::test]
    async fn no_session_has_the_identifier_of_a_mark_and_none_reaches_one() {
        let marks = MemorySessions::default();
        let sessions = Sessions::new(marks.clone());
        let expiry_date = OffsetDateTime::now_utc() + Duration::MINUTE;
        let mark = Record { id: Id(7), data: HashMap::new(), expiry_date };
        marks.save(&mark).await.unwrap();

        assert_eq!(sessions.load(&Id(7)).await.unwrap(), None);
        sessions.delete(&Id(7)).await.unwrap();
        sessions.save(&Record { data: HashMap::from([("a".to_owned(), 1.into())]), ..mark.clone() }).await.unwrap();
        assert_eq!(marks.load(&Id(7)).await.unwrap(), Some(mark.clone()));
        for _ in 0..100 {
            let mut session = Record { id: Id(-7), ..mark.clone() };
            sessions.create(&mut session).await.unwrap();
            assert!(!is_odd(session.id));
        }
    }
}
