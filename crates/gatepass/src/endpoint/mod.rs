//! A grant over a transport: the [`TokenSource`](crate::TokenSource) that asks an authorization server.
//!
//! The transport is whatever [`Service`](tower_service::Service) you have for `http::Request<`[`Body`]`>`:
//! hyper-util's client fits as it is, and gatepass-reqwest has one for reqwest.
//!
//! ```
//! use gatepass::{AuthorizationServer, ClientAuth, TokenCell, TokenEndpoint, grant::ClientCredentials};
//! use http::{Request, Response};
//! use tower::service_fn;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), gatepass::Error> {
//! # let http = service_fn(|request: Request<gatepass::endpoint::Body>| async move {
//! #     let answer = match request.uri().path() {
//! #         "/token" => r#"{"access_token":"a-token","token_type":"Bearer","expires_in":3600}"#,
//! #         _ => r#"{"issuer":"https://auth.example.com","token_endpoint":"https://auth.example.com/token"}"#,
//! #     };
//! #     Ok::<_, std::io::Error>(Response::new(answer.to_owned()))
//! # });
//! let cell = TokenCell::new(TokenEndpoint::new(
//!     http,
//!     AuthorizationServer::issuer("https://auth.example.com"),
//!     ClientAuth::basic("my-client", "s3cr3t"),
//!     ClientCredentials::new().scope("read"),
//! )?);
//! assert_eq!(cell.get().await?.expose(), "a-token");
//! # Ok(()) }
//! ```
//!
//! A [`Client`] is the same without a grant. It runs what happens once: [`authorize`](Client::authorize) and
//! [`exchange`](Client::exchange) for a sign-in, [`authorize_device`](Client::authorize_device) and
//! [`poll`](Client::poll) where there is no browser, [`user_info`](Client::user_info) to learn who signed in,
//! [`revoke`](Client::revoke) to sign out. [`TokenEndpoint::of`] makes a source of it.
//!
//! The transport is its own: give it a bare client, never the stack that carries the layer (X4). Redirects are not
//! followed, here, and must not be by the transport: it would send the client's secret along.
//!
//! Where a transport fails, the exchange failed for a transient reason; unless its error is a
//! [`gatepass::Error`](crate::Error), which is then the exchange's.

mod authorize;
mod body;
mod client;
mod device;
mod documents;
mod exchange;
mod revoke;
mod service;
#[cfg(test)]
mod tests;
mod transport;

pub use self::{body::Body, client::Client, exchange::TokenEndpoint, service::HttpService};
