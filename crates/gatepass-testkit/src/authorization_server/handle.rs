use std::{collections::BTreeMap, fmt, io, sync::Arc};

use super::{
    arrivals::Arrival,
    builder::{AuthorizationServerBuilder, Endpoint},
    journal::TokenRequest,
    revocation::Revocation,
    service::State,
};
use crate::{journal::Statuses, lock::lock, server::Server};

/// A handle to the authorization server. It runs until the last handle is dropped; an [`Api`](crate::Api) holds one.
///
/// See the [module docs](self::super).
#[derive(Clone)]
pub struct AuthorizationServer {
    inner: Arc<Inner>,
}

struct Inner {
    state: Arc<State>,
    server: Server,
}

/// Start, stop, and where it is.
impl AuthorizationServer {
    /// Starts a server on a free port of 127.0.0.1, on the current tokio runtime.
    ///
    /// # Panics
    ///
    /// When it cannot listen, and outside a tokio runtime with I/O and time.
    pub async fn start() -> Self {
        Self::builder().start().await.expect("loopback has a free port")
    }

    /// For a fixed port, another host name or other paths.
    pub fn builder() -> AuthorizationServerBuilder {
        AuthorizationServerBuilder::new()
    }

    /// Closes the port and all connections: from now on connecting is refused. What was issued is not forgotten.
    pub async fn stop(&self) {
        self.inner.server.stop().await;
    }

    /// Listens again on the same port; does nothing when it does so already.
    ///
    /// # Errors
    ///
    /// When something else has taken the port.
    #[expect(clippy::unused_async, reason = "that it runs inside a runtime is then a matter of course")]
    pub async fn restart(&self) -> io::Result<()> {
        self.inner.server.restart(Arc::clone(&self.inner.state))
    }

    /// `http://127.0.0.1:PORT`, unless the builder was told otherwise.
    pub fn issuer(&self) -> String {
        self.state().address.issuer()
    }

    /// `http://127.0.0.1:PORT/token`, unless the builder was told otherwise.
    pub fn token_url(&self) -> String {
        self.state().address.token_url()
    }

    /// `http://127.0.0.1:PORT/authorize`: where a browser signs in.
    pub fn authorization_url(&self) -> String {
        self.url("/authorize")
    }

    /// `http://127.0.0.1:PORT/device_authorization`: where the sign-in of a device begins.
    pub fn device_authorization_url(&self) -> String {
        self.url("/device_authorization")
    }

    /// The URL of a path: `/par` (RFC 9126), `/introspect` (RFC 7662), `/revoke` (RFC 7009), `/swap` and `/refresh`
    /// (token swap), `/.well-known/…`. Those of OpenID Connect have a method each.
    pub fn url(&self, path: &str) -> String {
        self.state().address.url(path)
    }
}

/// What happened.
impl AuthorizationServer {
    /// How many requests reached the token endpoint, whatever became of them.
    pub fn token_requests(&self) -> usize {
        self.state().journal.arrived()
    }

    /// Waits until so many requests have reached the token endpoint and were processed, though not yet answered.
    pub async fn until_token_requests(&self, requests: usize) {
        self.state().journal.until_arrived(requests).await;
    }

    /// How many requests for a token were granted, those included whose answer got lost on command. Token swap counts too.
    pub fn tokens_issued(&self) -> usize {
        self.state().book().issued
    }

    /// How many of those never left: the answer was lost on command, or its client was gone before it came.
    ///
    /// That a client has gone is seen while its answer waits; one that is sent counts as sent, read or not.
    pub fn tokens_lost(&self) -> usize {
        self.state().book().lost
    }

    /// How many requests to the token endpoint were answered with each status.
    pub fn statuses(&self) -> BTreeMap<u16, usize> {
        lock(&self.state().statuses).answered().clone()
    }

    /// How many requests to the token endpoint had their connection dropped instead of an answer.
    pub fn dropped(&self) -> usize {
        lock(&self.state().statuses).dropped()
    }

    /// How often a superseded refresh token came again within the [grace](Self::reuse_grace), and was good.
    pub fn reuse_forgiven(&self) -> usize {
        self.state().book().tokens.reuse_forgiven
    }

    /// How often a superseded refresh token of a living sign-in came again and was refused, which ends the sign-in if
    /// reuse is [detected](Self::detect_reuse).
    pub fn reuse_refused(&self) -> usize {
        self.state().book().tokens.reuse_refused
    }

    /// How many sign-ins were ended: by a reused refresh token, by `/revoke`, or by the test.
    pub fn families_revoked(&self) -> usize {
        self.state().book().tokens.families_revoked
    }

    /// When and why sign-ins were ended, oldest first; the last 10,000 of them.
    pub fn revocations(&self) -> Vec<Revocation> {
        self.state().book().tokens.revocations().collect()
    }

    /// How many requests to the token endpoint were under way at once, at most.
    pub fn max_concurrent_token_requests(&self) -> usize {
        self.state().journal.most_under_way()
    }

    /// How many requests for one of the two metadata documents there were.
    pub fn discovery_requests(&self) -> usize {
        let is_metadata = |path: &str| self.state().address.endpoint(path).is_some_and(Endpoint::is_metadata);
        self.arrived().iter().filter(|(path, _)| is_metadata(path)).map(|(_, requests)| requests).sum()
    }

    /// How many connections were opened.
    pub fn connections(&self) -> usize {
        self.inner.server.connections().ever()
    }

    /// The requests to the token endpoint, oldest first; the last 10,000 of them.
    pub fn journal(&self) -> Vec<TokenRequest> {
        self.state().journal.entries()
    }

    /// The requests to all endpoints, the token endpoint included, oldest first; the last 10,000 of them.
    pub fn arrivals(&self) -> Vec<Arrival> {
        self.state().arrivals.entries()
    }

    /// How many requests reached each path that leads somewhere.
    pub fn arrived(&self) -> BTreeMap<String, usize> {
        self.state().arrivals.by_path()
    }

    /// How many requests reached this path.
    pub fn arrived_at(&self, path: &str) -> usize {
        self.arrived().get(path).copied().unwrap_or_default()
    }

    /// The last request to this path, while the journal keeps it.
    pub fn last_arrival(&self, path: &str) -> Option<Arrival> {
        self.arrivals().into_iter().rfind(|arrival| arrival.path == path)
    }

    /// Waits until so many requests have reached this path and were processed, though not yet answered.
    pub async fn until_arrived_at(&self, path: &str, requests: usize) {
        self.state().arrivals.until(path, requests).await;
    }

    /// How many entries each of the journals keeps; the counters count all.
    pub fn keep_journal(&self, entries: usize) -> &Self {
        self.state().journal.keep(entries);
        self.state().arrivals.keep(entries);
        self.state().logouts.keep(entries);
        self
    }

    /// Empties the journals and sets every counter to zero. Tokens and settings stay.
    pub fn reset_journal(&self) -> &Self {
        let state = self.state();
        state.journal.reset();
        state.arrivals.reset();
        state.logouts.reset();
        self.inner.server.connections().reset();
        let mut book = state.book();
        (book.issued, book.lost) = (0, 0);
        book.tokens.reset_counts();
        drop(book);
        *lock(&state.statuses) = Statuses::default();
        self
    }

    pub(super) fn new(state: Arc<State>, server: Server) -> Self {
        Self { inner: Arc::new(Inner { state, server }) }
    }

    pub(crate) fn state(&self) -> &Arc<State> {
        &self.inner.state
    }
}

/// Says where it is, and none of the secrets it knows.
impl fmt::Debug for AuthorizationServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationServer").field("issuer", &self.issuer()).finish_non_exhaustive()
    }
}
