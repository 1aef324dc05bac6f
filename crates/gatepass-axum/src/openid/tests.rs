mod any_text;
mod id_token;
mod jwks;
mod keys;
mod logout_token;
mod signed;

use std::{
    pin::Pin,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use gatepass::{Error, Secret};
use jsonwebtoken::{Algorithm, EncodingKey, crypto::aws_lc, jwk::EllipticCurve};
use serde_json::{Value, json};

use super::{Claims, Expected, FetchKeys, Keys, LogoutToken, verify_id_token, verify_logout_token};

const NOW: u64 = 1_800_000_000;
const ISSUER: &str = "https://auth.example.com";
const CLIENT: &str = "my-app";

/// Keys that the provider has, and one that it has not always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pair {
    Rsa,
    P256,
    AnotherP256,
    P384,
    Ed25519,
}

impl Pair {
    fn key(self) -> EncodingKey {
        match self {
            Self::Rsa => EncodingKey::from_rsa_pem(include_bytes!("tests/rsa.pem")),
            Self::P256 => EncodingKey::from_ec_pem(include_bytes!("tests/ec-p256.pem")),
            Self::AnotherP256 => EncodingKey::from_ec_pem(include_bytes!("tests/another-ec-p256.pem")),
            Self::P384 => EncodingKey::from_ec_pem(include_bytes!("tests/ec-p384.pem")),
            Self::Ed25519 => EncodingKey::from_ed_pem(include_bytes!("tests/ed25519.pem")),
        }
        .unwrap()
    }

    /// The public half.
    fn jwk(self, kid: &str) -> Value {
        let (key, provider) = (self.key(), &aws_lc::DEFAULT_PROVIDER.key_utils);
        let text = |bytes: Vec<u8>| URL_SAFE_NO_PAD.encode(bytes);
        let mut jwk = match self {
            Self::Rsa => {
                let (n, e) = (provider.rsa_pub_components_from_private_key)(key.as_bytes()).unwrap();
                json!({ "kty": "RSA", "n": text(n), "e": text(e) })
            }
            Self::P256 | Self::AnotherP256 | Self::P384 => {
                let (algorithm, curve) = match self {
                    Self::P384 => (Algorithm::ES384, "P-384"),
                    _ => (Algorithm::ES256, "P-256"),
                };
                let (_, x, y) = (provider.ec_pub_components_from_private_key)(key.as_bytes(), algorithm).unwrap();
                json!({ "kty": "EC", "crv": curve, "x": text(x), "y": text(y) })
            }
            Self::Ed25519 => {
                let x = (provider.ed_pub_components_from_private_key)(key.as_bytes(), &EllipticCurve::Ed25519).unwrap();
                json!({ "kty": "OKP", "crv": "Ed25519", "x": text(x) })
            }
        };
        jwk["kid"] = kid.into();
        jwk
    }
}

fn document(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}

/// By the algorithm that the header names, or else by ES256.
fn sign(pair: Pair, header: &Value, claims: &Value) -> String {
    let algorithm = header["alg"].as_str().and_then(|name| name.parse().ok()).unwrap_or(Algorithm::ES256);
    let message = message(header, claims);
    let signer = (aws_lc::DEFAULT_PROVIDER.signer_factory)(&algorithm, &pair.key()).unwrap();
    with_signature(&message, signer.try_sign(message.as_bytes()).unwrap())
}

fn message(header: &Value, claims: &Value) -> String {
    let part = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    format!("{}.{}", part(header), part(claims))
}

fn with_signature(message: &str, signature: impl AsRef<[u8]>) -> String {
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// The same with some members changed; what is null is taken away.
fn with(value: &Value, changes: &Value) -> Value {
    let mut value = value.clone();
    let members = value.as_object_mut().unwrap();
    for (name, change) in changes.as_object().unwrap() {
        members.insert(name.clone(), change.clone());
        members.retain(|_, value| !value.is_null());
    }
    value
}

fn es256() -> Value {
    json!({ "alg": "ES256", "kid": "one" })
}

fn good_claims() -> Value {
    json!({
        "iss": ISSUER, "aud": CLIENT, "sub": "alice", "exp": NOW + 300, "iat": NOW - 5, "nonce": "n-0S6_WzA2Mj",
    })
}

/// An ID token by the key `one` of [`Provider::new`].
fn id_token(changes: &Value) -> String {
    sign(Pair::P256, &es256(), &with(&good_claims(), changes))
}

fn by(pair: Pair, kid: &str) -> String {
    sign(pair, &json!({ "alg": "ES256", "kid": kid }), &good_claims())
}

/// By a key that no provider lists.
fn unknown() -> String {
    by(Pair::AnotherP256, "unknown")
}

/// What answers for the provider's JWKS.
struct Provider {
    answer: Mutex<Result<String, Error>>,
    takes: Duration,
    asked: AtomicUsize,
}

impl Provider {
    /// With a key of each kind.
    fn new() -> Self {
        Self::with_keys(&[Pair::P256.jwk("one"), Pair::Rsa.jwk("rsa"), Pair::P384.jwk("p384"), Pair::Ed25519.jwk("ed")])
    }

    fn with_keys(keys: &[Value]) -> Self {
        Self { answer: Mutex::new(Ok(document(keys))), takes: Duration::ZERO, asked: AtomicUsize::new(0) }
    }

    fn failing(error: Error) -> Self {
        let provider = Self::new();
        provider.now_fails(error);
        provider
    }

    fn slow(mut self) -> Self {
        self.takes = Duration::from_secs(1);
        self
    }

    fn now_has(&self, keys: &[Value]) {
        self.now_answers(&document(keys));
    }

    fn now_answers(&self, document: &str) {
        *self.answer.lock().unwrap() = Ok(document.to_owned());
    }

    fn now_fails(&self, error: Error) {
        *self.answer.lock().unwrap() = Err(error);
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl FetchKeys for Provider {
    fn fetch(&self) -> Pin<Box<dyn Future<Output = Result<String, Error>> + Send + '_>> {
        Box::pin(async {
            self.asked.fetch_add(1, Ordering::SeqCst);
            if !self.takes.is_zero() {
                tokio::time::sleep(self.takes).await;
            }
            self.answer.lock().unwrap().clone()
        })
    }
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// Of a sign-in under way, without an access token.
fn expected(nonce: &Secret) -> Expected<'_> {
    Expected { issuer: ISSUER, client_id: CLIENT, nonce: Some(nonce), access_token: None, now: at(NOW) }
}

fn nonce() -> Secret {
    Secret::new("n-0S6_WzA2Mj")
}

async fn verified(keys: &Keys, provider: &Provider, token: &str) -> Result<Claims, Error> {
    verify_id_token(keys, provider, &Secret::new(token), &expected(&nonce())).await
}

/// By a provider that has never been asked.
async fn refusal(token: &str) -> String {
    refused(verified(&Keys::new(), &Provider::new(), token).await)
}

fn refused<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    let error = result.unwrap_err();
    assert!(error.is_reauth_required(), "{error:?}");
    error.to_string()
}

async fn logout(token: &str) -> Result<LogoutToken, Error> {
    verify_logout_token(&Keys::new(), &Provider::new(), token, ISSUER, CLIENT, at(NOW)).await
}
