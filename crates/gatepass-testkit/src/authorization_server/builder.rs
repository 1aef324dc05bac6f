use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use super::{handle::AuthorizationServer, service::State};
use crate::server::{Server, listen};

/// An [`AuthorizationServer`] before it starts: what cannot change afterwards.
#[derive(Debug, Clone)]
pub struct AuthorizationServerBuilder {
    port: u16,
    host: String,
    issuer_path: String,
    token_path: String,
}

impl AuthorizationServerBuilder {
    pub(super) fn new() -> Self {
        Self { port: 0, host: "127.0.0.1".to_owned(), issuer_path: String::new(), token_path: "/token".to_owned() }
    }

    /// The port; by default one that is free.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The host in the URLs it gives out, `localhost` for example. It listens on 127.0.0.1 nevertheless.
    pub fn host(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    /// The path of the issuer, `/tenant/1` for example; by default there is none. The endpoints do not move.
    pub fn issuer_path(mut self, path: &str) -> Self {
        self.issuer_path = with_slash(path.trim_matches('/'));
        self
    }

    /// The path of the token endpoint; by default `/token`.
    pub fn token_path(mut self, path: &str) -> Self {
        self.token_path = with_slash(path.trim_start_matches('/'));
        self
    }

    /// Starts it, on the current tokio runtime.
    ///
    /// # Errors
    ///
    /// When the port is taken.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with I/O and time.
    #[expect(clippy::unused_async, reason = "that it runs inside a runtime is then a matter of course")]
    pub async fn start(self) -> io::Result<AuthorizationServer> {
        let listener = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)))?;
        let port = listener.local_addr()?.port();
        let address = Address {
            origin: format!("http://{}:{port}", self.host),
            issuer_path: self.issuer_path,
            token_path: self.token_path,
        };
        let state = Arc::new(State::new(Arc::new(address)));
        let server = Server::start(listener, Arc::clone(&state))?;
        Ok(AuthorizationServer::new(state, server))
    }
}

fn with_slash(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("/{path}") }
}

/// Where the server is to be found.
#[derive(Debug)]
pub(super) struct Address {
    origin: String,
    issuer_path: String,
    token_path: String,
}

/// What a path of the server leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    Token,
    Introspection,
    Revocation,
    Authorization,
    Consent,
    PushedAuthorization,
    DeviceAuthorization,
    Device,
    Swap,
    SwapRefresh,
    Jwks,
    UserInfo,
    EndSession,
    OAuthMetadata,
    OpenIdConfiguration,
}

impl Endpoint {
    pub(super) fn is_metadata(self) -> bool {
        matches!(self, Self::OAuthMetadata | Self::OpenIdConfiguration)
    }

    /// The methods it knows, as `Allow` lists them.
    pub(super) fn methods(self) -> &'static str {
        match self {
            Self::Authorization | Self::Jwks | Self::OAuthMetadata | Self::OpenIdConfiguration => "GET",
            Self::Device | Self::UserInfo | Self::EndSession => "GET, POST",
            _ => "POST",
        }
    }
}

impl Address {
    pub(super) fn issuer(&self) -> String {
        format!("{}{}", self.origin, self.issuer_path)
    }

    pub(super) fn token_url(&self) -> String {
        self.url(&self.token_path)
    }

    pub(super) fn url(&self, path: &str) -> String {
        let slash = if path.starts_with('/') { "" } else { "/" };
        format!("{}{slash}{path}", self.origin)
    }

    /// RFC 8414 puts the well-known part before the issuer's path, OpenID Connect after it.
    pub(super) fn endpoint(&self, path: &str) -> Option<Endpoint> {
        match path {
            // Before the others: a builder may have put it where one of them is.
            _ if path == self.token_path => Some(Endpoint::Token),
            "/introspect" => Some(Endpoint::Introspection),
            "/revoke" => Some(Endpoint::Revocation),
            "/authorize" => Some(Endpoint::Authorization),
            "/consent" => Some(Endpoint::Consent),
            "/par" => Some(Endpoint::PushedAuthorization),
            "/device_authorization" => Some(Endpoint::DeviceAuthorization),
            "/device" => Some(Endpoint::Device),
            "/swap" => Some(Endpoint::Swap),
            "/refresh" => Some(Endpoint::SwapRefresh),
            "/jwks" => Some(Endpoint::Jwks),
            "/userinfo" => Some(Endpoint::UserInfo),
            "/end_session" => Some(Endpoint::EndSession),
            _ if path.strip_prefix("/.well-known/oauth-authorization-server") == Some(&self.issuer_path) => {
                Some(Endpoint::OAuthMetadata)
            }
            _ if path.strip_suffix("/.well-known/openid-configuration") == Some(&self.issuer_path) => {
                Some(Endpoint::OpenIdConfiguration)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_with_a_path_is_described_where_each_standard_says() {
        let address = Address {
            origin: "http://127.0.0.1:1".to_owned(),
            issuer_path: "/tenant".to_owned(),
            token_path: "/oauth/token".to_owned(),
        };
        let leads_to = |path| address.endpoint(path);
        assert_eq!(leads_to("/oauth/token"), Some(Endpoint::Token));
        assert_eq!(leads_to("/.well-known/oauth-authorization-server/tenant"), Some(Endpoint::OAuthMetadata));
        assert_eq!(leads_to("/tenant/.well-known/openid-configuration"), Some(Endpoint::OpenIdConfiguration));
        assert_eq!(leads_to("/.well-known/openid-configuration"), None);
        assert_eq!(leads_to("/.well-known/oauth-authorization-server"), None);
    }
}
