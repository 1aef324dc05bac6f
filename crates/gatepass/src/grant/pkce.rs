use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use super::random;
use crate::{error::Error, secret::Secret};

/// What binds a code to who asked for it (RFC 7636): the challenge goes with the authorization request, the verifier
/// with the code. The method is always `S256`.
///
/// An [`AuthorizationRequest`](super::AuthorizationRequest) makes one by itself.
#[derive(Clone, Debug)]
pub struct Pkce {
    verifier: Secret,
}

impl Pkce {
    /// With a new verifier: 32 random bytes (section 7.1).
    ///
    /// # Errors
    /// Transient, when the system has no random numbers.
    pub fn new() -> Result<Self, Error> {
        Ok(Self { verifier: random()? })
    }

    /// With a verifier made elsewhere.
    ///
    /// # Errors
    /// Misconfigured, when it is not 43 to 128 letters, digits, `-`, `.`, `_` or `~` (section 4.1).
    pub fn from_verifier(verifier: impl Into<Secret>) -> Result<Self, Error> {
        let verifier = verifier.into();
        let text = verifier.expose();
        let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if (43..=128).contains(&text.len()) && text.bytes().all(unreserved) {
            Ok(Self { verifier })
        } else {
            Err(Error::misconfigured(
                "the code verifier has to be 43 to 128 characters, each a letter, a digit or one of -._~ (RFC 7636)",
            ))
        }
    }

    /// What goes to the token endpoint, with the code.
    pub fn verifier(&self) -> &Secret {
        &self.verifier
    }

    /// What goes with the authorization request: the verifier's SHA-256 in base64url.
    pub fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier.expose().as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc7636_2_the_challenge_is_that_of_appendix_b() {
        let pkce = Pkce::from_verifier("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").unwrap();
        assert_eq!(pkce.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert!(!format!("{pkce:?}").contains("dBjft"));
    }

    #[test]
    fn rfc7636_1_a_verifier_is_43_to_128_unreserved_characters_from_a_secure_source() {
        let (one, two) = (Pkce::new().unwrap(), Pkce::new().unwrap());
        assert_ne!(one.verifier(), two.verifier());
        assert_eq!(one.verifier().expose().len(), 43);
        for made in [one, two] {
            assert!(Pkce::from_verifier(made.verifier().clone()).is_ok());
        }
        for good in ["a".repeat(43), "~".repeat(128), "A-._~9".repeat(10)] {
            assert!(Pkce::from_verifier(good).is_ok());
        }
        for bad in ["a".repeat(42), "a".repeat(129), String::new(), "ä".repeat(43), format!("{} ", "a".repeat(50))] {
            assert!(Pkce::from_verifier(bad.as_str()).unwrap_err().is_misconfigured(), "{bad}");
        }
    }
}
