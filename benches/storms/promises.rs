//! What gatepass promises for these scenes.

use std::{fmt::Write, time::Duration};

use crate::scenes::{Figures, Scene};

/// What an outage may cost, however long it takes (C8).
const OUTAGE_REQUESTS: usize = 15;
/// From when the server is back until there is a token (C8).
const BACK_AFTER: Duration = Duration::from_secs(2);
/// What a call takes to whom the exchange has just brought a token.
const AT_ONCE: Duration = Duration::from_millis(25);

/// The counts that are not as promised.
pub(crate) fn broken(figures: &[Figures]) -> Vec<String> {
    let mut broken = Vec::new();
    for it in figures {
        let title = it.scene.title();
        let mut keep = |is_kept: bool, what: String| {
            if !is_kept {
                broken.push(format!("{title}: {what}"));
            }
        };
        let requests = it.token_requests;
        match it.scene {
            Scene::Advisory => {}
            Scene::Outage => {
                keep(requests <= OUTAGE_REQUESTS, format!("{requests} token requests, at most {OUTAGE_REQUESTS}"));
            }
            _ => keep(requests == 1, format!("{requests} token requests where one does")),
        }
        let failure = it.failure.as_deref().unwrap_or_default();
        keep(it.failed_with_token == 0, format!("{} calls failed that had a token: {failure}", it.failed_with_token));
        // In these two nobody can be served while there is no token.
        if !matches!(it.scene, Scene::Impatient | Scene::Outage) {
            keep(it.failed_without == 0, format!("{} calls failed: {failure}", it.failed_without));
        }
        keep(it.expired_sent == 0, format!("{} calls came with a token that had ended", it.expired_sent));
    }
    broken
}

/// The times, beside what is promised.
pub(crate) fn print_times(figures: &[Figures]) {
    for it in figures {
        let title = it.scene.title();
        if let Some(back_after) = it.back_after {
            let (since, reach) = match it.scene {
                Scene::Outage => ("the server is back", BACK_AFTER),
                _ => ("the token has come", AT_ONCE),
            };
            println!("{title}: the first success {back_after:.1?} after {since} (to be reached: at most {reach:?})");
        }
        if let Some(window) = it.window {
            let (inside, outside) = (window.p99, window.p99_outside);
            println!("{title}: p99 {inside:.2?} meanwhile, {outside:.2?} else (to be reached: the same)");
        }
    }
}

/// `storms cold=1 … failed=0 expired=0 back_ms=N window=RATIO`: token requests by scene, and over all scenes the calls
/// that failed though there was a token, and those sent with one that had ended.
pub(crate) fn for_machines(figures: &[Figures]) -> String {
    let mut line = "storms".to_owned();
    for it in figures {
        let _ = write!(line, " {}={}", it.scene.word(), it.token_requests);
    }
    let failed: usize = figures.iter().map(|it| it.failed_with_token).sum();
    let expired: usize = figures.iter().map(|it| it.expired_sent).sum();
    let _ = write!(line, " failed={failed} expired={expired}");
    if let Some(back_after) = figures.iter().find(|it| it.scene == Scene::Outage).and_then(|it| it.back_after) {
        let _ = write!(line, " back_ms={}", back_after.as_millis());
    }
    if let Some(window) = figures.iter().find_map(|it| it.window) {
        let _ = write!(line, " window={:.2}", window.ratio());
    }
    line
}
