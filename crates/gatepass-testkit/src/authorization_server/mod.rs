//! An authorization server on loopback that fails on command.
//!
//! It knows one client from the start, `client` with the secret `secret`, and two grants: client credentials and
//! refresh token. Refresh tokens rotate; a superseded one that comes again ends its whole family. Every setting may
//! change at any time, and holds for what is answered from then on.
//!
//! ```
//! use std::time::Duration;
//! use gatepass_testkit::{AuthorizationServer, ExpiresIn, Failure, Rotation};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let server = AuthorizationServer::start().await;
//! server.token_lifetime(Duration::from_secs(600)).expires_in(ExpiresIn::Text);
//! server.rotation(Rotation::Omit);
//!
//! // The program under test gets these two, and this refresh token.
//! let (_token_url, _issuer) = (server.token_url(), server.issuer());
//! let _refresh_token = server.issue_refresh_token();
//!
//! server.fail_next(2, Failure::status(503));
//! // … the program runs …
//! assert_eq!(server.token_requests(), 0);
//! # }
//! ```

mod builder;
mod clients;
mod controls;
mod discovery;
mod expires_in;
mod form;
mod grants;
mod handle;
mod journal;
mod revocation;
mod service;
mod settings;
mod tokens;

pub use builder::AuthorizationServerBuilder;
pub use discovery::Metadata;
pub use expires_in::ExpiresIn;
pub use handle::AuthorizationServer;
pub use journal::TokenRequest;
pub use revocation::{Revocation, RevokedBy};
pub use settings::Rotation;

pub(crate) use service::State;
