use std::{
    fmt,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};

use crate::{
    body::{Body, Dropped},
    challenge::Challenge,
    retry_after::{RetryAfter, header_value},
};

/// An answer on command: what a server sends in place of its own answer.
///
/// The same failures work on both servers ([`AuthorizationServer::fail_next`](crate::AuthorizationServer::fail_next),
/// [`Api::fail_next`](crate::Api::fail_next)). By default the request is *not* processed: no token is issued, none is
/// checked. [`after_processing`](Self::after_processing) changes that, which is how an answer gets lost after a refresh
/// token was rotated.
///
/// ```
/// use std::time::Duration;
/// use gatepass_testkit::{Challenge, Failure, RetryAfter};
///
/// Failure::status(503).retry_after(RetryAfter::Seconds(1));
/// Failure::oauth("invalid_grant");
/// Failure::challenge(Challenge::LowerCase).padding(300 * 1024);
/// Failure::dropped().after_processing();
/// Failure::late(Duration::from_millis(50));
/// ```
#[derive(Clone)]
pub struct Failure {
    kind: Kind,
    headers: HeaderMap,
    retry_after: Option<RetryAfter>,
    delay: Duration,
    after_processing: bool,
}

#[derive(Clone)]
enum Kind {
    /// The server's own answer.
    Own,
    Fixed {
        status: StatusCode,
        body: Bytes,
    },
    TornJson,
    TornConnection,
    Oversize {
        status: StatusCode,
        bytes: usize,
    },
    Dropped,
}

impl Failure {
    /// This status with an empty body; `Failure::status(400)` is how some servers refuse a refresh token.
    ///
    /// # Panics
    ///
    /// When the status is not between 200 and 999.
    pub fn status(status: u16) -> Self {
        Self::fixed(status_code(status), Bytes::new())
    }

    /// An error of the token endpoint (RFC 6749, 5.2): 401 for `invalid_client`, 400 for all others.
    pub fn oauth(error: &str) -> Self {
        let status = if error == "invalid_client" { 401 } else { 400 };
        let body = serde_json::json!({ "error": error, "error_description": "refused on command" });
        Self::json(status, &body.to_string())
    }

    /// This JSON, or what passes for it: it is sent as it is.
    ///
    /// # Panics
    ///
    /// When the status is not between 200 and 999.
    pub fn json(status: u16, body: &str) -> Self {
        Self::fixed(status_code(status), Bytes::copy_from_slice(body.as_bytes())).content_type("application/json")
    }

    /// A page for people, as proxies send them; with 200 it is a captive portal's.
    ///
    /// # Panics
    ///
    /// When the status is not between 200 and 999.
    pub fn html(status: u16) -> Self {
        let page = "<!doctype html><title>Error</title><h1>Something went wrong</h1>";
        Self::fixed(status_code(status), Bytes::from_static(page.as_bytes())).content_type("text/html; charset=utf-8")
    }

    /// A refusal with a challenge: 401, or 403 for [`Challenge::InsufficientScope`].
    #[expect(clippy::needless_pass_by_value, reason = "callers write the variant in place")]
    pub fn challenge(challenge: Challenge) -> Self {
        let mut failure = Self::fixed(challenge.status(), Bytes::new());
        for line in challenge.lines() {
            failure.headers.append(header::WWW_AUTHENTICATE, header_value(&line));
        }
        failure
    }

    /// 429 with this `Retry-After`; without one it is `Failure::status(429)`.
    pub fn too_many_requests(retry_after: RetryAfter) -> Self {
        Self::status(429).retry_after(retry_after)
    }

    /// A complete answer whose JSON ends in the middle: 200, and the length is that of the half.
    pub fn torn_json() -> Self {
        Self::new(Kind::TornJson)
    }

    /// 200 and half of the JSON that the head promised, then the connection closes.
    pub fn torn_connection() -> Self {
        Self::new(Kind::TornConnection)
    }

    /// A page of so many bytes, streamed, its length not announced.
    ///
    /// # Panics
    ///
    /// When the status is not between 200 and 999.
    pub fn oversize(status: u16, bytes: usize) -> Self {
        Self::new(Kind::Oversize { status: status_code(status), bytes }).content_type("text/html; charset=utf-8")
    }

    /// The connection closes and nothing is answered.
    ///
    /// Some clients try once more by themselves when a connection that was idle before closes this way.
    pub fn dropped() -> Self {
        Self::new(Kind::Dropped)
    }

    /// 302 to this place.
    pub fn redirect(location: &str) -> Self {
        Self::status(302).header(header::LOCATION, header_value(location))
    }

    /// How gRPC refuses: HTTP 200 and the status in the head; 16 is "unauthenticated".
    pub fn grpc_status(code: u32) -> Self {
        Self::status(200)
            .content_type("application/grpc")
            .header(HeaderName::from_static("grpc-status"), HeaderValue::from(code))
    }

    /// The server's own answer, but late: the request is processed when it arrives and answered after this time.
    ///
    /// With no delay at all and a [`header`](Self::header) it is the own answer with one header more.
    pub fn late(delay: Duration) -> Self {
        Self::new(Kind::Own).delay(delay)
    }

    /// Exactly this answer, apart from `Date` and the headers that say how long it is.
    ///
    /// # Panics
    ///
    /// When the status is not between 200 and 999.
    pub fn raw(response: Response<impl Into<Bytes>>) -> Self {
        let (parts, body) = response.into_parts();
        let mut failure = Self::fixed(status_code(parts.status.as_u16()), body.into());
        failure.headers = parts.headers;
        failure
    }

    /// Adds a `Retry-After`.
    pub fn retry_after(mut self, retry_after: RetryAfter) -> Self {
        self.retry_after = Some(retry_after);
        self
    }

    /// Adds a header, or replaces it. `connection: close` ends the connection after the answer.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Answers after this time.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Makes the body this many bytes long. It does nothing to what has no body of its own (late, torn, dropped).
    pub fn padding(mut self, bytes: usize) -> Self {
        if let Kind::Fixed { body, .. } = &mut self.kind {
            let mut padded = body.to_vec();
            padded.resize(bytes.max(padded.len()), b' ');
            *body = padded.into();
        }
        self
    }

    /// Processes the request first, and only then fails: the refresh token is rotated, the new one never arrives.
    pub fn after_processing(mut self) -> Self {
        self.after_processing = true;
        self
    }

    pub(crate) fn processes(&self) -> bool {
        self.after_processing || matches!(self.kind, Kind::Own)
    }

    /// Whether the server's own answer is what is sent.
    pub(crate) fn is_own(&self) -> bool {
        matches!(self.kind, Kind::Own)
    }

    pub(crate) fn wait(&self) -> Duration {
        self.delay
    }

    /// What is answered when the server's own answer turned out to be this refusal.
    pub(crate) fn instead_of(self, refusal: Self) -> Self {
        match self.kind {
            Kind::Own => {
                let delay = self.delay.saturating_add(refusal.delay);
                refusal.delay(delay)
            }
            _ => self,
        }
    }

    /// The answer of a server whose clock shows `now` and whose own answer, if it made one, would be `own`.
    pub(crate) fn answer(&self, own: Option<Response<Bytes>>, now: SystemTime) -> Result<Response<Body>, Dropped> {
        let own = own.unwrap_or_else(sample);
        let mut response = match &self.kind {
            Kind::Own => own.map(Body::Whole),
            Kind::Fixed { status, body } => with_status(*status, Body::Whole(body.clone())),
            Kind::TornJson => own.map(|whole| Body::Whole(whole.slice(..whole.len() / 2))),
            Kind::TornConnection => own.map(|whole| Body::torn(&whole)),
            Kind::Oversize { status, bytes } => with_status(*status, Body::Page { left: *bytes }),
            Kind::Dropped => return Err(Dropped),
        };
        for name in self.headers.keys() {
            response.headers_mut().remove(name);
        }
        for (name, value) in &self.headers {
            response.headers_mut().append(name, value.clone());
        }
        // The length is the body's affair; a wrong one would end the connection.
        response.headers_mut().remove(header::CONTENT_LENGTH);
        response.headers_mut().remove(header::TRANSFER_ENCODING);
        if let Some(retry_after) = &self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, retry_after.header(now));
        }
        Ok(response)
    }

    fn fixed(status: StatusCode, body: Bytes) -> Self {
        Self::new(Kind::Fixed { status, body })
    }

    fn new(kind: Kind) -> Self {
        Self { kind, headers: HeaderMap::new(), retry_after: None, delay: Duration::ZERO, after_processing: false }
    }

    fn content_type(self, value: &'static str) -> Self {
        self.header(header::CONTENT_TYPE, HeaderValue::from_static(value))
    }
}

/// Says what kind of failure it is, not what is in its headers and body.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.kind {
            Kind::Own => "late".to_owned(),
            Kind::Fixed { status, .. } => status.as_u16().to_string(),
            Kind::TornJson => "torn JSON".to_owned(),
            Kind::TornConnection => "torn connection".to_owned(),
            Kind::Oversize { status, bytes } => format!("{} with {bytes} bytes", status.as_u16()),
            Kind::Dropped => "dropped".to_owned(),
        };
        f.debug_struct("Failure")
            .field("kind", &kind)
            .field("retry_after", &self.retry_after)
            .field("delay", &self.delay)
            .field("after_processing", &self.after_processing)
            .finish_non_exhaustive()
    }
}

/// What is torn when the request was not processed: it looks like an answer of the token endpoint.
fn sample() -> Response<Bytes> {
    let body = r#"{"token_type":"Bearer","expires_in":3600,"access_token":"never-to-be-accepted"}"#;
    let mut response = Response::new(Bytes::from_static(body.as_bytes()));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

fn with_status(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

fn status_code(status: u16) -> StatusCode {
    StatusCode::from_u16(status)
        .ok()
        .filter(|code| !code.is_informational())
        .expect("the status of an answer is between 200 and 999")
}
