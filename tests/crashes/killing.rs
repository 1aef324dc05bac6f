//! A store and a source that end the process at one of their steps.

use std::{
    process,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use gatepass::{
    Error, Secret, TokenSet, TokenSource,
    source::Identity,
    store::{Key, Lease, TokenStore, Version, Versioned},
};

/// Ends the process when it is passed for the n-th time.
#[derive(Clone)]
pub(crate) struct Fuse {
    at: usize,
    passed: Arc<AtomicUsize>,
}

impl Fuse {
    pub(crate) fn new(at: usize) -> Self {
        Self { at, passed: Arc::default() }
    }

    fn pass(&self, step: &str) {
        if self.passed.fetch_add(1, SeqCst) + 1 == self.at {
            println!("died {step}");
            process::abort();
        }
    }

    async fn around<T>(&self, verb: &str, call: impl Future<Output = T>) -> T {
        self.pass(&format!("before {verb}"));
        let result = call.await;
        self.pass(&format!("after {verb}"));
        result
    }
}

pub(crate) struct KillingStore<S> {
    inner: S,
    fuse: Fuse,
}

impl<S> KillingStore<S> {
    pub(crate) fn new(inner: S, fuse: Fuse) -> Self {
        Self { inner, fuse }
    }
}

pub(crate) struct KillingLease<L> {
    inner: L,
    fuse: Fuse,
}

impl<L: Lease> Lease for KillingLease<L> {
    async fn release(self) {
        self.fuse.around("release", self.inner.release()).await;
    }
}

impl<S: TokenStore> TokenStore for KillingStore<S> {
    type Lease = KillingLease<S::Lease>;

    async fn load(&self, key: &Key) -> Result<Option<Versioned>, Error> {
        self.fuse.around("load", self.inner.load(key)).await
    }

    async fn compare_and_swap(
        &self,
        key: &Key,
        expected: Option<Version>,
        value: &Secret,
    ) -> Result<Option<Version>, Error> {
        self.fuse.around("compare_and_swap", self.inner.compare_and_swap(key, expected, value)).await
    }

    async fn lease(&self, key: &Key, seen: Option<Version>) -> Result<Option<Self::Lease>, Error> {
        let lease = self.fuse.around("lease", self.inner.lease(key, seen)).await?;
        Ok(lease.map(|inner| KillingLease { inner, fuse: self.fuse.clone() }))
    }

    async fn remove(&self, key: &Key, tombstone: Duration) -> Result<(), Error> {
        self.inner.remove(key, tombstone).await
    }
}

pub(crate) struct KillingSource<S> {
    inner: S,
    fuse: Fuse,
}

impl<S> KillingSource<S> {
    pub(crate) fn new(inner: S, fuse: Fuse) -> Self {
        Self { inner, fuse }
    }
}

impl<S: TokenSource> TokenSource for KillingSource<S> {
    async fn exchange(&self, current: Option<&TokenSet>) -> Result<TokenSet, Error> {
        self.fuse.around("the token request", self.inner.exchange(current)).await
    }

    fn can_renew(&self, current: &TokenSet) -> bool {
        self.inner.can_renew(current)
    }

    fn identity(&self) -> Identity {
        self.inner.identity()
    }

    fn accepts(&self, set: &TokenSet) -> Result<(), Error> {
        self.inner.accepts(set)
    }
}
