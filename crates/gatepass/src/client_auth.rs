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
//!
//! Better than a secret is a key of which the server has the public half, `ClientAuth::private_key_jwt` (with the
//! feature `jwt`): it never leaves this program, and what is sent in its place is good for one time and a few minutes.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, header};
use zeroize::Zeroizing;

#[cfg(feature = "jwt")]
use crate::jwt::{Assertion, SigningKey};
use crate::{error::Error, grant::Form, secret::Secret};

/// A client's identifier and the one method it authenticates by. See the [module docs](crate::client_auth).
#[derive(Clone)]
pub struct ClientAuth {
    id: String,
    method: Method,
    #[cfg(feature = "jwt")]
    audience: Option<String>,
}

#[derive(Clone)]
enum Method {
    Basic {
        secret: Secret,
        encoded: bool,
    },
    Post {
        secret: Secret,
    },
    #[cfg(feature = "jwt")]
    Assertion {
        key: Box<SigningKey>,
        secret: Option<Secret>,
    },
    None,
    Unidentified,
}

impl ClientAuth {
    /// In the `Authorization` header, `client_secret_basic`: what servers have to support.
    ///
    /// Identifier and secret are form-urlencoded first, as RFC 6749 section 2.3.1 says; for a server that does not
    /// decode them, use [`basic_unencoded`](Self::basic_unencoded). It makes no difference to letters, digits, `-`,
    /// `.`, `_`.
    pub fn basic(id: impl Into<String>, secret: impl Into<Secret>) -> Self {
        Self::new(id, Method::Basic { secret: secret.into(), encoded: true })
    }

    /// The same for servers that take identifier and secret as they are.
    pub fn basic_unencoded(id: impl Into<String>, secret: impl Into<Secret>) -> Self {
        Self::new(id, Method::Basic { secret: secret.into(), encoded: false })
    }

    /// In the body, `client_secret_post`: for servers that cannot do better.
    pub fn post(id: impl Into<String>, secret: impl Into<Secret>) -> Self {
        Self::new(id, Method::Post { secret: secret.into() })
    }

    /// Not at all: a public client, which only names itself.
    pub fn none(id: impl Into<String>) -> Self {
        Self::new(id, Method::None)
    }

    /// Not at all, and without a name: the grant itself says who asks, as an assertion may (RFC 7521 section 4.1). It is
    /// what Google's service accounts do. `id` is not sent; it tells these tokens from others wherever they are kept.
    pub fn unidentified(id: impl Into<String>) -> Self {
        Self::new(id, Method::Unidentified)
    }

    /// By an assertion signed with a private key, `private_key_jwt` (RFC 7523 section 2.2): a new one for each request.
    /// With the feature `jwt`.
    ///
    /// ```
    /// use gatepass::{ClientAuth, Error, jwt::{Algorithm, SigningKey}};
    ///
    /// fn client(pem: &str) -> Result<ClientAuth, Error> {
    ///     let key = SigningKey::from_pem(Algorithm::ES256, pem)?.key_id("2026-01");
    ///     Ok(ClientAuth::private_key_jwt("my-client", key))
    /// }
    /// ```
    #[cfg(feature = "jwt")]
    pub fn private_key_jwt(id: impl Into<String>, key: SigningKey) -> Self {
        Self::new(id, Method::Assertion { key: Box::new(key), secret: None })
    }

    /// By an assertion signed with the client's secret and HS256, `client_secret_jwt`: the secret itself is not sent.
    /// For another algorithm give [`private_key_jwt`](Self::private_key_jwt) a
    /// [`SigningKey::from_secret`](crate::jwt::SigningKey::from_secret). With the feature `jwt`.
    #[cfg(feature = "jwt")]
    pub fn client_secret_jwt(id: impl Into<String>, secret: impl Into<Secret>) -> Self {
        let secret = secret.into();
        let key = Box::new(SigningKey::of_client_secret(&secret));
        Self::new(id, Method::Assertion { key, secret: Some(secret) })
    }

    /// For whom the assertion is that the client authenticates by, when the server does not take its issuer identifier,
    /// or the URL of its token endpoint where no issuer is known. With the feature `jwt`.
    #[cfg(feature = "jwt")]
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    fn new(id: impl Into<String>, method: Method) -> Self {
        Self {
            id: id.into(),
            method,
            #[cfg(feature = "jwt")]
            audience: None,
        }
    }

    /// The client identifier.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether the server is told its identifier at all.
    pub(crate) fn is_identified(&self) -> bool {
        !matches!(self.method, Method::Unidentified)
    }

    fn secret(&self) -> Option<&Secret> {
        match &self.method {
            Method::Basic { secret, .. } | Method::Post { secret } => Some(secret),
            #[cfg(feature = "jwt")]
            Method::Assertion { secret, .. } => secret.as_ref(),
            Method::None | Method::Unidentified => None,
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
        #[cfg(feature = "jwt")]
        match &self.method {
            Method::Assertion { .. } => self.assertion(&self.id).map_or(Ok(()), |assertion| assertion.check())?,
            _ if self.audience.is_some() => {
                return Err(Error::misconfigured(
                    "ClientAuth::audience is for private_key_jwt and client_secret_jwt: leave it out",
                ));
            }
            _ => {}
        }
        Ok(())
    }

    /// What is signed to authenticate at the server of this name (7523-2, 7523-4).
    #[cfg(feature = "jwt")]
    fn assertion(&self, server: &str) -> Option<Assertion> {
        let Method::Assertion { key, .. } = &self.method else { return None };
        let audience = self.audience.as_deref().unwrap_or(server);
        Some(Assertion::new((**key).clone(), self.id.as_str(), audience))
    }

    /// Adds the proof to a request: one method, never two (6749-1). For each attempt: an assertion is good for one.
    /// `server` is what the server is called where a proof is for one server only.
    pub(crate) fn apply(&self, form: &mut Form, headers: &mut HeaderMap, server: &str) -> Result<(), Error> {
        match &self.method {
            Method::Basic { secret, encoded } => {
                headers.insert(header::AUTHORIZATION, basic(&self.id, secret.expose(), *encoded)?);
            }
            Method::Post { secret } => {
                form.name_client(&self.id);
                form.push("client_secret", secret.clone());
            }
            #[cfg(feature = "jwt")]
            Method::Assertion { .. } => {
                form.name_client(&self.id);
                form.push("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
                if let Some(assertion) = self.assertion(server) {
                    form.push("client_assertion", assertion.sign()?);
                }
            }
            Method::None => form.name_client(&self.id),
            Method::Unidentified => {}
        }
        #[cfg(not(feature = "jwt"))]
        let _ = server;
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
        let method = match &self.method {
            Method::Basic { encoded: true, .. } => "client_secret_basic",
            Method::Basic { encoded: false, .. } => "client_secret_basic, unencoded",
            Method::Post { .. } => "client_secret_post",
            #[cfg(feature = "jwt")]
            Method::Assertion { key, .. } if key.is_shared() => "client_secret_jwt",
            #[cfg(feature = "jwt")]
            Method::Assertion { .. } => "private_key_jwt",
            Method::None => "none",
            Method::Unidentified => "none, unidentified",
        };
        f.debug_struct("ClientAuth").field("id", &self.id).field("method", &method).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(client: &ClientAuth) -> String {
        let (mut form, mut headers) = (Form::default(), HeaderMap::new());
        client.apply(&mut form, &mut headers, "https://a").unwrap();
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
            (ClientAuth::unidentified("app"), ""),
        ] {
            let (mut form, mut headers) = (Form::default(), HeaderMap::new());
            client.apply(&mut form, &mut headers, "https://a").unwrap();
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
