use serde_json::{Map, Value};

use crate::error::Error;

/// What is known of an authorization server: what it says of itself (RFC 8414 section 2), and what was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metadata {
    /// Its identifier.
    pub issuer: Option<String>,
    /// Where grants are exchanged for tokens.
    pub token_endpoint: Option<String>,
    /// Where a person's browser is sent to.
    pub authorization_endpoint: Option<String>,
    /// Where a device asks for a code (RFC 8628).
    pub device_authorization_endpoint: Option<String>,
    /// Where an authorization request may be left beforehand (RFC 9126).
    pub pushed_authorization_request_endpoint: Option<String>,
    /// Whether it takes no other authorization requests.
    pub require_pushed_authorization_requests: bool,
    /// Where tokens are ended (RFC 7009).
    pub revocation_endpoint: Option<String>,
    /// Whether each callback says by `iss` whose it is (RFC 9207).
    pub authorization_response_iss_parameter_supported: bool,
    /// Where a token's owner is described (OpenID Connect Core section 5.3; many servers have one without OpenID).
    pub userinfo_endpoint: Option<String>,
    /// Where the keys are that sign its ID tokens.
    pub jwks_uri: Option<String>,
    /// Where a person's browser is sent to sign out there, too (OpenID Connect RP-Initiated Logout).
    pub end_session_endpoint: Option<String>,
}

impl Metadata {
    /// Reads a metadata document. `None` when it is none: it has to name an issuer. A member of another type than it
    /// should have counts as absent.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let document: Map<String, Value> = serde_json::from_slice(body).ok()?;
        let text = |name: &str| document.get(name)?.as_str().map(str::to_owned);
        let flag = |name: &str| document.get(name).and_then(Value::as_bool).unwrap_or(false);
        Some(Self {
            issuer: Some(text("issuer")?),
            token_endpoint: text("token_endpoint"),
            authorization_endpoint: text("authorization_endpoint"),
            device_authorization_endpoint: text("device_authorization_endpoint"),
            pushed_authorization_request_endpoint: text("pushed_authorization_request_endpoint"),
            require_pushed_authorization_requests: flag("require_pushed_authorization_requests"),
            revocation_endpoint: text("revocation_endpoint"),
            authorization_response_iss_parameter_supported: flag("authorization_response_iss_parameter_supported"),
            userinfo_endpoint: text("userinfo_endpoint"),
            jwks_uri: text("jwks_uri"),
            end_session_endpoint: text("end_session_endpoint"),
        })
    }

    /// The same with what was told in its place.
    pub(super) fn overridden_by(self, told: &Self) -> Self {
        let or = |told: &Option<String>, found: Option<String>| told.clone().or(found);
        Self {
            issuer: self.issuer,
            token_endpoint: or(&told.token_endpoint, self.token_endpoint),
            authorization_endpoint: or(&told.authorization_endpoint, self.authorization_endpoint),
            device_authorization_endpoint: or(&told.device_authorization_endpoint, self.device_authorization_endpoint),
            pushed_authorization_request_endpoint: or(
                &told.pushed_authorization_request_endpoint,
                self.pushed_authorization_request_endpoint,
            ),
            revocation_endpoint: or(&told.revocation_endpoint, self.revocation_endpoint),
            userinfo_endpoint: or(&told.userinfo_endpoint, self.userinfo_endpoint),
            jwks_uri: or(&told.jwks_uri, self.jwks_uri),
            end_session_endpoint: or(&told.end_session_endpoint, self.end_session_endpoint),
            ..self
        }
    }

    /// All URLs, with what they are called.
    pub(super) fn urls(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("token endpoint", &self.token_endpoint),
            ("authorization endpoint", &self.authorization_endpoint),
            ("device authorization endpoint", &self.device_authorization_endpoint),
            ("pushed authorization request endpoint", &self.pushed_authorization_request_endpoint),
            ("revocation endpoint", &self.revocation_endpoint),
            ("user endpoint", &self.userinfo_endpoint),
            ("URL of the keys", &self.jwks_uri),
            ("end session endpoint", &self.end_session_endpoint),
        ]
        .into_iter()
        .filter_map(|(what, url)| Some((what, url.as_deref()?)))
    }

    /// What the server is called by who proves something to it alone: its issuer identifier, where it is known.
    pub(crate) fn name(&self) -> &str {
        self.issuer.as_deref().or(self.token_endpoint.as_deref()).unwrap_or_default()
    }

    pub(crate) fn authorization_endpoint(&self) -> Result<&str, Error> {
        self.authorization_endpoint.as_deref().ok_or_else(|| {
            Error::misconfigured(
                "nobody can sign in: the authorization server's authorization endpoint is not known; configure its issuer, or \
                 the URL by AuthorizationServer::authorization_endpoint",
            )
        })
    }

    pub(crate) fn device_authorization_endpoint(&self) -> Result<&str, Error> {
        self.device_authorization_endpoint.as_deref().ok_or_else(|| {
            Error::misconfigured(
                "the authorization server names no device authorization endpoint: sign in by a browser on this machine, or \
                 configure the URL by AuthorizationServer::device_authorization_endpoint",
            )
        })
    }

    pub(crate) fn pushed_authorization_request_endpoint(&self) -> Result<&str, Error> {
        self.pushed_authorization_request_endpoint.as_deref().ok_or_else(|| {
            Error::misconfigured(
                "the authorization server names no endpoint for pushed authorization requests (RFC 9126)",
            )
        })
    }

    pub(crate) fn revocation_endpoint(&self) -> Result<&str, Error> {
        self.revocation_endpoint.as_deref().ok_or_else(|| {
            Error::misconfigured(
                "the authorization server names no revocation endpoint: what it issued lives to its end",
            )
        })
    }

    pub(crate) fn userinfo_endpoint(&self) -> Result<&str, Error> {
        self.userinfo_endpoint.as_deref().ok_or_else(|| {
            Error::misconfigured(
                "who signed in cannot be asked for: the authorization server names no user endpoint; configure its URL by \
                 AuthorizationServer::userinfo_endpoint",
            )
        })
    }

    pub(crate) fn jwks_uri(&self) -> Result<&str, Error> {
        self.jwks_uri.as_deref().ok_or_else(|| {
            Error::misconfigured(
                "ID tokens cannot be verified: the authorization server does not say where its keys are (jwks_uri); configure \
                 the URL by AuthorizationServer::jwks_uri",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rfc8414_5_unknown_and_odd_members_do_no_harm() {
        let document = r#"{"issuer":"https://a","token_endpoint":"https://a/t","revocation_endpoint":7,"x":[1],
            "require_pushed_authorization_requests":"yes","authorization_response_iss_parameter_supported":true}"#;
        let metadata = Metadata::parse(document.as_bytes()).unwrap();
        assert_eq!(metadata.revocation_endpoint, None);
        assert!(!metadata.require_pushed_authorization_requests);
        assert!(metadata.authorization_response_iss_parameter_supported);
        assert!(metadata.revocation_endpoint().unwrap_err().is_misconfigured());
    }

    #[test]
    fn what_was_told_stands_against_what_was_found() {
        let found = Metadata::parse(
            br#"{"issuer":"https://a","token_endpoint":"https://a/t","authorization_endpoint":"https://a/a"}"#,
        );
        let told = Metadata { token_endpoint: Some("https://b/t".to_owned()), ..Metadata::default() };
        let both = found.unwrap().overridden_by(&told);
        assert_eq!(both.token_endpoint.as_deref(), Some("https://b/t"));
        assert_eq!(both.authorization_endpoint.as_deref(), Some("https://a/a"));
        assert_eq!(both.issuer.as_deref(), Some("https://a"));
    }

    proptest! {
        #[test]
        fn any_document_is_read_without_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Metadata::parse(&body);
        }
    }
}
