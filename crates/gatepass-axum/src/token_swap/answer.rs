//! What an app is answered (RFC 6749 sections 5.1 and 5.2).

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use gatepass::{Error, Secret, TokenSet};
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::retry_after::retry_after;

/// What was issued, as often as it is told.
#[derive(Clone, Debug)]
pub(super) struct Issued {
    access_token: Secret,
    token_type: Option<Arc<str>>,
    ends: Option<Instant>,
    /// As it is handed out.
    pub(super) refresh_token: Option<Secret>,
    scope: Option<Arc<str>>,
}

impl Issued {
    /// Of an answer that has just come.
    ///
    /// # Errors
    /// Transient, when it has no access token; misconfigured, when that cannot be sent (X5).
    pub(super) fn new(set: TokenSet) -> Result<Self, Error> {
        let ends = set.lifetime().and_then(|lifetime| Instant::now().checked_add(lifetime));
        let access_token =
            set.access_token.ok_or_else(|| Error::transient("the token endpoint answered without an access_token"))?;
        if !access_token.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::misconfigured(
                "the token endpoint's access token has characters that no header can hold",
            ));
        }
        Ok(Self { access_token, token_type: set.token_type, ends, refresh_token: set.refresh_token, scope: set.scope })
    }

    /// What is left of the access token counts from now.
    pub(super) fn answer(&self) -> Response<Body> {
        let mut members = Map::new();
        let mut put = |name: &str, value: Value| drop(members.insert(name.to_owned(), value));
        put("access_token", self.access_token.expose().into());
        put("token_type", self.token_type.as_deref().unwrap_or("Bearer").into());
        if let Some(ends) = self.ends {
            // To the nearest second: what is written down at once is not a second less.
            let left = ends.saturating_duration_since(Instant::now()) + Duration::from_millis(500);
            put("expires_in", left.as_secs().into());
        }
        if let Some(refresh_token) = &self.refresh_token {
            put("refresh_token", refresh_token.expose().into());
        }
        if let Some(scope) = &self.scope {
            put("scope", (**scope).into());
        }
        json_response(StatusCode::OK, &Value::Object(members))
    }
}

/// Why nothing is issued.
#[derive(Debug)]
pub(super) struct Refused {
    status: StatusCode,
    error: &'static str,
    description: &'static str,
    wait: Option<Duration>,
}

impl Refused {
    pub(super) fn invalid_request(description: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", description)
    }

    pub(super) fn invalid_grant(description: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_grant", description)
    }

    /// What went wrong at the authorization server is for the log; `refused` is what the app is told if it was what it
    /// had presented.
    pub(super) fn of(error: &Error, refused: &'static str) -> Self {
        if error.is_reauth_required() {
            tracing::debug!(%error, "a token swap was refused");
            return Self::invalid_grant(refused);
        }
        if error.is_transient() {
            tracing::warn!(%error, "a token swap is not possible now");
            let text = "the authorization server gives no answer: try again later";
            let refused = Self::new(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", text);
            // F4: the answer was lost, and with it the next refresh token perhaps. A server's grace is short.
            let soon = error.is_in_doubt().then_some(Duration::from_secs(1));
            return Self { wait: error.retry_after().or(soon), ..refused };
        }
        tracing::error!(%error, "a token swap is not possible: a setting is wrong");
        let text = "a setting of this server is wrong: its operator finds in the log which";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", text)
    }

    pub(super) fn status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    pub(super) fn answer(&self) -> Response<Body> {
        let json = json!({ "error": self.error, "error_description": self.description });
        let mut response = json_response(self.status, &json);
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, retry_after(self.wait));
        }
        response
    }

    fn new(status: StatusCode, error: &'static str, description: &'static str) -> Self {
        Self { status, error, description, wait: None }
    }
}

fn json_response(status: StatusCode, json: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(json.to_string()));
    *response.status_mut() = status;
    for (name, value) in [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
        // RFC 6749 section 5.1 wants both.
        (header::PRAGMA, "no-cache"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::*;

    async fn json(issued: &Issued) -> Value {
        serde_json::from_slice(&to_bytes(issued.answer().into_body(), 1000).await.unwrap()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn rfc6749_16_an_answer_says_what_is_left_of_the_token() {
        let set = TokenSet::new("a").expires_in(Duration::from_secs(60)).refresh_token("r").scope("read");
        let issued = Issued::new(set).unwrap();
        let whole = json(&issued).await;
        assert_eq!(
            (&whole["access_token"], &whole["token_type"], &whole["refresh_token"], &whole["scope"]),
            (&"a".into(), &"Bearer".into(), &"r".into(), &"read".into())
        );
        assert!((58..=60).contains(&whole["expires_in"].as_u64().unwrap()), "{whole}");
        tokio::time::advance(Duration::from_secs(9)).await;
        assert!((49..=51).contains(&json(&issued).await["expires_in"].as_u64().unwrap()));
        tokio::time::advance(Duration::from_secs(90)).await;
        assert_eq!(json(&issued).await["expires_in"], 0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_known_is_not_said() {
        let issued = Issued::new(TokenSet::new("a").token_type("bearer")).unwrap();
        assert_eq!(json(&issued).await, json!({"access_token": "a", "token_type": "bearer"}));
        let error = Issued::new(TokenSet::new("s3cr3t\n")).unwrap_err();
        assert!(error.is_misconfigured() || error.is_transient());
        assert!(!format!("{error} {error:?} {issued:?}").contains("s3cr3t"));
    }
}
