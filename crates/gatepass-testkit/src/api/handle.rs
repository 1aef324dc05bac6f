use std::{
    collections::BTreeMap,
    fmt, io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    journal::{ApiCall, Tally},
    service::Service,
};
use crate::{
    authorization_server::AuthorizationServer,
    failure::Failure,
    lock::lock,
    server::{Server, listen},
};

/// A handle to the API. It runs until the last handle is dropped, and keeps the authorization server running.
///
/// See the [module docs](self::super).
#[derive(Clone)]
pub struct Api {
    inner: Arc<Inner>,
}

struct Inner {
    service: Arc<Service>,
    server: Server,
    origin: String,
    // Held so that an API does not outlive who issues its tokens.
    _issuer: AuthorizationServer,
}

/// Start, stop, and where it is.
impl Api {
    /// Starts an API on a free port of 127.0.0.1 that accepts the tokens of this server.
    ///
    /// # Panics
    ///
    /// When it cannot listen, and outside a tokio runtime with I/O and time.
    pub async fn start(server: &AuthorizationServer) -> Self {
        Self::start_on(0, server).await.expect("loopback has a free port")
    }

    /// Starts an API on this port.
    ///
    /// # Errors
    ///
    /// When the port is taken.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with I/O and time.
    #[expect(clippy::unused_async, reason = "that it runs inside a runtime is then a matter of course")]
    pub async fn start_on(port: u16, server: &AuthorizationServer) -> io::Result<Self> {
        let listener = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
        let origin = format!("http://{}", listener.local_addr()?);
        let service = Arc::new(Service::new(Arc::clone(server.state())));
        let running = Server::start(listener, Arc::clone(&service))?;
        let inner = Inner { service, server: running, origin, _issuer: server.clone() };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Closes the port and all connections: from now on connecting is refused.
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
        self.inner.server.restart(Arc::clone(&self.inner.service))
    }

    /// `http://127.0.0.1:PORT`
    pub fn origin(&self) -> &str {
        &self.inner.origin
    }

    /// The URL of a path; see the [module docs](self::super) for what the paths do.
    pub fn url(&self, path: &str) -> String {
        let slash = if path.starts_with('/') { "" } else { "/" };
        format!("{}{slash}{path}", self.inner.origin)
    }
}

/// What it answers, on command.
impl Api {
    /// The next calls fail so, on every path, whatever token they carry. Orders queue up: `fail_next(2, a)` and
    /// `fail_next(1, b)` is a, a, b.
    pub fn fail_next(&self, times: usize, failure: Failure) -> &Self {
        self.service().script.fail_next(times, failure);
        self
    }

    /// Once nothing is queued, every call fails so, until [`recover`](Self::recover).
    pub fn fail_until_told(&self, failure: Failure) -> &Self {
        self.service().script.fail_until_told(failure);
        self
    }

    /// Takes back every failure that was ordered.
    pub fn recover(&self) -> &Self {
        self.service().script.recover();
        self
    }

    /// How a call is answered whose token is missing or not good; `None` is the usual 401.
    ///
    /// `Failure::grpc_status(16)` makes it refuse as gRPC does, `Failure::status(403)` as some real APIs do.
    pub fn refuse_with(&self, refusal: Option<Failure>) -> &Self {
        *lock(&self.service().refusal) = refusal;
        self
    }

    /// Every answer comes this much later.
    pub fn delay(&self, delay: Duration) -> &Self {
        self.service().script.delay(delay);
        self
    }

    /// Holds every answer back until [`release`](Self::release); tokens are checked when the call arrives.
    pub fn hold(&self) -> &Self {
        self.service().script.hold(true);
        self
    }

    /// Sends what was held.
    pub fn release(&self) -> &Self {
        self.service().script.hold(false);
        self
    }

    /// How wrong the clock is that `Date` and the dates of [`RetryAfter`](crate::RetryAfter) are told by.
    pub fn clock_skew(&self, seconds: i64) -> &Self {
        self.service().script.skew(seconds);
        self
    }

    /// Whether answers come without a `Date`.
    pub fn omit_date(&self, omit: bool) -> &Self {
        self.service().script.omit_date(omit);
        self
    }
}

/// What happened.
impl Api {
    /// How many calls there were, whatever became of them.
    pub fn calls(&self) -> usize {
        self.service().journal.arrived()
    }

    /// Waits until there were so many calls; they need not have been answered yet.
    pub async fn until_calls(&self, calls: usize) {
        self.service().journal.until_arrived(calls).await;
    }

    /// How many calls were answered with this status.
    pub fn answered(&self, status: u16) -> usize {
        lock(&self.service().tally).statuses.answered().get(&status).copied().unwrap_or_default()
    }

    /// How many calls were answered with each status.
    pub fn statuses(&self) -> BTreeMap<u16, usize> {
        lock(&self.service().tally).statuses.answered().clone()
    }

    /// How many calls had their connection dropped instead of an answer.
    pub fn dropped(&self) -> usize {
        lock(&self.service().tally).statuses.dropped()
    }

    /// How many different bearer tokens came, good or not.
    pub fn distinct_tokens_seen(&self) -> usize {
        lock(&self.service().tally).distinct_tokens()
    }

    /// How many calls were under way at once, at most.
    pub fn max_concurrent_calls(&self) -> usize {
        self.service().journal.most_under_way()
    }

    /// How many connections were opened.
    pub fn connections(&self) -> usize {
        self.inner.server.connections().ever()
    }

    /// How many connections were open at once, at most.
    pub fn max_concurrent_connections(&self) -> usize {
        self.inner.server.connections().most()
    }

    /// The calls, oldest first; the last 10,000 of them.
    pub fn journal(&self) -> Vec<ApiCall> {
        self.service().journal.entries()
    }

    /// When each call arrived, counted from `start`, and the status it was answered with, for a chart: what the
    /// [journal](Self::journal) keeps of the calls since then, but those whose connection was dropped.
    pub fn timeline(&self, start: Instant) -> Vec<(Duration, u16)> {
        let point = |call: &ApiCall| Some((call.at.checked_duration_since(start)?, call.status?));
        self.service().journal.filter_map(point)
    }

    /// How many entries the journal keeps; the counters count all.
    pub fn keep_journal(&self, entries: usize) -> &Self {
        self.service().journal.keep(entries);
        self
    }

    /// Empties the journal and sets every counter to zero.
    pub fn reset_journal(&self) -> &Self {
        self.service().journal.reset();
        *lock(&self.service().tally) = Tally::default();
        lock(&self.service().limits).beyond.clear();
        self.inner.server.connections().reset();
        self
    }

    pub(super) fn service(&self) -> &Service {
        &self.inner.service
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").field("origin", &self.inner.origin).finish_non_exhaustive()
    }
}
