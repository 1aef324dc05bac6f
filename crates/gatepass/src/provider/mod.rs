//! What is particular about well-known authorization servers, as data.
//!
//! ```
//! use gatepass::{Error, TokenSet, endpoint::{Client, HttpService}, provider::SPOTIFY};
//!
//! # async fn show(url: &str) {}
//! # async fn query_of_the_callback() -> String { String::new() }
//! async fn sign_in(http: impl HttpService) -> Result<TokenSet, Error> {
//!     let client = Client::new(http, SPOTIFY.server(), SPOTIFY.public_client("my-client-id"))?;
//!     let request = SPOTIFY.authorization_request("http://127.0.0.1:4180/callback").scope("user-read-email");
//!     let pending = client.authorize(&request).await?;
//!     show(pending.url()).await;
//!     let grant = pending.answer(&query_of_the_callback().await)?;
//!     client.exchange(&grant, None).await
//! }
//! ```
//!
//! Where a server has many names, a function fills it in: [`microsoft`] takes the tenant, [`gitlab`] the host, [`okta`]
//! and [`auth0`] the domain, [`keycloak`] its URL and the realm.
//!
//! Nothing here is needed to use a server: what a [`Provider`] says can be said by [`AuthorizationServer`],
//! [`ClientAuth`] and [`AuthorizationRequest`]. Where it is out of date, a field can be set.

mod known;
#[cfg(test)]
mod tests;
mod within;

use std::borrow::Cow;

pub use self::{
    known::{DISCORD, GITHUB, GITLAB, GOOGLE, SPOTIFY, TWITCH},
    within::{auth0, gitlab, keycloak, microsoft, okta},
};
use crate::{client_auth::ClientAuth, discovery::AuthorizationServer, grant::AuthorizationRequest, secret::Secret};

/// An authorization server as its documentation describes it. See the [module docs](crate::provider).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Provider {
    /// What it is called.
    pub name: &'static str,
    /// Where what is said here comes from.
    pub docs: &'static str,
    /// Where it is.
    pub location: Location,
    /// Where a device without a browser asks for a code, if its metadata does not say it.
    pub device_authorization_endpoint: Option<Cow<'static, str>>,
    /// Where tokens are ended as RFC 7009 has it, if its metadata does not say it.
    pub revocation_endpoint: Option<Cow<'static, str>>,
    /// How a client with a secret authenticates.
    pub authentication: Authentication,
    /// What stands between two scopes.
    pub scope_separator: char,
    /// Whether it knows PKCE (RFC 7636).
    pub pkce: bool,
    /// The scope by which a sign-in asks for a refresh token that outlives the person's visit, where one is needed.
    pub offline_scope: Option<&'static str>,
    /// The parameters by which it does.
    pub offline_parameters: &'static [(&'static str, &'static str)],
    /// Which redirect URIs on this machine it takes.
    pub loopback: Loopback,
    /// Where it says who signed in, if it does not by an ID token (OpenID Connect).
    pub user: Option<UserEndpoint>,
}

/// Where a server without OpenID Connect says whose token it is, and what of its answer means what, as JSON pointers
/// (RFC 6901) into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserEndpoint {
    /// Where it is asked.
    pub url: Cow<'static, str>,
    /// What tells people apart and stays the same: a text or a number.
    pub subject: Cow<'static, str>,
    /// What the person is called: the first of these that is there.
    pub names: Cow<'static, [Cow<'static, str>]>,
    /// The person's email address. Whether it is theirs is not proven.
    pub email: Option<Cow<'static, str>>,
    /// Where a picture of the person is.
    pub picture: Option<Cow<'static, str>>,
}

/// How a server is found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Location {
    /// By its metadata.
    Issuer(Cow<'static, str>),
    /// By its URLs: it has no metadata, or none whose issuer is known beforehand.
    Endpoints {
        /// Where a person's browser is sent to.
        authorization: Cow<'static, str>,
        /// Where grants are exchanged for tokens.
        token: Cow<'static, str>,
    },
}

/// How a client with a secret authenticates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Authentication {
    /// In the header: [`ClientAuth::basic`].
    Basic,
    /// In the body: [`ClientAuth::post`].
    Post,
}

/// Which redirect URIs on this machine a server takes (RFC 8252 section 7.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Loopback {
    /// `http://127.0.0.1` with any port: register it without one.
    Address,
    /// `http://localhost` with any port: register it without one.
    Localhost,
    /// What is registered, with that port, as far as is known.
    Exact,
}

impl Provider {
    /// The server.
    pub fn server(&self) -> AuthorizationServer {
        let mut server = match &self.location {
            Location::Issuer(issuer) => AuthorizationServer::issuer(&**issuer),
            Location::Endpoints { authorization, token } => {
                AuthorizationServer::token_endpoint(&**token).authorization_endpoint(&**authorization)
            }
        };
        if let Some(url) = &self.device_authorization_endpoint {
            server = server.device_authorization_endpoint(&**url);
        }
        if let Some(url) = &self.revocation_endpoint {
            server = server.revocation_endpoint(&**url);
        }
        if let Some(user) = &self.user {
            server = server.userinfo_endpoint(&*user.url);
        }
        server.scope_separator(self.scope_separator)
    }

    /// A client that was given a secret, as this server wants it to authenticate.
    pub fn client(&self, id: impl Into<String>, secret: impl Into<Secret>) -> ClientAuth {
        match self.authentication {
            Authentication::Basic => ClientAuth::basic(id, secret),
            Authentication::Post => ClientAuth::post(id, secret),
        }
    }

    /// A client that has none.
    pub fn public_client(&self, id: impl Into<String>) -> ClientAuth {
        ClientAuth::none(id)
    }

    /// A sign-in that brings a refresh token, if this server issues them.
    ///
    /// The parameters for it are set: Google's sign-in has `prompt=consent` already, for example, since only somebody who
    /// consents gets one. Start with [`AuthorizationRequest::new`] where no refresh token is wanted.
    pub fn authorization_request(&self, redirect_uri: impl Into<String>) -> AuthorizationRequest {
        let mut request = AuthorizationRequest::new(redirect_uri);
        if !self.pkce {
            request = request.pkce(false);
        }
        if let Some(scope) = self.offline_scope {
            request = request.scope(scope);
        }
        for (name, value) in self.offline_parameters {
            request = request.parameter(*name, *value);
        }
        request
    }
}
