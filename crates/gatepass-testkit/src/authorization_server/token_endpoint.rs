//! Requests to the token endpoint: failures on command, the journal, and what got lost on its way back.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header, request::Parts};
use hyper::body::Incoming;

use super::{
    clients,
    form::{self, Form},
    journal::TokenRequest,
    service::{MOST_BODY, State, answer, posted},
};
use crate::{
    body::{self, Body, Dropped, too_large},
    failure::Failure,
    lock::lock,
};

impl State {
    pub(super) async fn token(&self, request: Request<Incoming>) -> Result<Response<Body>, Dropped> {
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
        let answer = answer(failure, own, self.script.now());
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
        match posted(parts, form).and_then(|posted| self.book().grant(posted)) {
            Ok(issued) => form::json(StatusCode::OK, issued.written()),
            Err(refusal) => refusal.response(),
        }
    }

    fn record(&self, at: Instant, parts: Parts, form: Form, granted: bool, status: Option<u16>) {
        lock(&self.statuses).count(status);
        self.arrivals.record(at, &parts, Some(&form), status);
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
