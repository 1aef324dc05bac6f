use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use gatepass_testkit::{Api, AuthorizationServer, Failure};

use super::Http;

/// The servers of one scene, in this process, and the way to the API.
#[derive(Debug)]
pub struct Servers {
    auth: AuthorizationServer,
    api: Api,
    http: Http,
    delay: Duration,
    told: Mutex<Told>,
}

/// What the token endpoint was told, and when.
#[derive(Debug, Default)]
struct Told {
    lifetimes: Vec<(Instant, Duration)>,
    revoked: Vec<Instant>,
}

/// From when a client could have a token until when that was good.
#[derive(Clone, Copy, Debug)]
pub(super) struct Life {
    pub(super) from: Instant,
    pub(super) until: Instant,
}

/// What the servers have counted so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counts {
    pub(super) token_requests: usize,
    pub(super) refused: usize,
}

pub(super) const HOUR: Duration = Duration::from_secs(3600);

/// What a client is given.
impl Servers {
    /// Takes a POST of a form, `grant_type=client_credentials`, with Basic or with the credentials in the form.
    pub fn token_url(&self) -> String {
        self.auth.token_url()
    }

    /// Where the metadata of the authorization server is, below `/.well-known/`.
    pub fn issuer(&self) -> String {
        self.auth.issuer()
    }

    /// Scheme, host and port of the API.
    pub fn api_origin(&self) -> String {
        self.api.origin().to_owned()
    }

    /// The way to the API.
    pub fn http(&self) -> Http {
        self.http.clone()
    }
}

/// What a scene does with them.
impl Servers {
    /// Their token endpoint takes `delay` for each answer.
    pub(super) async fn start(connections: usize, delay: Duration) -> Self {
        let auth = AuthorizationServer::start().await;
        let api = Api::start(&auth).await;
        auth.delay(delay);
        api.keep_journal(0);
        let servers = Self { auth, api, http: Http::new(connections), delay, told: Mutex::default() };
        servers.lifetime(HOUR);
        servers
    }

    pub(super) fn url(&self) -> String {
        self.api.url("/items")
    }

    pub(super) fn delay(&self) -> Duration {
        self.delay
    }

    /// How long tokens live that are issued from now on.
    pub(super) fn lifetime(&self, lifetime: Duration) {
        self.told.lock().unwrap().lifetimes.push((Instant::now(), lifetime));
        self.auth.token_lifetime(lifetime);
    }

    pub(super) fn revoke(&self) {
        self.auth.revoke_access_tokens();
        self.told.lock().unwrap().revoked.push(Instant::now());
    }

    pub(super) fn is_down(&self, down: bool) {
        if down {
            self.auth.fail_until_told(Failure::html(503));
        } else {
            self.auth.recover();
        }
    }

    pub(super) fn counts(&self) -> Counts {
        Counts { token_requests: self.auth.token_requests(), refused: self.api.answered(401) }
    }

    /// When requests came to the token endpoint.
    pub(super) fn token_requests(&self) -> Vec<Instant> {
        self.auth.journal().iter().map(|request| request.at).collect()
    }

    /// The lives of all tokens that were issued. One whose client hung up counts too: it could have waited.
    pub(super) fn lives(&self) -> Vec<Life> {
        let told = self.told.lock().unwrap();
        let life = |issued: Instant| {
            let lifetime = told.lifetimes.iter().rev().find(|(since, _)| *since <= issued);
            let ends = issued + lifetime.map_or(HOUR, |(_, lifetime)| *lifetime);
            let revoked = told.revoked.iter().copied().filter(|revoked| *revoked >= issued).min();
            Life { from: issued + self.delay, until: revoked.map_or(ends, |revoked| revoked.min(ends)) }
        };
        self.auth.journal().iter().filter(|request| request.granted).map(|request| life(request.at)).collect()
    }
}
