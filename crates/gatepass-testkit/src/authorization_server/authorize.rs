//! What `/authorize` and `/par` do with a request (RFC 6749, 4.1; RFC 9126; RFC 9207). No I/O.

use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::json;

use super::{
    authorization_request::{AuthorizationRequest, Back, Rejection},
    code::Code,
    consent::{Consent, Iss},
    form::{self, Form, Posted, Refusal},
    grants::Book,
    issue::random_token,
    pages,
};

const CODE_LIFETIME: Duration = Duration::from_secs(60);
const PUSHED_LIFETIME: Duration = Duration::from_secs(60);
const PAGE_LIFETIME: Duration = Duration::from_secs(600);

impl Book {
    /// The answer to a browser.
    pub(super) fn authorize(&mut self, query: &Form) -> Response<Bytes> {
        let request = match query.get("request_uri") {
            Some(uri) => self.pushed_request(uri, query),
            None => self.request(query).and_then(|request| match self.settings.sign_in.require_pushed {
                false => Ok(request),
                true => Err(Rejection::redirect(request.back, "invalid_request", "it has to be pushed first")),
            }),
        };
        request.and_then(|request| self.consent(request)).unwrap_or_else(|rejection| self.rejected(rejection))
    }

    /// What a person decided on the page.
    pub(super) fn decide(&mut self, form: &Form) -> Response<Bytes> {
        let now = self.now();
        let asking = form.get("ticket").and_then(|ticket| self.asking.take(ticket, now));
        match (asking, form.get("decision")) {
            (Some(request), Some("approve")) => self.approved(request, form.get("login")),
            (Some(request), _) => {
                self.rejected(Rejection::redirect(request.back, "access_denied", "the person said no"))
            }
            (None, _) => pages::refused("This page has been answered already, or is too old. Start again."),
        }
    }

    /// RFC 9126.
    pub(super) fn push(&mut self, posted: Posted<'_>) -> Result<Response<Bytes>, Refusal> {
        let client = self.client(posted)?;
        if posted.form.get("request_uri").is_some() {
            return Err(Refusal::invalid_request("a request_uri cannot be pushed"));
        }
        // Basic and an assertion name the client as well as the parameter does.
        let mut form = posted.form.clone();
        if form.get("client_id").is_none() {
            form.0.push(("client_id".to_owned(), client.id));
        }
        let request = self.request(&form).map_err(|rejection| match rejection {
            Rejection::Page(why) => Refusal::invalid_request(why),
            Rejection::Redirect(_, error, why) => Refusal::bad_request(error, why),
        })?;
        let uri = format!("urn:ietf:params:oauth:request_uri:{}", random_token("par", 0));
        self.pushed.insert(uri.clone(), request, self.span(PUSHED_LIFETIME));
        let body = json!({ "request_uri": uri, "expires_in": PUSHED_LIFETIME.as_secs() });
        Ok(form::json(StatusCode::CREATED, body.to_string()))
    }

    fn pushed_request(&mut self, uri: &str, query: &Form) -> Result<AuthorizationRequest, Rejection> {
        let now = self.now();
        let request = self.pushed.take(uri, now);
        let request = request.filter(|request| query.get("client_id") == Some(request.client.as_str()));
        request.ok_or_else(|| Rejection::Page("The request_uri is unknown, used, expired or another client's.".into()))
    }

    fn consent(&mut self, request: AuthorizationRequest) -> Result<Response<Bytes>, Rejection> {
        let (error, why) = match &self.settings.sign_in.consent {
            Consent::Approve => return Ok(self.approved(request, None)),
            Consent::Ask if request.may_ask => {
                let ticket = random_token("ticket", 0);
                let login = request.login_hint.as_deref().unwrap_or(&self.settings.open_id.login);
                let page = pages::consent(&request, login, &ticket);
                self.asking.insert(ticket, request, self.span(PAGE_LIFETIME));
                return Ok(page);
            }
            Consent::Ask => ("interaction_required", "prompt is none, and a person would have to be asked"),
            Consent::Deny => ("access_denied", "denied on command"),
            Consent::Error(error) => (error.as_str(), "refused on command"),
        };
        Err(Rejection::Redirect(request.back, error.to_owned().into(), why.to_owned()))
    }

    /// `login` is what was typed on the page.
    fn approved(&mut self, request: AuthorizationRequest, login: Option<&str>) -> Response<Bytes> {
        let who = self.sign_in_of(login.or(request.login_hint.as_deref()));
        let code = random_token("code", self.settings.token_length);
        let back = request.back.clone();
        self.codes.insert(code.clone(), Code::new(request, who), self.span(CODE_LIFETIME));
        self.go_back(&back, &[("code", &code)])
    }

    fn rejected(&self, rejection: Rejection) -> Response<Bytes> {
        match rejection {
            Rejection::Page(why) => pages::refused(&why),
            Rejection::Redirect(back, error, why) => {
                self.go_back(&back, &[("error", &error), ("error_description", &why)])
            }
        }
    }

    fn go_back(&self, back: &Back, answer: &[(&str, &str)]) -> Response<Bytes> {
        let issuer = match &self.settings.sign_in.iss {
            Iss::Correct => Some(self.address.issuer()),
            Iss::Wrong(issuer) => Some(issuer.clone()),
            Iss::Missing => None,
        };
        let mut pairs = answer.to_vec();
        pairs.extend(back.state.as_deref().map(|state| ("state", state)));
        pairs.extend(issuer.as_deref().map(|issuer| ("iss", issuer)));
        form::see_other(&form::with_query(&back.redirect_uri, &pairs))
    }
}
