//! The private dyn twin of the store, for cells, which carry no store type in their names.

use std::{future::Future, pin::Pin, time::Duration};

use super::{Key, Lease, TokenStore, Version, Versioned};
use crate::{error::Error, secret::Secret};

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

pub(crate) trait ErasedStore: Send + Sync {
    fn load<'a>(&'a self, key: &'a Key) -> Boxed<'a, Result<Option<Versioned>, Error>>;
    fn compare_and_swap<'a>(
        &'a self,
        key: &'a Key,
        expected: Option<Version>,
        value: &'a Secret,
    ) -> Boxed<'a, Result<Option<Version>, Error>>;
    fn lease<'a>(
        &'a self,
        key: &'a Key,
        seen: Option<Version>,
    ) -> Boxed<'a, Result<Option<Box<dyn ErasedLease>>, Error>>;
    fn remove<'a>(&'a self, key: &'a Key, tombstone: Duration) -> Boxed<'a, Result<(), Error>>;
}

impl<S: TokenStore> ErasedStore for S {
    fn load<'a>(&'a self, key: &'a Key) -> Boxed<'a, Result<Option<Versioned>, Error>> {
        Box::pin(TokenStore::load(self, key))
    }

    fn compare_and_swap<'a>(
        &'a self,
        key: &'a Key,
        expected: Option<Version>,
        value: &'a Secret,
    ) -> Boxed<'a, Result<Option<Version>, Error>> {
        Box::pin(TokenStore::compare_and_swap(self, key, expected, value))
    }

    fn lease<'a>(
        &'a self,
        key: &'a Key,
        seen: Option<Version>,
    ) -> Boxed<'a, Result<Option<Box<dyn ErasedLease>>, Error>> {
        Box::pin(async move {
            let lease = TokenStore::lease(self, key, seen).await?;
            Ok(lease.map(|lease| Box::new(lease) as Box<dyn ErasedLease>))
        })
    }

    fn remove<'a>(&'a self, key: &'a Key, tombstone: Duration) -> Boxed<'a, Result<(), Error>> {
        Box::pin(TokenStore::remove(self, key, tombstone))
    }
}

pub(crate) trait ErasedLease: Send + Sync {
    fn release(self: Box<Self>) -> Boxed<'static, ()>;
}

impl<L: Lease> ErasedLease for L {
    fn release(self: Box<Self>) -> Boxed<'static, ()> {
        Box::pin(Lease::release(*self))
    }
}
