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
//!
//! It may be called only so often when told so, in fixed windows or from a bucket, and says what is left in one of the
//! dialects that are spoken ([`LimitFields`]). Whether a sender slowed down in time shows in the counters and on a
//! timeline:
//!
//! ```
//! use std::time::{Duration, Instant};
//!
//! use gatepass_testkit::{Api, AuthorizationServer, LimitFields};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let server = AuthorizationServer::start().await;
//! let api = Api::start(&server).await;
//! api.limit(100, Duration::from_secs(1)).limit_fields(Some(LimitFields::RateLimit));
//! let start = Instant::now();
//! // … the program under test calls as often as it may …
//! assert_eq!(api.answered(429), 0);
//! assert!(api.beyond_limit().is_empty());
//! for (when, status) in api.timeline(start) {
//!     println!("{:.3} {status}", when.as_secs_f64());
//! }
//! # }
//! ```

mod echo;
mod handle;
mod journal;
mod limit;
mod limit_controls;
mod limit_fields;
mod service;

pub use handle::Api;
pub use journal::ApiCall;
pub use limit_fields::LimitFields;
