//! What the two servers promise, seen from a client.

mod api;
mod client;
mod discovery;
mod failures;
mod lifecycle;
mod other_process;
mod refresh_tokens;
mod token_endpoint;
