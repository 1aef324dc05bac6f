use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{EncodingKey, crypto::aws_lc};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::algorithm::{Algorithm, Family};
use crate::{error::Error, secret::Secret};

/// A key and how to sign with it. Its Debug shows no key.
#[derive(Clone)]
#[must_use]
pub struct SigningKey {
    algorithm: Algorithm,
    key: EncodingKey,
    /// Besides `alg` and `typ`.
    header: Map<String, Value>,
}

impl SigningKey {
    /// The private key of a PEM: PKCS #8, or PKCS #1 for RSA. It is tried at once.
    ///
    /// ```
    /// use gatepass::jwt::{Algorithm, SigningKey};
    ///
    /// let pem = "-----BEGIN EC PRIVATE KEY-----\n...";
    /// let error = SigningKey::from_pem(Algorithm::ES256, pem).unwrap_err();
    /// assert!(error.to_string().contains("openssl pkcs8 -topk8 -nocrypt"));
    /// ```
    ///
    /// # Errors
    /// Misconfigured, with what is expected, when it is no key for this algorithm.
    pub fn from_pem(algorithm: Algorithm, pem: impl AsRef<[u8]>) -> Result<Self, Error> {
        let pem = pem.as_ref();
        let wrong = || unusable(algorithm, pem);
        if pem.len() > LONGEST_PEM {
            return Err(wrong());
        }
        let key = match algorithm.family() {
            Family::Rsa => EncodingKey::from_rsa_pem(pem),
            Family::Ec => EncodingKey::from_ec_pem(pem),
            Family::Ed => EncodingKey::from_ed_pem(pem),
            Family::Secret => return Err(wrong()),
        };
        let key = Self { algorithm, key: key.map_err(|_| wrong())?, header: Map::new() };
        // A public key, or one of another curve, is only noticed by using it.
        key.sign_bytes(b"").map_err(|_| wrong())?;
        Ok(key)
    }

    /// A secret that the server has, too, for the algorithms whose names begin with `HS`.
    ///
    /// # Errors
    /// Misconfigured, when it is empty or the algorithm takes a key pair.
    pub fn from_secret(algorithm: Algorithm, secret: impl AsRef<[u8]>) -> Result<Self, Error> {
        if algorithm.family() != Family::Secret {
            return Err(Error::misconfigured(format!(
                "{} signs with {}: use SigningKey::from_pem",
                algorithm.as_str(),
                algorithm.wants()
            )));
        }
        if secret.as_ref().is_empty() {
            return Err(Error::misconfigured("the secret to sign with is empty: set it"));
        }
        Ok(Self { algorithm, key: EncodingKey::from_secret(secret.as_ref()), header: Map::new() })
    }

    /// What `client_secret_jwt` signs with. An empty secret is found by who checks the settings.
    pub(crate) fn of_client_secret(secret: &Secret) -> Self {
        let key = EncodingKey::from_secret(secret.expose().as_bytes());
        Self { algorithm: Algorithm::HS256, key, header: Map::new() }
    }

    /// Which of several keys it is (`kid`), as the server knows them.
    pub fn key_id(self, id: impl Into<String>) -> Self {
        self.header("kid", id.into())
    }

    /// Another header parameter, such as `x5t#S256`, the certificate's thumbprint, that Microsoft wants.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.header.insert(name.into(), value.into());
        self
    }

    /// How it signs.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether the server has the same key.
    pub(crate) fn is_shared(&self) -> bool {
        self.algorithm.family() == Family::Secret
    }

    /// # Errors
    /// Misconfigured, when a header parameter is given that is set here.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match ["alg", "typ", "crit"].into_iter().find(|name| self.header.contains_key(*name)) {
            Some(taken) => Err(Error::misconfigured(format!("the header `{taken}` is set by gatepass: leave it out"))),
            None => Ok(()),
        }
    }

    /// A JWT of these claims (RFC 7515 section 3.1).
    pub(super) fn sign(&self, claims: Map<String, Value>) -> Result<Secret, Error> {
        let mut header = self.header.clone();
        header.insert("alg".to_owned(), self.algorithm.as_str().into());
        header.insert("typ".to_owned(), "JWT".into());
        let (header, claims) = (Value::Object(header).to_string(), Value::Object(claims).to_string());
        let mut jwt = Zeroizing::new(String::with_capacity(2 * (header.len() + claims.len()) + ROOM_FOR_SIGNATURE));
        URL_SAFE_NO_PAD.encode_string(header, &mut jwt);
        jwt.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut jwt);
        let signature = self.sign_bytes(jwt.as_bytes())?;
        jwt.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut jwt);
        Ok(Secret::new(std::mem::take(&mut *jwt)))
    }

    /// Not by `jsonwebtoken::encode`: it panics when something else in the build turns on another backend.
    pub(super) fn sign_bytes(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let failed = || {
            Error::misconfigured(format!(
                "the key cannot sign: {} takes {}",
                self.algorithm.as_str(),
                self.algorithm.wants()
            ))
        };
        let signer =
            (aws_lc::DEFAULT_PROVIDER.signer_factory)(&self.algorithm.inner(), &self.key).map_err(|_| failed())?;
        signer.try_sign(message).map_err(|_| failed())
    }
}

/// No key is longer; and what is parsed nests no deeper than the stack allows.
const LONGEST_PEM: usize = 16 * 1024;

/// Of RSA with 8192 bits, in base64.
const ROOM_FOR_SIGNATURE: usize = 1400;

/// Says what is expected, and what it was if that has a name. Of the PEM only its label is looked at.
fn unusable(algorithm: Algorithm, pem: &[u8]) -> Error {
    let text = String::from_utf8_lossy(&pem[..pem.len().min(LONGEST_PEM)]);
    let is_a = |label: &str| text.contains(&format!("-----BEGIN {label}-----"));
    let hint = if is_a("EC PRIVATE KEY") {
        "; this one is SEC 1: convert it by `openssl pkcs8 -topk8 -nocrypt -in key.pem`"
    } else if is_a("ENCRYPTED PRIVATE KEY") {
        "; this one is encrypted: decrypt it by `openssl pkcs8 -in key.pem`"
    } else if is_a("PUBLIC KEY") || is_a("RSA PUBLIC KEY") || is_a("CERTIFICATE") {
        "; this one is public: take the private key that belongs to it"
    } else if text.contains("\\n") {
        "; the line ends of this one are written as \\n: decode the JSON or the variable that it comes from"
    } else {
        ""
    };
    Error::misconfigured(format!("{} signs with {}{hint}", algorithm.as_str(), algorithm.wants()))
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("algorithm", &self.algorithm)
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}
