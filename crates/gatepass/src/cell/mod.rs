//! The current token of one credential: [`TokenCell`].
//!
//! Three verbs carry everything else. [`peek`](TokenCell::peek) reads the token without a lock and starts nothing.
//! [`get`](TokenCell::get) waits for one exchange that all callers share. [`reject`](TokenCell::reject) drops the
//! token that a server refused, and only that one.
//!
//! ```
//! use std::{sync::atomic::{AtomicU64, Ordering::Relaxed}, time::Duration};
//! use gatepass::{Error, TokenCell, TokenSet};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Error> {
//! let issued = AtomicU64::new(0);
//! let cell = TokenCell::new(move |_current| {
//!     let token = format!("token-{}", issued.fetch_add(1, Relaxed));
//!     async { Ok(TokenSet::new(token).expires_in(Duration::from_secs(3600))) }
//! });
//! assert!(cell.peek().is_none(), "nothing was asked for yet");
//! let (one, two) = tokio::join!(cell.get(), cell.get()); // one exchange
//! assert_eq!(one?.generation(), two?.generation());
//!
//! let refused = cell.peek().unwrap();
//! assert!(cell.reject(&refused));
//! assert!(!cell.reject(&refused), "it is not the current one any more");
//! assert_eq!(cell.get().await?.generation(), 2);
//! # Ok(()) }
//! ```
//!
//! When the token is renewed, in what order and how often, in short (the rules called C in `docs/behaviour.md`):
//!
//! | the token | callers |
//! |---|---|
//! | is fresh | get it: no lock, no allocation |
//! | ends soon | get it; the first to see it starts one exchange in the background |
//! | ends very soon | wait for that exchange; if it fails, get the token while it lives |
//! | has ended, was refused, never was | wait for the one exchange, and get its error if it fails |
//!
//! After a failure the next exchange waits; callers without a token get the remembered error at once meanwhile.

mod attempt;
mod backoff;
mod builder;
mod current;
mod events;
mod flight;
mod handle;
mod inner;
mod ledger;
mod report;
mod saving;
mod schedule;
mod status;
mod stored;
#[cfg(test)]
mod tests;
mod trouble;
mod visit;

pub(crate) use self::handle::{Claim, InHand, Waiter};
use self::inner::Inner;
pub use self::{
    builder::Builder,
    events::{Events, Issued},
    handle::TokenCell,
    ledger::Reason,
    status::{State, Status},
    trouble::Counts,
};
