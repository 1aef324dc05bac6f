//! Backend for frontend: scripts of this site's pages call `/api/…`, and the request goes to an API with the token of
//! whoever is signed in. The browser never has a token (RFC 10017).
//!
//! ```
//! use axum::{Router, body::Body};
//! use gatepass_axum::{Forward, Site};
//! use hyper_util::{client::legacy::Client, rt::TokioExecutor};
//!
//! # fn app(site: &Site) -> Result<Router, gatepass::Error> {
//! # let connector = hyper_util::client::legacy::connect::HttpConnector::new();
//! let client = Client::builder(TokioExecutor::new()).build::<_, Body>(connector); // one that does TLS
//! let api = Forward::new(site, "/api", "https://api.example.com/v1", client)?;
//! let app: Router<()> = Router::new().merge(api.routes()).layer(site.layer()); // or one with a state
//! # Ok(app) }
//! ```
//!
//! ```js
//! const orders = await fetch("/api/orders?open=1", { headers: { "x-csrf": "1" } });
//! ```
//!
//! # What passes
//!
//! - Requests of this site's own pages with the [required header](Forward::header), whatever its value. An `EventSource`
//!   and a WebSocket cannot set one and need not: the browser says where those come from.
//! - Paths below the prefix that all servers understand alike. There is no way out of the destination: a path with dot
//!   segments, or with slashes that are escaped, is refused however it is spelled (400).
//! - Bodies as they come, both ways, with trailers: nothing is collected, so server-sent events arrive when they are
//!   sent.
//! - WebSockets, over HTTP/1.1: the token is sent with the handshake, and from then on bytes go to and fro until either
//!   side ends.
//! - The visitor's headers, without those that are between the browser and this site (`Cookie`, `Authorization`,
//!   `Origin`, `Referer`, `Sec-Fetch-…`, the required header), of the connection, or a proxy's to say
//!   (`X-Forwarded-…`).
//! - The API's headers, without those that browsers take as said of this site: `Set-Cookie`, `Clear-Site-Data`,
//!   `Access-Control-…`, `Alt-Svc`, `Strict-Transport-Security` and the like, and challenges at which a browser asks for a
//!   password. What says nothing about caches gets `Cache-Control: no-store`; all get `Vary: Cookie`.
//! - Redirects, as they are: none is followed. A `Location` within the destination is named as it is here.
//!
//! # What is answered here
//!
//! A body is `{"error":"…","message":"…"}`, and the message says what to do.
//!
//! | status | `error` | why |
//! |---|---|---|
//! | 400 | `path_refused` | the path is one that servers understand differently |
//! | 401 | `sign_in_required` | nobody is signed in, or the tokens are of no use any more: `sign_in` says where to |
//! | 403 | `not_from_this_site` | another site's page asks, or the required header is missing |
//! | 404 | `not_found` | the path is not below the prefix |
//! | 405 | `method_refused` | not one of the [methods](Forward::methods) |
//! | 500 | `server_error` | a setting is wrong; the log says which |
//! | 501 | `upgrade_refused` | the server does not let go of connections, so there are no WebSockets |
//! | 502 | `api_unreachable` | no answer came; the log says why |
//! | 503 | `temporarily_unavailable` | no token can be had now; `Retry-After` says when |
//!
//! All others are the API's. A refused token is replaced and the request sent again, once, if it has no body; one with
//! a body is answered with the API's 401, and the next one has another token (A6).
//!
//! # What it cannot do
//!
//! - The API is trusted with its answers: they come from this site's origin. A page of the API's does not show, since
//!   going there sets no header; but what scripts make of an answer is theirs to answer for.
//! - A WebSocket or a stream that is open outlives a sign-out; the API may end it.
//! - There is no time-out: put one into the client. A WebSocket over HTTP/2 (RFC 8441) is refused.
//! - An identifier with a slash in it, escaped as `%2f`, is not forwarded.

mod answer;
mod body;
mod destination;
mod headers;
mod service;
mod websocket;

pub use self::{
    body::Body,
    service::{Forward, ResponseFuture},
};
