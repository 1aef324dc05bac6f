//! A provider's keys as its document has them (RFC 7517 section 5), and which of them a signature is tried with.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use gatepass::Error;
use jsonwebtoken::{Algorithm, DecodingKey, crypto::aws_lc};
use serde_json::{Map, Value};

/// How many keys of one document are looked at.
const MOST_KEYS: usize = 100;

/// How many keys one signature is tried with, where nothing says which it is.
const MOST_TRIES: usize = 8;

/// The keys that verify; whatever else the document lists is left out.
pub(super) struct KeySet {
    keys: Vec<Key>,
}

struct Key {
    id: Option<String>,
    kind: KeyKind,
    /// The only one it is for, if the document says so.
    algorithm: Option<Algorithm>,
    key: DecodingKey,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum KeyKind {
    Rsa,
    P256,
    P384,
    Ed25519,
}

/// A message, its signature and what its header says of the key.
pub(super) struct Signature<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) key_id: Option<&'a str>,
    pub(super) message: &'a [u8],
    pub(super) signature: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Right,
    Wrong,
    /// No key fits what the header says.
    NoKey,
}

impl KeySet {
    /// # Errors
    /// Transient, when it is not JSON: an error page, half a document. Misconfigured, when it is JSON and no key set.
    pub(super) fn parse(document: &str) -> Result<Self, Error> {
        let document: Value = serde_json::from_str(document).map_err(|_| {
            Error::transient(
                "what the provider answers at its jwks_uri is not JSON: try again, and look at what is there",
            )
        })?;
        let Some(keys) = document.get("keys").and_then(Value::as_array) else {
            return Err(Error::misconfigured(
                "what the provider has at its jwks_uri is no JWKS, it has no list `keys`: check the issuer and its metadata",
            ));
        };
        Ok(Self { keys: keys.iter().take(MOST_KEYS).filter_map(|key| Key::read(key.as_object()?)).collect() })
    }

    pub(super) fn verify(&self, signature: &Signature<'_>) -> Verdict {
        let fitting = self.keys.iter().filter(|key| key.fits(signature));
        let mut verdict = Verdict::NoKey;
        for key in fitting.take(MOST_TRIES) {
            if key.verifies(signature) {
                return Verdict::Right;
            }
            verdict = Verdict::Wrong;
        }
        verdict
    }
}

impl Key {
    fn read(jwk: &Map<String, Value>) -> Option<Self> {
        let get = |name: &str| jwk.get(name).filter(|value| !value.is_null());
        let text = |name: &str| get(name)?.as_str();
        let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?.trim_end_matches('=')).ok();
        let verifies = match get("key_ops") {
            None => true,
            Some(operations) => operations.as_array()?.iter().any(|operation| operation == "verify"),
        };
        if !verifies || get("use").is_some_and(|what_for| what_for != "sig") {
            return None;
        }
        let (kind, key) = match (text("kty")?, text("crv")) {
            ("RSA", _) => {
                let (modulus, exponent) = (bytes("n")?, bytes("e")?);
                // Some libraries write a sign byte, which RFC 7518 section 6.3.1.1 forbids.
                let sign = modulus.iter().take_while(|byte| **byte == 0).count();
                (KeyKind::Rsa, DecodingKey::from_rsa_raw_components(&modulus[sign..], &exponent))
            }
            ("EC", Some("P-256")) => (KeyKind::P256, point(&bytes("x")?, &bytes("y")?, 32)?),
            ("EC", Some("P-384")) => (KeyKind::P384, point(&bytes("x")?, &bytes("y")?, 48)?),
            ("OKP", Some("Ed25519")) => {
                (KeyKind::Ed25519, DecodingKey::from_ed_der(&bytes("x").filter(|x| x.len() == 32)?))
            }
            _ => return None,
        };
        let algorithm = match get("alg") {
            None => None,
            Some(name) => Some(algorithm(name.as_str()?)?),
        };
        Some(Self { id: text("kid").map(str::to_owned), kind, algorithm, key })
    }

    fn fits(&self, signature: &Signature<'_>) -> bool {
        kind(signature.algorithm) == Some(self.kind)
            && self.algorithm.is_none_or(|only| only == signature.algorithm)
            && signature.key_id.is_none_or(|id| self.id.as_deref() == Some(id))
    }

    /// Not by `jsonwebtoken::decode`: it panics when something else in the build turns on another backend.
    fn verifies(&self, signature: &Signature<'_>) -> bool {
        (aws_lc::DEFAULT_PROVIDER.verifier_factory)(&signature.algorithm, &self.key)
            .is_ok_and(|verifier| verifier.verify(signature.message, &signature.signature).is_ok())
    }
}

/// The uncompressed point of two coordinates (SEC 1 section 2.3.3).
fn point(x: &[u8], y: &[u8], size: usize) -> Option<DecodingKey> {
    (x.len() == size && y.len() == size).then(|| DecodingKey::from_ec_der(&[&[4], x, y].concat()))
}

/// What a token may be signed by: a key pair. `none` and secrets are not among them, whatever a header says (RFC 8725
/// section 3.1).
pub(super) fn algorithm(name: &str) -> Option<Algorithm> {
    Some(match name {
        "RS256" => Algorithm::RS256,
        "RS384" => Algorithm::RS384,
        "RS512" => Algorithm::RS512,
        "PS256" => Algorithm::PS256,
        "PS384" => Algorithm::PS384,
        "PS512" => Algorithm::PS512,
        "ES256" => Algorithm::ES256,
        "ES384" => Algorithm::ES384,
        // RFC 9864 gives it the second name, and the first means nothing else here.
        "EdDSA" | "Ed25519" => Algorithm::EdDSA,
        _ => return None,
    })
}

fn kind(algorithm: Algorithm) -> Option<KeyKind> {
    match algorithm {
        Algorithm::RS256 | Algorithm::RS384 | Algorithm::RS512 => Some(KeyKind::Rsa),
        Algorithm::PS256 | Algorithm::PS384 | Algorithm::PS512 => Some(KeyKind::Rsa),
        Algorithm::ES256 => Some(KeyKind::P256),
        Algorithm::ES384 => Some(KeyKind::P384),
        Algorithm::EdDSA => Some(KeyKind::Ed25519),
        _ => None,
    }
}
