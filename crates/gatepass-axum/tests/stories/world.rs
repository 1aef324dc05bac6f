//! A site, its provider, an API, and people with browsers.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{Extension, Router, extract::State, routing::get};
use gatepass::{AuthorizationServer as Server, ClientAuth, Origins, RetryPolicy, clock::TestClock, endpoint::Client};
use gatepass_axum::{Builder, Failed, OnBehalf, Provider, Site, User, tower_sessions::Session};
use gatepass_testkit::{Api, AuthorizationServer};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper_util::{client::legacy, rt::TokioExecutor};
use tower::{ServiceExt, util::BoxCloneSyncService};

use crate::{
    browser::{Answer, Browser},
    stores::{Sessions, Tokens},
};

pub(crate) const SITE: &str = "http://127.0.0.1:4180";

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

pub(crate) type Http = legacy::Client<legacy::connect::HttpConnector, gatepass::endpoint::Body>;

pub(crate) fn http() -> Http {
    legacy::Client::builder(TokioExecutor::new()).build_http()
}

pub(crate) struct World {
    pub(crate) auth: AuthorizationServer,
    pub(crate) api: Api,
    pub(crate) site: Site,
    pub(crate) app: Router,
    pub(crate) time: TestClock,
    pub(crate) sessions: Sessions,
    pub(crate) tokens: Tokens,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|builder| builder).await
    }

    /// With other settings than the usual ones.
    pub(crate) async fn with(settings: impl FnOnce(Builder) -> Builder) -> Self {
        Self::at(|provider| provider, settings).await
    }

    /// With another provider, and other settings.
    pub(crate) async fn at(
        change: impl FnOnce(Provider) -> Provider,
        settings: impl FnOnce(Builder) -> Builder,
    ) -> Self {
        let auth = AuthorizationServer::start().await;
        let provider = change(provider("main", &auth));
        Self::of(auth, |builder| settings(builder.provider(provider))).await
    }

    /// With all settings but the clock and the stores.
    pub(crate) async fn of(auth: AuthorizationServer, settings: impl FnOnce(Builder) -> Builder) -> Self {
        let api = Api::start(&auth).await;
        let (time, sessions, tokens) = (TestClock::new(), Sessions::default(), Tokens::default());
        let builder = Site::builder(SITE).clock(time.clock()).sessions(sessions.clone()).tokens(tokens.clone());
        let site = settings(builder).build().unwrap();
        let app = app(&site, &api);
        Self { auth, api, site, app, time, sessions, tokens }
    }

    /// Another instance of the site, with the same provider: it shares the session store, and the tokens given.
    pub(crate) fn instance(&self, tokens: &Tokens, change: impl FnOnce(Provider) -> Provider) -> (Site, Router) {
        let builder = Site::builder(SITE).clock(self.time.clock()).sessions(self.sessions.clone());
        let site = builder.tokens(tokens.clone()).provider(change(provider("main", &self.auth))).build().unwrap();
        let app = app(&site, &self.api);
        (site, app)
    }

    pub(crate) fn browser(&self) -> Browser {
        self.browser_of(&self.app)
    }

    /// A browser at other pages of the site.
    pub(crate) fn browser_of(&self, app: &Router) -> Browser {
        Browser { app: app.clone(), cookies: Arc::new(Mutex::default()), http: http(), origin: SITE }
    }

    /// A browser whose person has signed in.
    pub(crate) async fn signed_in(&self, who: &str) -> Browser {
        let browser = self.browser();
        self.sign_in(&browser, who).await;
        browser
    }

    pub(crate) async fn sign_in(&self, browser: &Browser, who: &str) {
        self.auth.sign_in_as(who);
        let answer = browser.sign_in("/login").await;
        assert_eq!((answer.status(), answer.location()), (StatusCode::SEE_OTHER, "/"), "{}", answer.text());
    }

    /// Time passes, here and at the provider.
    pub(crate) fn later(&self, by: Duration) {
        self.time.advance(by);
        let time = self.time.clone();
        self.auth.advance(by).edit_id_tokens(move |token| {
            let now = seconds(time.wall());
            token.claims.insert("iat".into(), now.into());
            token.claims.insert("exp".into(), (now + 3600).into());
        });
    }

    /// So many grants are ended at the provider, in tasks of their own, and no more.
    pub(crate) async fn revoked(&self, grants: usize) {
        for _ in 0..100 {
            if self.auth.revocations().len() >= grants {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(self.auth.revocations().len(), grants);
    }

    /// Nobody got in, not by half: no session says so, and no tokens are left.
    pub(crate) async fn assert_nobody_is_signed_in(&self, browser: &Browser, answer: &Answer) {
        assert!(!browser.is_signed_in().await, "{:?} {}", answer.status(), answer.text());
        assert_eq!((self.sessions.signed_in(), self.tokens.kept().await), (0, 0), "{}", answer.text());
    }
}

pub(crate) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap().as_secs()
}

pub(crate) fn client(auth: &AuthorizationServer) -> Client<Http> {
    Client::new(http(), Server::issuer(auth.issuer()), ClientAuth::basic("client", "secret")).unwrap()
}

pub(crate) fn provider(name: &str, auth: &AuthorizationServer) -> Provider {
    Provider::new(name, client(auth)).scope("openid profile email read")
}

type Call = BoxCloneSyncService<Request<String>, Response<Vec<u8>>, gatepass::BoxError>;

#[derive(Clone)]
struct App {
    call: Call,
    url: String,
}

/// A site's own pages: for everybody, for those who signed in, and what calls an API for them.
pub(crate) fn app(site: &Site, api: &Api) -> Router {
    let origins = Origins::new([api.origin()]).unwrap();
    let outgoing = legacy::Client::builder(TokioExecutor::new()).build_http::<String>();
    let call = tower::ServiceBuilder::new().layer(site.bearer(origins).retry(RetryPolicy::new())).service(
        tower::service_fn(move |request: Request<String>| {
            let outgoing = outgoing.clone();
            async move {
                let (parts, body) = outgoing.request(request).await?.into_parts();
                Ok::<_, gatepass::BoxError>(Response::from_parts(parts, body.collect().await?.to_bytes().to_vec()))
            }
        }),
    );
    let state = App { call: BoxCloneSyncService::new(call), url: api.url("/orders") };
    Router::new()
        .route("/", get(hello))
        .route("/me", get(async |user: User| user.subject().to_owned()))
        .route("/id", get(async |person: OnBehalf| person.id().to_owned()))
        .route("/private", get(async || "private").layer(site.require_login()))
        .route("/orders", get(orders).post(orders))
        .route("/cart", get(cart).post(add_to_cart))
        .merge(site.routes())
        .with_state(state)
        .layer(site.layer())
}

async fn hello(user: Option<User>) -> String {
    match user {
        Some(user) => format!("hello {} at {}", user.name().unwrap_or(user.subject()), user.provider()),
        None => "hello stranger".to_owned(),
    }
}

async fn orders(State(app): State<App>, person: OnBehalf) -> Result<(StatusCode, Vec<u8>), Failed> {
    let request = Request::get(app.url).extension(person).body(String::new())?;
    let (parts, body) = app.call.oneshot(request).await?.into_parts();
    Ok((parts.status, body))
}

async fn cart(Extension(session): Extension<Session>) -> Result<String, Failed> {
    Ok(session.get::<u32>("cart").await?.unwrap_or(0).to_string())
}

/// For people and strangers alike; each call changes the session.
async fn add_to_cart(_: Option<User>, Extension(session): Extension<Session>) -> Result<String, Failed> {
    let pieces = session.get::<u32>("cart").await?.unwrap_or(0) + 1;
    session.insert("cart", pieces).await?;
    Ok(pieces.to_string())
}
