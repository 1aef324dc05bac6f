use std::{fmt, sync::Arc, time::Duration};

use gatepass::{BearerLayer, Error, Origins, TokenCell, TokenMap, clock::Clock, store::SealKey};
use tower_sessions::{SessionManagerLayer, cookie::SameSite};

use crate::{
    builder::{Builder, Hook},
    layer::SiteLayer,
    on_behalf::OnBehalf,
    paths::Paths,
    provider::Provider,
    require_login::RequireLoginLayer,
    service::SignInService,
    session::{Limits, Marks, Sessions, SignedIn},
};

/// A web server that people sign in to. See the [crate docs](crate).
///
/// A handle: clones are the same site.
#[derive(Clone)]
pub struct Site {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    /// As browsers write it: `https://app.example.com`.
    pub(crate) origin: String,
    pub(crate) is_secure: bool,
    /// Of the cookies' names: cookies do not know ports, and several programs may run on one machine.
    pub(crate) port: Option<u16>,
    pub(crate) providers: Vec<Provider>,
    /// The first seals.
    pub(crate) keys: Vec<SealKey>,
    pub(crate) paths: Paths,
    pub(crate) sessions: Sessions,
    pub(crate) marks: Marks,
    pub(crate) limits: Limits,
    pub(crate) tokens: TokenMap<String>,
    pub(crate) hook: Option<Hook>,
    pub(crate) revocation_deadline: Duration,
    pub(crate) after_sign_out: String,
    pub(crate) jobs_outlive_sessions: bool,
    pub(crate) clock: Clock,
}

impl Site {
    /// Sets up a site by where people see it: `https://app.example.com`, without a path, whatever this server itself
    /// listens on. Redirect URIs are made of it, so register `https://app.example.com/callback` at the provider, or
    /// `/callback/{provider}` where there are several.
    ///
    /// `http://` is for loopback addresses, where cookies then lack `Secure` and the prefix `__Host-`.
    pub fn builder(origin: impl Into<String>) -> Builder {
        Builder::new(origin.into())
    }

    /// The pages for signing in and out, to be merged into an axum router: see [`paths`](crate#paths).
    pub fn routes<S: Clone + Send + Sync + 'static>(&self) -> axum::Router<S> {
        crate::routes::of(self)
    }

    /// The same as a service, for other frameworks: it answers the paths that it [serves](Self::serves), and 404 to all
    /// others. It has to be within the [layer](Self::layer).
    pub fn service(&self) -> SignInService {
        SignInService::new(self.clone())
    }

    /// Whether a path is one of the site's own pages for signing in and out.
    pub fn serves(&self, path: &str) -> bool {
        self.shared.paths.find(path, &self.shared.providers).is_some()
    }

    /// Goes around everything that knows who is signed in: the routes above, and all handlers that ask for a
    /// [`User`](crate::User) or call [on behalf](OnBehalf). It keeps the session, by a cookie that scripts cannot read,
    /// and makes a redirect or a 401 of what needs a sign-in.
    ///
    /// The body of what is beneath has to be `Default` and `From<String>`, as axum's, `String` and
    /// `http_body_util::Full` are.
    ///
    /// [`tower_sessions::Session`] is there for data of your own, as an extractor and among the extensions of a request. It
    /// goes with the sign-out.
    pub fn layer(&self) -> SiteLayer {
        SiteLayer::new(self.clone())
    }

    /// Lets only those through who are signed in. Who opens a page is sent to sign in and comes back; a script's request
    /// gets 401 with a body that says where to sign in.
    pub fn require_login(&self) -> RequireLoginLayer {
        RequireLoginLayer::new()
    }

    /// Calls APIs for who signed in, without a request of theirs: by what [`OnBehalf::id`] was then. It works until they
    /// sign out, the session ends (unless [jobs outlive it](Builder::jobs_outlive_sessions)), the grant ends at the provider,
    /// or the token store forgets it.
    ///
    /// # Errors
    /// Reauthentication required, when it is none of this site's.
    pub fn on_behalf_of(&self, id: &str) -> Result<OnBehalf, Error> {
        if self.provider_of(id).is_none() {
            return Err(Error::reauth_required(
                "nobody signed in by this id at any of the site's providers: they have to sign in again",
            ));
        }
        Ok(OnBehalf::new(id.into(), self.cell(id)))
    }

    /// For a tower stack that is made once: puts the token of the [`OnBehalf`] among a request's extensions on the
    /// requests to `origins`. One that has none fails there (F5).
    ///
    /// ```
    /// # use gatepass_axum::{OnBehalf, Site};
    /// # use gatepass::{BoxError, Origins, RetryPolicy};
    /// # use http::{Request, Response};
    /// # use tower::{Service, ServiceBuilder, ServiceExt};
    /// # async fn handler(
    /// #     site: Site, person: OnBehalf,
    /// #     client: impl Service<Request<String>, Response = Response<String>, Error = BoxError, Future: Send> + Clone + Send + 'static,
    /// # ) -> Result<(), BoxError> {
    /// let origins = Origins::new(["https://api.example.com"])?;
    /// let api = ServiceBuilder::new().layer(site.bearer(origins).retry(RetryPolicy::new())).service(client);
    ///
    /// // In a handler that was given `person: OnBehalf`:
    /// let request = Request::get("https://api.example.com/v1/me").extension(person).body(String::new())?;
    /// let response = api.clone().oneshot(request).await?;
    /// # Ok(()) }
    /// ```
    pub fn bearer(&self, origins: Origins) -> BearerLayer {
        let choose = |parts: &http::request::Parts| Some(parts.extensions.get::<OnBehalf>()?.cell().clone());
        BearerLayer::choose(choose, origins)
    }

    /// A reqwest client that puts the token of a person on the requests to `origins`: of the [`OnBehalf`] that
    /// [`OnBehalf::reqwest`] has given it. A request without one fails there (F5).
    ///
    /// # Errors
    /// Misconfigured, when reqwest cannot build the client.
    #[cfg(feature = "reqwest")]
    pub fn reqwest(
        &self,
        origins: Origins,
        builder: gatepass_reqwest::reqwest::ClientBuilder,
    ) -> Result<gatepass_reqwest::reqwest_middleware::ClientWithMiddleware, Error> {
        gatepass_reqwest::BearerMiddleware::choose(
            |_, extensions| Some(extensions.get::<OnBehalf>()?.cell().clone()),
            origins,
        )
        .client(builder)
    }

    /// Whether a request comes from a page of this site, for handlers that change something: another site cannot have it
    /// sent by the browser of who is signed in here. `Sec-Fetch-Site` tells, or else `Origin`; what has neither is sent by
    /// no browser.
    pub fn is_same_origin(&self, headers: &http::HeaderMap) -> bool {
        crate::same_origin::is_same_origin(headers, self.origin())
    }

    /// The origin: `https://app.example.com`.
    pub fn origin(&self) -> &str {
        &self.shared.origin
    }

    pub(crate) fn cell(&self, id: &str) -> TokenCell {
        self.shared.tokens.get(id)
    }

    /// Which of the providers somebody signed in at, by the id of that sign-in.
    pub(crate) fn provider_of(&self, id: &str) -> Option<&Provider> {
        let (name, _) = id.split_once('.')?;
        self.provider(name)
    }

    /// The same, of what a session holds; not if it began at another site, or with another client.
    pub(crate) fn provider_in(&self, signed_in: &SignedIn) -> Option<&Provider> {
        self.provider_of(&signed_in.id).filter(|provider| self.realm(provider) == signed_in.realm)
    }

    /// What a sign-in is good for.
    pub(crate) fn realm(&self, provider: &Provider) -> String {
        format!("{} {}", self.origin(), provider.authority.client_id())
    }

    pub(crate) fn provider(&self, name: &str) -> Option<&Provider> {
        self.shared.providers.iter().find(|provider| provider.name == name)
    }

    pub(crate) fn now(&self) -> u64 {
        crate::session::seconds(self.shared.clock.wall())
    }

    pub(crate) fn session_manager(&self) -> SessionManagerLayer<Sessions> {
        let cookie = self.cookie_name("session");
        // What the sessions' ends are is decided here, not by the cookie: it only must not go before.
        let ceiling = self.shared.limits.ceiling.try_into().unwrap_or(tower_sessions::cookie::time::Duration::WEEK);
        SessionManagerLayer::new(self.shared.sessions.clone())
            .with_name(cookie)
            .with_secure(self.shared.is_secure)
            .with_http_only(true)
            // Not Strict: a person who comes from the provider would seem to be nobody.
            .with_same_site(SameSite::Lax)
            .with_path("/")
            .with_expiry(tower_sessions::Expiry::OnInactivity(ceiling))
    }

    /// `__Host-session`, or with a port of its own `__Host-session-8443`; on loopback `session-4180`.
    pub(crate) fn cookie_name(&self, what: &str) -> String {
        match (self.shared.is_secure, self.shared.port) {
            (true, None) => format!("__Host-{what}"),
            (true, Some(port)) => format!("__Host-{what}-{port}"),
            (false, port) => format!("{what}-{}", port.unwrap_or(80)),
        }
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site")
            .field("origin", &self.shared.origin)
            .field("providers", &self.shared.providers)
            .finish_non_exhaustive()
    }
}
