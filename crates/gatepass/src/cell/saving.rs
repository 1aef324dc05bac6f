//! What is left to do of an exchange after its token was published: storing what could not be stored before (C5), and
//! giving the lease back.

use std::{sync::Arc, time::Duration};

use super::{
    trouble::Unsaved,
    visit::{Pending, Visit, bounded},
};

/// For how long storing is tried again, in the task of the exchange. After that each exchange tries it first of all.
const PATIENCE: Duration = Duration::from_secs(60);

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_millis(500);

/// How long giving back the lease may take; it ends by itself.
const RELEASE: Duration = Duration::from_secs(1);

/// How long it may take, when it runs.
pub(super) fn longest(has_unsaved: bool, attempt: Duration) -> Duration {
    if has_unsaved { PATIENCE.saturating_add(attempt) + RELEASE } else { RELEASE }
}

pub(super) async fn finish(mut visit: Visit<'_>) {
    // What was put meanwhile is not this one's to store, nor is it stored when this one is.
    let unsaved = visit.inner.lock().trouble().unsaved.clone().filter(|unsaved| visit.is_own(unsaved));
    if let (Some(pending), Some(unsaved)) = (visit.pending.take(), unsaved) {
        let cell = visit.inner.name();
        tracing::error!(
            cell,
            key = %visit.key,
            error = %unsaved.error,
            "a rotated refresh token could not be stored: it is in this process only until it is"
        );
        match tokio::time::timeout(PATIENCE, save(&mut visit, pending, &unsaved)).await {
            Ok(()) => tracing::info!(cell, key = %visit.key, "the token set is not at risk any more"),
            Err(_) => tracing::error!(cell, key = %visit.key, "the token set is still not stored"),
        }
    }
    if let Some(lease) = visit.lease.take() {
        let _ = tokio::time::timeout(RELEASE, lease.release()).await;
    }
}

/// Tries until it is stored, or pointless.
async fn save(visit: &mut Visit<'_>, mut pending: Pending, unsaved: &Arc<Unsaved>) {
    let text = pending.record.write();
    let mut wait = FIRST;
    loop {
        tokio::time::sleep(wait.mul_f64(0.75 + 0.25 * fastrand::f64())).await;
        wait = (wait * 2).min(LONGEST);
        let is_current = visit.inner.lock().trouble().unsaved.as_ref().is_some_and(|own| Arc::ptr_eq(own, unsaved));
        if !is_current {
            return;
        }
        let swap = visit.store.compare_and_swap(&visit.key, pending.expected, &text);
        match bounded(visit.inner, swap).await {
            Ok(Some(_)) => return visit.inner.saved(unsaved, Some(pending.record.generation)),
            Ok(None) => visit.inner.conflicted(),
            Err(error) => {
                tracing::warn!(cell = visit.inner.name(), key = %visit.key, %error, "the token set could not be stored; trying again");
                continue;
            }
        }
        let Ok(found) = visit.load().await else {
            continue;
        };
        if found.removed {
            return visit.inner.drop_removed(unsaved);
        }
        if let Some(record) = found.record.filter(|record| record.generation > pending.base) {
            // It was kept after all; or newer wins, and the next exchange adopts it.
            let is_own = record.is_same(&pending.record);
            return visit.inner.saved(unsaved, Some(if is_own { record.generation } else { pending.base }));
        }
        if found.version.is_none() && visit.is_too_old(unsaved) {
            return;
        }
        // Somebody took the lease over, and is about to present the token that was spent already. Whoever is first
        // stores.
        visit.lease = None;
        let until = visit.deadline();
        if let Ok(Some(lease)) = visit.take_lease(found.version, until).await {
            visit.lease = Some(lease);
            pending.expected = found.version;
        }
    }
}
