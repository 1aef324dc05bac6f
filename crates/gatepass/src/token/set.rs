use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use crate::{
    clock::{self, FAR},
    secret::Secret,
};

/// Everything that came with a token and is kept with it. See the [module docs](crate::token).
///
/// A set without an access token is how one starts from a refresh token obtained elsewhere:
/// [`TokenSet::from_refresh_token`].
#[derive(Clone)]
#[must_use]
#[non_exhaustive]
pub struct TokenSet {
    /// What is sent with requests.
    pub access_token: Option<Secret>,
    /// The type of the access token; none means `Bearer`.
    pub token_type: Option<Arc<str>>,
    pub(crate) expiry: Expiry,
    pub(crate) refresh_in: Option<Duration>,
    /// The scopes that were granted, separated by spaces.
    pub scope: Option<Arc<str>>,
    /// Exchanged for the next access token.
    pub refresh_token: Option<Secret>,
    /// The ID token (OpenID Connect), as it came.
    pub id_token: Option<Secret>,
    /// The authorization server that issued the set (X6).
    pub issuer: Option<Arc<str>>,
    /// The client the set was issued to (X6).
    pub client_id: Option<Arc<str>>,
}

/// When an access token ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expiry {
    /// Nobody said. It is not "never" (C10).
    Unknown,
    /// Counted from its arrival, of which so much has passed then.
    In { lifetime: Duration, passed: Duration },
    /// Known on the wall clock; the lifetime is what it had when it was issued.
    At { ends: SystemTime, lifetime: Option<Duration> },
}

impl TokenSet {
    /// A set with this access token, of type `Bearer`, that ends nobody knows when.
    pub fn new(access_token: impl Into<Secret>) -> Self {
        Self { access_token: Some(access_token.into()), ..Self::empty() }
    }

    /// A set that has only a refresh token: the first request exchanges it.
    pub fn from_refresh_token(refresh_token: impl Into<Secret>) -> Self {
        Self::empty().refresh_token(refresh_token)
    }

    fn empty() -> Self {
        Self {
            access_token: None,
            token_type: None,
            expiry: Expiry::Unknown,
            refresh_in: None,
            scope: None,
            refresh_token: None,
            id_token: None,
            issuer: None,
            client_id: None,
        }
    }

    /// How long the access token lives, counted from when a cell gets the set.
    pub fn expires_in(mut self, lifetime: Duration) -> Self {
        self.expiry = Expiry::In { lifetime: lifetime.min(FAR), passed: Duration::ZERO };
        self
    }

    /// When the access token ends, for a set that was kept elsewhere.
    pub fn expires_at(mut self, ends: SystemTime) -> Self {
        self.expiry = Expiry::At { ends, lifetime: None };
        self
    }

    /// When the server would like the token to be renewed, counted like [`expires_in`](Self::expires_in) (C7).
    pub fn refresh_in(mut self, wait: Duration) -> Self {
        self.refresh_in = Some(wait);
        self
    }

    /// The type of the access token; `Bearer` when it is not set.
    pub fn token_type(mut self, token_type: impl Into<String>) -> Self {
        self.token_type = Some(token_type.into().into());
        self
    }

    /// The refresh token; an empty one is none (C6).
    pub fn refresh_token(mut self, refresh_token: impl Into<Secret>) -> Self {
        self.refresh_token = Some(refresh_token.into()).filter(|token| !token.is_empty());
        self
    }

    /// The scopes that were granted, separated by spaces.
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = Some(scope.into().into());
        self
    }

    /// The ID token (OpenID Connect), as it came.
    pub fn id_token(mut self, id_token: impl Into<Secret>) -> Self {
        self.id_token = Some(id_token.into());
        self
    }

    /// The authorization server that issued the set (X6).
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into().into());
        self
    }

    /// The client the set was issued to (X6).
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = Some(client_id.into().into());
        self
    }

    /// When the access token ends, by the wall clock. `None` if that is not known, or if only a lifetime was given and
    /// no cell has received the set yet.
    pub fn ends_at(&self) -> Option<SystemTime> {
        match self.expiry {
            Expiry::At { ends, .. } => Some(ends),
            Expiry::In { .. } | Expiry::Unknown => None,
        }
    }

    /// How long the access token lives from when it was issued, if the server said so.
    pub fn lifetime(&self) -> Option<Duration> {
        match self.expiry {
            Expiry::In { lifetime, .. } => Some(lifetime),
            Expiry::At { lifetime, .. } => lifetime,
            Expiry::Unknown => None,
        }
    }

    /// Turns "in an hour" into a time of day, and an empty refresh token into none (C6).
    pub(crate) fn arrive(&mut self, now: SystemTime) {
        self.refresh_token.take_if(|token| token.is_empty());
        if let Expiry::In { lifetime, passed } = self.expiry {
            let ends = clock::after(now, lifetime.saturating_sub(passed));
            self.expiry = Expiry::At { ends, lifetime: Some(lifetime) };
        }
    }

    /// Says how long it was asked for. When in that time it was issued nobody knows: its life began with it, else a
    /// token that was long on its way would be sent after its end (C7).
    pub(crate) fn asked_for(&mut self, time: Duration) {
        if let Expiry::In { passed, .. } = &mut self.expiry {
            *passed = time;
        }
    }

    pub(crate) fn without_tokens() -> Self {
        Self::empty()
    }

    /// What is left of a set whose access token is of no use.
    pub(crate) fn without_access_token(self) -> Self {
        Self { access_token: None, token_type: None, expiry: Expiry::Unknown, refresh_in: None, ..self }
    }

    /// Takes over what `earlier` has and an answer may leave out: the refresh token first of all (C6, RFC 6749 section
    /// 6).
    pub(crate) fn keep_from(&mut self, earlier: &Self) {
        fn keep<T: Clone>(new: &mut Option<T>, old: &Option<T>) {
            if new.is_none() {
                new.clone_from(old);
            }
        }
        keep(&mut self.refresh_token, &earlier.refresh_token);
        keep(&mut self.id_token, &earlier.id_token);
        keep(&mut self.scope, &earlier.scope);
        keep(&mut self.issuer, &earlier.issuer);
        keep(&mut self.client_id, &earlier.client_id);
    }
}

/// What the sets of many cells have in common, kept once: each set takes the texts of an earlier one, where they are
/// the same.
#[derive(Default)]
pub(crate) struct Texts(Mutex<[Option<Arc<str>>; 4]>);

impl Texts {
    pub(crate) fn share(&self, set: &mut TokenSet) {
        let TokenSet { token_type, scope, issuer, client_id, .. } = set;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (own, known) in [token_type, scope, issuer, client_id].into_iter().zip(&mut *known) {
            if own == known {
                own.clone_from(known);
            } else if own.is_some() {
                known.clone_from(own);
            }
        }
    }
}

impl fmt::Debug for TokenSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSet")
            .field("access_token", &self.access_token)
            .field("token_type", &self.token_type)
            .field("expiry", &self.expiry)
            .field("scope", &self.scope)
            .field("refresh_token", &self.refresh_token)
            .field("id_token", &self.id_token)
            .field("issuer", &self.issuer)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_one_builder_keep_the_texts_they_have_in_common_once() {
        let texts = Texts::default();
        let shared = |scope: &str| {
            let mut set = TokenSet::new("a").scope(scope).issuer("https://auth.example.com");
            texts.share(&mut set);
            set
        };
        let same =
            |one: &Option<Arc<str>>, two: &Option<Arc<str>>| Arc::ptr_eq(one.as_ref().unwrap(), two.as_ref().unwrap());
        let (one, two, three) = (shared("read"), shared("write"), shared("write"));
        assert!(same(&one.issuer, &two.issuer) && same(&one.issuer, &three.issuer));
        assert!(same(&two.scope, &three.scope));
        assert_eq!((one.scope.as_deref(), two.scope.as_deref()), (Some("read"), Some("write")));
        assert!(three.client_id.is_none());
    }
}
