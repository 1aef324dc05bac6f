use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::json;

use super::{form, signing_key::SigningKey};
use crate::failure::Failure;

/// What is served at `/jwks` (RFC 7517).
///
/// To have a request fail once, tell [`fail_next_at("/jwks", …)`](super::AuthorizationServer::fail_next_at).
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum Jwks {
    /// The key that signs now, and no other.
    #[default]
    Correct,
    /// 404
    Missing,
    /// This JSON, or what passes for it: it is sent as it is.
    ///
    /// [`signing_jwk`](super::AuthorizationServer::signing_jwk) is the right key, to put others beside it or to leave a
    /// member out.
    Json(String),
    /// A failure: a page, a redirect, a torn document, late, …
    Fails(Failure),
}

impl Jwks {
    pub(super) fn response(&self, key: &SigningKey) -> Response<Bytes> {
        match self {
            Self::Missing => form::empty(StatusCode::NOT_FOUND),
            Self::Json(json) => form::json(StatusCode::OK, json.clone()),
            Self::Correct | Self::Fails(_) => form::json(StatusCode::OK, json!({ "keys": [key.jwk()] }).to_string()),
        }
    }

    pub(super) fn failure(&self) -> Option<Failure> {
        match self {
            Self::Fails(failure) => Some(failure.clone().after_processing()),
            _ => None,
        }
    }
}
