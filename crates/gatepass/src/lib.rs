//! OAuth for the HTTP stack you already have.

pub mod bearer;
pub mod cell;
pub mod challenge;
pub mod client_auth;
pub mod clock;
pub mod discovery;
pub mod endpoint;
pub mod error;
pub mod grant;
pub mod origins;
pub mod retry;
pub mod retry_after;
pub mod secret;
pub mod source;
pub mod token;

pub use self::{
    bearer::{Bearer, BearerLayer},
    cell::TokenCell,
    client_auth::ClientAuth,
    discovery::AuthorizationServer,
    endpoint::TokenEndpoint,
    error::{BoxError, Error},
    origins::Origins,
    retry::RetryPolicy,
    retry_after::RetryAfter,
    secret::Secret,
    source::TokenSource,
    token::{Token, TokenSet},
};
