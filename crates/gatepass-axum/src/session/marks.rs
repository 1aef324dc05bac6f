//! What was ended before its time, and what was used once: short notes in the session store, which all instances share.
//!
//! A session is a record that whoever has a copy of it may write again: a request that began before a sign-out and ends
//! after it brings the record back. A mark is written once and does not change, so it tells the truth whatever becomes of
//! the record.

use std::{collections::HashMap, time::Duration};

use gatepass::Error;
use sha2::{Digest, Sha256};
use tower_sessions::{
    cookie::time::OffsetDateTime,
    session::{Id, Record},
};

use super::{
    record::{SignedIn, unreachable},
    store::Sessions,
};

#[derive(Clone, Debug)]
pub(crate) struct Marks {
    sessions: Sessions,
    /// For how long what was ended has to be remembered.
    ceiling: Duration,
}

/// Whom a provider signs out: everybody in one session there, one person everywhere, or one person wherever it is not
/// known in which session.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Order<'a> {
    Session(&'a str),
    Person(&'a str),
    /// One person wherever it is not known which session there it was: an order for a session may be about it.
    Nameless(&'a str),
}

const AT: &str = "at";

impl Marks {
    pub(crate) fn new(sessions: Sessions, ceiling: Duration) -> Self {
        Self { sessions, ceiling }
    }

    /// Takes what can be had once, such as the answer to a sign-in. Whether it was there to take.
    ///
    /// # Errors
    /// Transient, of the session store.
    pub(crate) async fn take(&self, what: &[&str], remembered: Duration) -> Result<bool, Error> {
        let id = id(what);
        // A store without a `create` of its own would write over it.
        if self.read(id).await?.is_some() {
            return Ok(false);
        }
        self.create(&record(id, 0, remembered)).await
    }

    /// Whether there was none of its identifier.
    async fn create(&self, mark: &Record) -> Result<bool, Error> {
        let mut record = mark.clone();
        self.sessions.0.create(&mut record).await.map_err(unreachable)?;
        if record.id == mark.id {
            return Ok(true);
        }
        // The store took it for a session whose identifier is taken, and chose another one.
        if let Err(error) = self.sessions.0.delete(&record.id).await {
            tracing::debug!(%error, "a record of no use stays in the session store until it expires");
        }
        Ok(false)
    }

    /// Ends a sign-in, whatever becomes of its session.
    ///
    /// # Errors
    /// Transient, of the session store.
    pub(crate) async fn end(&self, sign_in: &str) -> Result<(), Error> {
        // Where it stands already, it stands for long enough.
        self.create(&record(id(&["ended", sign_in]), 0, self.ceiling)).await.map(drop)
    }

    /// Ends the sign-ins of who was signed out at the provider, as far as they were before that.
    ///
    /// # Errors
    /// Transient, of the session store.
    pub(crate) async fn sign_out(&self, provider: &str, whom: Order<'_>, issued_at: u64) -> Result<(), Error> {
        let id = order(provider, whom);
        // An older order that comes later, or at the same moment, takes nothing back.
        let newest = async || Ok::<_, Error>(self.read(id).await?.unwrap_or(0).max(issued_at));
        // Redis' store saves nothing that is not there, and says nothing of it.
        if !self.create(&record(id, newest().await?, self.ceiling)).await? {
            let mark = record(id, newest().await?, self.ceiling);
            self.sessions.0.save(&mark).await.map_err(unreachable)?;
        }
        Ok(())
    }

    /// # Errors
    /// Transient, of the session store.
    pub(crate) async fn is_ended(&self, signed_in: &SignedIn, watches_orders: bool) -> Result<bool, Error> {
        let ended = self.read(id(&["ended", &signed_in.id]));
        if !watches_orders {
            return Ok(ended.await?.is_some());
        }
        let user = &signed_in.user;
        let (ended, ordered) = tokio::try_join!(
            ended,
            self.is_signed_out(user.provider(), user.subject(), signed_in.sid.as_deref(), signed_in.issued_at)
        )?;
        Ok(ended.is_some() || ordered)
    }

    /// Whether the provider has signed out who signed in with an ID token of this time.
    ///
    /// # Errors
    /// Transient, of the session store.
    pub(super) async fn is_signed_out(
        &self,
        provider: &str,
        subject: &str,
        sid: Option<&str>,
        issued_at: Option<u64>,
    ) -> Result<bool, Error> {
        let of_session = async {
            match sid {
                Some(sid) => self.read(order(provider, Order::Session(sid))).await,
                None => self.read(order(provider, Order::Nameless(subject))).await,
            }
        };
        let (session, person) = tokio::try_join!(of_session, self.read(order(provider, Order::Person(subject))))?;
        let before = |at: Option<u64>| at.is_some_and(|at| issued_at.unwrap_or(0) <= at);
        Ok(before(session) || before(person))
    }

    async fn read(&self, id: Id) -> Result<Option<u64>, Error> {
        let record = self.sessions.0.load(&id).await.map_err(unreachable)?;
        Ok(record.map(|record| record.data.get(AT).and_then(serde_json::Value::as_u64).unwrap_or(u64::MAX)))
    }
}

fn order(provider: &str, whom: Order<'_>) -> Id {
    match whom {
        Order::Session(sid) => id(&["sid", provider, sid]),
        Order::Person(subject) => id(&["sub", provider, subject]),
        Order::Nameless(subject) => id(&["sub without sid", provider, subject]),
    }
}

/// An odd identifier: cookies reach the even ones only.
fn id(parts: &[&str]) -> Id {
    let mut hash = Sha256::new_with_prefix(b"gatepass-mark-1");
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let hash: [u8; 32] = hash.finalize().into();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    Id(i128::from_le_bytes(bytes) | 1)
}

fn record(id: Id, at: u64, remembered: Duration) -> Record {
    // A little longer than what it is about.
    let remembered = remembered.saturating_add(Duration::from_secs(60));
    let expiry_date = OffsetDateTime::now_utc() + remembered;
    Record { id, data: HashMap::from([(AT.to_owned(), at.into())]), expiry_date }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::MemorySessions;

    const HOUR: Duration = Duration::from_secs(3600);

    fn marks() -> Marks {
        Marks::new(Sessions::new(MemorySessions::default()), HOUR)
    }

    fn signed_in(id: &str, sid: Option<&str>, issued_at: Option<u64>) -> SignedIn {
        let user = serde_json::from_value(serde_json::json!({"provider": "main", "subject": "ann"})).unwrap();
        SignedIn {
            id: id.to_owned(),
            realm: String::new(),
            user,
            sid: sid.map(str::to_owned),
            issued_at,
            since: 0,
            replaces: None,
        }
    }

    #[tokio::test]
    async fn rfc9700_11_what_can_be_had_once_is_had_once() {
        let (marks, other) = (marks(), marks());
        assert!(marks.take(&["state", "a"], HOUR).await.unwrap());
        assert!(!marks.clone().take(&["state", "a"], HOUR).await.unwrap());
        assert!(marks.take(&["state", "b"], HOUR).await.unwrap());
        assert!(marks.take(&["jti", "a"], HOUR).await.unwrap());
        assert!(other.take(&["state", "a"], HOUR).await.unwrap(), "in another store");
        // Parts are told apart wherever they meet.
        assert!(marks.take(&["jti", "main", "a"], HOUR).await.unwrap());
        assert!(marks.take(&["jti", "maina"], HOUR).await.unwrap());
        assert!(marks.take(&["jti", "mai", "na"], HOUR).await.unwrap());
    }

    #[tokio::test]
    async fn a_sign_in_that_was_ended_stays_ended_and_no_other_does() {
        let marks = marks();
        marks.end("main.a").await.unwrap();
        assert!(marks.is_ended(&signed_in("main.a", None, None), false).await.unwrap());
        assert!(!marks.is_ended(&signed_in("main.b", None, None), false).await.unwrap());
    }

    #[tokio::test]
    async fn oidc_3_an_order_ends_what_began_before_it() {
        let marks = marks();
        marks.sign_out("main", Order::Person("ann"), 100).await.unwrap();
        let is_ended = async |issued_at| marks.is_ended(&signed_in("main.a", None, issued_at), true).await.unwrap();
        assert!(is_ended(Some(99)).await && is_ended(Some(100)).await && is_ended(None).await);
        assert!(!is_ended(Some(101)).await);
        marks.sign_out("main", Order::Person("ann"), 50).await.unwrap();
        assert!(is_ended(Some(99)).await, "an older order takes nothing back");
        assert!(!marks.is_ended(&signed_in("main.a", None, Some(1)), false).await.unwrap(), "nobody looks for orders");
    }

    #[tokio::test]
    async fn oidc_3_an_order_is_for_one_session_one_person_and_one_provider() {
        let marks = marks();
        marks.sign_out("main", Order::Session("s1"), 100).await.unwrap();
        marks.sign_out("other", Order::Person("ann"), 100).await.unwrap();
        marks.sign_out("main", Order::Person("s2"), 100).await.unwrap();
        let is_ended = async |sid| marks.is_ended(&signed_in("main.a", sid, Some(1)), true).await.unwrap();
        assert!(is_ended(Some("s1")).await);
        assert!(!is_ended(Some("s2")).await && !is_ended(None).await);
        marks.sign_out("main", Order::Nameless("ann"), 100).await.unwrap();
        assert!(is_ended(None).await && !is_ended(Some("s2")).await);
    }

    #[test]
    fn a_mark_has_an_identifier_that_no_cookie_reaches() {
        for number in 0..100 {
            assert_eq!(id(&["state", &number.to_string()]).0 & 1, 1);
        }
    }
}
