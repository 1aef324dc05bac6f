use std::{sync::atomic::Ordering, time::Duration};

use gatepass::{Error, TokenCell, TokenSet, endpoint::HttpService};
use tokio::time::{Instant, timeout_at};

use crate::App;

/// How long the server is waited for, half of it for an exchange under way: whoever signs out wants to be gone.
const DEADLINE: Duration = Duration::from_secs(10);

/// How many sets are ended, if each time another one has come.
const ROUNDS: usize = 3;

/// What became of the tokens at the server. Here they are gone.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SignedOut {
    /// The server ended them (RFC 7009).
    Revoked,
    /// Nobody was signed in.
    WasNot,
    /// The server cannot end them: access tokens live to their end, the refresh token until the server forgets it, or
    /// somebody takes the program off the list of those that may use the account.
    NotOffered,
    /// The server did not, for this reason; they may live on there.
    NotRevoked(Error),
}

impl<S: HttpService> App<S> {
    /// Signs out: tells the server to end what it issued, and forgets it here in any case. A sign-in under way here comes
    /// to nothing. Whoever runs the program beside this one has its access token until the next exchange.
    ///
    /// # Errors
    /// Of the store: then the tokens are still there.
    ///
    /// # Panics
    /// Outside a tokio runtime with timers.
    ///
    /// # Cancel safety
    /// They may be ended at the server, and still be here.
    pub async fn sign_out(&self) -> Result<SignedOut, Error> {
        let cell = self.cell()?;
        self.account.departures.fetch_add(1, Ordering::SeqCst);
        let begun = Instant::now();
        // An exchange under way would bring another refresh token.
        let _ = timeout_at(begun + DEADLINE / 2, cell.settled()).await;
        let revoked = timeout_at(begun + DEADLINE, self.revoke_all(&cell)).await.unwrap_or_else(|_| {
            SignedOut::NotRevoked(Error::transient(format!(
                "the authorization server did not answer within {} s",
                DEADLINE.as_secs()
            )))
        });
        cell.remove().await?;
        Ok(revoked)
    }

    /// The set there is, and the next one, where the program or another process refreshed meanwhile.
    async fn revoke_all(&self, cell: &TokenCell) -> SignedOut {
        let (mut outcome, mut ended) = (SignedOut::WasNot, None);
        for _ in 0..ROUNDS {
            let set = match cell.token_set().await {
                Ok(Some(set)) if matches!(outcome, SignedOut::WasNot) || ended != set.refresh_token => set,
                Ok(_) => break,
                // Of another client, or no longer to be read: nothing to tell the server.
                Err(error) => return SignedOut::NotRevoked(error),
            };
            outcome = self.revoke(&set).await;
            if !matches!(outcome, SignedOut::Revoked) {
                break;
            }
            ended = set.refresh_token;
            cell.settled().await;
        }
        outcome
    }

    pub(crate) async fn revoke(&self, set: &TokenSet) -> SignedOut {
        let metadata = match self.client.metadata().await {
            Ok(metadata) => metadata,
            Err(error) => return SignedOut::NotRevoked(error),
        };
        if metadata.revocation_endpoint.is_none() {
            return SignedOut::NotOffered;
        }
        match self.client.revoke(set).await {
            Ok(()) => SignedOut::Revoked,
            Err(error) => SignedOut::NotRevoked(error),
        }
    }
}
