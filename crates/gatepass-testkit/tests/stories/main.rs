//! What the two servers promise, seen from a client.

mod api;
mod arrivals;
mod assertions;
mod browsers;
mod client;
mod codes;
mod devices;
mod discovery;
mod failures;
mod lifecycle;
mod other_process;
mod pushed_requests;
mod refresh_tokens;
mod revocation;
mod token_endpoint;
mod token_exchange;
mod token_swap;
