use std::fmt;

use http::Uri;

use super::Metadata;
use crate::{
    error::{Error, printable},
    origins::is_loopback,
    store::fingerprint,
};

/// An authorization server. See the [module docs](crate::discovery).
#[derive(Clone)]
#[must_use]
pub struct AuthorizationServer {
    location: Location,
    /// Endpoints whose URLs were told.
    told: Metadata,
    /// Who gets the code, where that is a server of the program's own (token swap).
    swap: Option<String>,
    scope_separator: char,
    plain_http: bool,
    named: Option<String>,
    accepted_issuer: Option<String>,
}

#[derive(Clone)]
enum Location {
    TokenEndpoint(String),
    Issuer(String),
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

    /// By two URLs of a server of yours that keeps the client's secret: token swap, as Spotify's mobile SDKs do it. A
    /// code is posted to the first, a refresh token to the second, and no client authentication to either. Where people
    /// sign in is told by [`authorization_endpoint`](Self::authorization_endpoint).
    pub fn token_swap(swap: impl Into<String>, refresh: impl Into<String>) -> Self {
        Self { swap: Some(swap.into()), ..Self::token_endpoint(refresh) }
    }

    fn at(location: Location) -> Self {
        Self {
            location,
            told: Metadata::default(),
            swap: None,
            scope_separator: ' ',
            plain_http: false,
            named: None,
            accepted_issuer: None,
        }
    }

    /// Where a person's browser is sent to sign in. Where metadata names one too, this one is used; so it is for the
    /// others below.
    pub fn authorization_endpoint(mut self, url: impl Into<String>) -> Self {
        self.told.authorization_endpoint = Some(url.into());
        self
    }

    /// Where a device without a browser asks for a code (RFC 8628).
    pub fn device_authorization_endpoint(mut self, url: impl Into<String>) -> Self {
        self.told.device_authorization_endpoint = Some(url.into());
        self
    }

    /// Where an authorization request may be left beforehand (RFC 9126).
    pub fn pushed_authorization_request_endpoint(mut self, url: impl Into<String>) -> Self {
        self.told.pushed_authorization_request_endpoint = Some(url.into());
        self
    }

    /// Where tokens are ended (RFC 7009).
    pub fn revocation_endpoint(mut self, url: impl Into<String>) -> Self {
        self.told.revocation_endpoint = Some(url.into());
        self
    }

    /// Where a token's owner is described: the user endpoint of OpenID Connect, or of the server's own API.
    pub fn userinfo_endpoint(mut self, url: impl Into<String>) -> Self {
        self.told.userinfo_endpoint = Some(url.into());
        self
    }

    /// Where the keys are that sign its ID tokens.
    pub fn jwks_uri(mut self, url: impl Into<String>) -> Self {
        self.told.jwks_uri = Some(url.into());
        self
    }

    /// Where a person's browser is sent to sign out there, too.
    pub fn end_session_endpoint(mut self, url: impl Into<String>) -> Self {
        self.told.end_session_endpoint = Some(url.into());
        self
    }

    /// What stands between two scopes, for a server that does not want the space of RFC 6749 section 3.3.
    pub fn scope_separator(mut self, separator: char) -> Self {
        self.scope_separator = separator;
        self
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

    /// What is known without asking: all there is to know, unless metadata has to be read first.
    pub(crate) fn known(&self) -> Option<Metadata> {
        match &self.location {
            Location::TokenEndpoint(url) => {
                let (issuer, token_endpoint) = (self.named.clone(), Some(url.clone()));
                Some(Metadata { issuer, token_endpoint, ..self.told.clone() })
            }
            Location::Issuer(_) => None,
        }
    }

    /// Who gets a code, if that is a token swap.
    pub(crate) fn swap(&self) -> Option<&str> {
        self.swap.as_deref()
    }

    pub(crate) fn separator(&self) -> char {
        self.scope_separator
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
    /// Misconfigured, when a URL is none or not safe (6749-23, 8414-1).
    pub(crate) fn check(&self) -> Result<(), Error> {
        match &self.location {
            Location::TokenEndpoint(url) if self.swap.is_some() => drop(self.safe("token swap's refresh URL", url)?),
            Location::TokenEndpoint(url) => drop(self.safe("token endpoint", url)?),
            Location::Issuer(issuer) => {
                if self.safe("issuer", issuer)?.query().is_some() {
                    return Err(Error::misconfigured("the issuer has a query: an issuer has none"));
                }
            }
        }
        if let Some(swap) = &self.swap {
            self.safe("token swap's URL", swap)?;
        }
        self.told.urls().try_for_each(|(what, url)| self.safe(what, url).map(drop))
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
    /// Misconfigured, when it is another issuer's or names no safe token endpoint. Other URLs are looked at when they
    /// are used.
    pub(crate) fn read(&self, body: &[u8]) -> Option<Result<Metadata, Error>> {
        Metadata::parse(body).map(|metadata| self.accept(metadata))
    }

    fn accept(&self, metadata: Metadata) -> Result<Metadata, Error> {
        let (Location::Issuer(asked) | Location::TokenEndpoint(asked)) = &self.location;
        let named = metadata.issuer.as_deref().unwrap_or_default();
        if named != *asked && self.accepted_issuer.as_deref() != Some(named) {
            let named = printable(named, 200);
            return Err(Error::misconfigured(format!(
                "the metadata of issuer `{asked}` names `{named}`: configure the issuer exactly as the server writes it"
            )));
        }
        let metadata = metadata.overridden_by(&self.told);
        let Some(token_endpoint) = &metadata.token_endpoint else {
            return Err(Error::misconfigured(format!("the metadata of issuer `{asked}` names no token endpoint")));
        };
        self.safe("token endpoint", token_endpoint)?;
        Ok(metadata)
    }

    /// # Errors
    /// Misconfigured, when it is no URL that may be called.
    pub(crate) fn safe(&self, what: &str, url: &str) -> Result<Uri, Error> {
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
    let url = printable(url, 200);
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

    fn read(server: &AuthorizationServer, issuer: &str, token_endpoint: &str) -> Result<Metadata, Error> {
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
