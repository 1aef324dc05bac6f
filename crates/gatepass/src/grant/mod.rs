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
//! The implicit and the password grant are not offered: RFC 9700 (sections 2.1.2 and 2.4) tells clients not to use
//! them.

mod answer;
mod client_credentials;
mod form;
mod parameters;
mod refresh_token;

pub(crate) use self::answer::{Answer, Asked};
pub use self::{client_credentials::ClientCredentials, form::Form, refresh_token::RefreshToken};

use crate::{error::Error, token::TokenSet};

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

    /// Checks the settings, once, before the first request.
    ///
    /// # Errors
    /// Misconfigured, with the setting that is wrong.
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }

    /// What is kept of an answer.
    fn accept(&self, answer: TokenSet) -> TokenSet {
        answer
    }
}
