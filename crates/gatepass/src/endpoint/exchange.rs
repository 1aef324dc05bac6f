use std::{fmt, time::Duration};

use super::{Client, HttpService};
use crate::{
    client_auth::ClientAuth,
    discovery::AuthorizationServer,
    error::Error,
    grant::Grant,
    source::{Identity, TokenSource},
    token::TokenSet,
};

/// Gets tokens from an authorization server's token endpoint. See the [module docs](crate::endpoint).
pub struct TokenEndpoint<S, G> {
    client: Client<S>,
    grant: G,
}

impl<S: HttpService, G: Grant> TokenEndpoint<S, G> {
    /// A source that runs `grant` as `client` at `server`, over `transport`. Does no I/O yet.
    ///
    /// # Errors
    /// Misconfigured: a URL that is none or not safe, an empty identifier or secret, a parameter given twice.
    pub fn new(transport: S, server: AuthorizationServer, client: ClientAuth, grant: G) -> Result<Self, Error> {
        Self::of(Client::new(transport, server, client)?, grant)
    }

    /// The same for a client there is already.
    ///
    /// # Errors
    /// Misconfigured: a parameter given twice.
    pub fn of(client: Client<S>, grant: G) -> Result<Self, Error> {
        grant.check()?;
        Ok(Self { client, grant })
    }
}

impl<S, G> TokenEndpoint<S, G> {
    /// How long one call may take, discovery counted by itself: 10 s unless set. The cell bounds the whole exchange.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.client = self.client.timeout(timeout);
        self
    }

    /// How many bytes an answer may have: 1 MiB unless set.
    #[must_use]
    pub fn max_answer(mut self, bytes: usize) -> Self {
        self.client = self.client.max_answer(bytes);
        self
    }
}

impl<S: HttpService, G: Grant> TokenSource for TokenEndpoint<S, G> {
    async fn exchange(&self, current: Option<&TokenSet>) -> Result<TokenSet, Error> {
        self.client.exchange(&self.grant, current).await
    }

    fn can_renew(&self, current: &TokenSet) -> bool {
        !self.grant.spends_refresh_token() || current.refresh_token.is_some()
    }

    fn spends_refresh_token(&self) -> bool {
        self.grant.spends_refresh_token()
    }

    fn identity(&self) -> Identity {
        Identity::new(self.client.server.identity(), self.client.id())
            .grant(self.grant.kind())
            .variant(self.grant.variant())
    }

    fn accepts(&self, set: &TokenSet) -> Result<(), Error> {
        self.client.accepts(set)
    }
}

impl<S, G: fmt::Debug> fmt::Debug for TokenEndpoint<S, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenEndpoint")
            .field("client", &self.client)
            .field("grant", &self.grant)
            .finish_non_exhaustive()
    }
}
