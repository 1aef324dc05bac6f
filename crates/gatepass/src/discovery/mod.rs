//! Where an authorization server is: told, or found by its metadata (RFC 8414, OpenID Connect Discovery).
//!
//! ```
//! use gatepass::AuthorizationServer;
//!
//! let told = AuthorizationServer::token_endpoint("https://auth.example.com/oauth/token");
//! let found = AuthorizationServer::issuer("https://auth.example.com/tenant");
//! # let _ = (told, found);
//! ```
//!
//! Metadata is fetched inside the first exchange, and again after one that failed because of a setting or got no
//! answer. Its `issuer` has to be the one that was asked for, to the letter (RFC 8414 section 3.3).
//!
//! A server without metadata that people sign in at is told by more URLs than one:
//!
//! ```
//! use gatepass::AuthorizationServer;
//!
//! let server = AuthorizationServer::token_endpoint("https://auth.example.com/oauth/token")
//!     .authorization_endpoint("https://auth.example.com/oauth/authorize")
//!     .revocation_endpoint("https://auth.example.com/oauth/revoke");
//! # let _ = server;
//! ```

mod metadata;
mod server;

pub use self::{metadata::Metadata, server::AuthorizationServer};
