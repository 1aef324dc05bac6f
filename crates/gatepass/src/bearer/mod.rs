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
