use std::{
    fmt,
    time::{Duration, SystemTime},
};

use serde_json::{Map, Value};

use super::SigningKey;
use crate::{clock, error::Error, grant, secret::Secret, store::fingerprint};

/// What is said of somebody, signed (RFC 7523 section 3). See the [module docs](crate::jwt).
///
/// Each [`sign`](Self::sign) makes another one, with an identifier (`jti`) and times of its own: servers refuse one that
/// they have seen.
#[derive(Clone)]
#[must_use]
pub struct Assertion {
    key: SigningKey,
    issuer: String,
    subject: Option<String>,
    audience: String,
    lifetime: Duration,
    not_before: Option<Duration>,
    claims: Map<String, Value>,
}

/// What an assertion says by itself.
const TAKEN: [&str; 7] = ["iss", "sub", "aud", "exp", "iat", "nbf", "jti"];

impl Assertion {
    /// By `issuer`, about itself unless [`subject`](Self::subject) says otherwise, for `audience`: the authorization
    /// server, by its issuer identifier or the URL of its token endpoint, whichever it wants.
    pub fn new(key: SigningKey, issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        let issuer = issuer.into();
        Self {
            key,
            subject: Some(issuer.clone()),
            issuer,
            audience: audience.into(),
            lifetime: LIFETIME,
            not_before: None,
            claims: Map::new(),
        }
    }

    /// About whom it is: for whom tokens are asked.
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// About nobody in particular. RFC 7523 requires a subject; Google's service accounts have none unless they act for
    /// a person.
    pub fn without_subject(mut self) -> Self {
        self.subject = None;
        self
    }

    /// How long it is good for: 5 minutes unless set, so that a clock may be a little off. Servers have a limit, an hour
    /// at Google. It has nothing to do with how long the token lives that it brings.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Says from when on it is good (`nbf`): for so long already. Unless it is called nothing is said of that.
    pub fn not_before(mut self, ago: Duration) -> Self {
        self.not_before = Some(ago);
        self
    }

    /// Any other claim the server wants: a text, a number, a list or any JSON.
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.claims.insert(name.into(), value.into());
        self
    }

    /// Signs one that is good from now on.
    ///
    /// # Errors
    /// Misconfigured, when a setting is wrong. Transient, when the system has no random numbers.
    pub fn sign(&self) -> Result<Secret, Error> {
        self.check()?;
        self.key.sign(self.claims(clock::wall(), grant::random()?.expose()))
    }

    /// # Errors
    /// Misconfigured, with the setting that is wrong.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let empty = |what: &str| {
            Err(Error::misconfigured(format!("the {what} of the assertion is empty: set the one the server knows")))
        };
        if self.issuer.is_empty() {
            return empty("issuer");
        }
        if self.audience.is_empty() {
            return empty("audience");
        }
        if self.subject.as_ref().is_some_and(String::is_empty) {
            return empty("subject");
        }
        if self.lifetime.is_zero() {
            return Err(Error::misconfigured("the assertion has no lifetime: it would have ended when it arrives"));
        }
        if let Some(taken) = TAKEN.into_iter().find(|name| self.claims.contains_key(*name)) {
            return Err(Error::misconfigured(format!("the claim `{taken}` is set by a method of its own: use that")));
        }
        self.key.check()
    }

    /// Hashes what distinguishes the tokens it brings from others.
    pub(crate) fn fingerprint(&self) -> String {
        let who = serde_json::json!([self.issuer, self.subject, self.audience, self.claims]);
        fingerprint(who.to_string().as_bytes())
    }

    pub(super) fn claims(&self, now: SystemTime, id: &str) -> Map<String, Value> {
        let mut claims = self.claims.clone();
        let mut say = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        say("iss", self.issuer.as_str().into());
        if let Some(subject) = &self.subject {
            say("sub", subject.as_str().into());
        }
        say("aud", self.audience.as_str().into());
        say("jti", id.into());
        say("iat", seconds(now).into());
        say("exp", seconds(clock::after(now, self.lifetime)).into());
        if let Some(ago) = self.not_before {
            say("nbf", seconds(now).saturating_sub(ago.as_secs()).into());
        }
        claims
    }
}

const LIFETIME: Duration = Duration::from_secs(5 * 60);

/// Since 1970. Whole ones: not every server takes a fraction.
fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Claims may say things about people: their names are shown, not what they say.
impl fmt::Debug for Assertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assertion")
            .field("key", &self.key)
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .field("claims", &self.claims.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
