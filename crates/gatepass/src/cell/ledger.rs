//! What a cell knows, behind its lock, and what it decides from it. Nothing here waits, calls out or reads a clock.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::{
    backoff::{Bucket, Failure},
    flight::Flight,
    schedule::{Phase, Reading},
    trouble::{CALM, Counts, Trouble, Unsaved},
};
use crate::{
    clock::{COARSE, Tick},
    error::Error,
    meter::AtRisk,
    token::TokenSet,
};

pub(super) struct Ledger {
    /// What to exchange next, also when its access token was refused or has ended.
    pub(super) set: Option<Arc<TokenSet>>,
    /// Whether the source can do anything with that set; it was asked when the set came.
    renewable: bool,
    /// Whether it came from outside.
    put: bool,
    /// Counts the tokens published.
    pub(super) generation: u64,
    /// The one exchange that runs. In a box, like the failure: an idle cell has neither.
    pub(super) flight: Option<Box<Flight>>,
    flights: u64,
    /// The last exchange, if it failed.
    pub(super) failure: Option<Box<Failure>>,
    /// The generation that was refused last.
    refused: Option<u64>,
    /// Whether it was said that refused tokens stay.
    warned: bool,
    bucket: Bucket,
    /// Whether a store is looked into before the grant counts as dead.
    stored: bool,
    /// The generation in the store that the token came from, or went there as; 0 when it was never there.
    pub(super) known: u64,
    /// What most cells most of the time have none of.
    trouble: Option<Box<Trouble>>,
    /// Whether the last refresh brought another refresh token.
    pub(super) rotates: bool,
    /// Whether the owner removed the set: what the cell started from is over.
    pub(super) removed: Removal,
    /// Whether what the cell starts from took the place of a dead grant: once is enough.
    pub(super) tried_seed: bool,
    /// Tells the sign-in from which the record in the store comes.
    pub(super) lineage: u64,
    /// The newest generation that was seen in the store, whatever became of it.
    pub(super) newest: u64,
    pub(super) exchanges: u32,
    pub(super) adopted: u32,
}

/// Whether the owner removed the set, and whether the store has heard of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Removal {
    No,
    Pending,
    Done,
}

/// Why an exchange runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// There was no token.
    Cold,
    /// The token would end soon; nobody waits.
    Advisory,
    /// The token is about to end, or has.
    Mandatory,
    /// A server refused the token.
    Rejected,
    /// The owner asked for it.
    Forced,
}

impl Reason {
    /// The word that spans and metrics use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::Advisory => "advisory",
            Self::Mandatory => "mandatory",
            Self::Rejected => "rejected",
            Self::Forced => "forced",
        }
    }
}

/// What a caller has to do.
pub(super) enum Step {
    /// Send the token. `quiet`: how long this needs no second thought; `stale`: whether its renewal failed or is late.
    Use { quiet: Duration, stale: bool },
    /// Start an exchange and send the token there is.
    StartAndUse { quiet: Duration },
    /// Wait for the exchange that runs.
    Join(Flight),
    /// Start an exchange and wait for it.
    Start(Reason),
    /// There is no token, and none can be had now.
    Refuse(Error),
}

impl Ledger {
    pub(super) fn new(now: Tick, stored: bool) -> Self {
        Self {
            stored,
            known: 0,
            trouble: None,
            tried_seed: false,
            lineage: 0,
            newest: 0,
            rotates: true,
            removed: Removal::No,
            exchanges: 0,
            adopted: 0,
            set: None,
            renewable: true,
            put: false,
            generation: 0,
            flight: None,
            flights: 0,
            failure: None,
            refused: None,
            warned: false,
            bucket: Bucket::full(now),
        }
    }

    pub(super) fn trouble(&self) -> &Trouble {
        self.trouble.as_deref().unwrap_or(&CALM)
    }

    /// To be dropped when the lock is free again: with it goes a gauge, which is code of others.
    pub(super) fn at_risk(&self) -> Option<Arc<Unsaved>> {
        self.trouble().unsaved.clone()
    }

    pub(super) fn trouble_mut(&mut self) -> &mut Trouble {
        self.trouble.get_or_insert_default()
    }

    /// Gives the room back when there is none left.
    pub(super) fn tidy(&mut self) {
        self.trouble.take_if(|trouble| trouble.is_over());
    }

    pub(super) fn counts(&self) -> Counts {
        let Trouble { in_doubt, conflicts, at_risk, .. } = *self.trouble();
        Counts {
            exchanges: self.exchanges.into(),
            adopted: self.adopted.into(),
            in_doubt: in_doubt.into(),
            conflicts: conflicts.into(),
            at_risk: at_risk.into(),
        }
    }

    /// What a caller does who found the token as `reading` says; `None` when there is none.
    pub(super) fn step(&self, reading: Option<Reading>, now: Tick) -> Step {
        let Some(reading) = reading.filter(|reading| reading.phase != Phase::Expired) else {
            return self.step_without(reading.is_some(), now);
        };
        let quiet = reading.lasts;
        let held_off = self.failure.as_ref().and_then(|failure| failure.remaining(now, true));
        match (reading.phase, self.to_join(now), held_off) {
            _ if !self.renewable => Step::Use { quiet, stale: false },
            (Phase::Mandatory, Some(flight), _) if !flight.is_late(now) => Step::Join(flight.clone()),
            (Phase::Mandatory | Phase::Advisory, None, Some(wait)) => Step::Use { quiet: quiet.min(wait), stale: true },
            (Phase::Mandatory, None, None) => Step::Start(Reason::Mandatory),
            (Phase::Advisory, None, None) => Step::StartAndUse { quiet },
            (phase, flight, _) => {
                let stale = phase != Phase::Fresh && flight.is_some_and(|flight| flight.is_late(now));
                Step::Use { quiet, stale }
            }
        }
    }

    fn step_without(&self, expired: bool, now: Tick) -> Step {
        if let Some(flight) = self.to_join(now) {
            return Step::Join(flight.clone());
        }
        if let Some(error) = self.held_off(now) {
            return Step::Refuse(error);
        }
        if !self.renewable && !self.stored {
            return Step::Refuse(cannot_renew(self.refused.is_some_and(|refused| refused == self.generation)));
        }
        Step::Start(if expired {
            Reason::Mandatory
        } else if self.refused.is_some() && self.refused == Some(self.generation) {
            Reason::Rejected
        } else {
            Reason::Cold
        })
    }

    /// The error that callers without a token get at once (C8), with how long it will be so.
    pub(super) fn held_off(&self, now: Tick) -> Option<Error> {
        let failure = self.failure.as_ref()?;
        let wait = failure.remaining(now, false)?;
        let error = failure.error.clone();
        Some(if error.is_reauth_required() { error } else { error.with_retry_after(wait + COARSE) })
    }

    /// Whether the owner may force an exchange now (A4, C8).
    ///
    /// # Errors
    /// Why not, and for how long.
    pub(super) fn force(&mut self, now: Tick) -> Result<(), Error> {
        // Somebody may have signed in on another instance.
        let looks_again = |error: &Error| self.stored && error.is_reauth_required();
        if let Some(error) = self.held_off(now).filter(|error| !looks_again(error)) {
            return Err(error);
        }
        if !self.renewable && !self.stored {
            return Err(cannot_renew(false));
        }
        self.bucket.take(now).map_err(|wait| {
            Error::transient("too many forced refreshes of this token in a row").with_retry_after(wait + COARSE)
        })
    }

    /// Whether the current token is dropped because a server refused it (A2, A4).
    ///
    /// When refusals come too fast it stays: its next refusal is an answer from the API, which says more than we could.
    pub(super) fn refuse(&mut self, generation: u64, now: Tick) -> bool {
        let same_again = self.refused == Some(generation)
            && self.failure.as_ref().is_some_and(|failure| failure.remaining(now, true).is_some());
        if generation != self.generation || same_again || self.bucket.take(now).is_err() {
            return false;
        }
        self.warned = false;
        self.refused = Some(generation);
        true
    }

    /// The exchange that runs, unless its runtime has stopped running it.
    pub(super) fn to_join(&self, now: Tick) -> Option<&Flight> {
        self.flight.as_deref().filter(|flight| !flight.is_overdue(now))
    }

    pub(super) fn next_flight(&mut self) -> u64 {
        self.flights += 1;
        self.flights
    }

    pub(super) fn refusals_ignored_for(&self, now: Tick) -> Option<Duration> {
        self.bucket.dry_for(now)
    }

    /// Whether to say that a refused token stays: once, until one is dropped again.
    pub(super) fn warns(&mut self, now: Tick) -> bool {
        self.bucket.dry_for(now).is_some() && !std::mem::replace(&mut self.warned, true)
    }

    /// Whether no exchange helps any more, only a new set (F1).
    pub(super) fn is_dead(&self) -> bool {
        (!self.renewable && !self.stored)
            || self.failure.as_ref().is_some_and(|failure| failure.error.is_reauth_required())
    }

    /// Whether a caller whose token was refused may find another one without one being there yet.
    pub(super) fn may_exchange(&self, now: Tick) -> bool {
        self.to_join(now).is_some() || ((self.renewable || self.stored) && self.held_off(now).is_none())
    }

    /// Whether nothing is lost with this: no exchange runs, and the set can be had again or is of no use.
    ///
    /// `starts_anew`: whether a cell made again would start from what this one was told to.
    pub(super) fn is_expendable(&self, token_lives: bool, starts_anew: bool) -> bool {
        let Trouble { saving, unsaved, .. } = self.trouble();
        let is_busy = self.flight.is_some() || !saving.is_empty() || unsaved.is_some();
        let forgets_removal = match self.removed {
            Removal::No => false,
            Removal::Pending => true,
            Removal::Done => starts_anew,
        };
        if is_busy || forgets_removal {
            return false;
        }
        let is_refused = self.failure.as_ref().is_some_and(|failure| failure.error.is_reauth_required());
        match self.set.as_deref() {
            None => true,
            // It is in the store.
            Some(_) if self.known > 0 => true,
            Some(TokenSet { refresh_token: Some(_), .. }) => is_refused && !token_lives,
            Some(_) => self.renewable || !self.put || !token_lives,
        }
    }

    /// A set from outside: whatever went wrong before is over.
    pub(super) fn replace(&mut self, set: Arc<TokenSet>, renewable: bool, now: Tick) -> u64 {
        self.bucket = Bucket::full(now);
        // What is under way counts no more.
        self.flights += 1;
        self.renewable = renewable;
        self.put = true;
        self.generation += 1;
        self.set = Some(set);
        self.failure = None;
        self.refused = None;
        if let Some(trouble) = &mut self.trouble {
            (trouble.dead, trouble.unsaved, trouble.intent, trouble.removed_at) = (None, None, None, None);
        }
        self.tidy();
        self.rotates = true;
        self.removed = Removal::No;
        self.generation
    }

    /// Remembers which sign-in the record in the store comes from; not any more once that was removed here.
    pub(super) fn saw(&mut self, lineage: u64) {
        if self.removed != Removal::Pending {
            self.lineage = lineage;
        }
    }

    /// Forgets the set; what is under way counts no more.
    pub(super) fn remove(&mut self, now: Tick, wall: SystemTime) {
        self.replace(Arc::new(TokenSet::without_tokens()), true, now);
        self.forget();
        self.removed = Removal::Pending;
        if self.stored {
            self.trouble_mut().removed_at = Some(wall);
        }
    }

    /// Forgets the set, which was removed from the store; what the cell started from is over too.
    pub(super) fn forget(&mut self) {
        self.removed = Removal::Done;
        self.set = None;
        self.known = 0;
        if let Some(trouble) = &mut self.trouble {
            trouble.unsaved = None;
        }
        self.tidy();
    }

    /// The set that an exchange brought, as the generation it got.
    ///
    /// The same token again counts as a failure where the next exchange would come at once (C9): not while it is fresh.
    pub(super) fn issue(&mut self, set: Arc<TokenSet>, renewable: bool, generation: u64, fresh: bool, now: Tick) {
        self.renewable = renewable;
        self.put = false;
        self.set = Some(set);
        if generation == self.generation && fresh && self.refused != Some(generation) {
            self.failure = None;
        } else if generation == self.generation {
            let error = Error::transient("the token source handed out the same token again");
            self.failure = Some(Box::new(self.failure(error, now)));
        } else {
            self.generation = generation;
            self.failure = None;
        }
    }

    /// The refresh token of a set whose access token cannot be used. What it replaced may be spent (C6).
    pub(super) fn rescue(&mut self, set: Arc<TokenSet>) {
        self.set = Some(set);
    }

    /// Remembers that a set could not be stored (C5), or that there is no such set any more.
    pub(super) fn risk(&mut self, set: &Arc<TokenSet>, at_risk: Option<(u64, Error, AtRisk)>, since: SystemTime) {
        let trouble = self.trouble_mut();
        trouble.at_risk += u32::from(at_risk.is_some());
        trouble.unsaved = at_risk.map(|(base, error, gauge)| {
            Arc::new(Unsaved { set: set.clone(), base: Some(base), since, error, _gauge: gauge })
        });
        self.tidy();
    }

    /// Remembers a failure; not that of an exchange whose place was taken, which says nothing about now.
    pub(super) fn fail(&mut self, number: u64, error: Error, now: Tick) -> Error {
        if number != self.flights {
            return error;
        }
        let failure = self.failure(error, now);
        let error = failure.error.clone();
        self.failure = Some(Box::new(failure));
        error
    }

    fn failure(&self, error: Error, now: Tick) -> Failure {
        let failure = Failure::new(error, self.failure.as_deref(), now);
        if self.stored { failure.of_store() } else { failure }
    }
}

fn cannot_renew(refused: bool) -> Error {
    Error::reauth_required(if refused {
        "sign in again or put a new token: the token was refused, and there is nothing to renew it with"
    } else {
        "sign in again or put a new token: the token has ended, and there is nothing to renew it with"
    })
}
