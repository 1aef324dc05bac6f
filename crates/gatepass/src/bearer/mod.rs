//! The layer that puts the token on each request, and drops the one that was refused.
//!
//! ```
//! use gatepass::{BearerLayer, Error, Origins, RetryPolicy, TokenCell, TokenSet};
//! use http::{Request, Response};
//! use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), gatepass::BoxError> {
//! # let client = service_fn(|request: Request<String>| async move {
//! #     assert_eq!(request.headers()["authorization"], "Bearer a-token");
//! #     Ok::<_, std::io::Error>(Response::new(String::new()))
//! # });
//! let cell = TokenCell::new(|_current| async { Ok::<_, Error>(TokenSet::new("a-token")) });
//! let origins = Origins::new(["https://api.example.com"])?;
//! let mut api = ServiceBuilder::new()
//!     .layer(BearerLayer::new(cell, origins).retry(RetryPolicy::new()))
//!     .service(client);
//!
//! let request = Request::get("https://api.example.com/v1/me").body(String::new())?;
//! let response = api.ready().await?.call(request).await?;
//! # assert_eq!(response.status(), 200);
//! # Ok(()) }
//! ```
//!
//! What it does with a request:
//!
//! - to another origin, or with an `Authorization` of its own: passes it on untouched (X1, A5);
//! - with a fresh token at hand: sends it with the token;
//! - without one: lets go of the ready inner service, which may hold a permit, waits for the one exchange that
//!   everybody shares, gets the service ready again and sends the request;
//! - when none can be had: fails with a [`gatepass::Error`](crate::Error) in the box; nothing is sent (F5).
//!
//! A 401 that refuses the token, or gRPC's status 16 in the head of the response, drops that token from the cell
//! before the caller sees the response; a [`Refused`] in its extensions tells [`RetryPolicy`](crate::RetryPolicy), or
//! you, whether to send the request again.
//!
//! A `Bearer` that is kept has the token it sent last in hand (C1): that of a cell that was emptied meanwhile is never sent,
//! but wiped only at the next request, or when the service is dropped.
//!
//! # When the server wants to be left alone, and what a request went through
//!
//! A [`Gate`](crate::Gate) has the requests wait whose sibling got a 429. [`BearerLayer::stories`] has each response tell
//! how its request came by its token and what it waited for. Both are off unless asked for.
//!
//! ```
//! # use std::time::Duration;
//! # use gatepass::{BearerLayer, Error, Gate, Origins, RetryPolicy, TokenCell, TokenSet, bearer::Story};
//! # use http::{Request, Response};
//! # use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
//! # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), gatepass::BoxError> {
//! # let mut calls = 0;
//! # let client = service_fn(move |_: Request<String>| {
//! #     calls += 1;
//! #     let response = Response::builder().status(if calls == 1 { 429 } else { 200 }).header("retry-after", "2");
//! #     async { response.body(String::new()).map_err(gatepass::BoxError::from) }
//! # });
//! # let cell = TokenCell::new(|_current| async { Ok::<_, Error>(TokenSet::new("a-token")) });
//! # let origins = Origins::new(["https://api.example.com"])?;
//! let bearer = BearerLayer::new(cell, origins).gate(Gate::new().pacing()).stories();
//! # let client = tower::util::BoxCloneService::new(tower::buffer::Buffer::new(client, 8));
//! let mut api = ServiceBuilder::new().layer(bearer.retry(RetryPolicy::new())).service(client);
//!
//! let request = Request::get("https://api.example.com/v1/me").body(String::new())?;
//! let response = api.ready().await?.call(request).await?; // a 429, "wait two seconds", then 200
//! let story = response.extensions().get::<Story>().unwrap();
//! assert_eq!(story.attempts, 2);
//! assert!(story.waited_at_gate >= Duration::from_secs(2));
//! # Ok(()) }
//! ```
//!
//! # Where it goes
//!
//! Inside of whatever repeats requests: `Retry`, a redirect follower. Each attempt then gets the token that is
//! current, and each hop is checked against the origins. [`BearerLayer::retry`] stacks retries the right way round. A
//! redirect follower *beneath* the layer has to strip `Authorization` when it leaves the origin, for good:
//! tower-http's does from 0.7 on; 0.6's, and so reqwest 0.13's, gives it back one hop later (gatepass-reqwest has a
//! policy against that). It also hides where a 401 came from: one of another origin then costs an exchange. Put it
//! above.
//!
//! Over a stack that is not `Clone`, put tower's `BufferLayer` beneath. Above, for clients that want an error type of
//! their own, `MapErr`: the error of this service is [`BoxError`](crate::BoxError).

mod carried;
mod future;
mod layer;
mod refused;
mod service;
mod story;
#[cfg(test)]
pub(crate) mod tests;
mod waiting;

pub(crate) use self::{carried::AtGate, refused::Replayed};
pub use self::{future::ResponseFuture, layer::BearerLayer, refused::Refused, service::Bearer, story::Story};
