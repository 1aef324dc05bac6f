//! What people write themselves.

use std::{sync::Arc, time::Instant};

use arc_swap::ArcSwap;
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use tokio::sync::Mutex;

use crate::{
    keeper::{Error, Keeper, bearer},
    post::post,
};

/// One lock around the token, held while the next one is fetched. A 401 empties it.
#[derive(Clone)]
pub(crate) struct Locked {
    token_url: Arc<str>,
    held: Arc<Mutex<Option<(String, Instant)>>>,
}

impl Locked {
    pub(crate) fn new(token_url: &str) -> Self {
        Self { token_url: token_url.into(), held: Arc::default() }
    }
}

impl Keeper for Locked {
    async fn authorize(&self, headers: &mut HeaderMap) -> Result<(), Error> {
        let mut held = self.held.lock().await;
        let token = match &*held {
            Some((token, end)) if Instant::now() < *end => token,
            _ => {
                let (token, lifetime) = post(&self.token_url).await?;
                &held.insert((token, Instant::now() + lifetime)).0
            }
        };
        headers.insert(AUTHORIZATION, bearer(token)?);
        Ok(())
    }

    async fn refused(&self, _headers: &HeaderMap) -> bool {
        *self.held.lock().await = None;
        true
    }
}

/// A ready-made header, exchanged by whoever has a new one: the least that a token that changes can cost.
#[derive(Clone)]
pub(crate) struct Swapped(Arc<ArcSwap<HeaderValue>>);

impl Swapped {
    pub(crate) fn new(token: &str) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(bearer(token).unwrap())))
    }
}

impl Keeper for Swapped {
    async fn authorize(&self, headers: &mut HeaderMap) -> Result<(), Error> {
        headers.insert(AUTHORIZATION, self.0.load().as_ref().clone());
        Ok(())
    }
}
