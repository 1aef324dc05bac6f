//! What every token of a provider has to pass, whatever it is for: a header without tricks and a signature by one of
//! the provider's keys (RFC 7515, RFC 8725). And the claims that every one of them has.

use std::time::{Duration, SystemTime};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use gatepass::Error;
use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};

use super::{
    jwks::{self, KeySet, Signature, Verdict},
    keys::{FetchKeys, Keys, Missing},
};

/// How far the provider's clock may be from ours.
pub(super) const LEEWAY: u64 = 60;

/// OpenID Connect Core section 2.
const LONGEST_SUBJECT: usize = 255;

/// What a token is taken for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    IdToken,
    LogoutToken,
}

impl Kind {
    /// The error about a token that is wrong. The reason names claims and quotes none.
    pub(super) fn refuse(self, why: &str) -> Error {
        Error::reauth_required(match self {
            Self::IdToken => format!("the ID token {why}: start the sign-in again"),
            Self::LogoutToken => format!("the logout token {why}: nobody was signed out by it"),
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::IdToken => "ID tokens",
            Self::LogoutToken => "logout tokens",
        }
    }
}

/// A token whose signature is right. Nothing is known yet of what its claims are good for.
pub(super) struct Signed {
    pub(super) algorithm: Algorithm,
    /// In lower case and without `application/` (RFC 7515 section 4.1.9).
    pub(super) typ: Option<String>,
    pub(super) claims: Claims,
}

/// # Errors
/// Reauthentication required, when the token is wrong. What [`Keys`] says, when there are no keys to see that with.
pub(super) async fn verify(kind: Kind, keys: &Keys, fetch: &dyn FetchKeys, token: &str) -> Result<Signed, Error> {
    let parts = Parts::split(kind, token)?;
    let header = Header::read(parts.header).map_err(|why| kind.refuse(&why))?;
    let Some(signature) = decode(parts.signature) else {
        return Err(kind.refuse("cannot be read"));
    };
    let signature = Signature {
        algorithm: header.algorithm,
        key_id: header.key_id.as_deref(),
        message: parts.message.as_bytes(),
        signature,
    };
    verify_signature(kind, keys, fetch, &signature).await?;
    let Some(claims) = object(parts.claims) else {
        return Err(kind.refuse("has claims that cannot be read"));
    };
    Ok(Signed { algorithm: header.algorithm, typ: header.typ, claims: Claims(claims) })
}

async fn verify_signature(
    kind: Kind,
    keys: &Keys,
    fetch: &dyn FetchKeys,
    signature: &Signature<'_>,
) -> Result<(), Error> {
    let current = keys.current(fetch).await?;
    let verdict = current.set.verify(signature);
    let again = |newer: Option<std::sync::Arc<KeySet>>| newer.map_or(verdict, |set| set.verify(signature));
    let verdict = match verdict {
        Verdict::Right => Verdict::Right,
        Verdict::NoKey => again(keys.newer(fetch, kind, &current, Missing::Key).await?),
        // That the provider does not answer says nothing against what its key said.
        Verdict::Wrong => again(keys.newer(fetch, kind, &current, Missing::RightKey).await.unwrap_or_default()),
    };
    match verdict {
        Verdict::Right => Ok(()),
        Verdict::Wrong => Err(kind.refuse("has a wrong signature")),
        Verdict::NoKey => Err(kind.refuse("is signed by a key that the provider does not list (kid, alg)")),
    }
}

struct Parts<'a> {
    /// Header and claims: what is signed.
    message: &'a str,
    header: &'a str,
    claims: &'a str,
    signature: &'a str,
}

impl<'a> Parts<'a> {
    fn split(kind: Kind, token: &'a str) -> Result<Self, Error> {
        let unreadable = || kind.refuse("cannot be read");
        match token.split('.').take(6).count() {
            3 => {}
            5 => {
                let name = kind.name();
                return Err(kind.refuse(&format!(
                    "is encrypted, and encrypted {name} are not supported (turn that off for this client at the provider)"
                )));
            }
            _ => return Err(unreadable()),
        }
        let (message, signature) = token.rsplit_once('.').ok_or_else(unreadable)?;
        let (header, claims) = message.split_once('.').ok_or_else(unreadable)?;
        Ok(Self { message, header, claims, signature })
    }
}

/// What of the header is looked at. Keys in it, and addresses of keys, are not: a token does not say by itself whom to
/// trust.
struct Header {
    algorithm: Algorithm,
    key_id: Option<String>,
    typ: Option<String>,
}

impl Header {
    fn read(part: &str) -> Result<Self, String> {
        let header = object(part).ok_or("cannot be read")?;
        let text = |name: &str| match header.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err(format!("has a header that cannot be read ({name})")),
        };
        // Nothing that it could demand is understood here (RFC 7515 section 4.1.11).
        if header.contains_key("crit") {
            return Err("demands something that is not supported (crit)".to_owned());
        }
        let algorithm = text("alg")?.and_then(jwks::algorithm).ok_or(
            "is signed by none of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 and EdDSA (alg; choose one of \
             them for this client at the provider)",
        )?;
        let typ = text("typ")?.map(str::to_ascii_lowercase);
        let typ = typ.map(|typ| typ.strip_prefix("application/").map_or(typ.clone(), str::to_owned));
        Ok(Self { algorithm, key_id: text("kid")?.map(str::to_owned), typ })
    }
}

fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&decode(part)?).ok()
}

fn decode(part: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).ok()
}

/// The claims of one token. What is wrong with them is said as the second half of a sentence about the token.
pub(super) struct Claims(pub(super) Map<String, Value>);

impl Claims {
    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// What is null is not there.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// A text that is not empty, if it is there at all.
    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, String> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
            Some(_) => Err(format!("has a claim that is no text ({name})")),
        }
    }

    /// Seconds since 1970, if it is there at all.
    pub(super) fn seconds(&self, name: &str) -> Result<Option<u64>, String> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => seconds(value).map(Some).ok_or_else(|| format!("has a claim that is no number ({name})")),
        }
    }

    pub(super) fn subject(&self) -> Result<Option<&str>, String> {
        match self.text("sub")? {
            Some(subject) if subject.chars().count() > LONGEST_SUBJECT => {
                Err(format!("has a subject of more than {LONGEST_SUBJECT} characters (sub)"))
            }
            subject => Ok(subject),
        }
    }

    /// To the letter: an issuer with another slash is another issuer.
    pub(super) fn check_issuer(&self, issuer: &str) -> Result<(), String> {
        match self.get("iss").and_then(Value::as_str) {
            Some(given) if given == issuer => Ok(()),
            _ => Err("is not from the provider that was asked (iss)".to_owned()),
        }
    }

    /// Whether the client is an audience, and whether another one is, too.
    pub(super) fn check_audience(&self, client_id: &str) -> Result<Audience, String> {
        let all = match self.get("aud") {
            Some(Value::Array(several)) => several.as_slice(),
            Some(one) => std::slice::from_ref(one),
            None => &[],
        };
        match (all.iter().any(|one| one == client_id), all.iter().any(|one| one != client_id)) {
            (false, _) => Err("is for another client (aud)".to_owned()),
            (true, true) => Ok(Audience::AmongOthers),
            (true, false) => Ok(Audience::Alone),
        }
    }

    /// When it was issued, which cannot be later than now.
    pub(super) fn issued_at(&self, now: u64) -> Result<u64, String> {
        match self.seconds("iat")? {
            Some(at) if at > now.saturating_add(LEEWAY) => Err(by_the_clock("was issued in the future", "iat")),
            Some(at) => Ok(at),
            None => Err("does not say when it was issued (iat)".to_owned()),
        }
    }

    /// When it expires, if it says so, and that it has not.
    pub(super) fn expires_at(&self, now: u64) -> Result<Option<u64>, String> {
        match self.seconds("exp")? {
            Some(at) if now >= at.saturating_add(LEEWAY) => Err(by_the_clock("has expired", "exp")),
            at => Ok(at),
        }
    }

    pub(super) fn check_not_before(&self, now: u64) -> Result<(), String> {
        match self.seconds("nbf")? {
            Some(at) if at > now.saturating_add(LEEWAY) => Err(by_the_clock("is not valid yet", "nbf")),
            _ => Ok(()),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audience {
    Alone,
    AmongOthers,
}

/// Who is refused for the time sees that by the clock's error more often than by an attack.
pub(super) fn by_the_clock(what: &str, claim: &str) -> String {
    format!("{what} ({claim}; check that the clocks of this machine and of the provider are right)")
}

pub(super) fn since_1970(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).as_ref().map_or(0, Duration::as_secs)
}

/// Total: before 1970 is 1970, and what is too large is as large as can be.
fn seconds(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_f64().map(|seconds| seconds as u64))
}
