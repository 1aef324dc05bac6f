//! Where tokens come from.
//!
//! Anything that can exchange what is there for something newer is a [`TokenSource`]: a
//! [`TokenEndpoint`](crate::TokenEndpoint), a fixed [`Token`], or a closure from `Option<TokenSet>`, the current one,
//! to a future that is `Send`:
//!
//! ```
//! use std::time::Duration;
//! use gatepass::{Error, TokenCell, TokenSet};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Error> {
//! let cell = TokenCell::new(|_current| async {
//!     // ask a metadata service, read a mounted file, call a command ...
//!     Ok::<_, Error>(TokenSet::new("a-token").expires_in(Duration::from_secs(600)))
//! });
//! assert_eq!(cell.get().await?.expose(), "a-token");
//! # Ok(()) }
//! ```

use std::{future::Future, pin::Pin};

use crate::{
    error::Error,
    secret::Secret,
    store::Key,
    token::{Token, TokenSet},
};

/// Gets a token set, given the one there is.
///
/// A source holds no token state: what it got is the cell's. A cell calls it once at a time, in a task of its own, and
/// drops its future when that takes longer than the cell's attempt time-out. Only when a set was
/// [`put`](crate::TokenCell::put) meanwhile, or the runtime stopped running the task, may one call still be under way
/// when the next begins.
pub trait TokenSource: Send + Sync + 'static {
    /// Gets a new set. `current` is the set in use, which may hold a refresh token to spend.
    ///
    /// An answer without refresh token, ID token, scope, issuer or client keeps those of `current` (C6).
    ///
    /// # Errors
    /// The kind of the [`Error`] decides what the cell does next: wait and try again, or report that somebody must
    /// sign in.
    fn exchange(&self, current: Option<&TokenSet>) -> impl Future<Output = Result<TokenSet, Error>> + Send;

    /// Whether there is something to renew `current` with. A set that cannot be renewed is used until it ends or is
    /// refused.
    fn can_renew(&self, current: &TokenSet) -> bool {
        let _ = current;
        true
    }

    /// Whether an exchange presents the refresh token of `current`, if it has one. Then it may be lost or spent twice,
    /// and the cell sees to it that it is not (C4, F4); when the store is away it is not touched. Unless it says
    /// otherwise, a source does.
    fn spends_refresh_token(&self) -> bool {
        true
    }

    /// What distinguishes its tokens from those of others: decides under which key a store keeps them (C13).
    fn identity(&self) -> Identity {
        Identity::default()
    }

    /// Whether a set that a store kept was issued by this source's server to this source's client (X6).
    ///
    /// # Errors
    /// Misconfigured, when it was not: it is neither used nor presented.
    fn accepts(&self, set: &TokenSet) -> Result<(), Error> {
        let _ = set;
        Ok(())
    }
}

/// What distinguishes the tokens of one source from those of another (C13). None of it is a secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Identity {
    server: String,
    client_id: String,
    grant: String,
    pub(crate) variant: String,
}

impl Identity {
    /// Of this client at this authorization server: its issuer, or the URL of its token endpoint.
    pub fn new(server: impl Into<String>, client_id: impl Into<String>) -> Self {
        Self { server: server.into(), client_id: client_id.into(), ..Self::default() }
    }

    /// The kind of grant.
    pub fn grant(mut self, grant: impl Into<String>) -> Self {
        self.grant = grant.into();
        self
    }

    /// Scopes, audience, resource and other parameters, as one text: empty when there are none. Tokens of one refresh
    /// token that differ in this are kept side by side.
    pub fn variant(mut self, variant: impl Into<String>) -> Self {
        self.variant = variant.into();
        self
    }

    /// Under which key the set of `subject` is kept.
    pub(crate) fn key(&self, subject: &str) -> Key {
        Key::new([&*self.server, &self.client_id, &self.grant, subject])
    }
}

impl<F, Fut> TokenSource for F
where
    F: Fn(Option<TokenSet>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<TokenSet, Error>> + Send,
{
    fn exchange(&self, current: Option<&TokenSet>) -> impl Future<Output = Result<TokenSet, Error>> + Send {
        self(current.cloned())
    }
}

/// A fixed token: used until it is refused.
impl TokenSource for Token {
    async fn exchange(&self, _current: Option<&TokenSet>) -> Result<TokenSet, Error> {
        Ok(TokenSet::new(Secret::new(self.expose())))
    }

    fn can_renew(&self, _current: &TokenSet) -> bool {
        false
    }

    fn spends_refresh_token(&self) -> bool {
        false
    }
}

/// The same with its type erased, once, inside the cell.
pub(crate) trait ErasedSource: Send + Sync {
    fn exchange<'a>(
        &'a self,
        current: Option<&'a TokenSet>,
    ) -> Pin<Box<dyn Future<Output = Result<TokenSet, Error>> + Send + 'a>>;
    fn can_renew(&self, current: &TokenSet) -> bool;
    fn spends_refresh_token(&self) -> bool;
    fn identity(&self) -> Identity;
    fn accepts(&self, set: &TokenSet) -> Result<(), Error>;
}

impl<T: TokenSource> ErasedSource for T {
    fn exchange<'a>(
        &'a self,
        current: Option<&'a TokenSet>,
    ) -> Pin<Box<dyn Future<Output = Result<TokenSet, Error>> + Send + 'a>> {
        Box::pin(TokenSource::exchange(self, current))
    }

    fn can_renew(&self, current: &TokenSet) -> bool {
        TokenSource::can_renew(self, current)
    }

    fn spends_refresh_token(&self) -> bool {
        TokenSource::spends_refresh_token(self)
    }

    fn identity(&self) -> Identity {
        TokenSource::identity(self)
    }

    fn accepts(&self, set: &TokenSet) -> Result<(), Error> {
        TokenSource::accepts(self, set)
    }
}
