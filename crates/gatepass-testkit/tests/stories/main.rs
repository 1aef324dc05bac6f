//! What the two servers promise, seen from a client.

mod api;
mod arrivals;
mod assertions;
mod browsers;
mod client;
mod codes;
mod devices;
mod discovery;
mod end_session;
mod failures;
mod id_tokens;
mod jwt;
mod lifecycle;
mod limits;
mod logout_tokens;
mod other_process;
mod pushed_requests;
mod refresh_tokens;
mod revocation;
mod signing_keys;
mod token_endpoint;
mod token_exchange;
mod token_swap;
mod user_info;
mod wrong_id_tokens;
