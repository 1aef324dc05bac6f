//! An authorization server on loopback that fails on command.
//!
//! It knows one client from the start, `client` with the secret `secret`. Refresh tokens rotate; a superseded one that
//! comes again ends its whole family. Who signs in with a browser is approved at once, a device waits for the test. Every
//! setting may change at any time, and holds for what is answered from then on.
//!
//! Who asks for the scope `openid` gets ID tokens (OpenID Connect), signed by a key that each server makes for itself.
//!
//! ```
//! use std::time::Duration;
//! use gatepass_testkit::{AuthorizationServer, Consent, ExpiresIn, Failure, Iss, Rotation};
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
//! server.add_public_client("app").consent(Consent::Deny).iss(Iss::Missing);
//! let _authorization_url = server.authorization_url();
//!
//! // Ann signs in from now on. Her ID tokens are for somebody else, and come from a key that was just made.
//! server.sign_in_as("ann").rotate_signing_key();
//! server.edit_id_tokens(|token| drop(token.claims.insert("aud".into(), "other".into())));
//! server.edit_user_info(|claims| drop(claims.remove("email")));
//! // … the program runs, and signs her out; or the test does, by posting this to it.
//! let _logout_token = server.logout_token("app", Some("ann"), None);
//! assert_eq!((server.jwks_requests(), server.logouts().len()), (0, 0));
//!
//! server.fail_next(2, Failure::status(503));
//! // … the program runs …
//! assert_eq!(server.token_requests(), 0);
//! # }
//! ```

mod arrivals;
mod assertion;
mod authorization_request;
mod authorize;
mod builder;
mod clients;
mod code;
mod consent;
mod controls;
mod device;
mod discovery;
mod end_session;
mod expires_in;
mod expiring;
mod form;
mod grants;
mod handle;
mod hook;
mod id_token;
mod issue;
mod journal;
mod jwks;
mod logout_token;
mod openid_controls;
mod pages;
mod person;
mod revocation;
mod service;
mod settings;
mod sign_in_controls;
mod signing_key;
mod swap;
mod token_endpoint;
mod token_exchange;
mod tokens;
mod user_info;

pub use arrivals::Arrival;
pub use builder::AuthorizationServerBuilder;
pub use consent::{Consent, Iss};
pub use discovery::Metadata;
pub use end_session::Logout;
pub use expires_in::ExpiresIn;
pub use handle::AuthorizationServer;
pub use id_token::{IdToken, Signing};
pub use journal::TokenRequest;
pub use jwks::Jwks;
pub use revocation::{Revocation, RevokedBy};
pub use settings::Rotation;

pub(crate) use service::State;
