//! What is answered when there is no answer of the API's.

use std::time::Duration;

use gatepass::{BoxError, Error};
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::json;

use super::{body::Body, destination::Astray};
use crate::{on_behalf::Absent, retry_after::retry_after, sign_in_needed::SignInNeeded};

/// Why a request was not forwarded, or came to nothing.
#[derive(Debug)]
pub(super) enum Failed {
    /// Another site's page asks, or the header of this name is missing.
    Foreign(http::HeaderName),
    /// These are the methods that may be asked for.
    Method(String),
    Path(Astray),
    Person(Absent),
    Token(Error),
    /// The server has no connection to give away.
    Upgrade,
    Unreachable,
}

impl Failed {
    /// Why a call came to nothing. What the client says may name addresses of this network: it is logged, not told.
    pub(super) fn call(error: BoxError) -> Self {
        match error.downcast::<Error>() {
            Ok(error) => Self::Token(*error),
            Err(error) => {
                tracing::warn!(
                    error = &*error as &dyn std::error::Error,
                    "no answer from the API that is forwarded to"
                );
                Self::Unreachable
            }
        }
    }

    pub(super) fn answer<R>(self) -> Response<Body<R>> {
        match self {
            Self::Foreign(required) => answer(
                StatusCode::FORBIDDEN,
                "not_from_this_site",
                &format!("send the request from a page of this site, with the header `{required}`"),
            ),
            Self::Method(allowed) => {
                let text = format!("use one of these methods: {allowed}");
                let mut response = answer(StatusCode::METHOD_NOT_ALLOWED, "method_refused", &text);
                put(&mut response, header::ALLOW, &allowed);
                response
            }
            Self::Path(Astray::NotOurs) => {
                answer(StatusCode::NOT_FOUND, "not_found", "nothing is forwarded from this path: check the address")
            }
            Self::Path(Astray::Ambiguous) => answer(
                StatusCode::BAD_REQUEST,
                "path_refused",
                "leave dot segments, escaped slashes and control characters out of the path",
            ),
            Self::Person(Absent::SignIn(needed)) => sign_in_needed(needed),
            Self::Person(Absent::Failed(error)) => Self::Token(error).answer(),
            Self::Token(error) if error.is_reauth_required() => {
                tracing::debug!(%error, "whoever is signed in has to sign in again");
                sign_in_needed(SignInNeeded::TokensEnded)
            }
            Self::Token(error) if error.is_transient() => {
                tracing::warn!(%error, "a request is not forwarded: there is no token now");
                come_again(error.retry_after())
            }
            Self::Token(error) => {
                tracing::error!(%error, "a request is not forwarded: a setting is wrong");
                let text = "a setting of this site is wrong: its operator finds in the log which";
                answer(StatusCode::INTERNAL_SERVER_ERROR, "server_error", text)
            }
            Self::Upgrade => answer(
                StatusCode::NOT_IMPLEMENTED,
                "upgrade_refused",
                "this server has no WebSockets: ask for the same by other requests",
            ),
            Self::Unreachable => {
                answer(StatusCode::BAD_GATEWAY, "api_unreachable", "the API gives no answer: try again after a while")
            }
        }
    }
}

/// For the site's layer to fill.
fn sign_in_needed<R>(needed: SignInNeeded) -> Response<Body<R>> {
    let mut response = needed.response();
    put(&mut response, header::CACHE_CONTROL, "no-store");
    response
}

fn come_again<R>(wait: Option<Duration>) -> Response<Body<R>> {
    let text = "the sign-in cannot be used now: try again after a while";
    let mut response = answer(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", text);
    response.headers_mut().insert(header::RETRY_AFTER, retry_after(wait));
    response
}

fn answer<R>(status: StatusCode, error: &str, message: &str) -> Response<Body<R>> {
    let json = json!({ "error": error, "message": message });
    let mut response = Response::new(Body::own(json.to_string()));
    *response.status_mut() = status;
    put(&mut response, header::CONTENT_TYPE, "application/json");
    put(&mut response, header::CACHE_CONTROL, "no-store");
    response
}

fn put<R>(response: &mut Response<Body<R>>, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
