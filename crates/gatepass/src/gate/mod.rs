//! Who waits for whose 429 (R5, R6): [`Gate`].
//!
//! When a server turns one call away and says when to come back, that holds for the siblings, too: the calls to the same
//! origin with the same credential. Without a gate each of them earns a 429 of its own, and all come back at the same
//! moment. With it they wait together, and go on one after the other, at the pace the server showed.
//!
//! ```
//! use std::time::Duration;
//!
//! use gatepass::{Gate, Token, TokenCell};
//! use http::{HeaderMap, StatusCode, header::RETRY_AFTER};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), gatepass::Error> {
//! let gate = Gate::new().longest_wait(Duration::from_secs(30));
//! let cell = TokenCell::new(Token::new("a-token")?);
//!
//! // What an adapter does with each request: through the gate, ...
//! let lane = gate.lane(&cell, "https", "api.example.com", None);
//! let pass = match lane.try_enter() {
//!     Some(pass) => pass,
//!     None => lane.enter(None).await?,
//! };
//! // ... send it, and say what came of it.
//! let (status, mut headers) = (StatusCode::TOO_MANY_REQUESTS, HeaderMap::new());
//! headers.insert(RETRY_AFTER, 20.into());
//! let held = pass.answered(status, &headers);
//!
//! assert!(held.is_some(), "not to be slept on: the gate does that");
//! assert!(lane.try_enter().is_none());
//! let error = lane.enter(Some((tokio::time::Instant::now() + Duration::from_secs(5)).into())).await.unwrap_err();
//! assert!(error.is_rate_limited());
//! assert!(error.retry_after() >= Some(Duration::from_secs(20)));
//! lane.enter(None).await?; // 20 seconds later
//! # Ok(()) }
//! ```
//!
//! # What closes a lane
//!
//! - A 429, for its `Retry-After`. Without one, until that is reset of which its `RateLimit` fields say nothing is left;
//!   without those, for half a second, twice as long for each in a row, up to 30 seconds.
//! - A 503, if it has a `Retry-After`.
//! - A 403 that says that nothing is left, or when to come back, with [`Gate::forbidden_when_spent`]. It is sent again
//!   then like a 429.
//!
//! It opens a little later than it was asked to, never earlier (R1), and at the latest after a day. What had been sent
//! when it closed may still come back refused; that counts as the same refusal.
//!
//! # At which pace it goes on
//!
//! With the one the fields name, quota by window, or else the one that showed: 100 calls accepted at once and then "wait a
//! second" are 100 a second. That is kept for as long as the wait was, three seconds at least; then more is tried, by ever
//! larger steps, until it is refused. After that it is the pace that held, for twice as long, and the next try is half as
//! far. When nobody had to wait for a minute, the lane is free again.
//!
//! Fewer than twenty accepted calls show no pace: one goes first, then two, then four. Nor does a server show one that
//! accepts nothing when the lane opens: one at a time asks whether it is back, and then all goes on at the pace before.
//! One that is not answered holds the next up for two seconds; give the client beneath a time-out.
//!
//! With [`Gate::pacing`] what is left is followed from the fields of every answer: below a fifth of the quota, calls are
//! spread over the time until it is reset.
//!
//! # Who does not wait
//!
//! Who would wait longer than [`Gate::longest_wait`] or beyond the own deadline is told so at once, by an error that
//! [is rate limited](crate::Error::is_rate_limited) and says when to come back (R2). The others wait in the order they
//! came. A call that was itself refused gets its response instead, with the wait as [`RetryAfter`](crate::RetryAfter) in
//! its extensions, as without a gate: be ready for both. Only who comes back to the gate and finds that it takes longer
//! than was foreseen gets the error then.
//!
//! # What it cannot do
//!
//! Other processes that share a limit are not known; their gates find their share by trying. It does not see what was
//! sent past it. 10,000 lanes are remembered; one that is forgotten begins anew, as does one whose cell was evicted from
//! its [map](crate::map). Quotas that count something else than requests pace nobody.

mod accepted;
mod answer;
mod events;
mod handle;
mod key;
mod lane;
mod pace;
mod quota;
mod state;
#[cfg(test)]
mod tests;

pub use self::{
    handle::Gate,
    lane::{Held, Lane, Pass},
};
