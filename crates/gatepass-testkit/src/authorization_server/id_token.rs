//! ID tokens (OpenID Connect Core, 2), as they should be and as a test wants them. No I/O.

use std::{fmt, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{
    grants::Book,
    hook::Hook,
    issue::{Issue, Occasion},
    person,
    signing_key::SigningKey,
};

/// An ID token, or a logout token, before it is signed.
///
/// See [`AuthorizationServer::edit_id_tokens`](super::AuthorizationServer::edit_id_tokens) and
/// [`AuthorizationServer::logout_token_with`](super::AuthorizationServer::logout_token_with).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct IdToken {
    /// `alg` and `kid`; of a logout token `typ` besides.
    ///
    /// An `alg` that is left as it was becomes the one of [`signing`](Self::signing).
    pub header: Map<String, Value>,
    /// The claims.
    pub claims: Map<String, Value>,
    /// How it is signed.
    pub signing: Signing,
}

/// How an [`IdToken`] is signed.
#[derive(Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Signing {
    /// ES256, with the key that the JWK set has.
    #[default]
    Right,
    /// ES256, with a key that nobody knows, under the `kid` of the right one.
    AnotherKey,
    /// Not at all: `alg` is `none`, and the signature is empty.
    None,
    /// HS256 with this secret: the client's, or the public key, as who confuses algorithms takes it for.
    Hmac(String),
    /// As it should be, but half of the signature is missing.
    Torn,
}

const ALGORITHM: &str = "ES256";
const LIFETIME: u64 = 3600;

impl Book {
    /// The ID token that goes with an access token, if one does.
    pub(super) fn id_token(&self, it: &Issue<'_>, access_token: &str) -> Option<Unsigned> {
        let settings = &self.settings.open_id;
        let nonce = match it.occasion {
            Occasion::SignIn { nonce } => nonce,
            Occasion::Refresh if settings.id_token_on_refresh => None,
            Occasion::Refresh | Occasion::Other => return None,
        };
        let scope = it.scope.as_deref();
        if !person::has(scope, "openid") || settings.omit_id_token {
            return None;
        }
        let who = self.tokens.who(it.family?)?;
        let mut token = self.unsigned(it.client, LIFETIME);
        token.claims.append(&mut person::claims_of_scope(&who.sub, scope));
        for (name, value) in [
            ("auth_time", Some(json!(who.auth_time))),
            ("nonce", nonce.map(|nonce| json!(nonce))),
            ("sid", Some(json!(who.sid))),
            ("at_hash", Some(json!(at_hash(access_token)))),
        ] {
            token.claims.extend(value.map(|value| (name.to_owned(), value)));
        }
        Some(Unsigned { token, edit: settings.edit_id_tokens.clone(), key: Arc::clone(&self.signing_key) })
    }

    /// The claims and the header that every token has which is for this client, and good for so many seconds.
    pub(super) fn unsigned(&self, client: &str, lifetime: u64) -> IdToken {
        let now = person::wall_clock();
        let object =
            |members: Vec<(&str, Value)>| members.into_iter().map(|(name, it)| (name.to_owned(), it)).collect();
        IdToken {
            header: object(vec![("alg", json!(ALGORITHM)), ("kid", json!(self.signing_key.kid()))]),
            claims: object(vec![
                ("iss", json!(self.address.issuer())),
                ("aud", json!(client)),
                ("iat", json!(now)),
                ("exp", json!(now + lifetime)),
            ]),
            signing: Signing::Right,
        }
    }
}

/// An ID token that nobody has changed yet. What signs it needs no lock.
pub(super) struct Unsigned {
    token: IdToken,
    edit: Hook<IdToken>,
    key: Arc<SigningKey>,
}

impl Unsigned {
    pub(super) fn signed(mut self) -> String {
        self.edit.edit(&mut self.token);
        self.token.signed(&self.key)
    }
}

impl IdToken {
    /// In the compact serialization (RFC 7515, 3.1).
    pub(super) fn signed(mut self, key: &SigningKey) -> String {
        if self.header.get("alg").is_some_and(|alg| alg == ALGORITHM) {
            self.header.insert("alg".to_owned(), self.signing.algorithm().into());
        }
        let part = |object: Map<String, Value>| URL_SAFE_NO_PAD.encode(Value::Object(object).to_string());
        let text = format!("{}.{}", part(self.header), part(self.claims));
        let signature = URL_SAFE_NO_PAD.encode(self.signing.signature(&text, key));
        format!("{text}.{signature}")
    }
}

impl Signing {
    fn algorithm(&self) -> &'static str {
        match self {
            Self::Right | Self::AnotherKey | Self::Torn => ALGORITHM,
            Self::None => "none",
            Self::Hmac(_) => "HS256",
        }
    }

    fn signature(&self, text: &str, key: &SigningKey) -> Vec<u8> {
        match self {
            Self::Right => key.sign(text),
            Self::AnotherKey => SigningKey::random().sign(text),
            Self::None => Vec::new(),
            Self::Hmac(secret) => hs256(secret.as_bytes(), text),
            Self::Torn => {
                let mut signature = key.sign(text);
                signature.truncate(signature.len() / 2);
                signature
            }
        }
    }
}

/// Names the way, but not the secret.
impl fmt::Debug for Signing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Right => "Right",
            Self::AnotherKey => "AnotherKey",
            Self::None => "None",
            Self::Hmac(_) => "Hmac(…)",
            Self::Torn => "Torn",
        })
    }
}

/// The left half of its hash (OpenID Connect Core, 3.1.3.6).
fn at_hash(access_token: &str) -> String {
    URL_SAFE_NO_PAD.encode(&Sha256::digest(access_token)[..16])
}

fn hs256(secret: &[u8], text: &str) -> Vec<u8> {
    // It fails for no length: a key that is too long is hashed.
    let Ok(mac) = Hmac::<Sha256>::new_from_slice(secret) else { return Vec::new() };
    mac.chain_update(text).finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(signing: Signing) -> IdToken {
        let header = Map::from_iter([("alg".to_owned(), json!("ES256"))]);
        IdToken { header, claims: Map::new(), signing }
    }

    fn algorithm_and_signature(jwt: &str) -> (String, usize) {
        let parts: Vec<Vec<u8>> = jwt.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap()).collect();
        let header: Value = serde_json::from_slice(&parts[0]).unwrap();
        (header["alg"].as_str().unwrap().to_owned(), parts[2].len())
    }

    #[test]
    fn the_algorithm_is_that_of_the_signature_unless_a_test_wants_another() {
        let key = SigningKey::random();
        for (signing, algorithm, length) in [
            (Signing::Right, "ES256", 64),
            (Signing::AnotherKey, "ES256", 64),
            (Signing::Torn, "ES256", 32),
            (Signing::None, "none", 0),
            (Signing::Hmac("secret".to_owned()), "HS256", 32),
        ] {
            assert_eq!(algorithm_and_signature(&token(signing.clone()).signed(&key)), (algorithm.to_owned(), length));
            let mut other = token(signing);
            other.header.insert("alg".to_owned(), json!("nOnE"));
            assert_eq!(algorithm_and_signature(&other.signed(&key)), ("nOnE".to_owned(), length));
        }
    }

    /// The example in RFC 7515, A.1.
    #[test]
    fn rfc7515_a_1_hs256() {
        let secret = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
        let text = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9\
                    leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let signature = hs256(&URL_SAFE_NO_PAD.decode(secret).unwrap(), text);
        assert_eq!(URL_SAFE_NO_PAD.encode(signature), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    }

    /// The example in OpenID Connect Core, A.3.
    #[test]
    fn oidc_core_a_3_at_hash() {
        assert_eq!(at_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"), "77QmUPtjPfzWtF2AnpK9RQ");
    }

    #[test]
    fn no_secret_in_debug() {
        assert!(!format!("{:?}", token(Signing::Hmac("hush".to_owned()))).contains("hush"));
    }
}
