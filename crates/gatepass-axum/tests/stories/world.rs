//! A site, its provider, an API, and people with browsers.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Body, extract::State, routing::get};
use gatepass::{AuthorizationServer as Server, ClientAuth, Origins, RetryPolicy, clock::TestClock, endpoint::Client};
use gatepass_axum::{Builder, Failed, OnBehalf, Provider, Site, User};
use gatepass_testkit::{Api, AuthorizationServer};
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper_util::{client::legacy, rt::TokioExecutor};
use tower::{Layer, ServiceExt, util::BoxCloneSyncService};

pub(crate) const SITE: &str = "http://127.0.0.1:4180";

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
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|builder| builder).await
    }

    /// With other settings than the usual ones.
    pub(crate) async fn with(settings: impl FnOnce(Builder) -> Builder) -> Self {
        let auth = AuthorizationServer::start().await;
        let provider = provider("main", &auth);
        Self::of(auth, |builder| settings(builder.provider(provider))).await
    }

    /// With all settings but the clock.
    pub(crate) async fn of(auth: AuthorizationServer, settings: impl FnOnce(Builder) -> Builder) -> Self {
        let api = Api::start(&auth).await;
        let time = TestClock::new();
        let site = settings(Site::builder(SITE).clock(time.clock())).build().unwrap();
        let app = app(&site, &api);
        Self { auth, api, site, app, time }
    }

    pub(crate) fn browser(&self) -> Browser {
        Browser { app: self.app.clone(), cookies: Arc::default(), http: http(), origin: SITE }
    }

    /// A browser whose person has signed in.
    pub(crate) async fn signed_in(&self, who: &str) -> Browser {
        self.auth.sign_in_as(who);
        let browser = self.browser();
        let answer = browser.sign_in("/login").await;
        assert_eq!((answer.status(), answer.location()), (StatusCode::SEE_OTHER, "/"), "{}", answer.text());
        browser
    }
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

/// A site's own pages: one for everybody, one for those who signed in, one that calls an API for them.
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
        .route(
            "/",
            get(async |user: Option<User>| match user {
                Some(user) => format!("hello {} at {}", user.name().unwrap_or(user.subject()), user.provider()),
                None => "hello stranger".to_owned(),
            }),
        )
        .route("/me", get(async |user: User| user.subject().to_owned()))
        .route("/private", get(async || "private").layer(site.require_login()))
        .route("/orders", get(orders).post(orders))
        .merge(site.routes())
        .with_state(state)
        .layer(site.layer())
}

async fn orders(State(app): State<App>, person: OnBehalf) -> Result<(StatusCode, Vec<u8>), Failed> {
    let request = Request::get(app.url).extension(person).body(String::new())?;
    let (parts, body) = app.call.oneshot(request).await?.into_parts();
    Ok((parts.status, body))
}

/// Keeps cookies of one site, follows nothing by itself.
#[derive(Clone)]
pub(crate) struct Browser {
    pub(crate) app: Router,
    pub(crate) cookies: Arc<Mutex<BTreeMap<String, String>>>,
    pub(crate) http: Http,
    pub(crate) origin: &'static str,
}

pub(crate) struct Answer {
    pub(crate) parts: http::response::Parts,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn status(&self) -> StatusCode {
        self.parts.status
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    pub(crate) fn location(&self) -> &str {
        self.parts.headers.get(header::LOCATION).map_or("", |location| location.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn set_cookies(&self) -> Vec<&str> {
        self.parts.headers.get_all(header::SET_COOKIE).iter().map(|value| value.to_str().unwrap()).collect()
    }
}

impl Browser {
    /// Opens a page.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.request(Method::GET, path, &[("accept", "text/html"), ("sec-fetch-mode", "navigate")], "").await
    }

    /// Asks as a script does.
    pub(crate) async fn fetch(&self, path: &str) -> Answer {
        let headers = [("accept", "*/*"), ("sec-fetch-mode", "cors"), ("sec-fetch-site", "same-origin")];
        self.request(Method::GET, path, &headers, "").await
    }

    /// Submits a form of the site.
    pub(crate) async fn post(&self, path: &str) -> Answer {
        let headers = [("accept", "text/html"), ("sec-fetch-mode", "navigate"), ("sec-fetch-site", "same-origin")];
        self.request(Method::POST, path, &headers, "").await
    }

    pub(crate) async fn request(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("host", &self.origin[7..]);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let cookies: Vec<String> =
            self.cookies.lock().unwrap().iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        let response = self.app.clone().oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let answer = Answer { parts, body: body.collect().await.unwrap().to_bytes().to_vec() };
        let mut kept = self.cookies.lock().unwrap();
        for cookie in answer.set_cookies() {
            let (pair, attributes) = cookie.split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            match attributes.to_lowercase().contains("max-age=0") {
                true => drop(kept.remove(name)),
                false => drop(kept.insert(name.to_owned(), value.to_owned())),
            }
        }
        drop(kept);
        answer
    }

    /// Goes to the provider and comes back with its answer: the path of the callback, with its query.
    pub(crate) async fn at_provider(&self, url: &str) -> String {
        let request = Request::get(url).body(gatepass::endpoint::Body::default()).unwrap();
        let answer = self.http.request(request).await.unwrap();
        let location = answer.headers()[header::LOCATION].to_str().unwrap();
        location.strip_prefix(self.origin).unwrap_or_else(|| panic!("sent to {location}")).to_owned()
    }

    /// Begins a sign-in: the address of the callback that would end it.
    pub(crate) async fn begin(&self, login: &str) -> String {
        let sent = self.get(login).await;
        assert_eq!(sent.status(), StatusCode::SEE_OTHER, "{}", sent.text());
        self.at_provider(sent.location()).await
    }

    /// A whole sign-in, up to the answer of the callback.
    pub(crate) async fn sign_in(&self, login: &str) -> Answer {
        let callback = self.begin(login).await;
        self.get(&callback).await
    }

    pub(crate) fn cookie(&self, prefix: &str) -> Option<(String, String)> {
        let cookies = self.cookies.lock().unwrap();
        cookies.iter().find(|(name, _)| name.starts_with(prefix)).map(|(name, value)| (name.clone(), value.clone()))
    }

    pub(crate) fn set_cookie(&self, name: &str, value: &str) {
        self.cookies.lock().unwrap().insert(name.to_owned(), value.to_owned());
    }

    pub(crate) fn cookie_names(&self) -> Vec<String> {
        self.cookies.lock().unwrap().keys().cloned().collect()
    }
}

pub(crate) const HOUR: Duration = Duration::from_secs(3600);
