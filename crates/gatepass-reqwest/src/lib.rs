//! gatepass for reqwest: the token on each request, and reqwest on the way to the token endpoint.
//!
//! ```
//! use gatepass::{AuthorizationServer, ClientAuth, Origins, TokenCell, TokenEndpoint, grant::ClientCredentials};
//! use gatepass_reqwest::{BearerMiddleware, Transport};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), gatepass::BoxError> {
//! # let _ = rustls::crypto::ring::default_provider().install_default();
//! # let auth = gatepass_testkit::AuthorizationServer::start().await;
//! # let api = gatepass_testkit::Api::start(&auth).await;
//! # let (issuer, api_url) = (auth.issuer(), api.origin());
//! let server = AuthorizationServer::issuer(issuer); // https://auth.example.com
//! let client = ClientAuth::basic("client", "secret");
//! let cell = TokenCell::new(TokenEndpoint::new(Transport::new()?, server, client, ClientCredentials::new())?);
//! let bearer = BearerMiddleware::new(cell, Origins::new([api_url])?); // https://api.example.com
//! let http = bearer.client(reqwest::Client::builder())?;
//!
//! let response = http.get(format!("{api_url}/orders")).send().await?;
//! assert_eq!(response.status(), 200);
//! # Ok(()) }
//! ```
//!
//! - [`BearerMiddleware`] goes around a reqwest client, through [reqwest-middleware](reqwest_middleware): it puts the
//!   token on requests to the origins it was given, drops the token that was refused, and sends again after a 401, a
//!   429 or a 503.
//! - [`Transport`] is a reqwest client for the token endpoint. It follows no redirects and is not the client of the
//!   API.
//! - [`redirect_policy`] keeps the token at its origin while reqwest follows redirects; [`BearerMiddleware::client`]
//!   sets it.
//! - [`token_error`] extracts from an error why there was no token.
//!
//! The cell is the one of [`gatepass`]: the same handle may serve a [`gatepass::BearerLayer`] and a
//! [`BearerMiddleware`], and a `Transport` may feed either.
//!
//! # TLS and other features
//!
//! This crate turns on none of reqwest's features and so no TLS. Your own `reqwest` in `Cargo.toml` decides for all
//! clients in the program: its default features have TLS; without them, name one (`rustls`, `native-tls`). A
//! [`Transport`] without TLS says so when it is to call an `https` URL.
//!
//! The features of this crate, `form`, `json`, `multipart`, `query` and `stream`, are those of reqwest-middleware:
//! they add the methods of these names to its `RequestBuilder`.

mod bearer;
mod error;
mod redirect;
mod send;
mod transport;

pub use {gatepass, reqwest, reqwest_middleware};

pub use self::{
    bearer::BearerMiddleware,
    error::token_error,
    redirect::redirect_policy,
    transport::{ResponseFuture, Transport},
};

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
