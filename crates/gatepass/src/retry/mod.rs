//! Sending again: one pure decision (401, 429, 503), and the [`RetryPolicy`] that tower's `Retry` asks.
//!
//! | the response | sent again | when | counts against |
//! |---|---|---|---|
//! | refuses the token (401, gRPC status 16), marked by [`Bearer`](crate::Bearer) | once, if another token is there or may be had | at once | nothing else |
//! | 429 with Retry-After | any method | after that time, never before | [`max_retries`](Rules::max_retries) |
//! | 429 without | any method | after a back-off | `max_retries` and the [`budget`](Rules::budget) |
//! | 503 | idempotent methods, or with an `Idempotency-Key` | after Retry-After or a back-off | `max_retries` and the budget |
//! | [`also`](Rules::also) these, or [`transport errors`](Rules::transport_errors) | the same, when asked for | the same | `max_retries` and the budget |
//!
//! A wait beyond [`longest_wait`](Rules::longest_wait) or the deadline is not slept: the response is returned at once
//! with a [`RetryAfter`](crate::RetryAfter) in its extensions (R2).
//!
//! ```
//! use std::time::Duration;
//! use gatepass::{RetryPolicy, retry::{Deadline, Rules}};
//! use http::{Request, Response, StatusCode};
//! use tower::{Service, ServiceBuilder, ServiceExt, retry::RetryLayer, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), gatepass::BoxError> {
//! # let client = service_fn(|_: Request<String>| async {
//! #     let response = Response::builder().status(429).header("retry-after", "86400").body(String::new());
//! #     response.map_err(gatepass::BoxError::from)
//! # });
//! let rules = Rules::new().max_retries(5).longest_wait(Duration::from_secs(20)).also(StatusCode::BAD_GATEWAY);
//! let mut api = ServiceBuilder::new().layer(RetryLayer::new(RetryPolicy::new().rules(rules))).service(client);
//!
//! let mut request = Request::get("https://api.example.com/").body(String::new())?;
//! request.extensions_mut().insert(Deadline::after(Duration::from_secs(30)));
//! let response = api.ready().await?.call(request).await?;
//! # assert_eq!(response.extensions().get::<gatepass::RetryAfter>().unwrap().wait().as_secs(), 86400);
//! # Ok(()) }
//! ```
//!
//! The policy knows no origins: requests that pass `Bearer` without a token are sent again by the same rules.
//! (gatepass-reqwest's middleware leaves them alone.) [`Rules`] and [`Deadline`] are all that most users need; the
//! rest is for adapters to other HTTP stacks.
//!
//! One `Retry` in a stack is enough, and its place is outside of `Bearer`: two multiply, and inside it sees no refusal.
//!
//! # Bodies
//!
//! A request can be sent again only if its body can be cloned *before* it is sent. How is the policy's type parameter:
//! `Clone` ([`RetryPolicy::new`]), only empty bodies ([`RetryPolicy::empty_bodies`]), a function
//! ([`RetryPolicy::clone_body`]: the `try_clone` of kube's and octocrab's bodies), or never ([`RetryPolicy::never`],
//! which compiles for every body). A body that is not cloned means no second try; its response is returned as it is
//! (A6).

mod body;
mod policy;
mod rules;
#[cfg(test)]
mod tests;

pub use self::{
    body::{ByClone, ByFunction, CloneBody, IfEmpty, Never},
    policy::{RetryPolicy, Wait},
    rules::{Attempts, Deadline, Decision, Facts, Moment, Outcome, Rules},
};
