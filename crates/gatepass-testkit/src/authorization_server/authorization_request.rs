//! A request for a sign-in, and what has to be right about it (RFC 6749, 4.1.1; RFC 7636; RFC 8252). No I/O.

use std::borrow::Cow;

use http::{HeaderValue, Uri};

use super::{form::Form, grants::Book};

/// A request for a sign-in, once it has been found to be in order.
#[derive(Debug, Clone)]
pub(super) struct AuthorizationRequest {
    pub(super) client: String,
    pub(super) back: Back,
    /// Whether the request named the redirect URI: then the token request must too.
    pub(super) names_redirect_uri: bool,
    pub(super) scope: Option<String>,
    pub(super) challenge: Option<String>,
    /// Whether a person may be asked.
    pub(super) may_ask: bool,
    pub(super) nonce: Option<String>,
    pub(super) login_hint: Option<String>,
}

/// Where the browser goes back to, and with what.
#[derive(Debug, Clone)]
pub(super) struct Back {
    pub(super) redirect_uri: String,
    pub(super) state: Option<String>,
}

/// Why there is no sign-in.
pub(super) enum Rejection {
    /// The redirect URI cannot be trusted: the person is told.
    Page(String),
    /// The client is told.
    Redirect(Back, Cow<'static, str>, String),
}

impl Book {
    /// The request, if it is in order.
    pub(super) fn request(&self, form: &Form) -> Result<AuthorizationRequest, Rejection> {
        let page = |why: &str| Rejection::Page(why.to_owned());
        if form.is_repeated("client_id") || form.is_repeated("redirect_uri") {
            return Err(page("client_id or redirect_uri came more than once."));
        }
        let client = form.get("client_id").ok_or_else(|| page("There is no client_id."))?;
        let is_public = self.clients.is_public(client).ok_or_else(|| page("The client is unknown."))?;
        let redirect_uri = self.redirect_uri(client, form.get("redirect_uri"))?;
        let back = Back { redirect_uri, state: form.get("state").map(str::to_owned) };
        let reject = |error: &'static str, why: &str| Err(Rejection::redirect(back.clone(), error, why));

        if let Some(name) = form.repeated() {
            return reject("invalid_request", &format!("{name} came more than once"));
        }
        match form.get("response_type") {
            Some("code") => {}
            Some(_) => return reject("unsupported_response_type", "response_type is not code"),
            None => return reject("invalid_request", "no response_type"),
        }
        if form.get("request").is_some() {
            return reject("request_not_supported", "a request object is not read");
        }
        if form.get("response_mode").is_some_and(|mode| mode != "query") {
            return reject("invalid_request", "response_mode is not query");
        }
        let challenge = form.get("code_challenge");
        match (challenge, form.get("code_challenge_method")) {
            (None, None) if is_public => return reject("invalid_request", "a public client needs a code_challenge"),
            (None, None) => {}
            (Some(challenge), Some("S256")) if is_sha256(challenge) => {}
            (Some(_), Some("S256")) => return reject("invalid_request", "code_challenge is no SHA-256 in base64url"),
            _ => return reject("invalid_request", "code_challenge_method is not S256"),
        }
        let prompts: Vec<&str> = form.get("prompt").unwrap_or_default().split(' ').collect();
        let may_ask = !prompts.contains(&"none");
        if !may_ask && prompts.len() > 1 {
            return reject("invalid_request", "prompt is none and something else");
        }
        if form.0.iter().any(|(name, value)| name == "resource" && !is_absolute(value)) {
            return reject("invalid_target", "resource is not an absolute URI without a fragment");
        }
        Ok(AuthorizationRequest {
            client: client.to_owned(),
            names_redirect_uri: form.get("redirect_uri").is_some(),
            scope: form.get("scope").map(str::to_owned),
            challenge: challenge.map(str::to_owned),
            may_ask,
            nonce: form.get("nonce").map(str::to_owned),
            login_hint: form.get("login_hint").map(str::to_owned),
            back,
        })
    }

    /// The redirect URI, if it can be trusted: one that is registered, or without any, one on this machine.
    fn redirect_uri(&self, client: &str, asked: Option<&str>) -> Result<String, Rejection> {
        let registered = self.settings.sign_in.redirect_uris.get(client).map(Vec::as_slice).unwrap_or_default();
        let meant = match (asked, registered) {
            (Some(asked), _) => Some(asked),
            (None, [only]) => Some(only.as_str()),
            (None, _) => None,
        };
        meant.filter(|uri| is_trusted(uri, registered)).map(str::to_owned).ok_or_else(|| {
            Rejection::Page("The redirect_uri is missing, is not registered, or does not lead to this machine.".into())
        })
    }
}

impl Rejection {
    pub(super) fn redirect(back: Back, error: &'static str, why: &str) -> Self {
        Self::Redirect(back, error.into(), why.to_owned())
    }
}

/// Whether a browser may be sent there: it is registered, or without any that is, it leads to this machine.
pub(super) fn is_trusted(uri: &str, registered: &[String]) -> bool {
    let is_known = if registered.is_empty() { is_loopback(uri) } else { registered.iter().any(|it| it == uri) };
    is_known && !uri.contains('#') && HeaderValue::from_str(uri).is_ok()
}

/// Whether it leads to a program on this machine (RFC 8252, 7.3), on whichever port.
fn is_loopback(uri: &str) -> bool {
    let Ok(uri) = uri.parse::<Uri>() else { return false };
    let has_user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
    let is_here = matches!(uri.host(), Some("127.0.0.1" | "[::1]" | "localhost"));
    uri.scheme_str() == Some("http") && is_here && !has_user
}

fn is_sha256(challenge: &str) -> bool {
    challenge.len() == 43 && challenge.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

fn is_absolute(uri: &str) -> bool {
    let scheme = uri.split_once(':').map(|(scheme, _)| scheme);
    let is_scheme = |text: &str| {
        text.starts_with(|first: char| first.is_ascii_alphabetic())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    };
    scheme.is_some_and(is_scheme) && !uri.contains('#')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc8252_7_3_a_loopback_redirect_may_have_any_port() {
        for uri in
            ["http://127.0.0.1:49152/callback", "http://[::1]:1/", "http://localhost:8080/a?b=c", "http://127.0.0.1"]
        {
            assert!(is_loopback(uri), "{uri}");
        }
        for uri in [
            "https://127.0.0.1:1/",
            "http://127.0.0.1.evil.example/",
            "http://127.0.0.1@evil.example/",
            "http://evil@127.0.0.1/",
            "http://evil.example/?http://127.0.0.1/",
            "http://10.0.0.1/",
            "app://callback",
            "/callback",
            "",
        ] {
            assert!(!is_loopback(uri), "{uri}");
        }
    }

    #[test]
    fn rfc8707_2_a_resource_is_an_absolute_uri_without_a_fragment() {
        assert!(is_absolute("https://api.example/v1") && is_absolute("urn:example:api"));
        assert!(!is_absolute("api.example/v1") && !is_absolute("https://api.example/#part") && !is_absolute(":a"));
    }
}
