use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header};

/// A form that was posted, with what tells whose it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Posted<'a> {
    pub(super) headers: &'a HeaderMap,
    pub(super) form: &'a Form,
    /// The path it came to.
    pub(super) path: &'a str,
}

/// The parameters of a request, in the order in which they came.
#[derive(Debug, Clone, Default)]
pub(super) struct Form(pub(super) Vec<(String, String)>);

impl Form {
    pub(super) fn parse(headers: &HeaderMap, body: &[u8]) -> Option<Self> {
        let media_type = headers.get(header::CONTENT_TYPE)?.to_str().ok()?.split(';').next()?;
        media_type
            .trim()
            .eq_ignore_ascii_case("application/x-www-form-urlencoded")
            .then(|| Self(form_urlencoded::parse(body).into_owned().collect()))
    }

    pub(super) fn of_query(query: Option<&str>) -> Self {
        Self(form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect())
    }

    /// The value, unless it is empty: that counts as left out (RFC 6749, 3.2).
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(key, value)| key == name && !value.is_empty())?;
        Some(value)
    }

    /// The value of a parameter that the request cannot do without.
    pub(super) fn required(&self, name: &str) -> Result<&str, Refusal> {
        self.get(name).ok_or_else(|| Refusal::invalid_request(format!("no {name}")))
    }

    pub(super) fn is_repeated(&self, name: &str) -> bool {
        self.0.iter().filter(|(key, _)| key == name).count() > 1
    }

    /// A parameter that came twice though it must not; `resource` and `audience` may.
    pub(super) fn repeated(&self) -> Option<&str> {
        self.0.iter().enumerate().find_map(|(index, (name, _))| {
            let twice = self.0[..index].iter().any(|(earlier, _)| earlier == name);
            (twice && name != "resource" && name != "audience").then_some(name.as_str())
        })
    }
}

/// A refusal of the token endpoint (RFC 6749, 5.2).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    status: StatusCode,
    error: Cow<'static, str>,
    description: String,
    asks_for_basic: bool,
}

impl Refusal {
    pub(super) fn bad_request(error: impl Into<Cow<'static, str>>, description: impl Into<String>) -> Self {
        let (error, description) = (error.into(), description.into());
        Self { status: StatusCode::BAD_REQUEST, error, description, asks_for_basic: false }
    }

    pub(super) fn invalid_request(description: impl Into<String>) -> Self {
        Self::bad_request("invalid_request", description)
    }

    pub(super) fn invalid_grant(description: impl Into<String>) -> Self {
        Self::bad_request("invalid_grant", description)
    }

    pub(super) fn invalid_client(description: &str, used_basic: bool) -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED,
            error: "invalid_client".into(),
            description: description.to_owned(),
            asks_for_basic: used_basic,
        }
    }

    pub(super) fn response(&self) -> Response<Bytes> {
        let body = serde_json::json!({ "error": self.error, "error_description": self.description });
        let mut response = json(self.status, body.to_string());
        if self.asks_for_basic {
            let challenge = header::HeaderValue::from_static("Basic realm=\"testkit\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

pub(super) fn json(status: StatusCode, body: String) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    for (name, value) in
        [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")]
    {
        response.headers_mut().insert(name, header::HeaderValue::from_static(value));
    }
    response
}

/// Sends a browser elsewhere; nobody keeps where to.
pub(super) fn see_other(location: &str) -> Response<Bytes> {
    let location = header::HeaderValue::from_str(location);
    let mut response = empty(StatusCode::SEE_OTHER);
    for (name, value) in [
        (header::LOCATION, location.unwrap_or(header::HeaderValue::from_static("/"))),
        (header::CACHE_CONTROL, header::HeaderValue::from_static("no-store")),
        (header::REFERRER_POLICY, header::HeaderValue::from_static("no-referrer")),
    ] {
        response.headers_mut().insert(name, value);
    }
    response
}

/// The URI with these parameters besides those that it has.
pub(super) fn with_query(uri: &str, pairs: &[(&str, &str)]) -> String {
    let joint = if uri.contains('?') { '&' } else { '?' };
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    format!("{uri}{joint}{query}")
}

pub(super) fn empty(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}
