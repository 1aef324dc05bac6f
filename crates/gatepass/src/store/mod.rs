//! Where token sets are kept, so that a restart, another process or another instance goes on from the newest.
//!
//! A refresh token that rotates may be spent once. Whoever spends it has to be alone, and the new one has to be kept
//! before anything else happens. That is what a [`TokenStore`] is for, and all it has to know is four verbs over
//! opaque texts:
//!
//! | verb | |
//! |---|---|
//! | [`load`](TokenStore::load) | what is kept under a key, and its version |
//! | [`compare_and_swap`](TokenStore::compare_and_swap) | replaces it, unless somebody else did meanwhile |
//! | [`lease`](TokenStore::lease) | waits for the exclusive right to exchange |
//! | [`remove`](TokenStore::remove) | forgets it, and for a while refuses whoever would bring it back |
//!
//! A cell is given a store, and does the rest: lease, load, adopt what is newer or exchange, store, publish, release
//! (C4, C5).
//!
//! ```
//! use gatepass::{Error, TokenCell, TokenSet, store::MemoryStore};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Error> {
//! # let source = |spent: Option<TokenSet>| async move {
//! #     assert_eq!(spent.unwrap().refresh_token.unwrap().expose(), "tGzv3JOkF0XG5Qx2TlKWIA");
//! #     Ok::<_, Error>(TokenSet::new("a").refresh_token("rotated").expires_in(std::time::Duration::from_secs(60)))
//! # };
//! let store = MemoryStore::new();
//! let signed_in = TokenSet::from_refresh_token("tGzv3JOkF0XG5Qx2TlKWIA");
//! let one = TokenCell::builder(source).store(store.clone()).subject("alice").start_from(signed_in).build();
//! let two = TokenCell::builder(source).store(store).subject("alice").build();
//! assert_eq!(one.get().await?.expose(), two.get().await?.expose()); // one exchange
//! # Ok(()) }
//! ```
//!
//! What is guaranteed, what is not, and why: `docs/several-instances.md` in the repository.

#[cfg(test)]
mod contract;
mod erased;
mod file;
mod key;
mod memory;
mod record;
#[cfg(feature = "sealed")]
mod sealed;

use std::{fmt, future::Future, sync::Arc, time::Duration};

#[cfg(feature = "sealed")]
pub use self::sealed::{SealKey, Sealed};
pub(crate) use self::{
    erased::{ErasedLease, ErasedStore},
    record::{Intent, LATEST, Record, fingerprint},
};
pub use self::{file::FileStore, key::Key, memory::MemoryStore};
use crate::{error::Error, secret::Secret};

/// Keeps texts under keys, for several cells, processes or instances.
///
/// A store is a handle: clones share what is kept. It knows nothing of tokens; the texts are JSON, secret, and a few
/// kilobytes long. Every wait of its own is bounded, in seconds: a store that is away is an error.
///
/// # Errors
/// Of all methods: [transient](Error::transient) when the store is away, and passes by;
/// [misconfigured](Error::misconfigured) when somebody has to do something, and the message says what. An error never
/// holds a text that is kept (X5).
pub trait TokenStore: Send + Sync + 'static {
    /// The right to exchange, while it is held.
    type Lease: Lease;

    /// What is kept under `key`; `None` when nothing is.
    fn load(&self, key: &Key) -> impl Future<Output = Result<Option<Versioned>, Error>> + Send;

    /// Keeps `value` under `key`, if what is kept there still has the version `expected`; `None` stands for nothing.
    ///
    /// Returns the new version, or `None` if it has not. What was kept is durable when this returns: it survives a
    /// crash of this process, and of the machine where the store promises that.
    ///
    /// # Errors
    /// As for all methods; and then the value may have been kept all the same: who wants to know loads.
    ///
    /// # Cancel safety
    /// A dropped call has either happened or not, and a later load by this handle or its clones tells which.
    fn compare_and_swap(
        &self,
        key: &Key,
        expected: Option<Version>,
        value: &Secret,
    ) -> impl Future<Output = Result<Option<Version>, Error>> + Send;

    /// Waits until nobody else holds the lease of `key`, and takes it.
    ///
    /// Returns `None`, without the lease, as soon as what is kept is seen to have another version than `seen`: there
    /// is something to load first. The caller bounds the wait.
    ///
    /// A lease keeps others from spending the same refresh token. It is no lock: where it can be lost (a holder that
    /// stands still for long), the version is what keeps the late holder from overwriting what is newer.
    ///
    /// # Cancel safety
    /// A dropped call holds nothing.
    fn lease(
        &self,
        key: &Key,
        seen: Option<Version>,
    ) -> impl Future<Output = Result<Option<Self::Lease>, Error>> + Send;

    /// Forgets what is kept, whatever its version. For as long as `tombstone`, at least, [`load`](Self::load) finds a
    /// new version without a value, so that a swap that expects the version before, or nothing, fails; also where
    /// nothing was kept.
    fn remove(&self, key: &Key, tombstone: Duration) -> impl Future<Output = Result<(), Error>> + Send;
}

/// The right to exchange, from [`TokenStore::lease`]. Dropping it gives it back, at the latest when the store has
/// noticed.
pub trait Lease: Send + Sync + 'static {
    /// Gives it back; done when this returns, where the store can be reached.
    fn release(self) -> impl Future<Output = ()> + Send;
}

/// What is kept under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Versioned {
    /// Changes with every change of the value.
    pub version: Version,
    /// The text; `None` for a while after it was removed.
    pub value: Option<Secret>,
}

impl Versioned {
    /// A value with its version.
    pub fn new(version: Version, value: Option<Secret>) -> Self {
        Self { version, value }
    }
}

/// Tells two states of what is kept under one key apart. A store never uses the same twice for a key, not even after
/// the key was forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Version(pub u64);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A store behind a reference count.
impl<S: TokenStore> TokenStore for Arc<S> {
    type Lease = S::Lease;

    fn load(&self, key: &Key) -> impl Future<Output = Result<Option<Versioned>, Error>> + Send {
        (**self).load(key)
    }

    fn compare_and_swap(
        &self,
        key: &Key,
        expected: Option<Version>,
        value: &Secret,
    ) -> impl Future<Output = Result<Option<Version>, Error>> + Send {
        (**self).compare_and_swap(key, expected, value)
    }

    fn lease(
        &self,
        key: &Key,
        seen: Option<Version>,
    ) -> impl Future<Output = Result<Option<Self::Lease>, Error>> + Send {
        (**self).lease(key, seen)
    }

    fn remove(&self, key: &Key, tombstone: Duration) -> impl Future<Output = Result<(), Error>> + Send {
        (**self).remove(key, tombstone)
    }
}
