//! The documents in which the server describes itself (RFC 8414, OpenID Connect Discovery).

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::json;

use super::{
    assertion::JWT_BEARER,
    builder::{Address, Endpoint},
    device::DEVICE_CODE,
    form,
    grants::Book,
    settings::SignInSettings,
    token_exchange::TOKEN_EXCHANGE,
};
use crate::failure::Failure;

/// What is served at a `/.well-known/` address.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum Metadata {
    /// The document, as it should be.
    #[default]
    Correct,
    /// 404
    Missing,
    /// The document, but it names this issuer.
    WrongIssuer(String),
    /// The document, with this member (the first text) replaced by this JSON (the second), or added. Text that is not
    /// JSON is sent as a string.
    Member(String, String),
    /// A failure: a page, a redirect, a torn document, late, …
    Fails(Failure),
}

impl Book {
    /// What is served there.
    pub(super) fn metadata(&self, endpoint: Endpoint) -> &Metadata {
        match endpoint {
            Endpoint::OpenIdConfiguration => &self.settings.openid_configuration,
            _ => &self.settings.oauth_metadata,
        }
    }
}

impl Metadata {
    pub(super) fn response(&self, address: &Address, settings: &SignInSettings) -> Response<Bytes> {
        let mut document = document(address, settings);
        match self {
            Self::Missing => return form::empty(StatusCode::NOT_FOUND),
            Self::WrongIssuer(issuer) => document["issuer"] = issuer.as_str().into(),
            Self::Member(name, json) => {
                document[name.as_str()] =
                    serde_json::from_str(json).unwrap_or_else(|_| serde_json::Value::from(json.as_str()));
            }
            Self::Correct | Self::Fails(_) => {}
        }
        form::json(StatusCode::OK, document.to_string())
    }

    pub(super) fn failure(&self) -> Option<Failure> {
        match self {
            Self::Fails(failure) => Some(failure.clone().after_processing()),
            _ => None,
        }
    }
}

fn document(address: &Address, settings: &SignInSettings) -> serde_json::Value {
    let auth_methods = ["client_secret_basic", "client_secret_post", "private_key_jwt", "client_secret_jwt", "none"];
    let algorithms = ["RS256", "PS256", "ES256", "EdDSA", "HS256"];
    let grants = ["authorization_code", "client_credentials", "refresh_token", DEVICE_CODE, TOKEN_EXCHANGE, JWT_BEARER];
    let claims = [
        "iss",
        "sub",
        "aud",
        "exp",
        "iat",
        "auth_time",
        "nonce",
        "at_hash",
        "sid",
        "name",
        "preferred_username",
        "email",
        "email_verified",
    ];
    json!({
        "issuer": address.issuer(),
        "authorization_endpoint": address.url("/authorize"),
        "token_endpoint": address.token_url(),
        "device_authorization_endpoint": address.url("/device_authorization"),
        "pushed_authorization_request_endpoint": address.url("/par"),
        "introspection_endpoint": address.url("/introspect"),
        "revocation_endpoint": address.url("/revoke"),
        "jwks_uri": address.url("/jwks"),
        "userinfo_endpoint": address.url("/userinfo"),
        "end_session_endpoint": address.url("/end_session"),
        "backchannel_logout_supported": true,
        "backchannel_logout_session_supported": true,
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "claims_supported": claims,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "authorization_response_iss_parameter_supported": true,
        "require_pushed_authorization_requests": settings.require_pushed,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": true,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "grant_types_supported": grants,
        "token_endpoint_auth_methods_supported": auth_methods,
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "introspection_endpoint_auth_methods_supported": auth_methods,
        "revocation_endpoint_auth_methods_supported": auth_methods,
    })
}
