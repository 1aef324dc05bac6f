//! Storms: what a client with a token of its own does when everybody wants that token at once.
//!
//! Nothing here knows the client that is measured. Who has one implements [`Client`] and [`Peer`], includes this folder
//! by `#[path = "…/storms/scenes/mod.rs"] mod scenes;` and calls [`run`] for each [`Scene`]:
//!
//! ```text
//! for scene in Scene::ALL {
//!     figures.push(run::<Mine>(scene, Effort::full()).await);
//! }
//! print!("{}", table(Mine::NAME, &figures));
//! save(Mine::NAME, &figures, Path::new("target/storms"))?;
//! ```
//!
//! It needs tokio (macros, net, rt-multi-thread, sync, time), bytes, http, http-body-util, hyper-util (client-legacy,
//! http1, tokio), serde_json and gatepass-testkit.

#![allow(dead_code, unreachable_pub, reason = "a module of several programs, each of which uses a part")]

mod crowd;
mod effort;
mod figures;
mod http;
mod plays;
mod report;
mod servers;

use std::{future::Future, time::Duration};

pub use self::{
    effort::{Effort, Scene},
    figures::{Expiry, Figures, Window},
    http::Http,
    report::{save, table},
    servers::Servers,
};

/// A way to call the API, with whatever keeps the token. One per scene; clones share the token.
pub trait Client: Clone + Send + Sync + 'static {
    /// One call to `url`; the status, or what went wrong. The answer was read to its end.
    fn call(&self, url: &str) -> impl Future<Output = Result<u16, String>> + Send;
}

/// One that is measured.
pub trait Peer {
    /// What tables, charts and the file in `target/storms` call it.
    const NAME: &'static str;
    /// Whether a call that is answered by 401 is sent again with another token, without the caller's help. If not, the
    /// scenes that begin with a revocation are left out.
    const ANSWERS_401: bool = true;
    /// How long before its end a token is no longer used as a fresh one. The scenes in which a token ends by itself
    /// give it that much longer; without that, tokens of a few seconds would be old when they come.
    const RENEWS_BEFORE: Duration = Duration::ZERO;
    type Client: Client;

    /// A client for these servers, which has no token yet: client credentials, `client` with the secret `secret`.
    ///
    /// Calls to the API go through [`Servers::http`], or take a permit of [`Http::permits`] each.
    fn client(servers: &Servers) -> Self::Client;
}

/// Runs one scene with servers and a client of its own.
pub async fn run<P: Peer>(scene: Scene, effort: Effort) -> Figures {
    plays::play::<P>(scene, effort).await
}
