//! One exchange where a store keeps the set: lease, load, adopt or exchange, store (C4, C5). Publishing is the
//! flight's, and what comes after that is in `saving`.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    attempt::{self, Got, Lost},
    backoff::Failure,
    visit::{Found, Pending, TOMBSTONE, Visit},
};
use crate::{
    clock,
    error::Error,
    meter::AtRisk,
    store::{Intent, Record, Version},
    token::{Expiry, TokenSet},
};

/// How often one exchange starts over because somebody else changed the record.
const ROUNDS: usize = 8;

/// How many changes of one exchange elsewhere are followed without a pause: its start, its intent, its set.
const CHANGES: u32 = 4;

/// How long an intent of somebody else is watched before the refresh token is presented again: longer than its holder
/// waits between two tries to store.
const TAKE_OVER_AFTER: Duration = Duration::from_secs(2);

/// How one look at the store ended.
enum Round {
    Got(Got),
    Again(Found),
}

impl Visit<'_> {
    /// Everything before publishing.
    pub(super) async fn run(&mut self) -> Result<Got, Lost> {
        match self.exchange().await {
            // Whoever has nothing to lose goes on without.
            Err(lost) if lost.store_away && !self.may_spend() && self.can_renew() => {
                let cell = self.inner.name();
                tracing::warn!(cell, key = %self.key, error = %lost.error, "the token store is left out of this exchange");
                let current = self.current.clone();
                attempt::without_store(self.inner, current).await
            }
            result => result,
        }
    }

    async fn exchange(&mut self) -> Result<Got, Lost> {
        self.until_saved().await;
        if self.removal_pending() {
            let _turn = self.inner.turn().await;
            // A set may have been put meanwhile.
            if self.removal_pending() {
                self.removal_in_time()?;
                let removed = self.inner.lock().lineage;
                let found = self.load().await?;
                // Who signed in since, on another instance, keeps what he has. A cell that never saw the store cannot
                // tell.
                if removed == 0 || found.record.is_none_or(|record| record.lineage() == removed) {
                    self.bounded(self.store.remove(&self.key, TOMBSTONE)).await.map_err(Lost::store)?;
                }
                self.inner.removed();
            }
        }
        let mut found = self.load().await?;
        let waits_until = self.deadline();
        let (mut rounds, mut changes) = (0, 0);
        while rounds < ROUNDS {
            if let Some(got) = self.adopt(&found)? {
                return Ok(got);
            }
            self.still_dead(&found)?;
            if self.lease.is_none() {
                self.lease = self.take_lease(found.version, waits_until).await?;
                if self.lease.is_none() {
                    changes += 1;
                    if Instant::now() >= waits_until {
                        break;
                    }
                    if changes > CHANGES {
                        // A store whose reads lag behind says so at once, and again.
                        tokio::time::sleep(Duration::from_millis(fastrand::u64(5..50))).await;
                    }
                }
                // C4: again, now that nobody else changes it.
                found = self.load().await?;
                continue;
            }
            found = match self.under_lease(found).await? {
                Round::Got(got) => return Ok(got),
                Round::Again(found) => found,
            };
            rounds += 1;
        }
        Err(Error::transient(format!("`{}` is changed all the time in the token store; ask again", self.key)).into())
    }

    /// C4. What is there and newer, if it can be used.
    fn adopt(&mut self, found: &Found) -> Result<Option<Got>, Lost> {
        let Some(record) = &found.record else {
            return Ok(None);
        };
        let generation = record.generation_of(&self.variant);
        if generation <= self.known
            || self.inner.lock().trouble().unsaved.as_ref().is_some_and(|unsaved| unsaved.base.is_none())
        {
            return Ok(None);
        }
        let set = record.set(&self.variant);
        self.accepts(&set)?;
        let now = self.inner.settings.clock.wall();
        if let Expiry::At { ends, .. } = set.expiry
            && clock::until(now, ends) < super::inner::SHORTEST_LIFE
        {
            return Ok(None);
        }
        self.inner.lock().adopted += 1;
        Ok(Some(Got { set, before: None, adopted: true, known: generation, rotates: record.rotates(), at_risk: None }))
    }

    /// Under the lease, with nothing to adopt.
    async fn under_lease(&mut self, mut found: Found) -> Result<Round, Lost> {
        if let Some(again) = self.save_first(&mut found).await? {
            return Ok(Round::Again(again));
        }
        let spends = self.inner.settings.source.spends_refresh_token();
        let mut record = match found.record {
            Some(record) => record,
            None if spends && found.removed => return Err(self.was_removed()),
            None if spends && self.known > 0 => return Err(self.is_missing()),
            None => {
                let mut record = Record::after(found.newest());
                if let Some(seed) = self.start_from() {
                    self.accepts(&seed)?;
                    record.replace(&self.variant, &seed, self.now());
                    return self.write(found.version, record).await;
                }
                record
            }
        };
        let spent = record.set(&self.variant);
        self.accepts(&spent)?;
        let spent = (!record.is_empty()).then(|| Arc::new(spent));
        let earlier = self.in_doubt(&record);
        let present = spends && record.rotates() && spent.as_ref().is_some_and(|set| set.refresh_token.is_some());
        let mut version = found.version;
        if present {
            if let Some(intent) = record.intent.filter(|intent| !self.may_take_over(intent.id)) {
                let found = self.watch(version, record).await?;
                self.watched = Some(intent.id);
                return Ok(Round::Again(found));
            }
            let mut intent = match attempt::intend(self.inner, earlier) {
                Ok(intent) => intent,
                Err(error) => return self.ended(record, version, error).await,
            };
            // One of our own that was never sent stays that, whichever of the two the store keeps.
            if let Some(own) = record.intent.filter(|own| self.is_settled(own.id)) {
                intent.id = own.id;
            }
            record.intent = Some(intent);
            // A store that fails may have kept it.
            self.settle_intent(Some((intent.id, earlier)));
            self.inner.lock().trouble_mut().own_intent = Some(intent.id);
            match self.swap(version, &record).await? {
                Some(swapped) => version = Some(swapped),
                None => return Ok(Round::Again(self.conflict().await?)),
            }
            self.settle_intent(None);
        }
        let began = Instant::now();
        match attempt::call(self.inner, spent.as_deref()).await {
            Ok(set) => self.keep(record, version, spent, set).await,
            Err(error) if present && error.is_in_doubt() => {
                self.inner.lost_answer();
                let attempts = record.intent.map_or(0, |intent| intent.attempts);
                if attempt::again_at_once(attempts, began.elapsed()).await {
                    return Ok(Round::Again(Found { version, record: Some(record), removed: false }));
                }
                let error = attempt::held(self.inner, record.intent, error);
                Err(self.about(&record, error))
            }
            Err(error) => self.answered(record, version, present.then_some(earlier), error).await,
        }
    }

    /// C5: stores the answer before anybody uses it.
    async fn keep(
        &mut self,
        mut record: Record,
        mut version: Option<Version>,
        spent: Option<Arc<TokenSet>>,
        mut set: TokenSet,
    ) -> Result<Round, Lost> {
        let base = record.generation;
        // In the store, and to be taken out of it: whether the refresh token changed or not.
        let has_intent = record.intent.is_some();
        let now = self.now();
        set.arrive(now);
        if let Some(spent) = &spent {
            set.keep_from(spent);
        }
        match self.inner.is_fit(&set) {
            true => record.issue(&self.variant, &set, now),
            false => record.issue(&self.variant, &set.clone().without_access_token(), now),
        }
        let known = record.generation;
        let rotates = record.rotates();
        let before = spent.as_ref().and_then(|spent| spent.refresh_token.clone());
        let got =
            |set, known, at_risk| Ok(Round::Got(Got { set, before: spent, adopted: false, known, rotates, at_risk }));
        let mut error = Error::transient("it is changed all the time in the token store");
        for _ in 0..2 {
            error = match self.swap(version, &record).await {
                Ok(Some(_)) => return got(set, known, None),
                Err(lost) => lost.error,
                Ok(None) => match self.conflict().await {
                    Err(lost) => lost.error,
                    // Whoever spends nothing begins anew.
                    Ok(found) if found.removed && !self.inner.settings.source.spends_refresh_token() => {
                        return Ok(Round::Again(found));
                    }
                    Ok(found) if found.removed => return Err(self.was_removed()),
                    Ok(Found { version: None, .. }) => {
                        // Evicted under our eyes.
                        version = None;
                        continue;
                    }
                    Ok(found) if found.record.as_ref().is_some_and(|found| found.generation > base) => {
                        return Ok(Round::Again(found));
                    }
                    // Somebody took over the lease, and is about to present the same token.
                    Ok(_) => Error::transient("the lease was lost while the token was exchanged"),
                },
            };
            break;
        }
        if set.refresh_token == before && !has_intent {
            let cell = self.inner.name();
            tracing::warn!(cell, key = %self.key, %error, "the token could not be stored: other instances get their own");
            // It never was there, so whatever else is stands for what is newer.
            return got(set, base, None);
        }
        self.pending = Some(Pending { record, expected: version, base });
        let at_risk = AtRisk::begin(self.inner.name());
        got(set, known, Some((base, error, at_risk)))
    }

    /// The server answered, and brought nothing: what was in doubt before is as it was.
    async fn answered(
        &mut self,
        mut record: Record,
        mut version: Option<Version>,
        intent_before: Option<Option<Intent>>,
        error: Error,
    ) -> Result<Round, Lost> {
        let error = Failure::counted(error, self.inner.lock().failure.as_deref());
        // An access token that was refused, and that nothing renews: whoever starts next would go on with it.
        let mut has_changed = error.is_reauth_required()
            && self.inner.living().is_none()
            && record.generation_of(&self.variant) <= self.known
            && record.drop_access_token(&self.variant);
        if let Some(before) = intent_before {
            // A dead grant is in no doubt.
            let before = before.filter(|_| !error.is_reauth_required());
            self.settle_intent(record.intent.map(|intent| (intent.id, before)));
            record.intent = before;
            has_changed = true;
        }
        if has_changed && let Ok(Some(swapped)) = self.swap(version, &record).await {
            version = Some(swapped);
        }
        if error.is_reauth_required() {
            // F1: somebody may have signed in meanwhile.
            let found = self.load().await?;
            if found.removed || found.record.as_ref().is_some_and(|found| found.generation > record.generation) {
                return Ok(Round::Again(found));
            }
        }
        self.ended(record, version, error).await
    }

    /// What the cell starts from takes the place of a dead grant, once.
    async fn ended(&mut self, mut record: Record, version: Option<Version>, error: Error) -> Result<Round, Lost> {
        if error.is_reauth_required()
            && !is_about_what_was_asked(&error)
            && let Some(seed) = self.start_from().filter(|seed| record.started_elsewhere(seed))
            && self.inner.settings.source.accepts(&seed).is_ok()
            && !std::mem::replace(&mut self.inner.lock().tried_seed, true)
        {
            record.replace(&self.variant, &seed, self.now());
            return self.write(version, record).await;
        }
        Err(self.about(&record, error))
    }

    /// Whether the refresh token may be presented again though an intent stands: it is our own, or was watched for a
    /// while.
    fn may_take_over(&self, id: u64) -> bool {
        self.watched == Some(id) || self.inner.lock().trouble().own_intent == Some(id)
    }

    /// Gives whoever wrote an intent time to store what came of it: it may live, and have lost its lease only because
    /// the store was away, or the process stood still.
    async fn watch(&self, version: Option<Version>, record: Record) -> Result<Found, Lost> {
        let until = Instant::now() + TAKE_OVER_AFTER;
        while Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(fastrand::u64(50..150))).await;
            let found = self.load().await?;
            if found.version != version {
                return Ok(found);
            }
        }
        Ok(Found { version, record: Some(record), removed: false })
    }

    /// What is in doubt of the refresh token in the store.
    fn in_doubt(&self, record: &Record) -> Option<Intent> {
        let intent = record.intent?;
        match self.inner.lock().trouble().settled {
            Some((settled, before)) if settled == intent.id => before,
            _ => Some(intent),
        }
    }

    fn is_settled(&self, id: u64) -> bool {
        self.inner.lock().trouble().settled.is_some_and(|(settled, _)| settled == id)
    }

    fn settle_intent(&self, settled: Option<(u64, Option<Intent>)>) {
        let mut ledger = self.inner.lock();
        ledger.trouble_mut().settled = settled;
        ledger.tidy();
    }

    /// Stores what an earlier exchange could not, or what a store lost that went back in time. `Some`: look again.
    async fn save_first(&mut self, found: &mut Found) -> Result<Option<Found>, Lost> {
        let unsaved = self.inner.lock().trouble().unsaved.clone();
        let stored = found.record.as_ref().map_or(0, |record| record.generation);
        let (set, replaces) = match (&unsaved, &self.current) {
            (Some(unsaved), _) => match unsaved.base {
                Some(_) if found.removed => return Err(self.was_removed()),
                Some(base) if stored > base => {
                    // It was kept after all; or newer wins, and is adopted.
                    let is_own = stored == self.known;
                    self.known = if is_own { stored } else { base };
                    self.inner.saved(unsaved, Some(self.known));
                    return Ok((!is_own).then(|| found.take()));
                }
                Some(_) if found.version.is_none() && self.is_too_old(unsaved) => return Err(self.is_missing()),
                None if found.record.as_ref().is_some_and(|record| record.started_from(&unsaved.set)) => {
                    // The store kept it though it failed, and others may have gone on from it.
                    self.inner.saved(unsaved, None);
                    return Ok(Some(found.take()));
                }
                base => (unsaved.set.clone(), base.is_none()),
            },
            (None, Some(current)) if found.record.is_some() && stored < self.known => (current.clone(), false),
            _ => return Ok(None),
        };
        let newest = found.newest();
        let mut record = found.record.take().unwrap_or_else(|| Record::after(newest));
        match replaces {
            true => record.replace(&self.variant, &set, self.now()),
            false => record.issue(&self.variant, &set, self.now()),
        }
        match self.swap(found.version, &record).await? {
            Some(version) => {
                self.known = record.generation;
                match &unsaved {
                    Some(unsaved) => self.inner.saved(unsaved, Some(record.generation)),
                    None => self.inner.lock().known = record.generation,
                }
                *found = Found { version: Some(version), record: Some(record), removed: false };
                Ok(None)
            }
            None => Ok(Some(self.conflict().await?)),
        }
    }

    async fn write(&mut self, expected: Option<Version>, record: Record) -> Result<Round, Lost> {
        Ok(Round::Again(match self.swap(expected, &record).await? {
            Some(version) => Found { version: Some(version), record: Some(record), removed: false },
            None => self.conflict().await?,
        }))
    }
}

/// Whether a refusal tells of what was asked for, and nothing of the grant.
fn is_about_what_was_asked(error: &Error) -> bool {
    matches!(
        error.code(),
        Some(
            "interaction_required"
                | "login_required"
                | "consent_required"
                | "account_selection_required"
                | "access_denied"
        )
    )
}
