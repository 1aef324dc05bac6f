use std::fmt;

use gatepass::{Error, provider::UserEndpoint};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

/// Who signed in, as the provider tells it: by an ID token, or by its user endpoint.
///
/// In a handler it is an extractor; `Option<User>` where the page is for everybody. It is what was known at the sign-in,
/// kept in the session, and what the [hook](crate::Builder::on_sign_in) added.
#[derive(Clone, Deserialize, PartialEq, Serialize)]
pub struct User {
    provider: String,
    subject: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(default)]
    email_is_verified: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    picture: Option<String>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    claims: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    added: Map<String, Value>,
}

impl User {
    /// By the claims of an ID token, and of the user endpoint (OpenID Connect Core section 5.1).
    pub(crate) fn from_claims(provider: &str, subject: String, claims: Map<String, Value>) -> Self {
        let text = |name: &str| claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let name = ["name", "preferred_username", "nickname"].into_iter().find_map(text).map(str::to_owned);
        // Some servers write it as a text.
        let email_is_verified =
            claims.get("email_verified").is_some_and(|it| *it == Value::Bool(true) || it.as_str() == Some("true"));
        Self {
            provider: provider.to_owned(),
            subject,
            name,
            email: text("email").map(str::to_owned),
            email_is_verified,
            picture: text("picture").and_then(web_address),
            claims,
            added: Map::new(),
        }
    }

    /// By what the user endpoint of a server without OpenID answered.
    ///
    /// # Errors
    /// Misconfigured, when the answer does not say who it is.
    pub(crate) fn from_endpoint(provider: &str, endpoint: &UserEndpoint, answer: Value) -> Result<Self, Error> {
        let text = |pointer: &str| match answer.pointer(pointer) {
            Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
            // One that was rounded could be anybody's.
            Some(Value::Number(number)) if !number.is_f64() => Some(number.to_string()),
            _ => None,
        };
        let subject = text(&endpoint.subject).ok_or_else(|| {
            Error::misconfigured(format!(
                "the user endpoint of `{provider}` does not say who signed in: its answer has nothing at `{}`",
                endpoint.subject
            ))
        })?;
        let user = Self {
            provider: provider.to_owned(),
            subject,
            name: endpoint.names.iter().find_map(|name| text(name)),
            email: endpoint.email.as_deref().and_then(text),
            email_is_verified: false,
            picture: endpoint.picture.as_deref().and_then(text).as_deref().and_then(web_address),
            claims: Map::new(),
            added: Map::new(),
        };
        Ok(match answer {
            Value::Object(claims) => Self { claims, ..user },
            _ => user,
        })
    }

    /// Where they signed in: the name the provider has on this site.
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// What tells them apart from everybody else at this provider, and stays the same: `sub`. An account of your own
    /// belongs to the pair of [`provider`](Self::provider) and this, never to a name or an address.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// What they are called. Others may be called the same.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Their email address. Anybody's, unless [it is verified](Self::email_is_verified).
    pub fn email(&self) -> Option<&str> {
        self.email.as_deref()
    }

    /// Whether the provider says that the address is theirs.
    pub fn email_is_verified(&self) -> bool {
        self.email_is_verified
    }

    /// Where their picture is: an `https` address, on the provider's server.
    pub fn picture(&self) -> Option<&str> {
        self.picture.as_deref()
    }

    /// Everything that the provider said: the claims of the ID token, or the answer of the user endpoint.
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// Adds what this site knows of them, for the time of the session.
    ///
    /// # Errors
    /// When `value` is none that JSON can hold.
    pub fn add(&mut self, name: impl Into<String>, value: impl Serialize) -> Result<(), Error> {
        let value = serde_json::to_value(value)
            .map_err(|error| Error::misconfigured("what is added to a user cannot be kept").with_source(error))?;
        self.added.insert(name.into(), value);
        Ok(())
    }

    /// What was [added](Self::add); `None` when nothing was, or something else.
    pub fn added<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        self.added.get(name).and_then(|value| T::deserialize(value).ok())
    }

    /// Whether both are the same person at the same provider.
    pub(crate) fn is_same_person(&self, other: &Self) -> bool {
        self.provider == other.provider && self.subject == other.subject
    }
}

/// Only what a page may show: who signs in may have written it.
fn web_address(text: &str) -> Option<String> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"'<>\\`".contains(&byte));
    let is_address = is_plain && text.parse::<http::Uri>().is_ok_and(|uri| uri.scheme_str() == Some("https"));
    is_address.then(|| text.to_owned())
}

/// Without what is personal: it would stand in logs.
impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("provider", &self.provider).field("subject", &self.subject).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use gatepass::provider::{GITHUB, SPOTIFY};
    use serde_json::json;

    use super::*;

    fn from_claims(claims: Value) -> User {
        let Value::Object(claims) = claims else { unreachable!() };
        User::from_claims("main", "ann".to_owned(), claims)
    }

    #[test]
    fn claims_make_a_user_and_stay_readable() {
        let user = from_claims(json!({"sub":"ann","name":"","preferred_username":"Ann","email":"ann@example.com",
            "email_verified":"true","picture":"https://example.com/ann.png","role":"chief"}));
        assert_eq!((user.provider(), user.subject(), user.name()), ("main", "ann", Some("Ann")));
        assert!(user.email_is_verified() && user.picture().is_some());
        assert_eq!(user.claims()["role"], "chief");
        let ends_the_attribute = from_claims(json!({"picture":"https://example.com/ann.png\"onerror=\"alert(1)"}));
        assert_eq!(ends_the_attribute.picture(), None);
        let none = from_claims(json!({"email":"x@example.com","picture":"javascript:alert(1)"}));
        assert!(!none.email_is_verified() && none.picture().is_none() && none.name().is_none());
    }

    #[test]
    fn a_user_endpoint_without_openid_makes_one_too() {
        let spotify = SPOTIFY.user.unwrap();
        let answer = json!({"id":"ann9","display_name":"Ann","images":[{"url":"https://i.example/1"}]});
        let user = User::from_endpoint("spotify", &spotify, answer).unwrap();
        assert_eq!((user.subject(), user.name()), ("ann9", Some("Ann")));
        assert_eq!(user.picture(), Some("https://i.example/1"));
        let github = GITHUB.user.unwrap();
        let user = User::from_endpoint("github", &github, json!({"id":583231,"login":"octocat","name":null})).unwrap();
        assert_eq!((user.subject(), user.name()), ("583231", Some("octocat")));
        let large = serde_json::from_str(r#"{"id":18446744073709551617}"#).unwrap();
        for nobody in
            [json!({}), json!([]), json!({"id":null}), json!({"id":""}), json!({"id":{}}), json!({"id":1.5}), large]
        {
            assert!(User::from_endpoint("github", &github, nobody).unwrap_err().is_misconfigured());
        }
    }

    #[test]
    fn what_was_added_comes_back_with_the_session_and_debug_shows_nothing_personal() {
        let mut user = from_claims(json!({"name":"Ann","email":"ann@example.com"}));
        user.add("role", "admin").unwrap();
        let kept: User = serde_json::from_value(serde_json::to_value(&user).unwrap()).unwrap();
        assert_eq!(kept.added::<String>("role").as_deref(), Some("admin"));
        assert_eq!((kept.added::<u8>("role"), kept == user), (None, true));
        assert!(!format!("{user:?}").contains("example.com"));
    }
}
