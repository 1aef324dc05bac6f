//! What a cell keeps under its key: one versioned record for each grant.
//!
//! A grant has one refresh token and may have several access tokens, one for each variant of what is asked for:
//! scopes, audience, resource. They stand in one record, so that whoever spends the refresh token is alone (C13).

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Key;
use crate::{
    clock::FAR,
    error::Error,
    secret::Secret,
    token::{Expiry, TokenSet},
};

/// The format that is written, and the newest that is read.
const FORMAT: u32 = 1;

/// The year 2219, in microseconds. What is later counts as no time: the numbers after it are for those who come later.
pub(crate) const LATEST: u64 = (1 << 53) - (1 << 50);

/// How often a refresh token is presented again whose answer was lost (F4).
const RETRIES: u32 = 2;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Record {
    gatepass: u32,
    /// Orders the sets issued under this key, whoever got them: microseconds since 1970, and at least one more than
    /// the one before, and than the version the store has. So a set stored after a removal, or by a store that lost
    /// everything, is newer than what any cell remembers.
    pub(crate) generation: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    issuer: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_id: Option<Arc<str>>,
    #[serde(default, with = "secret", skip_serializing_if = "Option::is_none")]
    refresh_token: Option<Secret>,
    #[serde(default, with = "secret", skip_serializing_if = "Option::is_none")]
    id_token: Option<Secret>,
    /// Tells the refresh token it all started from, without holding it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seed: Option<String>,
    /// Whether the last refresh brought another refresh token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rotates: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) intent: Option<Intent>,
    #[serde(default)]
    tokens: BTreeMap<String, Kept>,
}

/// An access token of the grant.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kept {
    generation: u64,
    #[serde(default, with = "secret", skip_serializing_if = "Option::is_none")]
    access_token: Option<Secret>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token_type: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope: Option<Arc<str>>,
    /// Milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ends: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lifetime: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_in: Option<u64>,
}

/// Somebody is about to present the refresh token (F4). While this stands, whether it was spent is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Intent {
    /// When it was presented first, in milliseconds since 1970.
    since: u64,
    /// How often it was presented.
    pub(crate) attempts: u32,
    /// Tells whose it is: who wrote it may know more than the store.
    pub(crate) id: u64,
}

impl Intent {
    /// How long ago the token was presented first.
    pub(crate) fn age(self, now: SystemTime) -> Duration {
        Duration::from_millis(millis(now).saturating_sub(self.since))
    }

    /// The intent to present it now, after `earlier` ones whose answers were lost. `None` when that is no use any
    /// more: the grace is over, or it was tried often enough.
    pub(crate) fn next(earlier: Option<Self>, now: SystemTime, grace: Duration) -> Option<Self> {
        let now = millis(now);
        let id = fastrand::u64(..);
        match earlier {
            None => Some(Self { since: now, attempts: 1, id }),
            // A clock that was set back does not end the grace.
            Some(earlier) if earlier.attempts <= RETRIES && now.saturating_sub(earlier.since) <= as_millis(grace) => {
                Some(Self { since: earlier.since, attempts: earlier.attempts + 1, id })
            }
            Some(_) => None,
        }
    }
}

impl Record {
    /// With nothing in it yet; what comes is newer than `generation`.
    pub(crate) fn after(generation: u64) -> Self {
        Self { gatepass: FORMAT, generation, ..Self::default() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.refresh_token.is_none() && self.tokens.values().all(|kept| kept.access_token.is_none())
    }

    /// # Errors
    /// Misconfigured, when this is no record, or a newer program's. What it says is not shown (X5).
    pub(crate) fn read(text: &Secret, key: &Key) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Format {
            gatepass: u32,
        }
        match serde_json::from_str::<Format>(text.expose()) {
            Ok(Format { gatepass: FORMAT }) => {}
            Ok(Format { gatepass }) if gatepass > FORMAT => {
                return Err(Error::misconfigured(format!(
                    "what the token store keeps under `{key}` was written by a newer gatepass (format {gatepass}): update this \
                     program; the record was left as it is"
                )));
            }
            Ok(_) | Err(_) => return Err(damaged(key)),
        }
        let record: Self = serde_json::from_str(text.expose()).map_err(|_| damaged(key))?;
        if record.generation > 1 << 53 { Err(damaged(key)) } else { Ok(record) }
    }

    pub(crate) fn write(&self) -> Secret {
        Secret::new(serde_json::to_string(self).unwrap_or_default())
    }

    /// The set of one variant: its access token, if there is one, and what belongs to the grant.
    pub(crate) fn set(&self, variant: &str) -> TokenSet {
        let mut set = TokenSet::without_tokens();
        set.refresh_token.clone_from(&self.refresh_token);
        set.id_token.clone_from(&self.id_token);
        set.issuer.clone_from(&self.issuer);
        set.client_id.clone_from(&self.client_id);
        if let Some(kept) = self.tokens.get(variant) {
            set.access_token.clone_from(&kept.access_token);
            set.token_type.clone_from(&kept.token_type);
            set.scope.clone_from(&kept.scope);
            set.refresh_in = kept.refresh_in.map(Duration::from_millis);
            if let Some(ends) =
                kept.ends.and_then(|ends| SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(ends)))
            {
                set.expiry = Expiry::At { ends, lifetime: kept.lifetime.map(|it| Duration::from_millis(it).min(FAR)) };
            }
        }
        set
    }

    /// The generation of a variant's access token; 0 when there is none.
    pub(crate) fn generation_of(&self, variant: &str) -> u64 {
        self.tokens.get(variant).filter(|kept| kept.access_token.is_some()).map_or(0, |kept| kept.generation)
    }

    /// Whether the refresh token may be a different one after it was spent: as long as nothing else is known.
    pub(crate) fn rotates(&self) -> bool {
        self.rotates != Some(false)
    }

    /// Takes an answer of the token endpoint.
    pub(crate) fn issue(&mut self, variant: &str, set: &TokenSet, now: SystemTime) {
        self.rotates = Some(set.refresh_token != self.refresh_token);
        self.keep(variant, set, now);
        let now = millis(now);
        self.tokens.retain(|name, kept| name == variant || kept.ends.is_none_or(|ends| ends > now));
    }

    /// Forgets a variant's access token. Whether there was one.
    pub(crate) fn drop_access_token(&mut self, variant: &str) -> bool {
        self.tokens.get_mut(variant).is_some_and(|kept| kept.access_token.take().is_some())
    }

    /// Takes a set from outside, after a sign-in: what was there belonged to another grant.
    pub(crate) fn replace(&mut self, variant: &str, set: &TokenSet, now: SystemTime) {
        self.tokens.clear();
        self.rotates = None;
        self.seed = set.refresh_token.as_ref().map(seed);
        self.keep(variant, set, now);
    }

    /// Whether it did not start from the refresh token of `set`.
    pub(crate) fn started_elsewhere(&self, set: &TokenSet) -> bool {
        set.refresh_token.as_ref().is_some_and(|token| self.seed.as_deref() != Some(&seed(token)))
    }

    /// Whether it started from the refresh token of `set`.
    pub(crate) fn started_from(&self, set: &TokenSet) -> bool {
        set.refresh_token.is_some() && !self.started_elsewhere(set)
    }

    /// Tells the sign-in it comes from.
    pub(crate) fn lineage(&self) -> u64 {
        self.seed.as_deref().and_then(|seed| u64::from_str_radix(seed.get(..16)?, 16).ok()).unwrap_or(0)
    }

    /// Whether it holds the same refresh token, of the same generation.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.generation == other.generation && self.refresh_token == other.refresh_token
    }

    fn keep(&mut self, variant: &str, set: &TokenSet, now: SystemTime) {
        self.gatepass = FORMAT;
        self.generation = self.generation.saturating_add(1).max(micros(now));
        self.intent = None;
        self.refresh_token.clone_from(&set.refresh_token);
        self.id_token.clone_from(&set.id_token);
        self.issuer.clone_from(&set.issuer);
        self.client_id.clone_from(&set.client_id);
        let (ends, lifetime) = match set.expiry {
            Expiry::At { ends, lifetime } => (Some(millis(ends)), lifetime.map(as_millis)),
            Expiry::In { .. } | Expiry::Unknown => (None, None),
        };
        let kept = Kept {
            generation: self.generation,
            access_token: set.access_token.clone(),
            token_type: set.token_type.clone(),
            scope: set.scope.clone(),
            ends,
            lifetime,
            refresh_in: set.refresh_in.map(as_millis),
        };
        self.tokens.insert(variant.to_owned(), kept);
    }
}

fn damaged(key: &Key) -> Error {
    Error::misconfigured(format!(
        "what the token store keeps under `{key}` is no record of gatepass, or damaged: remove it there, and sign in again; it was \
         left as it is"
    ))
}

/// Enough to tell two refresh tokens apart, and nothing to get one from.
fn seed(token: &Secret) -> String {
    fingerprint(token.expose().as_bytes())
}

/// 128 bits of a hash, in hexadecimal.
pub(crate) fn fingerprint(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(16).fold(String::with_capacity(32), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn micros(time: SystemTime) -> u64 {
    let time = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    // A clock that is absurdly wrong must not use the numbers up.
    u64::try_from(time.as_micros()).unwrap_or(0).min(LATEST)
}

fn millis(time: SystemTime) -> u64 {
    as_millis(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

fn as_millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Secrets are written here, on purpose, and nowhere else.
mod secret {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::secret::Secret;

    pub(super) fn serialize<S: Serializer>(secret: &Option<Secret>, serializer: S) -> Result<S::Ok, S::Error> {
        secret.as_ref().map(Secret::expose).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
        Ok(Option::<String>::deserialize(deserializer)?.map(Secret::new))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GRACE: Duration = Duration::from_secs(60);

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds)
    }

    fn started(variant: &str) -> Record {
        let mut record = Record::after(0);
        record.replace(variant, &set(1), at(0));
        record
    }

    fn key() -> Key {
        Key::new(["https://auth.example.com", "client", "alice"])
    }

    fn set(number: u64) -> TokenSet {
        let mut set = TokenSet::new(format!("access-{number}"))
            .refresh_token(format!("refresh-{number}"))
            .expires_in(Duration::from_secs(60))
            .issuer("https://auth.example.com")
            .client_id("client")
            .scope("a b");
        set.arrive(at(0));
        set
    }

    #[test]
    fn f4_a_lost_answer_is_tried_again_twice_within_the_grace() {
        let first = Intent::next(None, at(0), GRACE).unwrap();
        let second = Intent::next(Some(first), at(30), GRACE).unwrap();
        let third = Intent::next(Some(second), at(60), GRACE).unwrap();
        assert_eq!(third.attempts, 3);
        assert_eq!(Intent::next(Some(third), at(60), GRACE), None, "twice at most");
        assert_eq!(Intent::next(Some(first), at(61), GRACE), None, "within the grace, counted from the first time");
        assert!(Intent::next(Some(first), at(999_999), Duration::MAX).is_some(), "a server without reuse detection");
        assert!(Intent::next(Some(second), SystemTime::UNIX_EPOCH, GRACE).is_some(), "the clock was set back");
    }

    #[test]
    fn x6_a_record_is_what_it_was_after_it_was_written_and_read() {
        let mut record = started("");
        record.issue("b", &set(2), at(0));
        record.intent = Intent::next(None, at(0), GRACE);
        let read = Record::read(&record.write(), &key()).unwrap();
        let (one, two) = (read.set(""), read.set("b"));
        assert_eq!(one.access_token.unwrap().expose(), "access-1");
        assert_eq!(two.access_token.as_ref().unwrap().expose(), "access-2");
        assert_eq!(one.refresh_token.unwrap().expose(), "refresh-2", "there is one refresh token for both");
        assert_eq!(two.ends_at(), Some(at(60)));
        assert_eq!(
            (two.issuer.as_deref(), two.client_id.as_deref()),
            (Some("https://auth.example.com"), Some("client"))
        );
        let first = micros(at(0));
        assert_eq!((read.generation_of(""), read.generation_of("b"), read.generation_of("c")), (first, first + 1, 0));
        assert_eq!(read.generation, first + 1);
        assert_eq!(read.intent, record.intent);
        assert!(read.set("c").access_token.is_none());
    }

    #[test]
    fn a_new_sign_in_leaves_nothing_of_the_grant_before() {
        let mut record = started("");
        record.issue("b", &set(2), at(0));
        record.replace("", &set(3), at(0));
        assert_eq!((record.generation, record.generation_of("b")), (micros(at(0)) + 2, 0));
        assert!(record.started_elsewhere(&set(1)) && !record.started_elsewhere(&set(3)));
    }

    #[test]
    fn tokens_that_have_ended_are_not_kept_for_ever() {
        let mut record = started("old");
        record.issue("", &set(2), at(3600));
        assert_eq!((record.generation_of("old"), record.generation_of("")), (0, micros(at(3600))));
    }

    #[test]
    fn f4_a_server_that_hands_out_the_same_refresh_token_does_not_rotate() {
        let mut record = started("");
        assert!(record.rotates(), "as long as nothing is known");
        let mut same = set(2);
        same.refresh_token = set(1).refresh_token;
        record.issue("", &same, at(0));
        assert!(!record.rotates());
        record.issue("", &set(3), at(0));
        assert!(record.rotates());
    }

    #[test]
    fn what_is_no_record_is_an_error_that_says_what_to_do_and_shows_nothing() {
        let good = started("").write();
        for (text, hint) in [
            (&good.expose()[..good.expose().len() - 3], "damaged"),
            ("", "damaged"),
            ("hunter2", "damaged"),
            ("{}", "damaged"),
            (r#"{"gatepass":0}"#, "damaged"),
            (r#"{"gatepass":2,"generation":"hunter2"}"#, "newer gatepass"),
            (r#"{"gatepass":1,"generation":"hunter2"}"#, "damaged"),
        ] {
            let error = Record::read(&Secret::new(text), &key()).unwrap_err();
            assert!(error.is_misconfigured() && error.to_string().contains(hint), "{text}: {error}");
            assert!(
                !format!("{error:?}").contains("hunter2") && !format!("{error:?}").contains("access-1"),
                "{error:?}"
            );
        }
    }

    #[test]
    fn x5_a_record_does_not_show_its_secrets() {
        let shown = format!("{:?}", started(""));
        assert!(!shown.contains("access-1") && !shown.contains("refresh-1"), "{shown}");
    }

    proptest! {
        #[test]
        fn reading_is_total(text in ".{0,200}", cut in 0_usize..400) {
            let _ = Record::read(&Secret::new(text), &key());
            let mut good = started("").write().expose().to_owned();
            good.truncate(cut.min(good.len()));
            let _ = Record::read(&Secret::new(good), &key());
        }

        #[test]
        fn absurd_numbers_do_not_overflow(ends in any::<u64>(), lifetime in any::<u64>(), since in any::<u64>()) {
            let text = format!(
                r#"{{"gatepass":1,"generation":1,"intent":{{"since":{since},"attempts":1,"id":{since}}},"tokens":{{"":{{"generation":1,"access_token":"a","ends":{ends},"lifetime":{lifetime},"refresh_in":{lifetime}}}}}}}"#
            );
            let record = Record::read(&Secret::new(text), &key()).unwrap();
            let _ = record.set("").ends_at();
            let _ = Intent::next(record.intent, at(0), GRACE);
        }
    }
}
