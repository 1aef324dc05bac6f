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

use std::fmt;

use http::Uri;
use serde::Deserialize;

use crate::{error::Error, origins::is_loopback, store::fingerprint};

/// An authorization server. See the [module docs](crate::discovery).
#[derive(Clone)]
#[must_use]
pub struct AuthorizationServer {
    location: Location,
    plain_http: bool,
    named: Option<String>,
    accepted_issuer: Option<String>,
}

#[derive(Clone)]
enum Location {
    TokenEndpoint(String),
    Issuer(String),
}

/// What a server says of itself.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(crate) struct Metadata {
    pub(crate) issuer: String,
    pub(crate) token_endpoint: Option<String>,
}

impl AuthorizationServer {
    /// By the URL of its token endpoint. A query in it is kept (RFC 6749 section 3.2).
    pub fn token_endpoint(url: impl Into<String>) -> Self {
        Self::at(Location::TokenEndpoint(url.into()))
    }

    /// By its issuer identifier; the rest is found.
    pub fn issuer(issuer: impl Into<String>) -> Self {
        Self::at(Location::Issuer(issuer.into()))
    }

    fn at(location: Location) -> Self {
        Self { location, plain_http: false, named: None, accepted_issuer: None }
    }

    /// Says which issuer a token endpoint told by its URL belongs to: token sets are kept under its name, and a
    /// refresh token that another issued is not sent to it (X6). Metadata names its issuer itself.
    pub fn named(mut self, issuer: impl Into<String>) -> Self {
        self.named = Some(issuer.into());
        self
    }

    /// Accepts `http` URLs beyond loopback: whoever is on the path reads the client's secret and every token.
    pub fn dangerous_allow_plain_http(mut self) -> Self {
        self.plain_http = true;
        self
    }

    /// Accepts metadata that names this issuer instead of the one that was asked for: for a server that says
    /// `localhost` and listens on 127.0.0.1. Whoever controls the metadata's URL controls where the client's secret
    /// goes.
    pub fn dangerous_accept_issuer(mut self, issuer: impl Into<String>) -> Self {
        self.accepted_issuer = Some(issuer.into());
        self
    }

    /// The issuer and the URL of the token endpoint, where it was told.
    pub(crate) fn told(&self) -> Option<(Option<&str>, &str)> {
        match &self.location {
            Location::TokenEndpoint(url) => Some((self.named.as_deref(), url)),
            Location::Issuer(_) => None,
        }
    }

    /// What tells it from others: the issuer, or the URL where no issuer is known. It is shown: of a URL with a query,
    /// which may hold a password, there is a hash instead (X5).
    pub(crate) fn identity(&self) -> String {
        let (Location::TokenEndpoint(told) | Location::Issuer(told)) = &self.location;
        let told = self.named.as_ref().unwrap_or(told);
        match shown(told) {
            shown if shown == *told => shown,
            shown => format!("{shown}#{}", fingerprint(told.as_bytes())),
        }
    }

    /// Whether a set that names this issuer may be its own, as far as that is known without asking.
    pub(crate) fn may_be(&self, issuer: &str) -> bool {
        match &self.location {
            Location::TokenEndpoint(_) => self.named.as_deref() == Some(issuer),
            Location::Issuer(asked) => asked == issuer || self.accepted_issuer.as_deref() == Some(issuer),
        }
    }

    /// # Errors
    /// Misconfigured, when the URL is none or not safe (6749-23, 8414-1).
    pub(crate) fn check(&self) -> Result<(), Error> {
        match &self.location {
            Location::TokenEndpoint(url) => self.safe("token endpoint", url).map(drop),
            Location::Issuer(issuer) => {
                let uri = self.safe("issuer", issuer)?;
                if uri.query().is_some() {
                    return Err(Error::misconfigured("the issuer has a query: an issuer has none"));
                }
                Ok(())
            }
        }
    }

    /// The places where metadata may be, in the order to ask (RFC 8414 sections 3.1 and 5).
    pub(crate) fn well_known(&self) -> Vec<String> {
        let Location::Issuer(issuer) = &self.location else {
            return Vec::new();
        };
        let issuer = issuer.strip_suffix('/').unwrap_or(issuer);
        let after_scheme = issuer.find("://").map_or(0, |at| at + 3);
        let path = issuer[after_scheme..].find('/').map_or(issuer.len(), |at| after_scheme + at);
        let (host, path) = issuer.split_at(path);
        let mut urls = vec![
            format!("{host}/.well-known/oauth-authorization-server{path}"),
            format!("{host}{path}/.well-known/openid-configuration"),
        ];
        if !path.is_empty() {
            urls.push(format!("{host}/.well-known/openid-configuration{path}"));
        }
        urls
    }

    /// Reads metadata. `None` when this is none: the next place is asked then.
    ///
    /// # Errors
    /// Misconfigured, when it is another issuer's or names no safe token endpoint.
    pub(crate) fn read(&self, body: &[u8]) -> Option<Result<(String, String), Error>> {
        let metadata: Metadata = serde_json::from_slice(body).ok()?;
        Some(self.accept(metadata))
    }

    fn accept(&self, metadata: Metadata) -> Result<(String, String), Error> {
        let asked = match &self.location {
            Location::Issuer(issuer) | Location::TokenEndpoint(issuer) => issuer,
        };
        let named = metadata.issuer;
        if named != *asked && self.accepted_issuer.as_ref() != Some(&named) {
            let named: String = named.chars().filter(|c| !c.is_control()).take(200).collect();
            return Err(Error::misconfigured(format!(
                "the metadata of issuer `{asked}` names `{named}`: configure the issuer exactly as the server writes it"
            )));
        }
        let Some(token_endpoint) = metadata.token_endpoint else {
            return Err(Error::misconfigured(format!("the metadata of issuer `{asked}` names no token endpoint")));
        };
        self.safe("token endpoint", &token_endpoint)?;
        Ok((named, token_endpoint))
    }

    fn safe(&self, what: &str, url: &str) -> Result<Uri, Error> {
        let shown = shown(url);
        let example = if what == "issuer" { "https://auth.example.com" } else { "https://auth.example.com/token" };
        let wrong = |why: &str| Error::misconfigured(format!("the {what} `{shown}` cannot be used: {why}"));
        let uri: Uri = url.parse().map_err(|_| wrong(&format!("write a whole URL, like {example}")))?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(wrong(&format!("write a whole URL, like {example}")));
        };
        if url.contains('#') {
            return Err(wrong("it has a fragment (#)"));
        }
        if authority.as_str().contains('@') {
            return Err(wrong("leave out user name and password"));
        }
        match scheme {
            "https" => Ok(uri),
            "http" if self.plain_http || is_loopback(authority.host()) => Ok(uri),
            "http" => Err(wrong("plain http is for loopback addresses only; use https")),
            _ => Err(wrong("its scheme has to be https")),
        }
    }
}

/// A URL fit to be shown: without what may be a password, in front of the host or in the query.
fn shown(url: &str) -> String {
    let url: String = url.chars().filter(|c| !c.is_control()).take(200).collect();
    let url = url.split(['?', '#']).next().unwrap_or_default();
    match url.split_once('@') {
        Some((_, rest)) => rest.to_owned(),
        None => url.to_owned(),
    }
}

impl fmt::Debug for AuthorizationServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("AuthorizationServer");
        match &self.location {
            Location::TokenEndpoint(url) => debug.field("token_endpoint", &shown(url)).field("issuer", &self.named),
            Location::Issuer(issuer) => debug.field("issuer", &shown(issuer)),
        };
        debug.finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "https://auth.example.com/tenant";

    fn read(server: &AuthorizationServer, issuer: &str, token_endpoint: &str) -> Result<(String, String), Error> {
        server.read(format!(r#"{{"issuer":"{issuer}","token_endpoint":"{token_endpoint}","x":1}}"#).as_bytes()).unwrap()
    }

    #[test]
    fn rfc8414_2_the_well_known_segment_goes_between_host_and_path() {
        let with_path = [
            "https://auth.example.com/.well-known/oauth-authorization-server/tenant",
            "https://auth.example.com/tenant/.well-known/openid-configuration",
            "https://auth.example.com/.well-known/openid-configuration/tenant",
        ];
        assert_eq!(AuthorizationServer::issuer(ISSUER).well_known(), with_path);
        assert_eq!(AuthorizationServer::issuer("https://auth.example.com/tenant/").well_known(), with_path);
        assert_eq!(
            AuthorizationServer::issuer("https://auth.example.com").well_known(),
            [
                "https://auth.example.com/.well-known/oauth-authorization-server",
                "https://auth.example.com/.well-known/openid-configuration",
            ]
        );
    }

    #[test]
    fn rfc8414_3_the_issuer_has_to_be_the_same_to_the_letter() {
        let server = AuthorizationServer::issuer(ISSUER);
        assert!(read(&server, ISSUER, "https://auth.example.com/token").is_ok());
        for other in [
            "https://auth.example.com/tenant/",
            "https://AUTH.example.com/tenant",
            "https://auth.example.com",
            "http://x",
        ] {
            let error = read(&server, other, "https://auth.example.com/token").unwrap_err();
            assert!(error.is_misconfigured() && error.to_string().contains(other), "{error}");
            let told_so = AuthorizationServer::issuer(ISSUER).dangerous_accept_issuer(other);
            assert!(read(&told_so, other, "https://auth.example.com/token").is_ok());
        }
    }

    #[test]
    fn rfc8414_what_is_no_metadata_lets_the_next_place_be_asked() {
        let server = AuthorizationServer::issuer(ISSUER);
        for body in ["", "<html>", "[]", "{}", r#"{"issuer":7}"#] {
            assert!(server.read(body.as_bytes()).is_none(), "{body}");
        }
        assert!(server.read(format!(r#"{{"issuer":"{ISSUER}"}}"#).as_bytes()).unwrap().is_err());
    }

    #[test]
    fn rfc6749_23_secrets_go_over_tls_or_loopback_only() {
        for good in [
            "https://auth.example.com/token?tenant=x",
            "http://127.0.0.1:9/token",
            "http://[::1]/token",
            "http://localhost/t",
        ] {
            assert!(AuthorizationServer::token_endpoint(good).check().is_ok(), "{good}");
        }
        for (bad, hint) in [
            ("http://auth.example.com/token", "https"),
            ("auth.example.com/token", "whole"),
            ("/token", "whole"),
            ("https://auth.example.com/token#x", "fragment"),
            ("https://u:hunter2@auth.example.com/token", "user name"),
            ("ftp://auth.example.com/", "https"),
            ("https://auth example.com/", "whole"),
            ("http://auth.example.com/token?key=hunter2", "https"),
        ] {
            let error = AuthorizationServer::token_endpoint(bad).check().unwrap_err();
            assert!(error.is_misconfigured() && error.to_string().contains(hint), "{bad}: {error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
        assert!(
            AuthorizationServer::token_endpoint("http://auth.example.com/")
                .dangerous_allow_plain_http()
                .check()
                .is_ok()
        );
        assert!(AuthorizationServer::issuer("https://auth.example.com?x=1").check().is_err());
        let found = read(&AuthorizationServer::issuer(ISSUER), ISSUER, "http://auth.example.com/token");
        assert!(found.unwrap_err().is_misconfigured());
    }

    #[test]
    fn x5_what_tells_servers_apart_shows_no_password_of_a_url_and_tells_them_apart() {
        let at = |url: &str| AuthorizationServer::token_endpoint(url).identity();
        assert_eq!(at("https://a.example/token"), "https://a.example/token");
        let (one, two) = (at("https://a.example/token?key=hunter2"), at("https://a.example/token?key=hunter3"));
        assert!(one != two && !one.contains("hunter") && one.starts_with("https://a.example/token"), "{one}");
        assert_eq!(
            AuthorizationServer::token_endpoint("https://a.example/t?x").named("https://a").identity(),
            "https://a"
        );
    }
}
