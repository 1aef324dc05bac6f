//! The key that ID tokens and logout tokens are signed with: ES256 (RFC 7518, 3.4).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use p256::{
    ecdsa::{self, Signature, signature::Signer},
    elliptic_curve::Generate,
};
use serde_json::{Value, json};

use super::issue::random_token;

/// A key, and the name by which the JWK set knows it.
pub(super) struct SigningKey {
    kid: String,
    key: ecdsa::SigningKey,
}

impl SigningKey {
    pub(super) fn random() -> Self {
        Self { kid: random_token("key", 0), key: ecdsa::SigningKey::generate() }
    }

    pub(super) fn kid(&self) -> &str {
        &self.kid
    }

    pub(super) fn sign(&self, text: &str) -> Vec<u8> {
        let signature: Signature = self.key.sign(text.as_bytes());
        signature.to_bytes().to_vec()
    }

    /// The public half (RFC 7517, RFC 7518, 6.2).
    pub(super) fn jwk(&self) -> Value {
        let point = self.key.verifying_key().to_sec1_point(false);
        // Uncompressed, it is a byte that says so, and then both coordinates.
        let (x, y) = point.as_bytes()[1..].split_at(32);
        json!({
            "kty": "EC",
            "crv": "P-256",
            "x": URL_SAFE_NO_PAD.encode(x),
            "y": URL_SAFE_NO_PAD.encode(y),
            "kid": self.kid,
            "alg": "ES256",
            "use": "sig",
        })
    }
}

#[cfg(test)]
mod tests {
    use p256::ecdsa::{VerifyingKey, signature::Verifier};

    use super::*;

    #[test]
    fn rfc7518_6_2_the_jwk_is_the_key_that_verifies() {
        let key = SigningKey::random();
        let signature = Signature::from_slice(&key.sign("text")).unwrap();
        let jwk = key.jwk();
        let coordinate = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
        let point = [vec![4], coordinate("x"), coordinate("y")].concat();
        let public = VerifyingKey::from_sec1_bytes(&point).unwrap();
        assert!(public.verify(b"text", &signature).is_ok() && public.verify(b"tex", &signature).is_err());
    }

    #[test]
    fn no_two_keys_are_the_same() {
        let (one, other) = (SigningKey::random(), SigningKey::random());
        assert!(one.kid() != other.kid() && one.jwk()["x"] != other.jwk()["x"]);
    }
}
