use std::{future::Future, net::Ipv6Addr, pin::Pin, sync::Arc, time::Duration};

use gatepass::{
    Error, Origins, TokenMap, TokenSet, cell,
    clock::Clock,
    store::{MemoryStore, SealKey, TokenStore},
};
use tower_sessions::SessionStore;

use crate::{
    paths::Paths,
    provider::Provider,
    session::{Limits, Marks, MemorySessions, Sessions, Watch},
    site::{Shared, Site},
    user::User,
};

/// Sets up a [`Site`]. From [`Site::builder`].
#[must_use]
pub struct Builder {
    origin: String,
    keys: Vec<SealKey>,
    providers: Vec<Provider>,
    sessions: Option<Sessions>,
    tokens: Option<Box<WithStore>>,
    people: usize,
    limits: Limits,
    paths: Paths,
    hook: Option<Hook>,
    revocation_deadline: Duration,
    after_sign_out: String,
    jobs_outlive_sessions: bool,
    clock: Clock,
}

/// Gives the cells a store whose type has no name here.
type WithStore = dyn Fn(cell::Builder) -> cell::Builder + Send + Sync;

pub(crate) type Hook =
    Arc<dyn Fn(Arrival) -> Pin<Box<dyn Future<Output = Result<User, Refused>> + Send>> + Send + Sync>;

/// Somebody who has just signed in at the provider, and is not yet signed in here.
#[derive(Debug)]
#[non_exhaustive]
pub struct Arrival {
    /// Who it is.
    pub user: User,
    /// What they gave: the scopes that were granted are in it, and whether there is a refresh token.
    pub tokens: TokenSet,
}

/// Why somebody is not signed in although the provider knows them.
#[derive(Debug)]
pub struct Refused(pub(crate) Refusal);

#[derive(Debug)]
pub(crate) enum Refusal {
    /// With what they read.
    Person(String),
    Failed(Error),
}

impl Refused {
    /// With what the person reads on the page. It is shown as text.
    pub fn new(message: impl Into<String>) -> Self {
        Self(Refusal::Person(message.into()))
    }

    /// Whether it is about the person, and not about something that failed.
    pub(crate) fn is_for_good(&self) -> bool {
        matches!(self.0, Refusal::Person(_))
    }
}

/// Something failed that has nothing to do with the person: a database that is away. The page says so and no more.
impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self(Refusal::Failed(error))
    }
}

impl Builder {
    pub(crate) fn new(origin: String) -> Self {
        let limits = Limits { idle: Duration::from_secs(2 * 3600), ceiling: Duration::from_secs(12 * 3600) };
        Self {
            origin,
            keys: Vec::new(),
            providers: Vec::new(),
            sessions: None,
            tokens: None,
            people: 10_000,
            limits,
            paths: Paths::default(),
            hook: None,
            revocation_deadline: Duration::from_secs(3),
            after_sign_out: "/".to_owned(),
            jobs_outlive_sessions: false,
            clock: Clock::default(),
        }
    }

    /// The key that seals what browsers keep while people are at the provider. All instances need the same one. Only a
    /// site on loopback may do without: its own process then makes one that goes with it.
    pub fn key(mut self, key: SealKey) -> Self {
        self.keys.insert(0, key);
        self
    }

    /// Opens what was sealed with this key, too: an older one, or the next.
    pub fn also_open(mut self, key: SealKey) -> Self {
        self.keys.push(key);
        self
    }

    /// Where people sign in. Call it again for another one: people then choose.
    pub fn provider(mut self, provider: Provider) -> Self {
        self.providers.push(provider);
        self
    }

    /// Where sessions are: any store of tower-sessions. In memory, for one instance, unless this says otherwise. What is
    /// used once (the answer to a sign-in, a logout token) relies on the store's own `create`, which Redis' and SQL's
    /// stores have: with one that only saves, a callback that comes twice at the same moment may be redeemed twice. One
    /// that caches in each process may be late to see a provider's [order](Provider::back_channel_logout).
    pub fn sessions(mut self, store: impl SessionStore) -> Self {
        self.sessions = Some(Sessions::new(store));
        self
    }

    /// Where tokens are: in memory, for one instance, unless this says otherwise. Seal what lasts:
    /// [`Sealed`](gatepass::store::Sealed). A store that forgets what was not changed for longer than the
    /// [`ceiling`](Self::ceiling) does not grow with those who never sign out.
    pub fn tokens(mut self, store: impl TokenStore) -> Self {
        let store = Arc::new(store);
        self.tokens = Some(Box::new(move |cells| cells.store(store.clone())));
        self
    }

    /// For how many people tokens are held at once without asking the store for them: 10,000 unless set, at about a
    /// kilobyte each.
    pub fn people(mut self, people: usize) -> Self {
        self.people = people;
        self
    }

    /// Who is away for so long has to sign in again: 2 h unless set.
    pub fn idle(mut self, idle: Duration) -> Self {
        self.limits.idle = idle;
        self
    }

    /// Who signed in so long ago has to sign in again, however busy they are: 12 h unless set; 400 days at the most,
    /// for which browsers keep a cookie.
    pub fn ceiling(mut self, ceiling: Duration) -> Self {
        self.limits.ceiling = ceiling.min(Duration::from_secs(400 * 24 * 3600));
        self
    }

    /// Where signing in begins: `/login` unless set.
    pub fn login_path(mut self, path: impl Into<String>) -> Self {
        self.paths.login = path.into();
        self
    }

    /// Where the provider sends people back to: `/callback` unless set.
    pub fn callback_path(mut self, path: impl Into<String>) -> Self {
        self.paths.callback = path.into();
        self
    }

    /// Where people sign out: `/logout` unless set.
    pub fn logout_path(mut self, path: impl Into<String>) -> Self {
        self.paths.logout = path.into();
        self
    }

    /// Where providers send logout tokens: `/backchannel-logout` unless set.
    pub fn back_channel_logout_path(mut self, path: impl Into<String>) -> Self {
        self.paths.back_channel = path.into();
        self
    }

    /// Where people are after they signed out: `/` unless set; a path of this site.
    pub fn after_sign_out(mut self, path: impl Into<String>) -> Self {
        self.after_sign_out = path.into();
        self
    }

    /// Leaves the tokens of a session whose time is over, or that the same person replaced by another sign-in, in the
    /// token store: for jobs that go on with them, by [`OnBehalf`](crate::OnBehalf). A sign-out still ends those of its
    /// session; what outlived one ends with the grant at the provider, or when the job's owner removes it:
    /// `person.cell().remove()`. Unless this is said, tokens go with their session, as soon as somebody notices.
    pub fn jobs_outlive_sessions(mut self) -> Self {
        self.jobs_outlive_sessions = true;
        self
    }

    /// How long a sign-out waits for the provider to end the tokens: 3 s unless set. Then it goes on alone.
    pub fn revocation_deadline(mut self, deadline: Duration) -> Self {
        self.revocation_deadline = deadline;
        self
    }

    /// What is done with everybody who signs in, before they are signed in: look them up, refuse them, add what this
    /// site knows of them.
    pub fn on_sign_in<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(Arrival) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<User, Refused>> + Send + 'static,
    {
        self.hook = Some(Arc::new(move |arrival| Box::pin(hook(arrival))));
        self
    }

    /// Where the time is read; tests give a [`TestClock`](gatepass::clock::TestClock)'s.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// The site. Does no I/O.
    ///
    /// # Errors
    /// Misconfigured, with what is wrong and what to do: an origin that is none or not safe, no key, no provider, paths
    /// that clash.
    pub fn build(self) -> Result<Site, Error> {
        let Origin { text, is_secure, port } = origin(&self.origin)?;
        let mut keys = self.keys;
        if keys.is_empty() {
            if is_secure {
                return Err(Error::misconfigured(
                    "the site has no key to seal its cookies with: make one with `openssl rand -base64 32`, keep it with the other \
                     secrets, and give it by Builder::key(SealKey::from_base64(..)), the same to all instances",
                ));
            }
            keys.push(SealKey::random()?);
        }
        self.paths.check()?;
        if !crate::return_to::is_local(&self.after_sign_out) {
            return Err(Error::misconfigured(
                "where people are after signing out has to be a path of this site, like /",
            ));
        }
        let limits = self.limits;
        if limits.idle.as_secs() == 0 || limits.ceiling.as_secs() == 0 {
            return Err(Error::misconfigured(
                "a session that lives for less than a second is none: set idle and ceiling",
            ));
        }
        let sessions = self.sessions.unwrap_or_else(|| Sessions::new(MemorySessions::default()));
        let marks = Marks::new(sessions.clone(), limits.ceiling);
        let with_store = self.tokens.unwrap_or_else(|| {
            let store = MemoryStore::expiring_after(limits.ceiling.saturating_add(Duration::from_secs(60)));
            Box::new(move |cells| cells.store(store.clone()))
        });

        let is_only = self.providers.len() == 1;
        let mut providers = self.providers;
        let mut cells = Vec::new();
        for provider in &mut providers {
            provider.check()?;
            let redirect_uri = format!("{text}{}", self.paths.callback_at(provider, is_only));
            provider.request = provider.request.clone().redirect_uri(redirect_uri);
            provider.request.check()?;
            let watch = provider.back_channel.then(|| Watch { provider: provider.name.clone(), marks: marks.clone() });
            let builder = provider.authority.cells(&provider.request, watch)?;
            let builder = with_store(builder.name(&provider.name).clock(self.clock.clone()));
            cells.push((provider.name.clone(), builder));
        }
        let mut names: Vec<_> = providers.iter().map(|provider| &provider.name).collect();
        names.sort_unstable();
        names.dedup();
        if names.is_empty() || names.len() < providers.len() {
            return Err(Error::misconfigured(
                "the site needs a provider to sign people in, and several need different names: see Builder::provider",
            ));
        }
        self.paths.check_all(&providers)?;

        let tokens = TokenMap::new(self.people, move |id: &String| {
            let name = id.split_once('.').map_or("", |(name, _)| name);
            let cells = cells.iter().find(|(provider, _)| provider == name);
            let (_, cells) = cells.expect("ids of unknown providers are turned away before");
            cells.clone().subject(id).build()
        });
        Ok(Site {
            shared: Arc::new(Shared {
                origin: text,
                is_secure,
                port,
                providers,
                keys,
                paths: self.paths,
                sessions,
                marks,
                limits,
                tokens,
                hook: self.hook,
                revocation_deadline: self.revocation_deadline,
                after_sign_out: self.after_sign_out,
                jobs_outlive_sessions: self.jobs_outlive_sessions,
                clock: self.clock,
            }),
        })
    }
}

struct Origin {
    text: String,
    is_secure: bool,
    port: Option<u16>,
}

/// The origin as browsers write it in `Origin`.
///
/// # Errors
/// Misconfigured, when it is none, or not safe.
fn origin(given: &str) -> Result<Origin, Error> {
    let wrong = |why: &str| {
        Err(Error::misconfigured(format!(
            "the site's address `{}` cannot be used: {why}; write it as people see it, like https://app.example.com",
            shown(given)
        )))
    };
    let Ok(uri) = given.trim_end_matches('/').parse::<http::Uri>() else { return wrong("it is no URL") };
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return wrong("it is no whole URL");
    };
    if uri.path() != "/" || uri.query().is_some() || given.contains('#') {
        return wrong("it has a path or a query");
    }
    if authority.as_str().contains('@') {
        return wrong("it has a user name in it");
    }
    let port = authority.port_u16();
    // Digits that are no port, or none at all, are taken for no port.
    if port.is_none() && authority.as_str() != authority.host() {
        return wrong("it is no URL");
    }
    // Which addresses are loopback is known there.
    let may_be_http = Origins::new([format!("http://{authority}")]).is_ok();
    let is_secure = match scheme {
        "https" => true,
        "http" if may_be_http => false,
        "http" => return wrong("plain http is for loopback addresses only"),
        _ => return wrong("its scheme has to be https"),
    };
    if Origins::new([format!("https://{authority}")]).is_err() {
        return wrong("its host or its port is none");
    }
    let default = if is_secure { 443 } else { 80 };
    let port = port.filter(|port| *port != default);
    let host = authority.host().to_ascii_lowercase();
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')?.parse::<Ipv6Addr>().ok());
    let host = address.map_or(host, |address| format!("[{address}]"));
    let text = match port {
        Some(port) => format!("{scheme}://{host}:{port}"),
        None => format!("{scheme}://{host}"),
    };
    Ok(Origin { text, is_secure, port })
}

/// Without what may be a password.
fn shown(origin: &str) -> String {
    let shown = origin.rsplit_once('@').map_or(origin, |(_, rest)| rest);
    shown.chars().take(200).collect::<String>().escape_debug().to_string()
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("origin", &shown(&self.origin))
            .field("providers", &self.providers)
            .finish_non_exhaustive()
    }
}
