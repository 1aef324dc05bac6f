use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gatepass::Error;
use serde::{Deserialize, Serialize};
use tower_sessions::Session;

use crate::user::User;

/// Under this name it stands in the session.
const SIGNED_IN: &str = "gatepass";
/// And under this when the person was last here.
pub(crate) const SEEN: &str = "gatepass.seen";

/// A sign-in, as the session holds it. No token is in it (6750-7).
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct SignedIn {
    /// Of this sign-in, and the subject of its tokens: the provider's name, a dot, and random text.
    pub(crate) id: String,
    /// Of the [site and its client](crate::Site::realm) there: others that share a session store may have another
    /// provider of the same name, and other people of the same subjects.
    pub(crate) realm: String,
    pub(crate) user: User,
    /// Of the session at the provider, if it says so.
    pub(crate) sid: Option<String>,
    /// When the ID token was issued, by the provider's clock, in seconds.
    pub(crate) issued_at: Option<u64>,
    /// When they signed in, by ours.
    pub(crate) since: u64,
    /// When the sign-in before was, which this one has replaced.
    #[serde(default)]
    pub(crate) replaces: Option<u64>,
}

impl SignedIn {
    /// What a session holds; nothing if that is of an older version and cannot be read.
    ///
    /// # Errors
    /// Transient, of the session store.
    pub(crate) async fn of(session: &Session) -> Result<Option<Self>, Error> {
        let kept = session.get_value(SIGNED_IN).await.map_err(unreachable)?;
        Ok(kept.and_then(|kept| serde_json::from_value(kept).ok()))
    }

    /// Whether a session holds nothing of a sign-in, not even what cannot be read.
    ///
    /// # Errors
    /// Transient, of the session store.
    pub(crate) async fn is_absent(session: &Session) -> Result<bool, Error> {
        Ok(session.get_value(SIGNED_IN).await.map_err(unreachable)?.is_none())
    }

    /// Whether both are the same person at the same provider.
    pub(crate) fn is_same_person(&self, other: &Self) -> bool {
        self.realm == other.realm && self.user.is_same_person(&other.user)
    }

    /// # Errors
    /// Transient, of the session store.
    pub(crate) async fn put_into(&self, session: &Session) -> Result<(), Error> {
        session.insert(SIGNED_IN, self).await.map_err(unreachable)?;
        session.insert(SEEN, self.since).await.map_err(unreachable)
    }

    /// Whether people go round in a circle: this sign-in has just been, and the one before it shortly before.
    pub(crate) fn is_repeated(&self, now: u64) -> bool {
        let is_short = |from: u64, to: u64| to.saturating_sub(from) < 20;
        is_short(self.since, now) && self.replaces.is_some_and(|before| is_short(before, self.since))
    }

    pub(crate) fn is_over(&self, seen: u64, now: u64, limits: &Limits) -> bool {
        let (idle, ceiling) = (limits.idle.as_secs(), limits.ceiling.as_secs());
        now.saturating_sub(self.since) >= ceiling || now.saturating_sub(seen.max(self.since)) >= idle
    }
}

/// For how long a session lives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) idle: Duration,
    pub(crate) ceiling: Duration,
}

/// When the person was last here.
///
/// # Errors
/// Transient, of the session store.
pub(crate) async fn seen(session: &Session) -> Result<u64, Error> {
    let seen = session.get_value(SEEN).await.map_err(unreachable)?;
    Ok(seen.and_then(|seen| seen.as_u64()).unwrap_or(0))
}

pub(crate) fn unreachable(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::transient("the session store cannot be used now: try again in a moment").with_source(error)
}

pub(crate) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed_in() -> SignedIn {
        let user = serde_json::from_value(serde_json::json!({"provider": "main", "subject": "ann"})).unwrap();
        SignedIn {
            id: "main.x".to_owned(),
            realm: String::new(),
            user,
            sid: None,
            issued_at: None,
            since: 1_000,
            replaces: None,
        }
    }

    #[test]
    fn rfc10017_7_a_session_is_over_after_idle_time_and_at_the_ceiling() {
        let limits = Limits { idle: Duration::from_secs(60), ceiling: Duration::from_secs(600) };
        let is_over = |seen, now| signed_in().is_over(seen, now, &limits);
        assert!(!is_over(1_000, 1_059) && is_over(1_000, 1_060));
        assert!(!is_over(1_590, 1_599) && is_over(1_599, 1_600), "however busy");
        assert!(!is_over(0, 1_059), "never seen since the sign-in");
        assert!(!is_over(2_000, 500), "the clock was set back");
        assert!(is_over(u64::MAX, u64::MAX));
        let forever = Limits { idle: Duration::MAX, ceiling: Duration::MAX };
        assert!(!signed_in().is_over(0, u64::MAX - 1, &forever));
    }

    #[test]
    fn what_an_older_version_wrote_is_nobody_and_no_failure() {
        for older in [serde_json::json!({}), serde_json::json!("ann"), serde_json::json!({"id": 7})] {
            assert!(serde_json::from_value::<SignedIn>(older).is_err());
        }
        let kept = serde_json::to_value(signed_in()).unwrap();
        assert_eq!(serde_json::from_value::<SignedIn>(kept).unwrap().id, "main.x");
    }

    #[test]
    fn seconds_before_1970_are_none() {
        assert_eq!(seconds(UNIX_EPOCH - Duration::from_secs(5)), 0);
    }
}
