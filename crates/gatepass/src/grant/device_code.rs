use std::{fmt, time::Duration};

use http::Uri;
use serde_json::{Map, Value};

use super::{
    Form, Grant,
    answer::seconds,
    parameters::{Parameters, parameter_setters},
};
use crate::{
    error::{Error, printable},
    origins::is_loopback,
    secret::Secret,
    token::TokenSet,
};

/// Asks for a code that a person enters in a browser elsewhere (RFC 8628 section 3.1): for machines without one. See the
/// [module docs](crate::grant#people-sign-in).
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct DeviceAuthorization {
    parameters: Parameters,
}

impl DeviceAuthorization {
    /// With what the server grants by default.
    pub fn new() -> Self {
        Self::default()
    }

    parameter_setters!();

    pub(super) fn with(parameters: Parameters) -> Self {
        Self { parameters }
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        self.parameters.check()
    }

    pub(crate) fn form(&self, separator: char) -> Form {
        let mut form = Form::default();
        self.parameters.fill_separated(&mut form, separator);
        form
    }

    /// Reads the answer (section 3.2).
    ///
    /// # Errors
    /// Transient, when something is missing from it.
    pub(crate) fn read(&self, answer: &Map<String, Value>) -> Result<DeviceCode, Error> {
        let text = |name: &str| answer.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        // Google's older name for it.
        let address = text("verification_uri").or_else(|| text("verification_url"));
        let (Some(device_code), Some(user_code), Some(verification_uri)) =
            (text("device_code"), text("user_code"), address)
        else {
            return Err(Error::transient(
                "the device authorization endpoint answered without device_code, user_code or verification_uri",
            ));
        };
        let seconds = |name: &str| answer.get(name).and_then(seconds);
        let expires_in = seconds("expires_in").unwrap_or(DEFAULT_LIFETIME);
        let interval = seconds("interval").unwrap_or(DEFAULT_INTERVAL).max(SHORTEST_INTERVAL);
        Ok(DeviceCode {
            device_code: Secret::new(device_code),
            user_code: printable(user_code, 100),
            verification_uri: address_of(verification_uri)?,
            verification_uri_complete: text("verification_uri_complete").map(address_of).transpose()?,
            expires_in,
            interval: if interval > expires_in / 4 { interval.min(LONGEST_INTERVAL) } else { interval },
            scope: self.parameters.scope(),
        })
    }
}

/// What a server that leaves it out means (section 3.2).
const DEFAULT_INTERVAL: Duration = Duration::from_secs(5);
/// A server that says 0 does not mean it.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);
/// One that says more counts in milliseconds, most likely, if there would be hardly a poll before the code ends.
const LONGEST_INTERVAL: Duration = Duration::from_secs(60);
/// `expires_in` is required; it bounds the wait all the same.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(15 * 60);

/// The codes of one sign-in: show the person [`user_code`](Self::user_code) and
/// [`verification_uri`](Self::verification_uri), and wait by [`Client::poll`](crate::endpoint::Client::poll).
#[derive(Clone)]
pub struct DeviceCode {
    device_code: Secret,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: Option<String>,
    expires_in: Duration,
    interval: Duration,
    scope: Option<String>,
}

impl DeviceCode {
    /// What the person enters. It has no control characters.
    pub fn user_code(&self) -> &str {
        &self.user_code
    }

    /// Where the person goes: an https URL. Show it together with the code even where the other address is used
    /// (section 3.3.1).
    pub fn verification_uri(&self) -> &str {
        &self.verification_uri
    }

    /// The same with the code in it, for a QR code or a click.
    pub fn verification_uri_complete(&self) -> Option<&str> {
        self.verification_uri_complete.as_deref()
    }

    /// How long the person has.
    pub fn expires_in(&self) -> Duration {
        self.expires_in
    }

    /// How long to wait between two polls.
    pub fn interval(&self) -> Duration {
        self.interval
    }
}

/// Without the codes: who has the one gets the tokens, who has the other may approve in somebody's place.
impl fmt::Debug for DeviceCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceCode")
            .field("verification_uri", &self.verification_uri)
            .field("expires_in", &self.expires_in)
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}

impl Grant for DeviceCode {
    fn form(&self, _current: Option<&TokenSet>) -> Result<Form, Error> {
        let mut form = Form::new("urn:ietf:params:oauth:grant-type:device_code");
        form.push("device_code", self.device_code.clone());
        Ok(form)
    }

    fn spends_refresh_token(&self) -> bool {
        false
    }

    fn kind(&self) -> &str {
        "urn:ietf:params:oauth:grant-type:device_code"
    }

    fn accept(&self, mut answer: TokenSet) -> Result<TokenSet, Error> {
        answer.scope = answer.scope.or_else(|| self.scope.as_deref().map(Into::into));
        Ok(answer)
    }

    /// Some are Microsoft's, one is GitHub's.
    fn refusals(&self) -> &'static [&'static str] {
        &[
            "invalid_grant",
            "expired_token",
            "bad_verification_code",
            "incorrect_device_code",
            "access_denied",
            "authorization_declined",
        ]
    }

    fn refused(&self, said: &str) -> Error {
        Error::reauth_required(format!("start the sign-in again: its code has expired or was refused ({said})"))
    }
}

/// How long to wait before each poll (section 3.5). A value: it knows no clock.
///
/// ```
/// use std::time::Duration;
/// use gatepass::{Error, grant::Polling};
///
/// let mut polling = Polling::every(Duration::from_secs(5));
/// let pending = Error::transient("nobody has approved yet").with_code("authorization_pending");
/// assert_eq!(polling.after(&pending), Some(Duration::from_secs(5)));
/// let faster_than_asked = Error::transient("too fast").with_code("slow_down");
/// assert_eq!(polling.after(&faster_than_asked), Some(Duration::from_secs(10)));
/// let denied = Error::denied("the person said no").with_code("access_denied");
/// assert_eq!(polling.after(&denied), None);
/// ```
#[derive(Clone, Debug)]
pub struct Polling {
    interval: Duration,
}

impl Polling {
    /// Begins with this interval.
    pub fn every(interval: Duration) -> Self {
        Self { interval }
    }

    /// How long to wait before the first poll, or the next one after an answer that was none.
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// How long to wait after this answer; `None` when it is the last.
    ///
    /// `slow_down` adds five seconds for good. No answer, and one that says that the server cannot answer, doubles the
    /// wait, up to a minute; the server's own Retry-After may make it longer, up to a minute too: the code ends.
    pub fn after(&mut self, answer: &Error) -> Option<Duration> {
        if !answer.is_transient() {
            return None;
        }
        self.interval = match answer.code() {
            Some("authorization_pending") => self.interval,
            Some("slow_down") => self.interval.saturating_add(Duration::from_secs(5)),
            _ => self.interval.saturating_mul(2).min(self.interval.max(LONGEST_INTERVAL)),
        };
        Some(answer.retry_after().map_or(self.interval, |wait| wait.min(LONGEST_INTERVAL).max(self.interval)))
    }
}

/// An address that a person may be sent to.
fn address_of(text: &str) -> Result<String, Error> {
    let address = printable(text, 2000);
    let safe = address.parse::<Uri>().is_ok_and(|uri| match (uri.scheme_str(), uri.host()) {
        (Some("https"), Some(_)) => true,
        (Some("http"), Some(host)) => is_loopback(host),
        _ => false,
    });
    if safe {
        Ok(address)
    } else {
        Err(Error::misconfigured(format!(
            "the authorization server wants people to enter their code at `{address}`, which is no https address: tell who runs it"
        )))
    }
}

#[cfg(test)]
#[path = "device_code/tests.rs"]
mod tests;
