//! What the browser keeps of a sign-in while the person is at the provider: one cookie for each, so that several tabs do
//! not mix, sealed, for ten minutes, and used once.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use gatepass::{Error, Secret, grant::PendingAuthorization};
use http::{HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tower_sessions::cookie::{Cookie, SameSite, time::Duration};

use crate::{cookies, site::Site};

/// How long somebody may be at the provider, in seconds.
pub(super) const LIFETIME: u64 = 600;
/// How many sign-ins of one browser are kept at once: more cookies than servers take would come together.
const MOST: usize = 8;
/// How long one may be, with its name and attributes, to be kept by all browsers (RFC 6265 section 6.1).
const LONGEST: usize = 4096;
/// And all of them: servers refuse requests whose head is too large, whatever they are for.
const LONGEST_TOGETHER: usize = 12 * 1024;

/// How many letters the end of a name has.
const HASH: usize = 16;

/// A sign-in that was begun.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) pending: PendingAuthorization,
    pub(super) provider: String,
    pub(super) return_to: String,
    /// When, in seconds.
    pub(super) at: u64,
}

#[derive(Deserialize, Serialize)]
struct Kept {
    pending: String,
    provider: String,
    return_to: String,
    at: u64,
}

impl Begun {
    /// The cookie, as it is set. Where there is no room for it, the way back is forgotten.
    ///
    /// # Errors
    /// Transient, when the system has no random numbers. Misconfigured, when browsers would not keep it: nobody could
    /// come back then.
    pub(super) fn cookie(&mut self, site: &Site) -> Result<HeaderValue, Error> {
        let mut cookie = self.sealed(site)?;
        if cookie.len() > LONGEST {
            self.return_to = "/".to_owned();
            cookie = self.sealed(site)?;
        }
        if cookie.len() > LONGEST {
            return Err(Error::misconfigured(format!(
                "what `{}` is asked for is too long for the cookie that remembers it: ask for fewer scopes, or shorter ones",
                self.provider
            )));
        }
        Ok(cookie)
    }

    fn sealed(&self, site: &Site) -> Result<HeaderValue, Error> {
        let name = name(site, self.pending.state());
        let kept = Kept {
            pending: self.pending.to_secret().expose().to_owned(),
            provider: self.provider.clone(),
            return_to: self.return_to.clone(),
            at: self.at,
        };
        let kept = Secret::new(serde_json::to_string(&kept).expect("texts and a number are JSON"));
        let sealed = site.shared.keys[0].seal(&context(&name), &kept)?;
        set(site, name, sealed, LIFETIME)
    }

    /// The sign-in that a callback with this `state` answers, if this browser began it, and not too long ago.
    pub(super) fn find(site: &Site, headers: &HeaderMap, state: &Secret) -> Option<Self> {
        let name = name(site, state);
        cookies::pairs(headers)
            .filter(|(other, _)| *other == name)
            .find_map(|(_, sealed)| Self::open(site, &name, sealed))
    }

    fn open(site: &Site, name: &str, sealed: &str) -> Option<Self> {
        let context = context(name);
        let kept = site.shared.keys.iter().find_map(|key| key.open(&context, sealed))?;
        let kept: Kept = serde_json::from_str(kept.expose()).ok()?;
        let pending = PendingAuthorization::from_secret(&Secret::new(kept.pending)).ok()?;
        let is_in_time = site.now().saturating_sub(kept.at) < LIFETIME;
        is_in_time.then_some(Self { pending, provider: kept.provider, return_to: kept.return_to, at: kept.at })
    }
}

/// Takes the cookie of a sign-in away.
pub(super) fn removed(site: &Site, state: &Secret) -> Option<HeaderValue> {
    set(site, name(site, state), String::new(), 0).ok()
}

/// Takes away what is too much beside a `new` one: what does not open or is over, and the oldest of the rest.
pub(super) fn crowded_out(site: &Site, headers: &HeaderMap, new: &HeaderValue) -> Vec<HeaderValue> {
    let prefix = prefix(site);
    let mut kept: Vec<(u64, &str, usize)> = cookies::pairs(headers)
        // What is longer is of a neighbour, whose prefix is longer.
        .filter(|(name, _)| name.strip_prefix(&prefix).is_some_and(|rest| rest.len() == HASH))
        .map(|(name, sealed)| {
            let at = Begun::open(site, name, sealed).map_or(0, |begun| begun.at);
            (at, name, name.len() + sealed.len() + "=; ".len())
        })
        .collect();
    // The newest first, while there is room.
    kept.sort_unstable_by(|one, other| other.cmp(one));
    let (mut count, mut length) = (1, new.len());
    kept.retain(|(at, _, more)| {
        count += 1;
        length += more;
        *at == 0 || count > MOST || length > LONGEST_TOGETHER
    });
    kept.into_iter().filter_map(|(_, name, _)| set(site, name.to_owned(), String::new(), 0).ok()).collect()
}

/// Of the state's hash: what finds the cookie is not the secret that it is compared to.
fn name(site: &Site, state: &Secret) -> String {
    let hash = Sha256::digest(state.expose());
    format!("{}{}", prefix(site), URL_SAFE_NO_PAD.encode(&hash[..HASH / 4 * 3]))
}

fn prefix(site: &Site) -> String {
    format!("{}-", site.cookie_name("sign-in"))
}

/// A cookie opens under its own name only.
fn context(name: &str) -> String {
    format!("gatepass sign-in cookie {name}")
}

fn set(site: &Site, name: String, value: String, max_age: u64) -> Result<HeaderValue, Error> {
    let cookie = Cookie::build((name, value))
        .http_only(true)
        .secure(site.shared.is_secure)
        // The callback comes from the provider's site, as a navigation.
        .same_site(SameSite::Lax)
        .path("/")
        .max_age(Duration::seconds(max_age.try_into().unwrap_or(0)));
    HeaderValue::try_from(cookie.to_string())
        .map_err(|error| Error::misconfigured("a cookie cannot be set").with_source(error))
}
