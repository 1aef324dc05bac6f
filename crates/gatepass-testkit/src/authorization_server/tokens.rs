//! The tokens that were issued, and the families of those that descend from one sign-in. No I/O, no clock.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use super::{
    person::SignIn,
    revocation::{Revocation, RevokedBy},
};

/// The tokens that descend from one sign-in.
pub(super) type FamilyId = u64;

#[derive(Default)]
pub(super) struct Tokens {
    access: HashMap<String, Access>,
    refresh: HashMap<String, Refresh>,
    families: HashMap<FamilyId, Family>,
    /// The superseded refresh tokens, oldest first, so that a long run does not remember all of them.
    superseded: VecDeque<String>,
    next_family: FamilyId,
    /// Access tokens of an earlier epoch are revoked.
    epoch: u64,
    sweep_at: usize,
    pub(super) families_revoked: usize,
    /// How often a superseded refresh token came within the grace.
    pub(super) reuse_forgiven: usize,
    /// How often one came after it, detected or only refused.
    pub(super) reuse_refused: usize,
    revocations: VecDeque<Revocation>,
}

#[derive(Debug, Clone)]
pub(super) struct Access {
    pub(super) client: String,
    pub(super) family: Option<FamilyId>,
    pub(super) scope: Option<String>,
    /// `None`: never.
    pub(super) expires: Option<Instant>,
    epoch: u64,
    revoked: bool,
}

#[derive(Debug)]
struct Refresh {
    family: FamilyId,
    superseded: Option<Instant>,
    /// Whether an answer that superseded it was sent.
    answered: bool,
}

#[derive(Debug)]
struct Family {
    client: String,
    scope: Option<String>,
    revoked: bool,
    last_access_token: Option<String>,
    /// `None`: the client itself.
    who: Option<SignIn>,
}

/// How the server treats a refresh token that is presented.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub(super) supersede: bool,
    pub(super) detect_reuse: bool,
    pub(super) reuse_grace: Duration,
}

const SUPERSEDED_KEPT: usize = 100_000;
const REVOCATIONS_KEPT: usize = 10_000;

impl Tokens {
    pub(super) fn new_family(&mut self, client: &str, scope: Option<String>, who: Option<SignIn>) -> FamilyId {
        let id = self.next_family;
        self.next_family += 1;
        let client = client.to_owned();
        self.families.insert(id, Family { client, scope, revoked: false, last_access_token: None, who });
        id
    }

    pub(super) fn scope_of(&self, family: FamilyId) -> Option<&str> {
        self.families.get(&family)?.scope.as_deref()
    }

    pub(super) fn who(&self, family: FamilyId) -> Option<&SignIn> {
        self.families.get(&family)?.who.as_ref()
    }

    /// The sign-ins of a person that have not ended, oldest first.
    pub(super) fn sids_of(&self, sub: &str) -> Vec<String> {
        let living = |id| self.families.get(&id).filter(|family| !family.revoked)?.who.as_ref();
        (0..self.next_family).filter_map(living).filter(|who| who.sub == sub).map(|who| who.sid.clone()).collect()
    }

    pub(super) fn last_access_token(&self, family: FamilyId) -> Option<&str> {
        self.families.get(&family)?.last_access_token.as_deref()
    }

    pub(super) fn add_refresh(&mut self, token: String, family: FamilyId) {
        self.refresh.insert(token, Refresh { family, superseded: None, answered: false });
    }

    pub(super) fn add_access(
        &mut self,
        token: &str,
        client: &str,
        family: Option<FamilyId>,
        scope: Option<String>,
        (now, expires): (Instant, Option<Instant>),
    ) {
        self.sweep(now);
        let (client, epoch) = (client.to_owned(), self.epoch);
        let access = Access { client, family, scope, expires, epoch, revoked: false };
        self.access.insert(token.to_owned(), access);
    }

    pub(super) fn is_last_of(&mut self, family: FamilyId, token: &str) {
        if let Some(family) = self.families.get_mut(&family) {
            family.last_access_token = Some(token.to_owned());
        }
    }

    /// Presents a refresh token. `None` when it is refused; when it had been superseded, its family ends with that.
    pub(super) fn redeem(&mut self, token: &str, client: &str, rules: Rules, now: Instant) -> Option<FamilyId> {
        let refresh = self.refresh.get_mut(token)?;
        let id = refresh.family;
        let family = self.families.get(&id)?;
        if family.revoked || family.client != client {
            return None;
        }
        if let Some(since) = refresh.superseded {
            let after = now.saturating_duration_since(since);
            if after < rules.reuse_grace {
                self.reuse_forgiven += 1;
                return Some(id);
            }
            self.reuse_refused += 1;
            if rules.detect_reuse {
                let answer_lost = !refresh.answered;
                self.revoke_family(id, RevokedBy::Reuse { after, answer_lost });
            }
            return None;
        }
        if rules.supersede {
            refresh.superseded = Some(now);
            self.superseded.push_back(token.to_owned());
            if self.superseded.len() > SUPERSEDED_KEPT
                && let Some(oldest) = self.superseded.pop_front()
            {
                self.refresh.remove(&oldest);
            }
        }
        Some(id)
    }

    /// The access token, if it is good now.
    pub(super) fn active(&self, token: &str, now: Instant) -> Option<&Access> {
        let access = self.access.get(token)?;
        let family = access.family.and_then(|family| self.families.get(&family));
        let is_revoked = access.revoked || access.epoch < self.epoch || family.is_some_and(|it| it.revoked);
        (!is_revoked && !has_expired(access, now)).then_some(access)
    }

    /// An access token that is still within its lifetime, revoked or not.
    pub(super) fn unexpired(&self, token: &str, now: Instant) -> Option<&Access> {
        self.access.get(token).filter(|access| !has_expired(access, now))
    }

    /// Client, scope and family of a refresh token that is good.
    pub(super) fn active_refresh(&self, token: &str) -> Option<(&str, Option<&str>)> {
        let refresh = self.refresh.get(token).filter(|refresh| refresh.superseded.is_none())?;
        let family = self.families.get(&refresh.family).filter(|family| !family.revoked)?;
        Some((&family.client, family.scope.as_deref()))
    }

    pub(super) fn revoke_access_token(&mut self, token: &str) -> bool {
        self.access.get_mut(token).map(|access| access.revoked = true).is_some()
    }

    pub(super) fn revoke_access_tokens(&mut self) {
        self.epoch += 1;
    }

    pub(super) fn family_of(&self, token: &str) -> Option<FamilyId> {
        let of_refresh = self.refresh.get(token).map(|refresh| refresh.family);
        of_refresh.or_else(|| self.access.get(token)?.family)
    }

    pub(super) fn client_of(&self, token: &str) -> Option<&str> {
        let of_access = self.access.get(token).map(|access| access.client.as_str());
        of_access.or_else(|| Some(&self.families.get(&self.refresh.get(token)?.family)?.client))
    }

    /// An answer that superseded this refresh token is on its way.
    pub(super) fn was_answered(&mut self, refresh_token: &str) {
        if let Some(refresh) = self.refresh.get_mut(refresh_token) {
            refresh.answered = true;
        }
    }

    pub(super) fn revoke_family(&mut self, id: FamilyId, by: RevokedBy) {
        if let Some(family) = self.families.get_mut(&id).filter(|family| !family.revoked) {
            family.revoked = true;
            self.families_revoked += 1;
            if self.revocations.len() == REVOCATIONS_KEPT {
                self.revocations.pop_front();
            }
            self.revocations.push_back(Revocation { at: Instant::now(), by });
        }
    }

    pub(super) fn revoke_everything(&mut self, by: RevokedBy) {
        self.revoke_access_tokens();
        for id in 0..self.next_family {
            self.revoke_family(id, by);
        }
    }

    /// The sign-ins that ended, oldest first.
    pub(super) fn revocations(&self) -> impl Iterator<Item = Revocation> {
        self.revocations.iter().copied()
    }

    /// Counts from zero again; what was issued is not forgotten.
    pub(super) fn reset_counts(&mut self) {
        (self.families_revoked, self.reuse_forgiven, self.reuse_refused) = (0, 0, 0);
        self.revocations.clear();
    }

    /// Forgets expired access tokens whenever twice as many are held as were left the last time.
    fn sweep(&mut self, now: Instant) {
        if self.access.len() >= self.sweep_at.max(1024) {
            self.access.retain(|_, access| !has_expired(access, now));
            self.sweep_at = self.access.len() * 2;
        }
    }
}

fn has_expired(access: &Access, now: Instant) -> bool {
    access.expires.is_some_and(|expires| expires <= now)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules { supersede: true, detect_reuse: true, reuse_grace: Duration::from_secs(2) };

    fn with_family() -> (Tokens, FamilyId) {
        let mut tokens = Tokens::default();
        let family = tokens.new_family("client", None, None);
        tokens.add_refresh("first".to_owned(), family);
        (tokens, family)
    }

    #[test]
    fn reuse_within_the_grace_is_forgiven_and_after_it_ends_the_family() {
        let (mut tokens, family) = with_family();
        let start = Instant::now();
        tokens.add_access("access", "client", Some(family), None, (start, None));
        assert_eq!(tokens.redeem("first", "client", RULES, start), Some(family));
        let within = start + Duration::from_millis(1999);
        assert_eq!(tokens.redeem("first", "client", RULES, within), Some(family));
        assert!(tokens.active("access", within).is_some());

        let after = start + Duration::from_secs(2);
        assert_eq!(tokens.redeem("first", "client", RULES, after), None);
        assert!(tokens.active("access", after).is_none());
        assert_eq!((tokens.families_revoked, tokens.reuse_forgiven, tokens.reuse_refused), (1, 1, 1));
    }

    #[test]
    fn a_revocation_says_whether_the_client_could_have_known() {
        for was_answered in [true, false] {
            let (mut tokens, family) = with_family();
            let start = Instant::now();
            assert_eq!(tokens.redeem("first", "client", RULES, start), Some(family));
            if was_answered {
                tokens.was_answered("first");
            }
            let after = Duration::from_secs(3);
            assert_eq!(tokens.redeem("first", "client", RULES, start + after), None);
            let by: Vec<_> = tokens.revocations().map(|it| it.by).collect();
            assert_eq!(by, [RevokedBy::Reuse { after, answer_lost: !was_answered }]);
        }
    }

    #[test]
    fn a_foreign_client_cannot_redeem_and_harms_nobody() {
        let (mut tokens, family) = with_family();
        let now = Instant::now();
        assert_eq!(tokens.redeem("first", "other", RULES, now), None);
        assert_eq!(tokens.redeem("first", "client", RULES, now), Some(family));
    }

    #[test]
    fn a_token_ends_exactly_with_its_lifetime() {
        let (mut tokens, _) = with_family();
        let start = Instant::now();
        let end = start + Duration::from_millis(10);
        tokens.add_access("access", "client", None, None, (start, Some(end)));
        assert!(tokens.active("access", end - Duration::from_nanos(1)).is_some());
        assert!(tokens.active("access", end).is_none());
    }

    #[test]
    fn expired_tokens_are_forgotten() {
        let (mut tokens, _) = with_family();
        let start = Instant::now();
        for number in 0..10_000 {
            let now = start + Duration::from_secs(number);
            let expires = Some(now + Duration::from_secs(1));
            tokens.add_access(&number.to_string(), "client", None, None, (now, expires));
        }
        assert!(tokens.access.len() <= 1025, "{} are held", tokens.access.len());
    }
}
