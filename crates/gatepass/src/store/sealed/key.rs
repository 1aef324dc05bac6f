use std::{fmt, sync::Arc};

use base64::{
    Engine,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::URL_SAFE_NO_PAD},
};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Generate, Payload},
};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::{error::Error, secret::Secret};

/// 32 random bytes that seal and open, and the name under which sealed texts remember them. Wiped from memory when
/// dropped.
#[derive(Clone)]
pub struct SealKey {
    id: Arc<str>,
    bytes: Zeroizing<[u8; 32]>,
}

impl SealKey {
    /// A key and its name, such as `2025-11`. The name is no secret: it stands beside what was sealed, and in errors.
    ///
    /// The bytes have to come from a generator of random bytes; a password is not a key.
    pub fn new(id: impl Into<String>, bytes: [u8; 32]) -> Self {
        Self { id: id.into().into(), bytes: Zeroizing::new(bytes) }
    }

    /// The same from a setting: 32 bytes in base64 of either alphabet, as `openssl rand -base64 32` makes them.
    ///
    /// # Errors
    /// Misconfigured if it is anything else.
    pub fn from_base64(id: impl Into<String>, text: &str) -> Result<Self, Error> {
        let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
        let id = id.into();
        let mut bytes = Zeroizing::new([0; 32]);
        for alphabet in [&STANDARD, &URL_SAFE] {
            // Room for what the decoder writes before it has seen the end.
            let mut room = Zeroizing::new([0; 48]);
            if let Ok(32) = GeneralPurpose::new(alphabet, lenient).decode_slice(text.trim(), &mut *room) {
                bytes.copy_from_slice(&room[..32]);
                return Ok(Self { id: id.into(), bytes });
            }
        }
        Err(Error::misconfigured(format!(
            "the seal key `{id}` is not 32 bytes in base64: make one with `openssl rand -base64 32`"
        )))
    }

    /// A key that nobody else has, for what this process seals and opens alone: a restart forgets it.
    ///
    /// # Errors
    /// Transient, when the system has no random numbers.
    pub fn random() -> Result<Self, Error> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(bytes.as_mut_slice())
            .map_err(|error| Error::transient(format!("the system has no random numbers: {error}")))?;
        Ok(Self { id: "this process".into(), bytes })
    }

    /// Seals a text that somebody else keeps, such as a browser in a cookie: letters, digits, `-` and `_`. It opens in
    /// the same `context` only, which says what it is and whose, and is not part of it.
    ///
    /// XChaCha20-Poly1305 with a random nonce. The length of the text can be seen.
    ///
    /// # Errors
    /// Transient, when the system has no random numbers.
    pub fn seal(&self, context: &str, text: &Secret) -> Result<String, Error> {
        let nonce = XNonce::try_generate().map_err(|_| Error::transient("the system has no random numbers"))?;
        let payload = Payload { msg: text.expose().as_bytes(), aad: context.as_bytes() };
        let sealed_box = XChaCha20Poly1305::new(&self.of_texts())
            .encrypt(&nonce, payload)
            .map_err(|_| Error::misconfigured("the text is too long to be sealed"))?;
        Ok(URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed_box].concat()))
    }

    /// What [`seal`](Self::seal) sealed in this context with this key. `None` when it was anything else.
    pub fn open(&self, context: &str, sealed: &str) -> Option<Secret> {
        let sealed = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (nonce, sealed_box) = sealed.split_at_checked(24)?;
        let payload = Payload { msg: sealed_box, aad: context.as_bytes() };
        let text = XChaCha20Poly1305::new(&self.of_texts()).decrypt(&XNonce::try_from(nonce).ok()?, payload).ok()?;
        String::from_utf8(text).ok().map(Secret::new)
    }

    /// Another key for texts than for the records of a store, so that neither passes for the other.
    fn of_texts(&self) -> chacha20poly1305::Key {
        let mut hash = Sha256::new_with_prefix(b"gatepass-sealed-text-1");
        hash.update(&self.bytes[..]);
        hash.finalize()
    }

    /// Its name.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealKey").field("id", &self.id).finish_non_exhaustive()
    }
}
