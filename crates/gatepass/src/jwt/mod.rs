//! Signed assertions (RFC 7523): a client or a service proves who it is by a key that never leaves it. With the feature
//! `jwt`.
//!
//! A [`SigningKey`] is what [`ClientAuth::private_key_jwt`](crate::ClientAuth::private_key_jwt) takes. An [`Assertion`]
//! signs for [`grant::JwtBearer`](crate::grant::JwtBearer): a Google service account, for example, whose scopes are a
//! claim and which names no client:
//!
//! ```
//! use gatepass::{
//!     AuthorizationServer, ClientAuth, Error, TokenCell, TokenEndpoint,
//!     endpoint::HttpService,
//!     grant::JwtBearer,
//!     jwt::{Algorithm, Assertion, SigningKey},
//! };
//!
//! /// Of the account's key file: `client_email`, `private_key_id` and `private_key`.
//! fn service_account(http: impl HttpService, email: &str, key_id: &str, pem: &str) -> Result<TokenCell, Error> {
//!     let url = "https://oauth2.googleapis.com/token";
//!     let key = SigningKey::from_pem(Algorithm::RS256, pem)?.key_id(key_id);
//!     let assertion = Assertion::new(key, email, url)
//!         .without_subject() // or `.subject(..)`: whom it acts for
//!         .claim("scope", "https://www.googleapis.com/auth/devstorage.read_only");
//!     Ok(TokenCell::new(TokenEndpoint::new(
//!         http,
//!         AuthorizationServer::token_endpoint(url),
//!         ClientAuth::unidentified(email),
//!         JwtBearer::signed(assertion),
//!     )?))
//! }
//! ```
//!
//! Nothing here verifies a signature. What signs is aws-lc: building it takes a C compiler.

mod algorithm;
mod assertion;
mod key;
#[cfg(test)]
mod tests;

pub use self::{algorithm::Algorithm, assertion::Assertion, key::SigningKey};
