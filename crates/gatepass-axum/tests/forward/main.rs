//! A browser, a site that people sign in to and that forwards, and an API, over real sockets.

mod api;
mod browser;
mod cookies;
mod csrf;
mod destination;
mod log;
mod passing;
mod sessions;
mod sign_out;
mod site;
mod streaming;
mod tokens;
mod websocket;
