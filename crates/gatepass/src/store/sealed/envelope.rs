//! What a sealed text looks like: `{"sealed":1,"key":"2025-11","nonce":"…","box":"…"}`, with base64 in the last two.
//!
//! XChaCha20-Poly1305, so that nonces can be random. Bound to it, and not part of it: this format, the name of the seal
//! key, and the [`Key`] of the record, which names issuer and client. A text that is moved to another record does not
//! open there.

use base64::{Engine, engine::general_purpose::STANDARD};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Generate, Payload},
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::SealKey;
use crate::{error::Error, secret::Secret, store::Key};

const FORMAT: u64 = 1;

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    sealed: u64,
    key: String,
    nonce: String,
    #[serde(rename = "box")]
    sealed_box: String,
}

/// Enough of a text to tell whether it is an envelope.
#[derive(Deserialize)]
struct Head {
    sealed: Option<u64>,
}

/// # Errors
/// Transient: the system has no random bytes.
pub(super) fn seal(key: &Key, with: &SealKey, value: &Secret) -> Result<Secret, Error> {
    let nonce = XNonce::try_generate()
        .map_err(|_| Error::transient(format!("`{key}` cannot be sealed now: the system gives no random bytes")))?;
    let bound = bound(key, with.id());
    let payload = Payload { msg: value.expose().as_bytes(), aad: &bound };
    let sealed_box = XChaCha20Poly1305::new(with.bytes().into())
        .encrypt(&nonce, payload)
        .map_err(|_| Error::misconfigured(format!("`{key}` cannot be sealed: the value is too long")))?;
    let envelope = Envelope {
        sealed: FORMAT,
        key: with.id().into(),
        nonce: STANDARD.encode(nonce),
        sealed_box: STANDARD.encode(sealed_box),
    };
    Ok(Secret::new(serde_json::to_string(&envelope).expect("texts and a number are JSON")))
}

/// # Errors
/// Misconfigured, saying why it does not open and what to do.
pub(super) fn open(key: &Key, with: &[SealKey], sealed: &Secret) -> Result<Secret, Error> {
    let wrong = |what: &str| Error::misconfigured(format!("the record `{key}` {what}; it was left alone"));
    let damaged = || wrong("is sealed but damaged: restore it, or remove it and sign in again");
    let unsealed = || wrong("is not sealed: remove it and sign in again, or use the store unsealed");
    let text = sealed.expose();
    match serde_json::from_str::<Head>(text) {
        Ok(Head { sealed: Some(FORMAT) }) => {}
        Ok(Head { sealed: Some(newer) }) if newer > FORMAT => {
            return Err(wrong("was sealed by a newer gatepass: update this program"));
        }
        Err(_) if text.starts_with(r#"{"sealed":"#) => return Err(damaged()),
        _ => return Err(unsealed()),
    }
    let envelope: Envelope = serde_json::from_str(text).map_err(|_| damaged())?;
    let nonce = STANDARD.decode(&envelope.nonce).map_err(|_| damaged())?;
    let nonce = XNonce::try_from(nonce.as_slice()).map_err(|_| damaged())?;
    let sealed_box = STANDARD.decode(&envelope.sealed_box).map_err(|_| damaged())?;

    let bound = bound(key, &envelope.key);
    let mut is_known = false;
    for with in with.iter().filter(|with| *with.id() == envelope.key) {
        is_known = true;
        let payload = Payload { msg: &sealed_box, aad: &bound };
        if let Ok(value) = XChaCha20Poly1305::new(with.bytes().into()).decrypt(&nonce, payload) {
            return match String::from_utf8(value) {
                Ok(value) => Ok(Secret::new(value)),
                Err(error) => {
                    drop(Zeroizing::new(error.into_bytes()));
                    Err(damaged())
                }
            };
        }
    }
    let id: String = envelope.key.chars().filter(|c| !c.is_control()).take(100).collect();
    Err(wrong(&match is_known {
        true => format!(
            "does not open with the seal key `{id}`: these are not the bytes it was sealed with, or it was changed or moved since. \
             Give the right bytes, or remove it and sign in again"
        ),
        false => format!(
            "is sealed with the key `{id}`, which was not given: add it with `Sealed::also_open`, or remove the record and sign in again"
        ),
    }))
}

/// Each part with its length before it, so that no two lists of parts read the same.
fn bound(key: &Key, id: &str) -> Vec<u8> {
    let mut bound = Vec::new();
    for part in ["gatepass-sealed-1", id, key.as_str()] {
        bound.extend((part.len() as u64).to_le_bytes());
        bound.extend(part.as_bytes());
    }
    bound
}
