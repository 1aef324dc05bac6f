//! The storms of `benches/storms`, with each peer.
//!
//! All of them call the API over the same connections: a peer that is a layer or a middleware sits above them.

use std::{future::Future, pin::Pin, sync::Arc};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tokio::sync::OnceCell;

use crate::{
    keeper::Keeper,
    scenes::{Client, Figures, Http},
};

mod above;
mod lineup;

pub(crate) use self::lineup::{Entry, LINEUP};

type Running = Pin<Box<dyn Future<Output = Figures>>>;

/// A program around a [`Keeper`]: asks for the header, calls, and after a 401 once more if the keeper says so.
#[derive(Clone)]
pub(crate) struct Calling<K> {
    keeper: K,
    http: Http,
}

impl<K: Keeper> Calling<K> {
    fn new(keeper: K, http: Http) -> Self {
        Self { keeper, http }
    }

    async fn send(&self, url: &str) -> Result<Response<Full<Bytes>>, String> {
        let mut request = Request::get(url).body(Full::default()).map_err(|error| error.to_string())?;
        self.keeper.authorize(request.headers_mut()).await.map_err(|error| error.to_string())?;
        self.http.send(request).await
    }
}

impl<K: Keeper> Client for Calling<K> {
    async fn call(&self, url: &str) -> Result<u16, String> {
        let mut response = self.send(url).await?;
        if response.status() == StatusCode::UNAUTHORIZED && self.keeper.refused(response.headers()).await {
            response = self.send(url).await?;
        }
        Ok(response.status().as_u16())
    }
}

/// One that is built at the first call: for those whose building asks for a token, or has a task ask for one.
#[derive(Clone)]
pub(crate) struct Lazily<C> {
    client: Arc<OnceCell<C>>,
    build: Arc<dyn Fn() -> Building<C> + Send + Sync>,
}

type Building<C> = Pin<Box<dyn Future<Output = C> + Send>>;

impl<C> Lazily<C> {
    fn new<F>(build: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = C> + Send + 'static,
    {
        Self { client: Arc::default(), build: Arc::new(move || Box::pin(build())) }
    }
}

impl<C: Client> Client for Lazily<C> {
    async fn call(&self, url: &str) -> Result<u16, String> {
        self.client.get_or_init(|| (self.build)()).await.call(url).await
    }
}
