use std::{fmt, sync::Arc, time::Duration};

use gatepass::{
    Error, Secret,
    store::{Key, TokenStore, Version, Versioned},
};
use redis::Client;

use crate::{
    changes::{Changes, Listener},
    connection::Connection,
    error,
    lease::{self, RedisLease},
    names::Names,
    scripts::{self, Answer, Call},
};

/// Shorter, and a clock that steps by a little could use a version again.
const SHORTEST_TOMBSTONE: Duration = Duration::from_secs(1);
const SHORTEST_EXPIRY: Duration = Duration::from_secs(1);
const SHORTEST_TERM: Duration = Duration::from_millis(100);

/// Keeps sets in Redis or Valkey. See the [crate docs](crate).
///
/// A handle: clones share its connection. Settings are those of the handle they are set on, and of its clones. All
/// instances have to have the same prefix, and may differ in the rest.
///
/// # Panics
/// Its methods, outside of a tokio runtime with I/O and time.
#[derive(Clone)]
pub struct RedisStore {
    shared: Arc<Shared>,
    settings: Settings,
}

struct Shared {
    connection: Connection,
    changes: Changes,
}

#[derive(Clone)]
pub(crate) struct Settings {
    prefix: Arc<str>,
    pub(crate) term: Duration,
    limit: Duration,
    expiry: Option<Duration>,
}

impl RedisStore {
    /// A store at `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS with the feature `tls`.
    /// Does no I/O yet: it connects when it is used, and again when the connection is lost.
    ///
    /// ```
    /// # fn main() -> Result<(), gatepass::Error> {
    /// let store = gatepass_redis::RedisStore::new("redis://:s3cr3t@redis.internal")?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Misconfigured, when the URL is none, or asks for TLS without the feature. The error shows nothing of it.
    pub fn new(url: impl AsRef<str>) -> Result<Self, Error> {
        let url = url.as_ref();
        Ok(Self::from_client(Client::open(url).map_err(|_| error::bad_url(url))?))
    }

    /// A store over a client of your own, for root certificates or a client certificate, a Unix socket, settings of
    /// TCP.
    ///
    /// ```
    /// # fn main() -> redis::RedisResult<()> {
    /// use gatepass_redis::{RedisStore, redis::Client};
    ///
    /// let store = RedisStore::from_client(Client::open("redis+unix:///run/redis.sock")?);
    /// # Ok(()) }
    /// ```
    pub fn from_client(client: Client) -> Self {
        Self {
            shared: Arc::new(Shared { connection: Connection::new(client), changes: Changes::default() }),
            settings: Settings {
                prefix: "gatepass".into(),
                term: Duration::from_secs(3),
                limit: Duration::from_secs(2),
                expiry: None,
            },
        }
    }

    /// What the names of all keys and channels in Redis begin with, instead of `gatepass`. Without braces, which in a
    /// cluster decide where keys are.
    #[must_use]
    pub fn prefix(mut self, prefix: impl AsRef<str>) -> Self {
        self.settings.prefix = prefix.as_ref().into();
        self
    }

    /// How long a lease lasts when it is not renewed, instead of 3 s: as long do the others wait for a holder that
    /// died. One that lives renews it three times as often. At least 100 ms.
    #[must_use]
    pub fn lease_term(mut self, term: Duration) -> Self {
        self.settings.term = term.max(SHORTEST_TERM);
        self
    }

    /// How long each operation may take, instead of 2 s, connecting included. Not how long to wait for a lease that
    /// somebody else holds, which the caller bounds.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.settings.limit = limit;
        self
    }

    /// Has Redis forget a set this long after it was last written, which each renewal does; without this it never
    /// does. At least 1 s. Longer than refresh tokens live unused, it only cleans up.
    #[must_use]
    pub fn expire_after(mut self, expiry: Duration) -> Self {
        self.settings.expiry = Some(expiry.max(SHORTEST_EXPIRY));
        self
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn names(&self, key: &Key) -> Names {
        Names::new(&self.settings.prefix, key)
    }

    pub(crate) async fn run(&self, call: &Call) -> Result<Answer, Error> {
        self.shared.connection.run(call, self.settings.limit).await
    }

    pub(crate) async fn listen(&self, names: &Names) -> Option<Listener> {
        let client = self.shared.connection.client();
        self.shared.changes.listen(client, &names.changed, self.settings.limit).await
    }

    /// For an answer that stands for an error with every script.
    pub(crate) fn refusal(&self, answer: Answer) -> Error {
        match answer {
            Answer::Damaged(name) => error::damaged(&name),
            _ => error::strange_answer(self.shared.connection.address()),
        }
    }
}

impl TokenStore for RedisStore {
    type Lease = RedisLease;

    async fn load(&self, key: &Key) -> Result<Option<Versioned>, Error> {
        match self.run(&scripts::load(&self.names(key))).await? {
            Answer::Nothing => Ok(None),
            Answer::Kept(kept) => Ok(Some(kept)),
            other => Err(self.refusal(other)),
        }
    }

    async fn compare_and_swap(
        &self,
        key: &Key,
        expected: Option<Version>,
        value: &Secret,
    ) -> Result<Option<Version>, Error> {
        let call = scripts::swap(&self.names(key), expected, value, self.settings.expiry);
        match self.run(&call).await? {
            Answer::Written(version) => Ok(Some(version)),
            Answer::Changed => Ok(None),
            other => Err(self.refusal(other)),
        }
    }

    async fn lease(&self, key: &Key, seen: Option<Version>) -> Result<Option<RedisLease>, Error> {
        lease::wait_for(self, key, seen).await
    }

    async fn remove(&self, key: &Key, tombstone: Duration) -> Result<(), Error> {
        let call = scripts::remove(&self.names(key), tombstone.max(SHORTEST_TOMBSTONE));
        match self.run(&call).await? {
            Answer::Written(_) => Ok(()),
            other => Err(self.refusal(other)),
        }
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("address", &self.shared.connection.address())
            .field("prefix", &self.settings.prefix)
            .field("lease_term", &self.settings.term)
            .field("timeout", &self.settings.limit)
            .field("expire_after", &self.settings.expiry)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x5_debug_shows_where_but_neither_user_nor_password() {
        let store = RedisStore::new("redis://alice:hunter2@redis.internal:6380/7").unwrap().prefix("orders");
        let shown = format!("{store:?}");
        assert!(shown.contains("redis.internal:6380") && shown.contains("orders"), "{shown}");
        assert!(!shown.contains("alice") && !shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn settings_that_redis_cannot_take_are_brought_into_range() {
        let store = RedisStore::new("redis://redis.internal").unwrap();
        let store = store.lease_term(Duration::ZERO).expire_after(Duration::ZERO);
        assert_eq!((store.settings.term, store.settings.expiry), (SHORTEST_TERM, Some(SHORTEST_EXPIRY)));
    }

    #[cfg(not(feature = "tls"))]
    #[test]
    fn without_tls_its_url_names_the_feature() {
        let error = RedisStore::new("rediss://redis.internal").unwrap_err();
        assert!(error.to_string().contains("feature `tls`"), "{error}");
    }
}
