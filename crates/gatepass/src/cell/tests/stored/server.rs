//! An authorization server as a source: refresh tokens rotate, and who presents an old one ends the grant.

use std::sync::{Arc, Mutex};

use super::*;
use crate::source::Identity;

#[derive(Clone)]
pub(super) struct Server(Arc<Mutex<State>>);

struct State {
    /// Those that are good: one, or several issued within the grace.
    good: Vec<usize>,
    /// The first of this grant.
    grant: usize,
    issued: usize,
    /// The one before it, and when that ended.
    before: Option<(usize, tokio::time::Instant)>,
    grace: Duration,
    revoked: bool,
    rotates: bool,
    takes: Duration,
    lifetime: Duration,
    next: VecDeque<Next>,
    busy: usize,
    most_busy: usize,
    requests: usize,
}

/// What happens to a request.
#[derive(Clone)]
pub(super) enum Next {
    /// It does not arrive, and nobody knows.
    LostBefore,
    /// It is processed, and its answer does not arrive.
    LostAfter,
    /// It is processed, and the answer never ends.
    Hangs,
    Fails(Error),
}

/// One client of the server; tokens for one resource.
#[derive(Clone)]
pub(super) struct Client {
    server: Server,
    variant: String,
    issuer: &'static str,
    spends: bool,
}

impl Server {
    /// Requests take a second.
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            good: vec![0],
            grant: 0,
            issued: 0,
            before: None,
            grace: Duration::ZERO,
            revoked: false,
            rotates: true,
            takes: secs(1),
            lifetime: HOUR,
            next: VecDeque::new(),
            busy: 0,
            most_busy: 0,
            requests: 0,
        })))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(super) fn client(&self) -> Client {
        Client { server: self.clone(), variant: String::new(), issuer: "https://auth.example.com", spends: true }
    }

    /// For client credentials: nothing is spent.
    pub(super) fn machine(&self) -> Client {
        Client { spends: false, ..self.client() }
    }

    pub(super) fn resource(&self, name: &str) -> Client {
        Client { variant: name.to_owned(), ..self.client() }
    }

    pub(super) fn then(&self, next: Next) -> &Self {
        self.lock().next.push_back(next);
        self
    }

    /// Accepts the refresh token before for that long.
    pub(super) fn grace(&self, grace: Duration) -> &Self {
        self.lock().grace = grace;
        self
    }

    pub(super) fn does_not_rotate(&self) -> &Self {
        self.lock().rotates = false;
        self
    }

    pub(super) fn takes(&self, time: Duration) -> &Self {
        self.lock().takes = time;
        self
    }

    pub(super) fn lifetime(&self, lifetime: Duration) -> &Self {
        self.lock().lifetime = lifetime;
        self
    }

    pub(super) fn requests(&self) -> usize {
        self.lock().requests
    }

    /// How many refreshes it worked on at once, at most.
    pub(super) fn most_busy(&self) -> usize {
        self.lock().most_busy
    }

    pub(super) fn is_revoked(&self) -> bool {
        self.lock().revoked
    }

    /// Somebody signs in: another grant.
    pub(super) fn sign_in(&self) -> TokenSet {
        let mut state = self.lock();
        state.issued += 1000;
        state.grant = state.issued;
        state.good = vec![state.issued];
        state.before = None;
        state.revoked = false;
        TokenSet::from_refresh_token(format!("refresh-{}", state.issued))
    }

    /// Somebody ends the grant.
    pub(super) fn revoke(&self) {
        self.lock().revoked = true;
    }
}

impl State {
    fn refresh(&mut self, presented: Option<&str>) -> Result<TokenSet, Error> {
        let dead = || Error::reauth_required("the refresh token was refused").with_code("invalid_grant");
        let number = presented.and_then(|token| token.strip_prefix("refresh-")?.parse::<usize>().ok());
        let Some(number) = number.filter(|number| *number >= self.grant) else {
            return Err(dead());
        };
        let in_grace = self.before.is_some_and(|(before, ended)| number == before && ended.elapsed() <= self.grace);
        if self.revoked || (!self.good.contains(&number) && !in_grace) {
            self.revoked = true;
            return Err(dead());
        }
        self.issued += 1;
        let set = TokenSet::new(format!("access-{}", self.issued)).expires_in(self.lifetime);
        if !self.rotates {
            return Ok(set);
        }
        if !in_grace {
            self.before = Some((number, tokio::time::Instant::now()));
            self.good.clear();
        }
        self.good.push(self.issued);
        Ok(set.refresh_token(format!("refresh-{}", self.issued)))
    }
}

impl Client {
    pub(super) fn of_issuer(self, issuer: &'static str) -> Self {
        Self { issuer, ..self }
    }
}

/// Counts who is being served, also when the request is dropped.
struct Busy(Server);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.lock().busy -= 1;
    }
}

impl TokenSource for Client {
    async fn exchange(&self, current: Option<&TokenSet>) -> Result<TokenSet, Error> {
        let presented = current.and_then(|set| set.refresh_token.as_ref()).map(|token| token.expose().to_owned());
        if self.spends && presented.is_none() {
            return Err(Error::reauth_required("sign in first"));
        }
        let (takes, next) = {
            let mut state = self.server.lock();
            state.requests += 1;
            state.busy += 1;
            state.most_busy = state.most_busy.max(state.busy);
            (state.takes, state.next.pop_front())
        };
        let _busy = Busy(self.server.clone());
        tokio::time::sleep(takes).await;
        let lost = || Error::transient("no answer").in_doubt();
        match &next {
            Some(Next::LostBefore) => return Err(lost()),
            Some(Next::Fails(error)) => return Err(error.clone()),
            Some(Next::LostAfter | Next::Hangs) | None => {}
        }
        let mut answer = if self.spends {
            self.server.lock().refresh(presented.as_deref())
        } else {
            let mut state = self.server.lock();
            state.issued += 1;
            Ok(TokenSet::new(format!("machine-{}", state.issued)).expires_in(state.lifetime))
        };
        if let (Ok(set), false) = (&mut answer, self.variant.is_empty()) {
            let token = set.access_token.take().unwrap();
            set.access_token = Some(Secret::new(format!("{}-for-{}", token.expose(), self.variant)));
        }
        match next {
            Some(Next::LostAfter) => Err(lost()),
            Some(Next::Hangs) => std::future::pending().await,
            _ => answer.map(|set| set.issuer(self.issuer).client_id("client")),
        }
    }

    fn can_renew(&self, current: &TokenSet) -> bool {
        !self.spends || current.refresh_token.is_some()
    }

    fn spends_refresh_token(&self) -> bool {
        self.spends
    }

    fn identity(&self) -> Identity {
        Identity::new("https://auth.example.com", "client").grant("refresh_token").variant(&self.variant)
    }

    fn accepts(&self, set: &TokenSet) -> Result<(), Error> {
        match set.issuer.as_deref() {
            Some(issuer) if issuer != self.issuer => Err(Error::misconfigured("issued by another server")),
            _ => Ok(()),
        }
    }
}
