//! What goes to the token endpoint and what comes back. No I/O: a [`Grant`] builds a [`Form`] and reads an answer.
//!
//! ```
//! use gatepass::grant::{ClientCredentials, Grant};
//!
//! let grant = ClientCredentials::new().scope("read write").audience("https://api.example.com");
//! let form = grant.form(None)?;
//! assert_eq!(
//!     form.encode().expose(),
//!     "grant_type=client_credentials&scope=read+write&audience=https%3A%2F%2Fapi.example.com",
//! );
//! # Ok::<(), gatepass::Error>(())
//! ```
//!
//! | who asks | with | grant |
//! |---|---|---|
//! | a service, for itself | its client's secret or key | [`ClientCredentials`] |
//! | a service, for itself or for somebody it names | an assertion that it signs, or has signed | [`JwtBearer`] |
//! | a service, for who called it | that caller's token | [`TokenExchange`]; [`JwtBearer`] at Microsoft |
//! | a program, for a person at its browser | the code of a callback | [`AuthorizationCode`] |
//! | a program, for a person with a browser elsewhere | the code of a device | [`DeviceCode`] |
//! | whoever has signed in before | its refresh token | [`RefreshToken`] |
//!
//! # People sign in
//!
//! An [`AuthorizationRequest`] sends a person's browser to the authorization server, which sends it back to the redirect
//! URI with a code. [`Client`](crate::endpoint::Client) does what goes over the network:
//!
//! ```
//! use gatepass::{Error, TokenSet, endpoint::{Client, HttpService}, grant::AuthorizationRequest};
//!
//! # async fn show(url: &str) {}
//! # async fn query_of_the_callback() -> String { String::new() }
//! async fn sign_in(client: &Client<impl HttpService>) -> Result<TokenSet, Error> {
//!     let request = AuthorizationRequest::new("http://127.0.0.1:4180/callback").scope("openid read");
//!     let pending = client.authorize(&request).await?;
//!     show(pending.url()).await;
//!     let grant = pending.answer(&query_of_the_callback().await)?;
//!     client.exchange(&grant, None).await
//! }
//! ```
//!
//! Where there is no browser, a [`DeviceAuthorization`] gets a code that the person enters elsewhere. The crate
//! gatepass-native does all of this for programs on somebody's machine.
//!
//! # What is not offered
//!
//! The implicit grant hands the token to the browser, by the URL, where anybody may read it, and there is no refresh
//! token; Spotify ended it in November 2025. With the password grant the client sees the password, and there is no
//! second factor. RFC 9700 tells clients not to use them (sections 2.1.2 and 2.4). The authorization code with PKCE takes
//! the place of both, in a browser's script as well; a service that acts for itself uses [`ClientCredentials`] or, with
//! a key in place of a password, [`JwtBearer`].

mod answer;
mod authorization_code;
mod authorization_request;
mod callback;
mod client_credentials;
mod device_code;
mod form;
pub(crate) mod id_token;
mod jwt_bearer;
mod parameters;
mod pkce;
mod refresh_token;
pub(crate) mod revocation;
mod token_exchange;
pub(crate) mod token_swap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

pub(crate) use self::{
    answer::{Answer, Asked, REFUSALS},
    authorization_request::Server,
};
pub use self::{
    authorization_code::AuthorizationCode,
    authorization_request::{AuthorizationRequest, PendingAuthorization},
    client_credentials::ClientCredentials,
    device_code::{DeviceAuthorization, DeviceCode, Polling},
    form::Form,
    jwt_bearer::JwtBearer,
    pkce::Pkce,
    refresh_token::RefreshToken,
    token_exchange::{TokenExchange, token_type},
};
use crate::{error::Error, secret::Secret, token::TokenSet};

/// A way to get a token set from a token endpoint.
pub trait Grant: Send + Sync + 'static {
    /// The parameters of the request, `grant_type` first, without the client's.
    ///
    /// # Errors
    /// Reauthentication required, when there is nothing to present.
    fn form(&self, current: Option<&TokenSet>) -> Result<Form, Error>;

    /// Whether the request presents `current`'s refresh token. It decides what a refusal means: somebody has to sign
    /// in (F1), or a setting is wrong (F2).
    fn spends_refresh_token(&self) -> bool;

    /// What kind of grant it is, for keeping tokens apart (C13): its `grant_type`, unless that says too little.
    fn kind(&self) -> &str;

    /// What distinguishes tokens asked for with these parameters from others: empty when there are none. It is shown:
    /// no secret may be read from it.
    fn variant(&self) -> String {
        String::new()
    }

    /// Whether what is presented is for this server, by its issuer where that is known, and this client (X6).
    fn may_go_to(&self, issuer: Option<&str>, client_id: &str) -> bool {
        let _ = (issuer, client_id);
        true
    }

    /// Checks the settings, once, before the first request.
    ///
    /// # Errors
    /// Misconfigured, with the setting that is wrong.
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }

    /// What is kept of an answer.
    ///
    /// # Errors
    /// When the answer is not one to this request.
    fn accept(&self, answer: TokenSet) -> Result<TokenSet, Error> {
        Ok(answer)
    }

    /// By which error codes the server refuses what is presented. For a grant that spends a refresh token there are
    /// more.
    fn refusals(&self) -> &'static [&'static str] {
        REFUSALS
    }

    /// What it means that the server refused what was presented, and what to do about it. `said` is what the server
    /// said, fit to be shown.
    fn refused(&self, said: &str) -> Error {
        Error::misconfigured(format!("the token endpoint refused what the request presented ({said})"))
    }
}

/// 256 bits that nobody can guess, as a text that may go anywhere.
pub(crate) fn random() -> Result<Secret, Error> {
    let mut bytes = zeroize::Zeroizing::new([0; 32]);
    getrandom::fill(bytes.as_mut_slice())
        .map_err(|error| Error::transient(format!("the system has no random numbers: {error}")))?;
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(bytes.as_slice())))
}
