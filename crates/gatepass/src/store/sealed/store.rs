use std::{fmt, sync::Arc, time::Duration};

use super::{
    SealKey,
    envelope::{open, seal},
};
use crate::{
    error::Error,
    secret::Secret,
    store::{Key, TokenStore, Version, Versioned},
};

/// Encrypts what another store keeps, so that whoever reads the file, the database or its backup learns nothing.
///
/// ```
/// use gatepass::{Secret, store::{Key, MemoryStore, SealKey, Sealed, TokenStore}};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), gatepass::Error> {
/// # let setting = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
/// let inner = MemoryStore::new();
/// let old = SealKey::from_base64("2024", setting)?;
/// let alice = Key::new(["https://auth.example.com", "my-client", "alice"]);
/// let value = Secret::new(r#"{"refresh_token":"tGzv3JOkF0XG5Qx2TlKWIA"}"#);
/// let store = Sealed::new(inner.clone(), old.clone());
/// store.compare_and_swap(&alice, None, &value).await?;
/// let sealed = inner.load(&alice).await?.unwrap().value.unwrap();
/// assert!(!sealed.expose().contains("refresh_token"));
///
/// // A new key from now on; what the old one sealed still opens.
/// let new = SealKey::new("2025", [7; 32]); // not so: 32 random bytes
/// let store = Sealed::new(inner, new).also_open(old);
/// let kept = store.load(&alice).await?.unwrap();
/// assert_eq!(kept.value, Some(value));
/// # Ok(()) }
/// ```
///
/// # Changing the key
/// First let each instance [open](Self::also_open) the new key too, and then seal with it and also open the old one:
/// else an instance that was not restarted yet meets what it cannot open. A value is sealed anew with its next change,
/// so the old key can go when the oldest record has changed.
///
/// # What it hides, and what not
/// Values only. Keys, which name issuer and client, versions, and the length of a value stay readable.
/// XChaCha20-Poly1305 with a random nonce; a value is bound to its key and does not open under another. Whoever can
/// write to the store can still delete a value, or put an older one of the same key back.
///
/// # Errors
/// Those of the store; and misconfigured, naming the record and what to do, if a value does not open: its key is not
/// known or has other bytes, it was changed or moved, or was never sealed. Such a value is left alone.
#[derive(Clone)]
pub struct Sealed<S> {
    store: S,
    /// The first seals.
    keys: Arc<Vec<SealKey>>,
}

impl<S> Sealed<S> {
    /// Seals with this key, and opens what was sealed with it.
    pub fn new(store: S, key: SealKey) -> Self {
        Self { store, keys: Arc::new(vec![key]) }
    }

    /// Opens what was sealed with this key, too: an older one, or the next.
    #[must_use]
    pub fn also_open(mut self, key: SealKey) -> Self {
        Arc::make_mut(&mut self.keys).push(key);
        self
    }
}

impl<S: TokenStore> TokenStore for Sealed<S> {
    type Lease = S::Lease;

    async fn load(&self, key: &Key) -> Result<Option<Versioned>, Error> {
        let Some(found) = self.store.load(key).await? else { return Ok(None) };
        let value = found.value.as_ref().map(|sealed| open(key, &self.keys, sealed)).transpose()?;
        Ok(Some(Versioned::new(found.version, value)))
    }

    async fn compare_and_swap(
        &self,
        key: &Key,
        expected: Option<Version>,
        value: &Secret,
    ) -> Result<Option<Version>, Error> {
        let sealed = seal(key, &self.keys[0], value)?;
        self.store.compare_and_swap(key, expected, &sealed).await
    }

    fn lease(&self, key: &Key, seen: Option<Version>) -> impl Future<Output = Result<Option<S::Lease>, Error>> + Send {
        self.store.lease(key, seen)
    }

    fn remove(&self, key: &Key, tombstone: Duration) -> impl Future<Output = Result<(), Error>> + Send {
        self.store.remove(key, tombstone)
    }
}

impl<S: fmt::Debug> fmt::Debug for Sealed<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealed").field("store", &self.store).field("keys", &self.keys).finish()
    }
}
