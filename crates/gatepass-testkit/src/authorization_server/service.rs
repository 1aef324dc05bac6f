use std::{
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use hyper::body::Incoming;

use super::{
    builder::{Address, Endpoint},
    clients,
    form::{self, Form, Refusal},
    grants::Book,
    journal::TokenRequest,
};
use crate::{
    body::{self, Body, Dropped, too_large},
    failure::Failure,
    journal::{Journal, Statuses},
    lock::lock,
    script::Script,
    server::Answers,
};

/// What the handles, the service and the APIs behind it share.
pub(crate) struct State {
    pub(super) address: Address,
    pub(super) script: Script,
    pub(super) journal: Journal<TokenRequest>,
    pub(super) statuses: Mutex<Statuses>,
    pub(super) discoveries: AtomicUsize,
    book: Mutex<Book>,
}

const MOST_BODY: usize = 1 << 20;

impl State {
    pub(super) fn new(address: Address) -> Self {
        Self {
            address,
            script: Script::default(),
            journal: Journal::default(),
            statuses: Mutex::default(),
            discoveries: AtomicUsize::new(0),
            book: Mutex::default(),
        }
    }

    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        lock(&self.book)
    }

    /// For whom an access token is good now: a sign-in, or else a client.
    pub(crate) fn holder_of(&self, token: &str) -> Option<String> {
        let book = self.book();
        let access = book.tokens.active(token, book.now())?;
        Some(match access.family {
            Some(family) => format!("sign-in {family}"),
            None => format!("client {}", access.client),
        })
    }

    async fn token(&self, request: Request<Incoming>) -> Result<Response<Body>, Dropped> {
        let _under_way = self.journal.enter();
        let (parts, body) = request.into_parts();
        let at = Instant::now();
        let Some(body) = body::read(body, MOST_BODY).await else {
            self.record(at, parts, Form::default(), false, Some(413));
            return Ok(too_large());
        };
        let form = Form::parse(&parts.headers, &body);

        let failure = self.script.take();
        let own = failure.as_ref().is_none_or(Failure::processes).then(|| self.process(&parts, form.as_ref()));
        let granted = own.as_ref().is_some_and(|own| own.status() == StatusCode::OK);
        let is_own = failure.as_ref().is_none_or(Failure::is_own);
        let wait = failure.as_ref().map_or(Duration::ZERO, Failure::wait);
        let answer = match (failure, own) {
            (None, Some(own)) => Ok(own.map(Body::Whole)),
            (Some(failure), own) => failure.answer(own, self.script.now()),
            (None, None) => Err(Dropped),
        };
        let status = answer.as_ref().ok().map(|response| response.status().as_u16());
        let form = form.unwrap_or_default();
        let on_its_way = granted.then(|| OnItsWay::new(self, form.get("refresh_token")));
        self.record(at, parts, form, granted, status);
        self.script.wait(wait).await;
        if let Some(on_its_way) = on_its_way.filter(|_| is_own) {
            on_its_way.sent();
        }
        answer
    }

    fn process(&self, parts: &Parts, form: Option<&Form>) -> Response<Bytes> {
        let answer = read_form(parts, form).and_then(|form| self.book().grant(&parts.headers, form));
        match answer {
            Ok(json) => form::json(StatusCode::OK, json),
            Err(refusal) => refusal.response(),
        }
    }

    fn record(&self, at: Instant, parts: Parts, form: Form, granted: bool, status: Option<u16>) {
        lock(&self.statuses).count(status);
        self.journal.record(TokenRequest {
            at,
            query: parts.uri.query().map(str::to_owned),
            client_id: clients::named(&parts.headers, &form),
            has_authorization: parts.headers.contains_key(header::AUTHORIZATION),
            headers: parts.headers,
            form: form.0,
            granted,
            status,
        });
    }

    async fn introspection(&self, request: Request<Incoming>) -> Response<Body> {
        self.with_form(request, |headers, form| {
            let json = self.book().introspect(headers, form)?;
            Ok(form::json(StatusCode::OK, json.to_string()))
        })
        .await
    }

    async fn revocation(&self, request: Request<Incoming>) -> Response<Body> {
        self.with_form(request, |headers, form| {
            self.book().revoke(headers, form)?;
            Ok(form::empty(StatusCode::OK))
        })
        .await
    }

    async fn with_form(
        &self,
        request: Request<Incoming>,
        process: impl FnOnce(&HeaderMap, &Form) -> Result<Response<Bytes>, Refusal>,
    ) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let Some(body) = body::read(body, MOST_BODY).await else {
            return too_large();
        };
        let parsed = Form::parse(&parts.headers, &body);
        let answer = read_form(&parts, parsed.as_ref());
        let answer = answer.and_then(|form| process(&parts.headers, form));
        answer.unwrap_or_else(|refusal| refusal.response()).map(Body::Whole)
    }

    async fn metadata(&self, endpoint: Endpoint) -> Result<Response<Body>, Dropped> {
        self.discoveries.fetch_add(1, Ordering::Relaxed);
        let metadata = {
            let settings = &self.book().settings;
            match endpoint {
                Endpoint::OAuthMetadata => settings.oauth_metadata.clone(),
                _ => settings.openid_configuration.clone(),
            }
        };
        let document = metadata.response(&self.address);
        let Some(failure) = metadata.failure() else {
            return Ok(document.map(Body::Whole));
        };
        tokio::time::sleep(failure.wait()).await;
        failure.answer(Some(document), self.script.now())
    }
}

/// A token on its way to the client. Dropped without [`sent`](Self::sent), it is lost: the client has hung up, or the
/// answer is another one.
struct OnItsWay<'a> {
    state: &'a State,
    superseded: Option<String>,
    is_sent: bool,
}

impl<'a> OnItsWay<'a> {
    fn new(state: &'a State, superseded: Option<&str>) -> Self {
        Self { state, superseded: superseded.map(str::to_owned), is_sent: false }
    }

    fn sent(mut self) {
        self.is_sent = true;
        if let Some(superseded) = &self.superseded {
            self.state.book().tokens.was_answered(superseded);
        }
    }
}

impl Drop for OnItsWay<'_> {
    fn drop(&mut self) {
        if !self.is_sent {
            self.state.book().lost += 1;
        }
    }
}

impl Answers for State {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Body>, Dropped> {
        let endpoint = self.address.endpoint(request.uri().path());
        let is_metadata = matches!(endpoint, Some(Endpoint::OAuthMetadata | Endpoint::OpenIdConfiguration));
        let allowed = if is_metadata { Method::GET } else { Method::POST };
        let mut answer = match endpoint {
            None => Ok(form::empty(StatusCode::NOT_FOUND).map(Body::Whole)),
            Some(_) if request.method() != allowed => Ok(only(&allowed)),
            Some(Endpoint::Token) => self.token(request).await,
            Some(Endpoint::Introspection) => Ok(self.introspection(request).await),
            Some(Endpoint::Revocation) => Ok(self.revocation(request).await),
            Some(endpoint) => self.metadata(endpoint).await,
        };
        if let Ok(response) = &mut answer {
            self.script.put_date(response);
        }
        answer
    }
}

/// The form, unless the request is not one, or carries a secret in its URL.
fn read_form<'a>(parts: &Parts, form: Option<&'a Form>) -> Result<&'a Form, Refusal> {
    let query = parts.uri.query().unwrap_or_default();
    let mut names = form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name);
    if names.any(|name| name == "client_secret" || name.ends_with("token")) {
        return Err(Refusal::bad_request("invalid_request", "no secrets in the URL"));
    }
    form.ok_or_else(|| Refusal::bad_request("invalid_request", "not a form"))
}

fn only(method: &Method) -> Response<Body> {
    let mut response = form::empty(StatusCode::METHOD_NOT_ALLOWED).map(Body::Whole);
    if let Ok(allowed) = HeaderValue::from_str(method.as_str()) {
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response
}
