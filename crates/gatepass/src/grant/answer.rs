//! Reads what a token endpoint answers. Total: whatever comes is a token set or an error of one of the three classes.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use serde_json::{Map, Value};

use crate::{
    clock::{self, FAR},
    error::{Error, printable},
    retry_after::RetryAfter,
    secret::Secret,
    token::TokenSet,
};

/// Codes by which a server refuses what a request presents, whatever it is.
pub(crate) const REFUSALS: &[&str] = &["invalid_grant", "expired_token"];

/// Codes by which a server says that a person said no, or may not, where one is asked; the second is Microsoft's.
const DENIALS: [&str; 2] = ["access_denied", "authorization_declined"];

/// An answer, read whole.
pub(crate) struct Answer<'a> {
    pub(crate) status: StatusCode,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

/// What was asked, as far as it decides what the answer means.
pub(crate) struct Asked<'a> {
    /// What was asked: "token endpoint".
    pub(crate) whom: &'a str,
    pub(crate) spends_refresh_token: bool,
    /// What one of `refusals` means.
    pub(crate) refused: &'a (dyn Fn(&str) -> Error + Sync),
    /// Codes by which the server refuses what was presented.
    pub(crate) refusals: &'a [&'a str],
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
            Some(object) if self.status.is_success() && !has_error(object) => token_set(object),
            _ => Err(self.error(object, asked)),
        }
    }

    /// The same for an answer that is no token set: its members.
    pub(crate) fn read_object(&self, asked: &Asked<'_>) -> Result<Map<String, Value>, Error> {
        match serde_json::from_slice(self.body) {
            Ok(Value::Object(object)) if self.status.is_success() && !has_error(&object) => Ok(object),
            Ok(Value::Object(object)) => Err(self.error(Some(&object), asked)),
            _ => Err(self.error(None, asked)),
        }
    }

    /// The same for an answer that says nothing but that it was done.
    pub(crate) fn read_nothing(&self, asked: &Asked<'_>) -> Result<(), Error> {
        match serde_json::from_slice(self.body) {
            Ok(Value::Object(object)) if has_error(&object) => Err(self.error(Some(&object), asked)),
            _ if self.status.is_success() => Ok(()),
            _ => self.read_object(asked).map(drop),
        }
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
        if !self.status.is_server_error()
            && let Some(off) = self.clock_is_off()
        {
            said = format!("{said}; {off}");
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

    /// What a server says about signed assertions and codes often means this.
    fn clock_is_off(&self) -> Option<String> {
        let theirs = httpdate::parse_http_date(self.headers.get(header::DATE)?.to_str().ok()?).ok()?;
        let ours = clock::wall();
        let (off, direction) = match ours.duration_since(theirs) {
            Ok(ahead) => (ahead, "ahead of"),
            Err(behind) => (behind.duration(), "behind"),
        };
        let minutes = off.as_secs() / 60;
        (minutes > 0).then(|| format!("this machine's clock is {minutes} min {direction} the server's: set it right"))
    }

    fn classify(&self, code: Option<&str>, said: &str, asked: &Asked<'_>) -> Error {
        let Asked { whom, spends_refresh_token: refreshing, .. } = *asked;
        let wrong = |what: &str| Error::misconfigured(format!("{what} ({said})"));
        match (self.status.as_u16(), code) {
            (408 | 429 | 500.., _)
            | (_, Some("temporarily_unavailable" | "server_error" | "slow_down" | "authorization_pending")) => {
                Error::transient(format!("the {whom} cannot answer now ({said})"))
            }
            (300..=399, _) => wrong(&format!("the {whom} redirects: configure its final URL")),
            (_, Some("invalid_client")) => {
                wrong("the client was refused: check its identifier, its secret or key, and how it authenticates")
            }
            (_, Some("unauthorized_client" | "unsupported_grant_type")) => {
                wrong("the client may not use this grant: allow it at the authorization server")
            }
            (_, Some("invalid_scope")) => wrong("a scope was refused: ask for scopes the client may have"),
            (_, Some("invalid_target")) => wrong("the resource or audience was refused: ask for one the server knows"),
            (_, Some(code)) if refreshing && is_refusal(code) => (asked.refused)(said),
            (_, Some(code)) if DENIALS.contains(&code) && asked.refusals.contains(&code) => {
                Error::denied(format!("the sign-in was denied ({said})"))
            }
            (_, Some("access_denied")) => {
                wrong("the client may not have such a token: allow it at the authorization server")
            }
            (_, Some(code)) if asked.refusals.contains(&code) => (asked.refused)(said),
            (
                _,
                Some("interaction_required" | "login_required" | "consent_required" | "account_selection_required"),
            ) => {
                Error::reauth_required(format!("somebody has to sign in, at the authorization server itself ({said})"))
            }
            (_, Some("invalid_request")) if !refreshing => wrong(&format!("the {whom} did not accept the request")),
            // A refusal that does not say why; it counts as one when it repeats (F1).
            (400, _) if refreshing => Error::transient(format!(
                "the refresh was refused, and what was said does not tell whether a new sign-in is needed ({said})"
            ))
            .doubting_the_grant(),
            (401 | 403, _) => {
                wrong("the client was refused: check its identifier, its secret or key, and how it authenticates")
            }
            (404 | 405 | 410, _) => wrong(&format!("this is no {whom}: check its URL")),
            (200..=299, None) => Error::transient(format!("the {whom} did not answer with JSON ({said})")),
            (_, Some(_)) if refreshing => {
                Error::transient(format!("the refresh was refused ({said})")).doubting_the_grant()
            }
            _ => wrong(&format!("the {whom} did not accept the request")),
        }
    }
}

/// Whether it says that something went wrong. Some servers have the member always.
fn has_error(object: &Map<String, Value>) -> bool {
    object.get("error").is_some_and(|error| !error.is_null() && error != "")
}

fn token_set(object: &Map<String, Value>) -> Result<TokenSet, Error> {
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

impl Asked<'_> {
    /// What a server says, fit to be shown: no control characters, not long, nothing we sent.
    fn sanitize(&self, text: &str) -> String {
        // Before anything is looked for: what it tears apart is whole again then.
        let mut text = printable(text, usize::MAX);
        // A shorter one guards nothing, and would tear words apart.
        for secret in self.secrets.iter().filter(|secret| secret.expose().len() >= 4) {
            text = text.replace(secret.expose(), "(..)");
        }
        text.chars().take(300).collect()
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
pub(super) fn seconds(value: &Value) -> Option<Duration> {
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
