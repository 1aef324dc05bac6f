//! OAuth for the HTTP stack you already have: tower layers that put the token on each request and keep it fresh.
//!
//! A [`TokenCell`] holds the current token of one credential. It gets tokens from a [`TokenSource`], which is a
//! [`TokenEndpoint`], a closure or a fixed [`Token`], and shares one exchange among all who wait. [`BearerLayer`] puts
//! the token on the requests to the [`Origins`] that may have it, and drops the token that a server refused.
//! [`RetryPolicy`] sends again what was refused or turned away.
//!
//! ```
//! use gatepass::{
//!     AuthorizationServer, BearerLayer, ClientAuth, Origins, RetryPolicy, TokenCell, TokenEndpoint,
//!     grant::ClientCredentials,
//! };
//! # use http::{Request, Response};
//! # use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), gatepass::BoxError> {
//! # let token_client = service_fn(|_: Request<gatepass::endpoint::Body>| async {
//! #     Ok::<_, std::io::Error>(Response::new(r#"{"access_token":"a","expires_in":3600}"#.to_owned()))
//! # });
//! # let http_client = service_fn(|request: Request<String>| async move {
//! #     assert_eq!(request.headers()["authorization"], "Bearer a");
//! #     Ok::<_, std::io::Error>(Response::new(String::new()))
//! # });
//!
//! let server = AuthorizationServer::token_endpoint("https://auth.example.com/token");
//! let client = ClientAuth::basic("my-client", "s3cr3t");
//! let cell = TokenCell::new(TokenEndpoint::new(token_client, server, client, ClientCredentials::new())?);
//! let bearer = BearerLayer::new(cell, Origins::new(["https://api.example.com"])?);
//! let mut api = ServiceBuilder::new().layer(bearer.retry(RetryPolicy::new())).service(http_client);
//!
//! let request = Request::get("https://api.example.com/v1/me").body(String::new())?;
//! let response = api.ready().await?.call(request).await?;
//! # assert_eq!(response.status(), 200);
//! # Ok(()) }
//! ```
//!
//! | to | see |
//! |---|---|
//! | get, watch, replace or refresh a token yourself | [`cell`] |
//! | have one cell for each user, tenant or audience | [`map`] |
//! | stack the layer, pick the token for each request, use it with tonic | [`bearer`] |
//! | say what is sent again and how bodies are cloned | [`retry`] |
//! | ask an authorization server | [`endpoint`], [`grant`], [`client_auth`], [`discovery`] |
//! | ask Spotify, GitHub, Google, Microsoft and others | [`provider`] |
//! | sign assertions with a key | `jwt`, with the feature of that name |
//! | keep the token set for a restart, other processes and other instances | [`store`] |
//! | write a source, build token sets | [`source`], [`token`] |
//! | say where tokens may go | [`origins`] |
//! | hold requests back while a server that turned one away wants to be left alone | [`gate`] |
//! | tell errors apart | [`error`] |
//! | read `WWW-Authenticate`, `Retry-After` or `RateLimit` yourself | [`challenge`], [`retry_after`], [`rate_limit`] |
//! | test time | [`clock`] |
//! | watch it: status, spans, metrics (feature `metrics`) | [`cell::Status`], `docs/observability.md` in the repository |
//!
//! Letters and numbers like C2 or X1 in these pages name the rules of `docs/behaviour.md` in the repository.

pub mod bearer;
pub mod cell;
pub mod challenge;
pub mod client_auth;
pub mod clock;
pub mod discovery;
pub mod endpoint;
pub mod error;
pub mod gate;
pub mod grant;
#[cfg(feature = "jwt")]
pub mod jwt;
pub mod map;
mod meter;
pub mod origins;
pub mod provider;
pub mod rate_limit;
pub mod retry;
pub mod retry_after;
pub mod secret;
pub mod source;
pub mod store;
pub mod token;

pub use self::{
    bearer::{Bearer, BearerLayer},
    cell::TokenCell,
    client_auth::ClientAuth,
    discovery::AuthorizationServer,
    endpoint::TokenEndpoint,
    error::{BoxError, Error},
    gate::Gate,
    map::TokenMap,
    origins::Origins,
    retry::RetryPolicy,
    retry_after::RetryAfter,
    secret::Secret,
    source::TokenSource,
    token::{Token, TokenSet},
};
