//! Reads what a token endpoint answers. Total: whatever comes is a token set or an error of one of the three classes.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};

use crate::{
    clock::{self, FAR},
    error::Error,
    retry_after::RetryAfter,
    secret::Secret,
    token::TokenSet,
};

/// An answer, read whole.
pub(crate) struct Answer<'a> {
    pub(crate) status: StatusCode,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

/// What was asked, as far as it decides what the answer means.
pub(crate) struct Asked<'a> {
    pub(crate) spends_refresh_token: bool,
    /// What was sent and must not be repeated in an error, in every spelling it was sent in.
    pub(crate) secrets: &'a [Secret],
}

impl Answer<'_> {
    /// # Errors
    /// Reauthentication required, misconfigured or transient (F1 to F3).
    pub(crate) fn read(&self, asked: &Asked<'_>) -> Result<TokenSet, Error> {
        let json = serde_json::from_slice(self.body).ok();
        let object = json.as_ref().and_then(Value::as_object);
        match object {
            Some(object) if self.status.is_success() && !object.contains_key("error") => self.token_set(object),
            _ => Err(self.error(object, asked)),
        }
    }

    fn token_set(&self, object: &Map<String, Value>) -> Result<TokenSet, Error> {
        let text = |name: &str| object.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let Some(access_token) = text("access_token") else {
            return Err(Error::transient("the token endpoint answered without an access_token"));
        };
        let mut set = TokenSet::new(access_token);
        set.token_type = text("token_type").map(Into::into);
        set.refresh_token = text("refresh_token").map(Secret::from);
        set.id_token = text("id_token").map(Secret::from);
        set.scope = object.get("scope").and_then(scope).map(Into::into);
        set.refresh_in = object.get("refresh_in").and_then(seconds);
        Ok(match object.get("expires_in").and_then(seconds) {
            Some(lifetime) => set.expires_in(lifetime),
            None => set,
        })
    }

    fn error(&self, object: Option<&Map<String, Value>>, asked: &Asked<'_>) -> Error {
        let text =
            |name: &str| object?.get(name)?.as_str().map(|text| asked.sanitize(text)).filter(|text| !text.is_empty());
        let code = text("error");
        let status = self.status.as_u16();
        let mut said = match &code {
            Some(code) => format!("{code}, HTTP {status}"),
            None => format!("HTTP {status}"),
        };
        if let Some(description) = text("error_description") {
            said = format!("{said}: {description}");
        }
        let error = self.classify(code.as_deref(), &said, asked);
        let error = match RetryAfter::parse(self.headers, clock::wall()) {
            Some(asked) if error.is_transient() => error.with_retry_after(asked.wait()),
            _ => error,
        };
        match code {
            Some(code) => error.with_code(code),
            None => error,
        }
    }

    fn classify(&self, code: Option<&str>, said: &str, asked: &Asked<'_>) -> Error {
        let refreshing = asked.spends_refresh_token;
        let refused =
            || Error::reauth_required(format!("run the sign-in again: the refresh token was refused ({said})"));
        let wrong = |what: &str| Error::misconfigured(format!("{what} ({said})"));
        match (self.status.as_u16(), code) {
            (408 | 429 | 500.., _) | (_, Some("temporarily_unavailable" | "server_error" | "slow_down")) => {
                Error::transient(format!("the token endpoint cannot answer now ({said})"))
            }
            (300..=399, _) => wrong("the token endpoint redirects: configure its final URL"),
            (_, Some("invalid_client")) => {
                wrong("the client was refused: check its identifier, its secret and how it authenticates")
            }
            (_, Some("unauthorized_client" | "unsupported_grant_type")) => {
                wrong("the client may not use this grant: allow it at the authorization server")
            }
            (_, Some("invalid_scope")) => wrong("a scope was refused: ask for scopes the client may have"),
            (_, Some("invalid_target")) => wrong("the resource or audience was refused: ask for one the server knows"),
            (_, Some(code)) if refreshing && is_refusal(code) => refused(),
            (_, Some("invalid_request")) if !refreshing => wrong("the token endpoint did not accept the request"),
            // A refusal that does not say why; it counts as one when it repeats (F1).
            (400, _) if refreshing => Error::transient(format!(
                "the refresh was refused, and what was said does not tell whether a new sign-in is needed ({said})"
            ))
            .doubting_the_grant(),
            (401 | 403, _) => {
                wrong("the client was refused: check its identifier, its secret and how it authenticates")
            }
            (404 | 405 | 410, _) => wrong("this is no token endpoint: check its URL"),
            (200..=299, None) => Error::transient(format!("the token endpoint did not answer with JSON ({said})")),
            (_, Some(_)) if refreshing => {
                Error::transient(format!("the refresh was refused ({said})")).doubting_the_grant()
            }
            _ => wrong("the token endpoint did not accept the request"),
        }
    }
}

impl Asked<'_> {
    /// What a server says, fit to be shown: no control characters, not long, nothing we sent.
    fn sanitize(&self, text: &str) -> String {
        let mut text = text.to_owned();
        // A shorter one guards nothing, and would tear words apart.
        for secret in self.secrets.iter().filter(|secret| secret.expose().len() >= 4) {
            text = text.replace(secret.expose(), "(..)");
        }
        text.chars().filter(|c| !c.is_control()).take(300).collect()
    }
}

/// Codes by which servers say that the refresh token is of no use any more. The last three are GitHub's and others'.
fn is_refusal(code: &str) -> bool {
    matches!(
        code,
        "invalid_grant"
            | "interaction_required"
            | "login_required"
            | "consent_required"
            | "account_selection_required"
            | "access_denied"
            | "bad_refresh_token"
            | "expired_token"
            | "invalid_token"
    )
}

/// Seconds in any shape that servers use (C10): a number, a fraction, a text. Negative is none left.
fn seconds(value: &Value) -> Option<Duration> {
    let seconds = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    if seconds.is_nan() {
        return None;
    }
    Some(Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(FAR).min(FAR))
}

/// A text, or Twitch's list of texts.
fn scope(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(scopes) => Some(scopes.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")),
        _ => None,
    }
}

#[cfg(test)]
#[path = "answer/tests.rs"]
mod tests;
