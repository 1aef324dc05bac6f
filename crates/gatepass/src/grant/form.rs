use std::{borrow::Cow, fmt};

use zeroize::Zeroizing;

use crate::secret::Secret;

/// The parameters of a token request, `application/x-www-form-urlencoded` (RFC 6749 section 3.2).
#[derive(Clone, Default)]
pub struct Form {
    fields: Vec<(Cow<'static, str>, Secret)>,
}

/// Parameters whose values name things: a server that repeats them helps.
const NAMING: [&str; 14] = [
    "grant_type",
    "client_id",
    "scope",
    "audience",
    "resource",
    "response_type",
    "redirect_uri",
    "code_challenge_method",
    "prompt",
    "client_assertion_type",
    "subject_token_type",
    "actor_token_type",
    "requested_token_type",
    "token_type_hint",
];

impl Form {
    /// A form with its `grant_type`.
    pub fn new(grant_type: &'static str) -> Self {
        let mut form = Self::default();
        form.push("grant_type", grant_type);
        form
    }

    /// Adds a parameter. An empty value is left out: it would count as omitted (6749-5).
    pub fn push(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Secret>) {
        let value = value.into();
        if !value.is_empty() {
            self.fields.push((name.into(), value));
        }
    }

    /// Says who the client is: once, whoever says it first (6749-5).
    pub(crate) fn name_client(&mut self, id: &str) {
        if !self.fields.iter().any(|(name, _)| name == "client_id") {
            self.push("client_id", id);
        }
    }

    pub(crate) fn keep(&mut self, is_wanted: impl Fn(&str) -> bool) {
        self.fields.retain(|(name, _)| is_wanted(name));
    }

    /// What must not be repeated in an error, as it is and as it was sent: all values but those that name things.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = Secret> {
        let secret = self.fields.iter().filter(|(name, _)| !NAMING.contains(&&**name)).map(|(_, value)| value);
        secret.flat_map(|value| {
            let encoded: String = form_urlencoded::byte_serialize(value.expose().as_bytes()).collect();
            [value.clone(), Secret::new(encoded)]
        })
    }

    /// The text of the body.
    pub fn encode(&self) -> Secret {
        // Three bytes for each at most: the text never outgrows its buffer, so no copy of it is left behind.
        let room = self.fields.iter().map(|(name, value)| 3 * (name.len() + value.expose().len()) + 2).sum();
        let mut text = Zeroizing::new(String::with_capacity(room));
        for (name, value) in &self.fields {
            if !text.is_empty() {
                text.push('&');
            }
            text.extend(form_urlencoded::byte_serialize(name.as_bytes()));
            text.push('=');
            text.extend(form_urlencoded::byte_serialize(value.expose().as_bytes()));
        }
        Secret::new(std::mem::take(&mut *text))
    }
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.fields.iter().map(|(name, _)| name)).finish()
    }
}
