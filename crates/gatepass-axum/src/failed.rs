use std::time::Duration;

use axum::response::{IntoResponse, Response};
use gatepass::{BoxError, Error};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use crate::{pages, sign_in_needed::SignInNeeded};

/// Why a call on somebody's behalf has no answer, as an answer of this server: what a handler may give back.
///
/// Any error becomes one by `?`. Where it says that somebody has to sign in, wherever in its chain, the answer is
/// [`SignInNeeded`]; where it passes by, 503 with `Retry-After`; else 502. What went wrong is logged and not shown.
///
/// ```
/// use gatepass_axum::{Failed, OnBehalf};
///
/// async fn orders(person: OnBehalf) -> Result<String, Failed> {
///     let token = person.cell().get().await?;
///     // call the API with it, or better: have a layer do that
///     # let _ = token;
///     Ok("3 orders".to_owned())
/// }
/// ```
#[derive(Debug)]
pub struct Failed(BoxError);

impl Failed {
    pub(crate) fn new(error: impl Into<BoxError>) -> Self {
        Self(error.into())
    }

    pub(crate) fn no_layer() -> Self {
        Self::new(Error::misconfigured(
            "who is signed in is not known here: put `Site::layer` around the router, outside of its routes and other layers",
        ))
    }

    /// The error of gatepass in the chain, if there is one.
    pub fn error(&self) -> Option<&Error> {
        let first: &(dyn std::error::Error + 'static) = &*self.0;
        std::iter::successors(Some(first), |error| error.source()).find_map(|error| error.downcast_ref())
    }

    pub(crate) fn response(&self) -> http::Response<String> {
        let error = self.error();
        if error.is_some_and(Error::is_reauth_required) {
            return SignInNeeded::TokensEnded.response();
        }
        let (status, code, message) = match error {
            Some(error) if error.is_transient() => {
                (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", "try again in a moment")
            }
            Some(_) => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "server_error",
                "this site is not set up right; its log says what is wrong",
            ),
            None => (StatusCode::BAD_GATEWAY, "bad_gateway", "what this page needs did not answer"),
        };
        tracing::warn!(status = status.as_u16(), error = %Chain(&*self.0), "a request failed");
        let mut response = pages::json(status, &json!({"error": code, "message": message}));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            let wait = error.and_then(Error::retry_after).unwrap_or(Duration::from_secs(1));
            // Rounded up: not to be early.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        response
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        self.response().map(axum::body::Body::from)
    }
}

impl<E: Into<BoxError>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

/// An error with its sources.
pub(crate) struct Chain<'a>(pub(crate) &'a (dyn std::error::Error + 'static));

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut next = self.0.source();
        while let Some(error) = next {
            write!(f, ": {error}")?;
            next = error.source();
        }
        Ok(())
    }
}
