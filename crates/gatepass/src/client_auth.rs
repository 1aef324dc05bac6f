//! How the client proves itself to the token endpoint (RFC 6749 section 2.3).
//!
//! ```
//! use gatepass::ClientAuth;
//!
//! let confidential = ClientAuth::basic("my-client", "s3cr3t");
//! let public = ClientAuth::none("my-app");
//! assert!(!format!("{confidential:?}").contains("s3cr3t"));
//! # let _ = public;
//! ```

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, header};
use zeroize::Zeroizing;

use crate::{error::Error, grant::Form, secret::Secret};

/// A client's identifier and the one method it authenticates by. See the [module docs](crate::client_auth).
#[derive(Clone)]
pub struct ClientAuth {
    id: String,
    method: Method,
}

#[derive(Clone)]
enum Method {
    Basic { secret: Secret, encoded: bool },
    Post { secret: Secret },
    None,
}

impl ClientAuth {
    /// In the `Authorization` header, `client_secret_basic`: what servers have to support.
    ///
    /// Identifier and secret are form-urlencoded first, as RFC 6749 section 2.3.1 says; for a server that does not
    /// decode them, use [`basic_unencoded`](Self::basic_unencoded). It makes no difference to letters, digits, `-`,
    /// `.`, `_`.
    pub fn basic(id: impl Into<String>, secret: impl Into<Secret>) -> Self {
        Self { id: id.into(), method: Method::Basic { secret: secret.into(), encoded: true } }
    }

    /// The same for servers that take identifier and secret as they are.
    pub fn basic_unencoded(id: impl Into<String>, secret: impl Into<Secret>) -> Self {
        Self { id: id.into(), method: Method::Basic { secret: secret.into(), encoded: false } }
    }

    /// In the body, `client_secret_post`: for servers that cannot do better.
    pub fn post(id: impl Into<String>, secret: impl Into<Secret>) -> Self {
        Self { id: id.into(), method: Method::Post { secret: secret.into() } }
    }

    /// Not at all: a public client, which only names itself.
    pub fn none(id: impl Into<String>) -> Self {
        Self { id: id.into(), method: Method::None }
    }

    /// The client identifier.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether its proof brings the identifier along as a parameter.
    pub(crate) fn names_itself(&self) -> bool {
        matches!(self.method, Method::Post { .. } | Method::None)
    }

    fn secret(&self) -> Option<&Secret> {
        match &self.method {
            Method::Basic { secret, .. } | Method::Post { secret } => Some(secret),
            Method::None => None,
        }
    }

    /// The secret in every spelling it is sent in, to be kept out of what a server says back.
    pub(crate) fn secrets(&self) -> Vec<Secret> {
        let Some(secret) = self.secret() else { return Vec::new() };
        let encoded: String = form_urlencoded::byte_serialize(secret.expose().as_bytes()).collect();
        let mut secrets = vec![secret.clone(), Secret::new(encoded)];
        if let Method::Basic { encoded, .. } = self.method
            && let Ok(value) = basic(&self.id, secret.expose(), encoded)
            && let Ok(value) = value.to_str()
        {
            secrets.push(Secret::new(value.trim_start_matches("Basic ")));
        }
        secrets
    }

    /// # Errors
    /// Misconfigured, when something is empty that cannot be.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.id.is_empty() {
            return Err(Error::misconfigured(
                "the client identifier is empty: set the one the authorization server gave you",
            ));
        }
        if self.secret().is_some_and(Secret::is_empty) {
            return Err(Error::misconfigured(
                "the client secret is empty: set it, or use ClientAuth::none for a public client",
            ));
        }
        Ok(())
    }

    /// Adds the proof to a token request: one method, never two (6749-1).
    pub(crate) fn apply(&self, form: &mut Form, headers: &mut HeaderMap) -> Result<(), Error> {
        match &self.method {
            Method::Basic { secret, encoded } => {
                headers.insert(header::AUTHORIZATION, basic(&self.id, secret.expose(), *encoded)?);
            }
            Method::Post { secret } => {
                form.push("client_id", self.id.as_str());
                form.push("client_secret", secret.clone());
            }
            Method::None => form.push("client_id", self.id.as_str()),
        }
        Ok(())
    }
}

fn basic(id: &str, secret: &str, encoded: bool) -> Result<HeaderValue, Error> {
    // Room for everything encoded, so that no half of a secret stays behind in a buffer that was outgrown.
    let mut pair = Zeroizing::new(String::with_capacity(3 * (id.len() + secret.len()) + 1));
    if encoded {
        pair.extend(form_urlencoded::byte_serialize(id.as_bytes()));
        pair.push(':');
        pair.extend(form_urlencoded::byte_serialize(secret.as_bytes()));
    } else {
        pair.push_str(id);
        pair.push(':');
        pair.push_str(secret);
    }
    let value = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
    let mut value = HeaderValue::from_str(&value)
        .map_err(|_| Error::misconfigured("client identifier and secret do not fit into a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

impl fmt::Debug for ClientAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = match self.method {
            Method::Basic { encoded: true, .. } => "client_secret_basic",
            Method::Basic { encoded: false, .. } => "client_secret_basic, unencoded",
            Method::Post { .. } => "client_secret_post",
            Method::None => "none",
        };
        f.debug_struct("ClientAuth").field("id", &self.id).field("method", &method).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(client: &ClientAuth) -> String {
        let (mut form, mut headers) = (Form::default(), HeaderMap::new());
        client.apply(&mut form, &mut headers).unwrap();
        let value = headers.get(header::AUTHORIZATION).unwrap();
        assert!(value.is_sensitive());
        assert!(form.encode().expose().is_empty(), "one method, never two (6749-1)");
        let encoded = value.to_str().unwrap().strip_prefix("Basic ").unwrap();
        String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap()
    }

    #[test]
    fn rfc6749_2_basic_encodes_identifier_and_secret_first() {
        assert_eq!(header(&ClientAuth::basic("a:b", "c%d+e é")), "a%3Ab:c%25d%2Be+%C3%A9");
        assert_eq!(header(&ClientAuth::basic("my-client_1.0", "s3cr3t")), "my-client_1.0:s3cr3t");
    }

    #[test]
    fn rfc6749_2_the_switch_for_lax_servers_sends_them_as_they_are() {
        assert_eq!(header(&ClientAuth::basic_unencoded("a", "c%d+e")), "a:c%d+e");
    }

    #[test]
    fn rfc6749_1_post_and_none_send_no_header() {
        for (client, body) in [
            (ClientAuth::post("a b", "c&d"), "client_id=a+b&client_secret=c%26d"),
            (ClientAuth::none("app"), "client_id=app"),
        ] {
            let (mut form, mut headers) = (Form::default(), HeaderMap::new());
            client.apply(&mut form, &mut headers).unwrap();
            assert!(headers.is_empty());
            assert_eq!(form.encode().expose(), body);
        }
    }

    #[test]
    fn an_empty_identifier_or_secret_says_what_to_set() {
        assert!(ClientAuth::none("").check().unwrap_err().is_misconfigured());
        assert!(ClientAuth::basic("id", "").check().unwrap_err().to_string().contains("ClientAuth::none"));
    }
}
