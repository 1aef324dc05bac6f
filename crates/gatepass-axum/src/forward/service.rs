use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::Router;
use bytes::Bytes;
use gatepass::{
    BearerLayer, BoxError, Error, RetryPolicy,
    retry::{Deadline, Rules},
};
use http::{Extensions, HeaderName, Method, Request, Response, StatusCode, Version, header, request::Parts};
use hyper::upgrade::OnUpgrade;
use tower::ServiceExt;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    answer::Failed,
    body::Body,
    destination::Destination,
    headers::{clean_request, clean_response, is_set_by_leave, overriding_methods},
    websocket,
};
use crate::{
    failed::no_layer,
    on_behalf::{Absent, OnBehalf},
    same_origin::{is_websocket, lists, may_be_forwarded},
    site::Site,
    visit::Visit,
};

/// Forwards requests to one destination, with the token of whoever is signed in. See the [module docs](super).
///
/// A tower service that never fails, for any body that has an empty value: `axum::body::Body`, `reqwest::Body`. Mount it
/// where the path begins with the prefix: by [`routes`](Self::routes) and `Router::merge`, not `nest`.
#[derive(Clone)]
pub struct Forward<C> {
    client: C,
    settings: Arc<Settings>,
}

#[derive(Clone)]
struct Settings {
    /// Where the site's pages are.
    origin: String,
    destination: Destination,
    bearer: BearerLayer,
    required: HeaderName,
    /// All but two, unless set.
    methods: Option<Vec<Method>>,
}

impl<C> Forward<C> {
    /// What comes for `prefix`, such as `/api`, goes to the URL `to`, such as `https://api.example.com/v1`, over
    /// `client`, which must not follow redirects. The token is sent to its origin only (X1).
    ///
    /// # Errors
    /// Misconfigured: a prefix that is not a path of plain segments; a URL that is none, has more than a path, or is not
    /// https, unless it is on loopback.
    pub fn new(site: &Site, prefix: &str, to: &str, client: C) -> Result<Self, Error> {
        Self::at(site, Destination::new(prefix, to, false)?, client)
    }

    /// The same, accepting an `http` URL anywhere: whoever is on the path can read every token and use it.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub fn dangerous_with_plain_http(site: &Site, prefix: &str, to: &str, client: C) -> Result<Self, Error> {
        Self::at(site, Destination::new(prefix, to, true)?, client)
    }

    fn at(site: &Site, destination: Destination, client: C) -> Result<Self, Error> {
        let paths = site.shared.paths.all(&site.shared.providers);
        if let Some(path) = paths.iter().find(|path| destination.is_prefix_of(path)) {
            return Err(Error::misconfigured(format!(
                "what comes for {} cannot be forwarded: {path} is one of the site's own pages; choose another prefix",
                destination.prefix()
            )));
        }
        let token_of = |parts: &Parts| parts.extensions.get::<OnBehalf>().map(|on_behalf| on_behalf.cell().clone());
        let settings = Settings {
            origin: site.origin().to_owned(),
            bearer: BearerLayer::choose(token_of, destination.origins().clone()),
            destination,
            required: HeaderName::from_static("x-csrf"),
            methods: None,
        };
        Ok(Self { client, settings: Arc::new(settings) })
    }

    /// The header that scripts have to set, with any value, so that a page of another site cannot do the same
    /// (RFC 10017-4): `x-csrf` unless set.
    ///
    /// # Errors
    /// Misconfigured, when it is no header's name, or that of one that any page may set or none.
    pub fn header(mut self, name: &str) -> Result<Self, Error> {
        let required = name.parse().ok().filter(is_set_by_leave).ok_or_else(|| {
            Error::misconfigured("a header that protects from other sites has to be one of your own, like `x-csrf`")
        })?;
        Arc::make_mut(&mut self.settings).required = required;
        Ok(self)
    }

    /// The methods that are forwarded: all, unless set. `CONNECT` and `TRACE` never are.
    #[must_use]
    pub fn methods(mut self, methods: impl IntoIterator<Item = Method>) -> Self {
        Arc::make_mut(&mut self.settings).methods = Some(methods.into_iter().collect());
        self
    }

    /// Routes for the prefix and all below it, to be merged into a router.
    pub fn routes<S, R>(self) -> Router<S>
    where
        S: Clone + Send + Sync + 'static,
        C: Service<Request<axum::body::Body>, Response = Response<R>> + Clone + Send + Sync + 'static,
        C::Error: Into<BoxError>,
        C::Future: Send,
        R: http_body::Body<Data = Bytes> + Send + 'static,
        R::Error: Into<BoxError>,
    {
        let prefix = self.settings.destination.prefix().to_owned();
        Router::new()
            .route_service(&prefix, self.clone())
            .route_service(&format!("{prefix}/"), self.clone())
            .route_service(&format!("{prefix}/{{*rest}}"), self)
    }

    async fn forward<B, R>(self, request: Request<B>) -> Result<Response<Body<R>>, Failed>
    where
        C: Service<Request<B>, Response = Response<R>> + Clone,
        C::Error: Into<BoxError>,
        B: http_body::Body + Default,
    {
        let Self { client, settings } = self;
        let (mut parts, body) = request.into_parts();
        let uri = settings.admit(&parts)?;
        let person = person(&parts).await.map_err(Failed::Person)?;

        let browser = match is_websocket(&parts) {
            true => Some(parts.extensions.remove::<OnUpgrade>().ok_or(Failed::Upgrade)?),
            false => None,
        };
        let deadline = parts.extensions.remove::<Deadline>();
        // What else is in there is about the visitor's request, and clients would take it as about theirs.
        parts.extensions = Extensions::new();
        parts.extensions.insert(person);
        if let Some(deadline) = deadline {
            parts.extensions.insert(deadline);
        }
        parts.uri = uri;
        parts.version = Version::HTTP_11;
        clean_request(&mut parts.headers, &settings.required, browser.is_some());

        // The browser is told of 429 and 503 and can wait better than a connection held open here.
        let retry = RetryPolicy::empty_bodies().rules(Rules::new().max_retries(0));
        let api = settings.bearer.clone().retry(retry).layer(client);
        let response = api.oneshot(Request::from_parts(parts, body)).await.map_err(Failed::call)?;
        settings.pass(response, browser)
    }
}

/// Who a request is from.
async fn person(parts: &Parts) -> Result<OnBehalf, Absent> {
    let visit = parts.extensions.get::<Visit>().cloned();
    let visit = visit.ok_or_else(|| Absent::Failed(no_layer()))?;
    OnBehalf::of(&visit).await
}

impl Settings {
    /// Where a request goes, if it may be forwarded.
    fn admit(&self, parts: &Parts) -> Result<http::Uri, Failed> {
        if !may_be_forwarded(parts, &self.origin, &self.required) {
            return Err(Failed::Foreign(self.required.clone()));
        }
        let mut overriding = overriding_methods(&parts.headers);
        let is_overridden_well = overriding.all(|method| method.is_some_and(|method| self.takes(&method)));
        if !self.takes(&parts.method) || !is_overridden_well {
            return Err(Failed::Method(self.allowed()));
        }
        self.destination.of(&parts.uri).map_err(Failed::Path)
    }

    fn takes(&self, method: &Method) -> bool {
        let is_excluded = [Method::CONNECT, Method::TRACE].contains(method);
        !is_excluded && self.methods.as_ref().is_none_or(|methods| methods.contains(method))
    }

    /// For `Allow`.
    fn allowed(&self) -> String {
        const USUAL: [Method; 7] =
            [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
        let methods = self.methods.as_deref().unwrap_or(&USUAL);
        let names: Vec<&str> = methods.iter().filter(|method| self.takes(method)).map(Method::as_str).collect();
        names.join(", ")
    }

    /// Gives an answer of the API's to the browser, and the connection with it where both switch.
    fn pass<R>(&self, response: Response<R>, browser: Option<OnUpgrade>) -> Result<Response<Body<R>>, Failed> {
        let (mut parts, body) = response.into_parts();
        let api = parts.extensions.remove::<OnUpgrade>();
        let switches = parts.status == StatusCode::SWITCHING_PROTOCOLS;
        let is_websocket = switches && lists(&parts.headers, &header::UPGRADE, "websocket");
        match (browser, api) {
            (Some(browser), Some(api)) if is_websocket => drop(tokio::spawn(websocket::join(browser, api))),
            _ if switches => {
                tracing::warn!("the API switched protocols unasked, or the client does not let go of its connection");
                return Err(Failed::Unreachable);
            }
            _ => {}
        }
        // The token that was refused is in there.
        parts.extensions = Extensions::new();
        parts.version = Version::HTTP_11;
        clean_response(&mut parts.headers, &self.destination, is_websocket);
        Ok(Response::from_parts(parts, Body::passed(body)))
    }
}

impl<C, B, R> Service<Request<B>> for Forward<C>
where
    C: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    C::Error: Into<BoxError>,
    C::Future: Send,
    B: http_body::Body + Default + Send + 'static,
    R: Send + 'static,
{
    type Response = Response<Body<R>>;
    type Error = Infallible;
    type Future = ResponseFuture<R>;

    /// Always ready: who is signed in is looked up before the client is asked.
    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let forwarding = self.clone().forward(request);
        ResponseFuture(Box::pin(async { forwarding.await.unwrap_or_else(Failed::answer) }))
    }
}

impl<C> fmt::Debug for Forward<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forward").field("destination", &self.settings.destination).finish_non_exhaustive()
    }
}

/// The response to come. From [`Forward`].
///
/// # Cancel safety
/// Dropping it drops the request; an exchange for a token it waited for goes on for the others (C3).
#[must_use = "futures do nothing unless polled"]
pub struct ResponseFuture<R>(Pin<Box<dyn Future<Output = Response<Body<R>>> + Send>>);

impl<R> Future for ResponseFuture<R> {
    type Output = Result<Response<Body<R>>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx).map(Ok)
    }
}

impl<R> fmt::Debug for ResponseFuture<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
