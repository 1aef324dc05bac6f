//! Who signed in, by the provider's word (OpenID Connect Core section 3.1.3.7).

use std::{fmt, time::SystemTime};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use gatepass::{Error, Secret};
use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq;

use super::{
    keys::{FetchKeys, Keys},
    signed::{self, Audience, Kind, Signed, since_1970},
};

/// What an ID token has to say.
pub(crate) struct Expected<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) client_id: &'a str,
    /// The one of the request. Without one, none is required: a refresh has none (section 12.2).
    pub(crate) nonce: Option<&'a Secret>,
    /// The one that came with it.
    pub(crate) access_token: Option<&'a Secret>,
    pub(crate) now: SystemTime,
}

/// What an ID token said, all of it true. Its Debug shows names and no values.
#[derive(Clone)]
pub(crate) struct Claims {
    /// Unique at this issuer, and never given to another.
    pub(crate) subject: String,
    /// The session at the provider, by which a logout token may name it.
    pub(crate) sid: Option<String>,
    /// Seconds since 1970.
    pub(crate) issued_at: u64,
    pub(crate) all: Map<String, Value>,
}

/// Takes an ID token for what it says only if the provider signed it, for this client and this sign-in (OIDC-1).
///
/// # Errors
/// Reauthentication required, with the claim that is wrong. When the provider's keys cannot be had: transient, or what
/// [`FetchKeys`] says.
///
/// # Cancel safety
/// Nothing is lost; see [`Keys`].
pub(crate) async fn verify_id_token(
    keys: &Keys,
    fetch: &dyn FetchKeys,
    token: &Secret,
    expected: &Expected<'_>,
) -> Result<Claims, Error> {
    let signed = signed::verify(Kind::IdToken, keys, fetch, token.expose()).await?;
    expected.check(signed).map_err(|why| Kind::IdToken.refuse(&why))
}

impl Expected<'_> {
    /// By what it says, once its signature is right.
    pub(super) fn check(&self, signed: Signed) -> Result<Claims, String> {
        let Signed { algorithm, typ, claims } = signed;
        if let Some("logout+jwt" | "at+jwt") = typ.as_deref() {
            return Err("is another kind of token (typ)".to_owned());
        }
        if claims.has("events") {
            return Err("reports an event, as a logout token does (events)".to_owned());
        }
        claims.check_issuer(self.issuer)?;
        self.check_client(&claims)?;
        let now = since_1970(self.now);
        claims.expires_at(now)?.ok_or("does not say when it expires (exp)")?;
        claims.check_not_before(now)?;
        let issued_at = claims.issued_at(now)?;
        self.check_nonce(&claims)?;
        self.check_access_token(algorithm, &claims)?;
        let subject = claims.subject()?.ok_or("does not say who signed in (sub)")?.to_owned();
        let sid = claims.text("sid")?.map(str::to_owned);
        // Nobody asks for a `max_age`, so it is not compared; but it has to be a time.
        claims.seconds("auth_time")?;
        Ok(Claims { subject, sid, issued_at, all: claims.0 })
    }

    fn check_client(&self, claims: &signed::Claims) -> Result<(), String> {
        match (claims.check_audience(self.client_id)?, claims.text("azp")?) {
            (_, Some(party)) if party != self.client_id => Err("was issued to another client (azp)".to_owned()),
            (Audience::AmongOthers, None) => {
                Err("is for several clients and does not say which it was issued to (azp)".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn check_nonce(&self, claims: &signed::Claims) -> Result<(), String> {
        let Some(expected) = self.nonce else {
            return Ok(());
        };
        let given = claims.text("nonce")?.unwrap_or_default();
        match given.as_bytes().ct_eq(expected.expose().as_bytes()).into() {
            true => Ok(()),
            false => Err("is for another sign-in (nonce)".to_owned()),
        }
    }

    /// Section 3.1.3.6.
    fn check_access_token(&self, algorithm: Algorithm, claims: &signed::Claims) -> Result<(), String> {
        match (self.access_token, claims.text("at_hash")?) {
            (Some(token), Some(given)) if given != left_half(algorithm, token) => {
                Err("came with an access token that is not its own (at_hash)".to_owned())
            }
            _ => Ok(()),
        }
    }
}

fn left_half(algorithm: Algorithm, token: &Secret) -> String {
    let token = token.expose().as_bytes();
    match algorithm {
        Algorithm::RS256 | Algorithm::PS256 | Algorithm::ES256 => encoded(&Sha256::digest(token)[..16]),
        Algorithm::RS384 | Algorithm::PS384 | Algorithm::ES384 => encoded(&Sha384::digest(token)[..24]),
        // Ed25519 has SHA-512 within (RFC 8032 section 5.1).
        _ => encoded(&Sha512::digest(token)[..32]),
    }
}

fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.all.keys()).finish()
    }
}
