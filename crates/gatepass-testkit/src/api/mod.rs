//! A protected API on loopback that fails on command.
//!
//! It accepts the access tokens of one [`AuthorizationServer`](crate::AuthorizationServer) and answers every path:
//!
//! | path | what it does |
//! |---|---|
//! | `/public`, `/public/…` | needs no token; echoes |
//! | `/redirect?to=URL` | 302 to that URL; `&status=307` for another status |
//! | `/sleep?ms=N` | echoes after so many milliseconds |
//! | any other | echoes |
//!
//! The echo is JSON: `method`, `path`, `query` (or `null`), `headers` by lower-case name (an array where a header came
//! more than once), `body_length`, and `body` as text. It shows the `authorization` header as it came.
//!
//! Without a token the answer is 401 with `Bearer`; with one that is not good, 401 with `error="invalid_token"`; with
//! two `Authorization` headers, 400.
//!
//! ```
//! use gatepass_testkit::{Api, AuthorizationServer, Failure, RetryAfter};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let server = AuthorizationServer::start().await;
//! let api = Api::start(&server).await;
//! api.fail_next(3, Failure::too_many_requests(RetryAfter::Seconds(1)));
//! // … the program under test calls api.url("/orders") …
//! assert_eq!(api.answered(429), 0);
//! assert!(api.journal().is_empty());
//! # }
//! ```

mod echo;
mod handle;
mod journal;
mod limit;
mod service;

pub use handle::Api;
pub use journal::ApiCall;
