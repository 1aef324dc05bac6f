use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use hyper::body::Incoming;

use super::{
    arrivals::Arrivals,
    builder::{Address, Endpoint},
    end_session::Logout,
    form::{self, Form, Posted, Refusal},
    grants::Book,
    journal::TokenRequest,
    user_info,
};
use crate::{
    body::{self, Body, Dropped, too_large},
    failure::Failure,
    journal::{Journal, Statuses},
    lock::lock,
    script::{Failures, Script},
    server::Answers,
};

/// What the handles, the service and the APIs behind it share.
pub(crate) struct State {
    pub(super) address: Arc<Address>,
    pub(super) script: Script,
    /// The failures of the other endpoints, by path.
    pub(super) elsewhere: Mutex<HashMap<String, Failures>>,
    pub(super) journal: Journal<TokenRequest>,
    pub(super) arrivals: Arrivals,
    pub(super) logouts: Journal<Logout>,
    pub(super) statuses: Mutex<Statuses>,
    book: Mutex<Book>,
}

pub(super) const MOST_BODY: usize = 1 << 20;

impl State {
    pub(super) fn new(address: Arc<Address>) -> Self {
        Self {
            script: Script::default(),
            elsewhere: Mutex::default(),
            journal: Journal::default(),
            arrivals: Arrivals::default(),
            logouts: Journal::default(),
            statuses: Mutex::default(),
            book: Mutex::new(Book::new(Arc::clone(&address))),
            address,
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

    /// Every endpoint but the token endpoint.
    async fn other(&self, endpoint: Endpoint, request: Request<Incoming>) -> Result<Response<Body>, Dropped> {
        let (parts, body) = request.into_parts();
        let at = Instant::now();
        let Some(body) = body::read(body, MOST_BODY).await else {
            self.arrivals.record(at, &parts, None, Some(413));
            return Ok(too_large());
        };
        let form = Form::parse(&parts.headers, &body);

        let ordered = lock(&self.elsewhere).get_mut(parts.uri.path()).and_then(Failures::take);
        let failure = ordered.or_else(|| self.failure_of_document(endpoint));
        let own =
            failure.as_ref().is_none_or(Failure::processes).then(|| self.process_at(endpoint, &parts, form.as_ref()));
        let wait = failure.as_ref().map_or(Duration::ZERO, Failure::wait);
        let answer = answer(failure, own, self.script.now());
        let status = answer.as_ref().ok().map(|response| response.status().as_u16());
        self.arrivals.record(at, &parts, form.as_ref(), status);
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        answer
    }

    fn process_at(&self, endpoint: Endpoint, parts: &Parts, form: Option<&Form>) -> Response<Bytes> {
        let answer = match endpoint {
            Endpoint::OAuthMetadata | Endpoint::OpenIdConfiguration | Endpoint::Jwks => Ok(self.document(endpoint)),
            Endpoint::UserInfo => Ok(self.user_info(&parts.headers)),
            Endpoint::EndSession if parts.method == Method::GET => {
                Ok(self.end_session(&parts.method, &Form::of_query(parts.uri.query())))
            }
            Endpoint::Authorization => Ok(self.book().authorize(&Form::of_query(parts.uri.query()))),
            Endpoint::Device if parts.method == Method::GET => {
                Ok(self.book().device_page(&Form::of_query(parts.uri.query())))
            }
            Endpoint::EndSession => posted(parts, form).map(|posted| self.end_session(&parts.method, posted.form)),
            _ => posted(parts, form).and_then(|posted| self.process_form(endpoint, posted)),
        };
        answer.unwrap_or_else(|refusal| refusal.response())
    }

    fn process_form(&self, endpoint: Endpoint, posted: Posted<'_>) -> Result<Response<Bytes>, Refusal> {
        let mut book = self.book();
        let ok = |json: String| form::json(StatusCode::OK, json);
        match endpoint {
            Endpoint::Introspection => book.introspect(posted).map(|json| ok(json.to_string())),
            Endpoint::Revocation => book.revoke(posted).map(|()| form::empty(StatusCode::OK)),
            Endpoint::PushedAuthorization => book.push(posted),
            Endpoint::DeviceAuthorization => book.start_device(posted).map(|json| ok(json.to_string())),
            Endpoint::Swap => book.swap(posted.form).map(|issued| ok(issued.written())),
            Endpoint::SwapRefresh => book.swap_refresh(posted.form).map(|issued| ok(issued.written())),
            Endpoint::Consent => Ok(book.decide(posted.form)),
            Endpoint::Device => Ok(book.device_decision(posted.form)),
            Endpoint::Token
            | Endpoint::Authorization
            | Endpoint::Jwks
            | Endpoint::UserInfo
            | Endpoint::EndSession
            | Endpoint::OAuthMetadata
            | Endpoint::OpenIdConfiguration => Ok(form::empty(StatusCode::NOT_FOUND)),
        }
    }

    fn document(&self, endpoint: Endpoint) -> Response<Bytes> {
        let book = self.book();
        match endpoint {
            Endpoint::Jwks => book.settings.open_id.jwks.response(&book.signing_key),
            _ => book.metadata(endpoint).response(&self.address, &book.settings.sign_in),
        }
    }

    /// How a document fails that was told to.
    fn failure_of_document(&self, endpoint: Endpoint) -> Option<Failure> {
        let book = self.book();
        match endpoint {
            Endpoint::Jwks => book.settings.open_id.jwks.failure(),
            _ if endpoint.is_metadata() => book.metadata(endpoint).failure(),
            _ => None,
        }
    }

    fn user_info(&self, headers: &HeaderMap) -> Response<Bytes> {
        let user_info = self.book().user_info(headers);
        match user_info {
            Ok(user_info) => user_info.response(),
            Err(challenge) => user_info::refused(&challenge),
        }
    }

    fn end_session(&self, method: &Method, sent: &Form) -> Response<Bytes> {
        self.logouts.record(Logout::new(method, sent));
        self.book().end_session(sent)
    }
}

impl Answers for State {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Body>, Dropped> {
        let endpoint = self.address.endpoint(request.uri().path());
        let method = request.method().as_str();
        let mut answer = match endpoint {
            None => Ok(form::empty(StatusCode::NOT_FOUND).map(Body::Whole)),
            Some(endpoint) if !endpoint.methods().split(", ").any(|it| it == method) => Ok(only(endpoint.methods())),
            Some(Endpoint::Token) => self.token(request).await,
            Some(endpoint) => self.other(endpoint, request).await,
        };
        if let Ok(response) = &mut answer {
            self.script.put_date(response);
        }
        answer
    }
}

/// The failure if one was ordered, else what the server itself has to say.
pub(super) fn answer(
    failure: Option<Failure>,
    own: Option<Response<Bytes>>,
    now: SystemTime,
) -> Result<Response<Body>, Dropped> {
    match (failure, own) {
        (None, Some(own)) => Ok(own.map(Body::Whole)),
        (Some(failure), own) => failure.answer(own, now),
        (None, None) => Err(Dropped),
    }
}

/// The form, unless the request is not one, or carries a secret in its URL.
pub(super) fn posted<'a>(parts: &'a Parts, form: Option<&'a Form>) -> Result<Posted<'a>, Refusal> {
    let query = parts.uri.query().unwrap_or_default();
    let mut names = form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name);
    if names.any(|name| name == "client_secret" || name.ends_with("token")) {
        return Err(Refusal::invalid_request("no secrets in the URL"));
    }
    let form = form.ok_or_else(|| Refusal::invalid_request("not a form"))?;
    Ok(Posted { headers: &parts.headers, form, path: parts.uri.path() })
}

fn only(methods: &'static str) -> Response<Body> {
    let mut response = form::empty(StatusCode::METHOD_NOT_ALLOWED).map(Body::Whole);
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(methods));
    response
}
