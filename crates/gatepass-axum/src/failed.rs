use axum::response::{IntoResponse, Response};
use gatepass::{BoxError, Error};
use http::{StatusCode, header};
use serde_json::json;

use crate::{
    asked::Asked,
    pages::{self, Page},
    retry_after::retry_after,
    sign_in_needed::SignInNeeded,
};

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
        Self::new(no_layer())
    }

    /// The error of gatepass in the chain, if there is one.
    pub fn error(&self) -> Option<&Error> {
        let first: &(dyn std::error::Error + 'static) = &*self.0;
        // Its own error hides what it is made of from the chain.
        #[cfg(feature = "reqwest")]
        if let Some(error) = gatepass_reqwest::token_error(first) {
            return Some(error);
        }
        std::iter::successors(Some(first), |error| error.source()).find_map(|error| error.downcast_ref())
    }

    pub(crate) fn response<B: Default>(&self) -> http::Response<B> {
        let error = self.error();
        if error.is_some_and(Error::is_reauth_required) {
            return SignInNeeded::TokensEnded.response();
        }
        let kind = match error {
            Some(error) if error.is_transient() => Kind::Unavailable,
            Some(_) => Kind::Misconfigured,
            None => Kind::BadGateway,
        };
        let status = kind.status();
        tracing::warn!(status = status.as_u16(), error = %Chain(&*self.0), "a request failed");
        let mut response = http::Response::new(B::default());
        *response.status_mut() = status;
        response.extensions_mut().insert(kind);
        if kind == Kind::Unavailable {
            response.headers_mut().insert(header::RETRY_AFTER, retry_after(error.and_then(Error::retry_after)));
        }
        response
    }
}

pub(crate) fn no_layer() -> Error {
    Error::misconfigured(
        "who is signed in is not known here: put `Site::layer` around the router, outside of its routes and other layers",
    )
}

/// What went wrong, as far as others may know. In a response's extensions, until the site's layer writes it down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Unavailable,
    Misconfigured,
    BadGateway,
}

impl Kind {
    fn status(self) -> StatusCode {
        match self {
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Misconfigured => StatusCode::INTERNAL_SERVER_ERROR,
            Self::BadGateway => StatusCode::BAD_GATEWAY,
        }
    }

    /// For who opened a page a page, for a script JSON.
    pub(crate) fn answer(self, asked: &Asked) -> http::Response<String> {
        let (code, title, message) = match self {
            Self::Unavailable => ("temporarily_unavailable", "This does not work right now", "Try again in a moment."),
            Self::Misconfigured => {
                ("server_error", "This site is not set up right", "Tell whoever runs it: its log says what is wrong.")
            }
            Self::BadGateway => (
                "bad_gateway",
                "Something behind this page did not answer",
                "Try again, or tell whoever runs this site: its log says what it was.",
            ),
        };
        match asked.is_navigation() {
            true => Page::new(title).text(message).answer(self.status()),
            false => pages::json(self.status(), &json!({"error": code, "message": message})),
        }
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        self.response()
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
