//! A web server that Alice has signed in to, and that forwards `/api` to an API.

use std::time::Duration;

use axum::{Router, body::Body};
use gatepass::{AuthorizationServer as Server, ClientAuth, clock::TestClock, endpoint};
use gatepass_axum::{Forward, InSite, Provider, Site};
use gatepass_testkit::AuthorizationServer;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::net::TcpListener;
use tower::Layer;

use crate::{browser::sign_in, sessions::Sessions};

pub(crate) type Http = Client<HttpConnector, Body>;

/// For so long a token lives. Less than a session that nobody uses.
const LIFETIME: Duration = Duration::from_secs(3600);

pub(crate) struct Running {
    pub(crate) origin: String,
    /// Alice's session, as her browser sends it.
    pub(crate) cookie: String,
    pub(crate) auth: AuthorizationServer,
    pub(crate) site: Site,
    pub(crate) sessions: Sessions,
    pub(crate) time: TestClock,
}

/// Starts a site whose `/api` is at `to`. Alice's token is `alices-token`.
pub(crate) async fn start(to: &str) -> Running {
    start_with(to, |forward| forward).await
}

pub(crate) async fn start_with(to: &str, change: impl FnOnce(Forward<Http>) -> Forward<Http>) -> Running {
    let auth = AuthorizationServer::start().await;
    auth.next_access_token("alices-token");
    start_app(auth, |site| change(forward(site, to)).routes()).await
}

/// Starts a site that forwards nothing over a socket: see [`Running::around`].
pub(crate) async fn signed_in() -> Running {
    let auth = AuthorizationServer::start().await;
    auth.next_access_token("alices-token");
    start_app(auth, |_| Router::new()).await
}

/// Starts a site with these routes beside its own, all within its layer, and signs Alice in.
pub(crate) async fn start_app(auth: AuthorizationServer, routes: impl FnOnce(&Site) -> Router) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let (sessions, time) = (Sessions::default(), TestClock::new());
    let to_server = Client::builder(TokioExecutor::new()).build_http::<endpoint::Body>();
    let client =
        endpoint::Client::new(to_server, Server::issuer(auth.issuer()), ClientAuth::basic("client", "secret")).unwrap();
    let site = Site::builder(&origin)
        .provider(Provider::new("main", client).scope("openid"))
        .sessions(sessions.clone())
        .clock(time.clock())
        .build()
        .unwrap();
    serve(listener, Router::new().merge(routes(&site)).merge(site.routes()).layer(site.layer()));
    auth.sign_in_as("alice");
    let cookie = sign_in(&origin).await;
    sessions.forget_loads();
    Running { origin, cookie, auth, site, sessions, time }
}

pub(crate) fn forward(site: &Site, to: &str) -> Forward<Http> {
    Forward::new(site, "/api", to, http()).unwrap()
}

impl Running {
    /// Forwards to `https://api.example.com/v1` over this client, as a service within the site's layer.
    pub(crate) fn around<C>(&self, client: C) -> InSite<Forward<C>> {
        self.site.layer().layer(Forward::new(&self.site, "/api", "https://api.example.com/v1", client).unwrap())
    }

    /// How often somebody wanted to know who a request is from, or a token for them, since Alice signed in.
    pub(crate) fn asked(&self) -> usize {
        self.sessions.loads() + self.auth.token_requests() - 1
    }

    /// An hour later, when every token that was issued until now has ended.
    pub(crate) fn when_tokens_have_ended(&self) {
        self.time.advance(LIFETIME);
        self.auth.advance(LIFETIME);
    }
}

pub(crate) fn serve(listener: TcpListener, router: Router) {
    tokio::spawn(async { axum::serve(listener, router).await });
}

pub(crate) fn http() -> Http {
    Client::builder(TokioExecutor::new()).build_http()
}
