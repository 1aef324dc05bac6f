//! JWTs as a client sees them.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use p256::ecdsa::{Signature, VerifyingKey, signature::Verifier};
use serde_json::Value;

#[derive(Debug)]
pub(crate) struct Jwt {
    pub(crate) header: Value,
    pub(crate) claims: Value,
    pub(crate) signature: Vec<u8>,
    /// What is signed.
    pub(crate) text: String,
}

impl Jwt {
    pub(crate) fn read(jwt: &str) -> Self {
        let (text, signature) = jwt.rsplit_once('.').unwrap();
        let (header, claims) = text.split_once('.').unwrap();
        let json = |part| serde_json::from_slice(&decoded(part)).unwrap();
        Self { header: json(header), claims: json(claims), signature: decoded(signature), text: text.to_owned() }
    }

    pub(crate) fn is_signed_by(&self, jwk: &Value) -> bool {
        let coordinate = |name: &str| decoded(jwk[name].as_str().unwrap());
        let key = VerifyingKey::from_sec1_bytes(&[vec![4], coordinate("x"), coordinate("y")].concat()).unwrap();
        Signature::from_slice(&self.signature).is_ok_and(|it| key.verify(self.text.as_bytes(), &it).is_ok())
    }

    pub(crate) fn seconds(&self, claim: &str) -> u64 {
        self.claims[claim].as_u64().unwrap()
    }
}

pub(crate) fn decoded(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}
