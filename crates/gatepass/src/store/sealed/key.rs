use std::{fmt, sync::Arc};

use base64::{
    Engine,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use zeroize::Zeroizing;

use crate::error::Error;

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
