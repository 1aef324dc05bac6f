//! One call of the source, and what is in doubt when no answer comes (F4).

use std::{sync::Arc, time::Duration};

use super::Inner;
use crate::{error::Error, meter::AtRisk, store::Intent, token::TokenSet};

/// What fails faster than that is tried again at once: a connection that was cut, not a server that hangs.
const FAST: Duration = Duration::from_secs(2);

/// The last try is kept for later, so that a server has time to come back.
const LAST_TRY_AFTER: Duration = Duration::from_secs(10);

/// What an exchange brought.
pub(super) struct Got {
    pub(super) set: TokenSet,
    /// What was exchanged for it.
    pub(super) before: Option<Arc<TokenSet>>,
    /// Whether it came from the store.
    pub(super) adopted: bool,
    /// Its generation in the store; 0 when it is not there.
    pub(super) known: u64,
    pub(super) rotates: bool,
    /// Why it could not be stored, though it has to be, and the generation in the store it was issued upon.
    pub(super) at_risk: Option<(u64, Error, AtRisk)>,
}

/// Why it brought nothing.
pub(super) struct Lost {
    pub(super) error: Error,
    /// The generation in the store that was tried.
    pub(super) generation: u64,
    /// Whether it is the store's fault.
    pub(super) store_away: bool,
    /// Whether the token is not to be used any more either.
    pub(super) removed: bool,
}

impl Lost {
    pub(super) fn store(error: Error) -> Self {
        Self { store_away: true, ..error.into() }
    }
}

impl From<Error> for Lost {
    fn from(error: Error) -> Self {
        Self { error, generation: 0, store_away: false, removed: false }
    }
}

/// An exchange without a store.
pub(super) async fn without_store(inner: &Arc<Inner>, current: Option<Arc<TokenSet>>) -> Result<Got, Lost> {
    let now = inner.settings.clock.wall();
    let (known, rotates) = {
        let ledger = inner.lock();
        (ledger.known, ledger.rotates)
    };
    let spent = match current {
        Some(current) => Some(current),
        None => match inner.start_from(now) {
            Some(set) if inner.is_fit(&set) => {
                return Ok(Got { set, before: None, adopted: true, known, rotates, at_risk: None });
            }
            set => set.map(Arc::new),
        },
    };
    let present = rotates
        && inner.settings.source.spends_refresh_token()
        && spent.as_ref().is_some_and(|set| set.refresh_token.is_some());
    loop {
        let earlier = inner.lock().trouble().intent;
        if present {
            let intent = intend(inner, earlier)?;
            inner.lock().trouble_mut().intent = Some(intent);
        }
        let began = tokio::time::Instant::now();
        let error = match call(inner, spent.as_deref()).await {
            Ok(set) => {
                let before = spent.as_ref().and_then(|spent| spent.refresh_token.as_ref());
                let rotates = set.refresh_token.is_some() && set.refresh_token.as_ref() != before;
                return Ok(Got { set, before: spent, adopted: false, known, rotates, at_risk: None });
            }
            Err(error) => error,
        };
        if !present {
            return Err(error.into());
        }
        if !error.is_in_doubt() {
            // It was answered: what was in doubt before is as it was. A dead grant is in no doubt.
            inner.lock().trouble_mut().intent = earlier.filter(|_| !error.is_reauth_required());
            return Err(error.into());
        }
        inner.lost_answer();
        let intent = inner.lock().trouble().intent;
        if !again_at_once(intent.map_or(0, |intent| intent.attempts), began.elapsed()).await {
            return Err(held(inner, intent, error).into());
        }
    }
}

/// Calls the source, in time.
pub(super) async fn call(inner: &Inner, spent: Option<&TokenSet>) -> Result<TokenSet, Error> {
    inner.lock().exchanges += 1;
    let limit = inner.settings.attempt_timeout;
    match tokio::time::timeout(limit, inner.settings.source.exchange(spent)).await {
        Ok(result) => result,
        Err(_) => {
            Err(Error::transient(format!("no token within {limit:?}: the token source took too long")).in_doubt())
        }
    }
}

/// The intent to present the refresh token now.
///
/// # Errors
/// Reauthentication required, when it was tried often and long enough; transient, when the last try is to come.
pub(super) fn intend(inner: &Inner, earlier: Option<Intent>) -> Result<Intent, Error> {
    let now = inner.settings.clock.wall();
    let Some(intent) = Intent::next(earlier, now, inner.settings.grace) else {
        return Err(Error::reauth_required(
            "sign in again: the answer to the last refresh was lost, and the refresh token that was sent may be spent; it was \
             tried again as often as TokenCell::builder(..).grace(..) allows",
        ));
    };
    match last_try_in(inner, earlier) {
        Some(wait) => {
            Err(Error::transient("no answer from the token endpoint, twice; the refresh token is tried once more")
                .with_retry_after(wait))
        }
        None => Ok(intent),
    }
}

/// The error of an exchange in doubt: with the time until the last try, where that is next.
pub(super) fn held(inner: &Inner, intent: Option<Intent>, error: Error) -> Error {
    match last_try_in(inner, intent) {
        Some(wait) => error.with_retry_after(wait),
        None => error,
    }
}

/// How long until the last try may be made, when it is the next.
fn last_try_in(inner: &Inner, earlier: Option<Intent>) -> Option<Duration> {
    let earlier = earlier.filter(|earlier| earlier.attempts == 2)?;
    let after = LAST_TRY_AFTER.min(inner.settings.grace / 3);
    after.checked_sub(earlier.age(inner.settings.clock.wall())).filter(|wait| !wait.is_zero())
}

/// Whether a token whose answer was lost is presented again now, after a moment. Once, and where the answer was lost
/// fast.
pub(super) async fn again_at_once(attempts: u32, took: Duration) -> bool {
    let again = attempts == 1 && took < FAST;
    if again {
        tokio::time::sleep(Duration::from_millis(fastrand::u64(150..300))).await;
    }
    again
}
