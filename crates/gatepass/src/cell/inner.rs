//! The only shared state: what is published, and the ledger behind its lock.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwapOption;

use super::{
    attempt::{Got, Lost},
    builder::Settings,
    current::Current,
    events::{Channel, Issued},
    ledger::{Ledger, Reason, Removal},
    schedule::{Now, Phase, Schedule},
    trouble::Unsaved,
};
use crate::{
    clock,
    error::Error,
    meter::{self, AtRisk, Outcome, Rejection},
    token::{Expiry, Owner, Token, TokenSet},
};

pub(super) struct Inner {
    pub(super) current: ArcSwapOption<Current>,
    /// Counts what was published, or taken back: who holds what was current then sees whether it still is.
    edition: AtomicU64,
    ledger: Mutex<Ledger>,
    pub(super) settings: Arc<Settings>,
    pub(super) issued: Channel,
    subject: Option<Arc<str>>,
    start_from: Option<Box<TokenSet>>,
    /// Held by whoever puts or removes a set where a store keeps it, so that one comes after the other there and here.
    outside: OnceLock<Box<tokio::sync::Mutex<()>>>,
}

/// What arrives with less to live would be renewed many times a second (C9).
pub(super) const SHORTEST_LIFE: Duration = Duration::from_millis(200);

/// A set that may be published, and what is published of it.
struct Prepared {
    set: Arc<TokenSet>,
    renewable: bool,
    current: Arc<Current>,
}

/// Why a set may not be published, and what of it is kept all the same.
struct Unfit {
    error: Error,
    rotated: Option<Arc<TokenSet>>,
}

impl From<Error> for Unfit {
    fn from(error: Error) -> Self {
        Self { error, rotated: None }
    }
}

impl Inner {
    pub(super) fn new(settings: Arc<Settings>, subject: Option<Arc<str>>, start_from: Option<Box<TokenSet>>) -> Self {
        Self {
            current: ArcSwapOption::empty(),
            edition: AtomicU64::new(0),
            ledger: Mutex::new(Ledger::new(settings.clock.tick(), settings.store.is_some())),
            settings,
            issued: Channel::default(),
            subject,
            start_from,
            outside: OnceLock::new(),
        }
    }

    /// No code of others runs under this lock, so a poisoned one is as good as any.
    pub(super) fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, current: Option<Arc<Current>>) {
        self.current.store(current);
        // After it: who sees the edition sees what was published.
        self.edition.fetch_add(1, Ordering::Release);
    }

    #[inline]
    pub(super) fn edition(&self) -> u64 {
        self.edition.load(Ordering::Acquire)
    }

    pub(super) fn now(&self) -> Now {
        Now { tick: self.settings.clock.tick(), wall: self.settings.clock.wall() }
    }

    /// The published token, unless it has ended.
    pub(super) fn living(&self) -> Option<Token> {
        let current = self.current.load();
        let current = current.as_ref()?;
        let lives = current.is_quiet(self.settings.clock.tick()) || current.read(self.now()).phase != Phase::Expired;
        lives.then(|| current.token().clone())
    }

    /// Whose token it is, in the store.
    pub(super) fn subject(&self) -> &str {
        self.subject.as_deref().unwrap_or_default()
    }

    /// What to start from when there is nothing, unless that was removed.
    pub(super) fn start_from(&self, now: SystemTime) -> Option<TokenSet> {
        let mut set = self.start_from.as_deref()?.clone();
        set.arrive(now);
        (self.lock().removed == Removal::No).then_some(set)
    }

    /// Whether nothing is lost with what this holds.
    pub(super) fn is_expendable(&self) -> bool {
        let lives = self.living().is_some();
        self.lock().is_expendable(lives, self.start_from.is_some())
    }

    /// Takes what an exchange brought: publishes it, tells listeners, says what the waiters get.
    pub(super) fn settle(
        self: &Arc<Self>,
        number: u64,
        started_at: u64,
        result: Result<Got, Lost>,
        reason: Reason,
    ) -> (Outcome, Result<Token, Error>) {
        let now = self.now();
        let (mut known, mut rotates, mut adopted) = (0, true, false);
        let mut at_risk = None;
        let mut lost = None;
        let prepared = match result {
            Ok(got) => {
                (known, rotates, adopted, at_risk) = (got.known, got.rotates, got.adopted, got.at_risk);
                self.prepare(got.set, got.before.as_deref(), started_at, now)
            }
            Err(Lost { error, generation, removed, .. }) => {
                lost = Some((generation, removed));
                Err(Unfit::from(error))
            }
        };
        let _at_risk;
        let mut ledger = self.lock();
        _at_risk = ledger.at_risk();
        if ledger.generation != started_at {
            // A set was put meanwhile, by somebody who knew better.
            drop(ledger);
            let living = self.living();
            let error = || Error::transient("the token set was replaced while this exchange ran; ask again");
            return (Outcome::Replaced, living.ok_or_else(error));
        }
        if lost.is_none() {
            // There was an answer.
            ledger.trouble_mut().intent = None;
            ledger.rotates = rotates;
            ledger.known = known;
            ledger.removed = Removal::No;
        }
        let Prepared { set, renewable, current } = match prepared {
            Ok(prepared) => prepared,
            Err(Unfit { error, rotated }) => {
                let error = ledger.fail(number, error, now.tick);
                if let Some((generation, removed)) = lost {
                    ledger.trouble_mut().dead = error.is_reauth_required().then_some(generation);
                    if removed {
                        ledger.forget();
                        self.publish(None);
                    }
                    ledger.tidy();
                }
                let error = ledger.held_off(now.tick).unwrap_or(error);
                if let Some(set) = rotated {
                    ledger.rescue(set.clone());
                    ledger.risk(&set, at_risk, now.wall);
                    drop(ledger);
                    self.issued.announce(Issued {
                        previous: started_at,
                        generation: started_at,
                        reason: Some(reason),
                        adopted,
                        set,
                    });
                }
                return (Outcome::of(&error), Err(error));
            }
        };
        let token = current.token().clone();
        let fresh = current.read(now).phase == Phase::Fresh;
        ledger.issue(set.clone(), renewable, token.generation(), fresh, now.tick);
        ledger.risk(&set, at_risk, now.wall);
        self.publish(Some(current));
        drop(ledger);
        self.issued.announce(Issued {
            previous: started_at,
            generation: token.generation(),
            reason: Some(reason),
            adopted,
            set,
        });
        let outcome = match adopted {
            true => Outcome::Adopted,
            false if token.generation() == started_at => Outcome::Unchanged,
            false => Outcome::Issued,
        };
        (outcome, Ok(token))
    }

    /// What was at risk is stored, or need not be any more.
    pub(super) fn saved(&self, unsaved: &Arc<Unsaved>, known: Option<u64>) {
        let _at_risk;
        let mut ledger = self.lock();
        _at_risk = ledger.at_risk();
        if ledger.trouble_mut().unsaved.take_if(|own| Arc::ptr_eq(own, unsaved)).is_some()
            && let Some(known) = known
        {
            ledger.known = known;
        }
    }

    /// What was at risk was removed from the store meanwhile: it is not used any more.
    pub(super) fn drop_removed(&self, unsaved: &Arc<Unsaved>) {
        let _at_risk;
        let mut ledger = self.lock();
        _at_risk = ledger.at_risk();
        if ledger.trouble().unsaved.as_ref().is_some_and(|own| Arc::ptr_eq(own, unsaved)) {
            ledger.forget();
            self.publish(None);
            drop(ledger);
            meter::token_removed(self.name());
        }
    }

    /// Waits for the turn to put or remove a set, though not for ever: one may be on a runtime that stands still.
    pub(super) async fn turn(&self) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        let outside = self.outside.get_or_init(Box::default);
        tokio::time::timeout(self.settings.attempt_timeout.min(clock::FAR), outside.lock()).await.ok()
    }

    /// Has the store find the runtime that the cell was given.
    pub(super) async fn on_runtime<F: Future>(&self, future: F) -> F::Output {
        let mut future = std::pin::pin!(future);
        std::future::poll_fn(|context| {
            let _entered = self.settings.runtime.as_ref().map(tokio::runtime::Handle::enter);
            future.as_mut().poll(context)
        })
        .await
    }

    /// The store has heard of the removal.
    pub(super) fn removed(&self) {
        let mut ledger = self.lock();
        if ledger.removed == Removal::Pending {
            ledger.removed = Removal::Done;
            ledger.trouble_mut().removed_at = None;
            ledger.tidy();
        }
    }

    /// Counts an exchange that panicked, which is a failure like others.
    pub(super) fn crash(&self, number: u64, error: Error) -> Error {
        let now = self.settings.clock.tick();
        let mut ledger = self.lock();
        // It says nothing about the answer: what the server makes of the refresh token will show.
        ledger.trouble_mut().intent = None;
        ledger.tidy();
        ledger.fail(number, error, now)
    }

    /// Clears the slot, last of all: who waits until the cell has settled finds everything done.
    pub(super) fn clear_slot(&self, number: u64) {
        let flight = self.lock().flight.take_if(|flight| flight.number() == number);
        // Only now: with it goes a span, and a subscriber is code of others.
        drop(flight);
    }

    /// Makes a set from outside ready.
    ///
    /// # Errors
    /// Misconfigured, when its access token cannot be sent, or it has no token at all.
    pub(super) fn checked(self: &Arc<Self>, mut set: TokenSet) -> Result<TokenSet, Error> {
        let now = self.now();
        set.arrive(now.wall);
        self.settings.texts.share(&mut set);
        match (&set.access_token, &set.refresh_token) {
            (None, None) => Err(Error::misconfigured("the token set has neither an access token nor a refresh token")),
            (None, Some(_)) => Ok(set),
            (Some(_), _) => self.publishable(&mut set, true, 0, now).map(|_| set),
        }
    }

    /// Replaces the set from outside. `known` is its generation in the store, or why it is not there.
    ///
    /// # Errors
    /// As for [`checked`](Self::checked); then nothing has changed.
    pub(super) fn put(self: &Arc<Self>, mut set: TokenSet, known: Result<u64, Error>) -> Result<(), Error> {
        let now = self.now();
        let renewable = self.settings.source.can_renew(&set);
        let known = known.map_err(|error| (error, AtRisk::begin(self.name())));
        let _at_risk;
        let mut ledger = self.lock();
        _at_risk = ledger.at_risk();
        let previous = ledger.generation;
        let current = match set.access_token {
            Some(_) => Some(self.publishable(&mut set, renewable, previous + 1, now)?),
            None => None,
        };
        let set = Arc::new(set);
        let generation = ledger.replace(set.clone(), renewable, now.tick);
        match known {
            Ok(known) => ledger.known = known,
            Err((error, gauge)) => {
                let trouble = ledger.trouble_mut();
                trouble.at_risk += 1;
                trouble.unsaved =
                    Some(Arc::new(Unsaved { set: set.clone(), base: None, since: now.wall, error, _gauge: gauge }));
            }
        }
        let expires_at = current.as_ref().map(|current| current.token().expires_at());
        self.publish(current);
        let overtaken = ledger.flight.take();
        drop(ledger);
        if let Some(overtaken) = overtaken {
            overtaken.overtake();
        }
        self.issued.announce(Issued { previous, generation, reason: None, adopted: false, set });
        if let Some(expires_at) = expires_at {
            meter::token_ends(self.name(), expires_at);
        }
        Ok(())
    }

    /// Forgets the set. What is under way brings nothing back.
    pub(super) fn remove(&self) {
        let now = self.now();
        let _at_risk;
        let mut ledger = self.lock();
        _at_risk = ledger.at_risk();
        ledger.remove(now.tick, now.wall);
        self.publish(None);
        let overtaken = ledger.flight.take();
        drop(ledger);
        if let Some(overtaken) = overtaken {
            overtaken.overtake();
        }
        meter::token_removed(self.name());
    }

    /// Forgets what was put while this waited.
    pub(super) fn remove_again(&self) {
        if self.lock().removed == Removal::No {
            self.remove();
        }
    }

    /// Whether the token of a set can be used.
    pub(super) fn is_fit(self: &Arc<Self>, set: &TokenSet) -> bool {
        set.access_token.is_some() && self.sound(&mut set.clone(), true, 0, self.now()).is_ok()
    }

    fn prepare(
        self: &Arc<Self>,
        mut set: TokenSet,
        before: Option<&TokenSet>,
        started_at: u64,
        now: Now,
    ) -> Result<Prepared, Unfit> {
        set.arrive(now.wall);
        let mut same_token = false;
        if let Some(before) = before {
            set.keep_from(before);
            same_token = set.access_token == before.access_token;
        }
        self.settings.texts.share(&mut set);
        // The same token again is no new generation: to reject it twice would be a hot loop (C9).
        let generation = if same_token { started_at } else { started_at + 1 };
        let renewable = self.settings.source.can_renew(&set);
        match self.sound(&mut set, renewable, generation, now) {
            Ok(current) => Ok(Prepared { set: Arc::new(set), renewable, current }),
            Err(error) => {
                let known = before.and_then(|before| before.refresh_token.as_ref());
                let rotated = set.refresh_token.is_some() && set.refresh_token.as_ref() != known;
                Err(Unfit { error, rotated: rotated.then(|| Arc::new(set.without_access_token())) })
            }
        }
    }

    /// # Errors
    /// When the token cannot be sent, or has ended on the way.
    fn sound(
        self: &Arc<Self>,
        set: &mut TokenSet,
        renewable: bool,
        generation: u64,
        now: Now,
    ) -> Result<Arc<Current>, Error> {
        let current = self.publishable(set, renewable, generation, now)?;
        let left = current.read(now).remaining;
        if left.is_some_and(|left| left < SHORTEST_LIFE) {
            return Err(Error::transient(
                "the token arrived already expired, or about to: check expires_in and the clocks of this machine and the authorization server",
            ));
        }
        Ok(current)
    }

    fn publishable(
        self: &Arc<Self>,
        set: &mut TokenSet,
        renewable: bool,
        generation: u64,
        now: Now,
    ) -> Result<Arc<Current>, Error> {
        let jitter = fastrand::f64();
        let schedule = match set.expiry {
            Expiry::At { ends, lifetime } if renewable => {
                Schedule::renewable(now, ends, lifetime, set.refresh_in, jitter)
            }
            Expiry::At { ends, .. } => Schedule::fixed(now, Some(ends)),
            Expiry::In { .. } | Expiry::Unknown if renewable => {
                Schedule::unknown(now, set.refresh_in.unwrap_or(self.settings.renew_unknown_after), jitter)
            }
            Expiry::In { .. } | Expiry::Unknown => Schedule::fixed(now, None),
        };
        let owner: Weak<dyn Owner> = Arc::downgrade(self) as _;
        Current::new(set, generation, now.tick, schedule, self.settings.copies, &owner)
    }
}

impl Owner for Inner {
    fn reject(&self, generation: u64) -> bool {
        let now = self.settings.clock.tick();
        let mut ledger = self.lock();
        let is_current = self.current.load().as_ref().is_some_and(|current| current.generation() == generation);
        let dropped = is_current && ledger.refuse(generation, now);
        if dropped {
            self.publish(None);
        }
        let warns = is_current && !dropped && ledger.warns(now);
        drop(ledger);
        let rejection = match (is_current, dropped) {
            (_, true) => Rejection::Dropped,
            (true, false) => Rejection::Kept,
            (false, false) => Rejection::Outdated,
        };
        meter::rejected(self.name(), rejection);
        tracing::debug!(cell = self.name(), generation, outcome = rejection.as_str(), "a server refused the token");
        if warns {
            tracing::warn!(
                cell = self.name(),
                "refused tokens follow each other too fast: the one that was refused stays for now. \
                 Does a part of the API answer 401 to good tokens?"
            );
        }
        dropped
    }

    fn can_replace(&self, generation: u64) -> bool {
        let now = self.now();
        let ledger = self.lock();
        match self.current.load().as_ref().filter(|current| current.read(now).phase != Phase::Expired) {
            Some(current) => current.generation() != generation,
            None => ledger.may_exchange(now.tick),
        }
    }
}
