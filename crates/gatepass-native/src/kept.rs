//! The store of a program, with its type erased, and what is asked of it before a person is asked (S9).

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use gatepass::{
    Error, TokenSet, TokenSource,
    cell::Builder,
    source::Identity,
    store::{Key, TokenStore},
};

/// For a store that does not bound its own waits.
const PATIENCE: Duration = Duration::from_secs(10);

/// A store.
pub(crate) trait Kept: Send + Sync {
    /// A cell that keeps its tokens here.
    fn with(&self, builder: Builder) -> Builder;

    /// Whether it can be written to.
    fn check<'a>(&'a self) -> Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 'a>>;
}

impl<S: TokenStore> Kept for Arc<S> {
    fn with(&self, builder: Builder) -> Builder {
        builder.store(self.clone())
    }

    fn check<'a>(&'a self) -> Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 'a>> {
        Box::pin(async move {
            // To forget what never was is a change like others, and leaves nothing.
            let nothing = Key::new(["nothing, to see whether this can be written to"]);
            match tokio::time::timeout(PATIENCE, self.remove(&nothing, Duration::from_secs(1))).await {
                Ok(result) => result,
                Err(_) => Err(Error::transient(format!("no answer from the token store within {PATIENCE:?}"))),
            }
        })
    }
}

/// Reads what a source would, whosever it is (X6), and exchanges nothing.
pub(crate) struct AnyOwner(Identity);

impl AnyOwner {
    pub(crate) fn of(source: &impl TokenSource) -> Self {
        Self(source.identity())
    }
}

impl TokenSource for AnyOwner {
    async fn exchange(&self, _: Option<&TokenSet>) -> Result<TokenSet, Error> {
        Err(Error::misconfigured("this cell only reads"))
    }

    fn identity(&self) -> Identity {
        self.0.clone()
    }
}
