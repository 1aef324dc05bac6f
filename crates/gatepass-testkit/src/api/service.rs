use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header, request::Parts};
use hyper::body::Incoming;

use super::{
    echo::echo,
    journal::{ApiCall, Tally},
    limit_controls::Limits,
};
use crate::{
    authorization_server::State,
    bearer::bearer,
    body::{self, Body, Dropped, too_large},
    challenge::Challenge,
    failure::Failure,
    journal::Journal,
    lock::lock,
    retry_after::header_value,
    script::Script,
    server::Answers,
};

/// What the handles and the service share.
pub(super) struct Service {
    pub(super) script: Script,
    pub(super) journal: Journal<ApiCall>,
    pub(super) tally: Mutex<Tally>,
    pub(super) limits: Mutex<Limits>,
    pub(super) refusal: Mutex<Option<Failure>>,
    issuer: Arc<State>,
}

const MOST_BODY: usize = 16 << 20;
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

impl Service {
    pub(super) fn new(issuer: Arc<State>) -> Self {
        Self {
            script: Script::default(),
            journal: Journal::default(),
            tally: Mutex::default(),
            limits: Mutex::default(),
            refusal: Mutex::default(),
            issuer,
        }
    }

    async fn call(&self, request: Request<Incoming>) -> Result<Response<Body>, Dropped> {
        let _under_way = self.journal.enter();
        let at = Instant::now();
        let (parts, body) = request.into_parts();
        let Some(body) = body::read(body, MOST_BODY).await else {
            self.record(at, parts, 0, Some(413));
            return Ok(too_large());
        };

        let mut failure = self.script.take();
        let mut own = None;
        if failure.as_ref().is_none_or(Failure::processes) {
            match self.process(&parts, &body) {
                Ok(response) => own = Some(response),
                Err(refusal) => {
                    failure = Some(match failure {
                        Some(ordered) => ordered.instead_of(*refusal),
                        None => *refusal,
                    });
                }
            }
        }
        let wait = failure.as_ref().map_or(Duration::ZERO, Failure::wait);
        let wait = wait.saturating_add(sleep(&parts));
        let answer = match (failure, own) {
            (Some(failure), own) => failure.answer(own, self.script.now()),
            (None, Some(own)) => Ok(own.map(Body::Whole)),
            (None, None) => Err(Dropped),
        };
        let status = answer.as_ref().ok().map(|response| response.status().as_u16());
        self.record(at, parts, body.len(), status);
        self.script.wait(wait).await;
        answer
    }

    /// The API's own answer, or how it refuses the call.
    fn process(&self, parts: &Parts, body: &[u8]) -> Result<Response<Bytes>, Box<Failure>> {
        let path = parts.uri.path();
        if path == "/public" || path.starts_with("/public/") {
            return Ok(echo(parts, body));
        }
        if parts.headers.get_all(header::AUTHORIZATION).iter().count() > 1 {
            let challenge = "Bearer error=\"invalid_request\", error_description=\"two tokens\"";
            let challenge = header::HeaderValue::from_static(challenge);
            return Err(Failure::status(400).header(header::WWW_AUTHENTICATE, challenge).into());
        }
        let token = bearer(&parts.headers);
        let holder = token.and_then(|token| self.issuer.holder_of(token)).ok_or_else(|| {
            let refusal = lock(&self.refusal).clone();
            refusal.unwrap_or_else(|| match token {
                Some(_) => Failure::challenge(Challenge::InvalidToken),
                None => Failure::challenge(Challenge::Bearer),
            })
        })?;
        let limit_fields = lock(&self.limits).count(holder, self.script.now())?;
        let mut answer = echo(parts, body);
        if path == "/redirect"
            && let Some(location) = query(parts, "to")
        {
            let status = query(parts, "status").and_then(|status| status.parse().ok());
            answer = redirect(&location, status);
        }
        answer.headers_mut().extend(limit_fields);
        Ok(answer)
    }

    fn record(&self, at: Instant, parts: Parts, body_length: usize, status: Option<u16>) {
        let token = bearer(&parts.headers).map(str::to_owned);
        lock(&self.tally).count(status, token.as_deref());
        self.journal.record(ApiCall {
            at,
            method: parts.method,
            uri: parts.uri.to_string(),
            headers: parts.headers,
            token,
            body_length,
            status,
        });
    }
}

impl Answers for Service {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Body>, Dropped> {
        let mut answer = self.call(request).await;
        if let Ok(response) = &mut answer {
            self.script.put_date(response);
        }
        answer
    }
}

fn redirect(location: &str, status: Option<StatusCode>) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status.filter(StatusCode::is_redirection).unwrap_or(StatusCode::FOUND);
    response.headers_mut().insert(header::LOCATION, header_value(location));
    response
}

fn sleep(parts: &Parts) -> Duration {
    let milliseconds = (parts.uri.path() == "/sleep")
        .then(|| query(parts, "ms"))
        .flatten()
        .and_then(|milliseconds| milliseconds.parse().ok());
    Duration::from_millis(milliseconds.unwrap_or(0)).min(LONGEST_SLEEP)
}

fn query(parts: &Parts, name: &str) -> Option<String> {
    let pairs = form_urlencoded::parse(parts.uri.query()?.as_bytes());
    pairs.into_iter().find_map(|(key, value)| (key == name).then(|| value.into_owned()))
}
