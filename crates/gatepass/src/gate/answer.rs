//! What a response says to the gate.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode};

use super::handle::Settings;
use crate::{rate_limit::RateLimits, retry_after::RetryAfter};

/// What came of a request, as far as it concerns who may go next.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) verdict: Verdict,
    /// Read where the gate paces, and on refusals.
    pub(super) limits: Option<RateLimits>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Accepted,
    /// Not processed; with how long to wait, if that was said.
    Refused(Option<Asked>),
    /// Failed, without a word about when it goes better.
    Neither,
}

/// How long to wait, and who says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) wait: Duration,
    pub(super) by_retry_after: bool,
}

impl Answer {
    /// Reads no more than it has to: in most responses, the status. `wall` is asked for the wall clock.
    pub(super) fn read(
        settings: &Settings,
        status: StatusCode,
        headers: &HeaderMap,
        wall: impl Fn() -> SystemTime,
    ) -> Self {
        let may_refuse = match status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => true,
            StatusCode::FORBIDDEN => settings.forbidden_when_spent,
            _ => false,
        };
        let limits = (settings.pacing || may_refuse).then(|| RateLimits::parse(headers, wall())).flatten();
        if !may_refuse {
            return Self { verdict: Verdict::Accepted, limits };
        }
        let retry_after =
            RetryAfter::parse(headers, wall()).map(|asked| Asked { wait: asked.wait(), by_retry_after: true });
        let asked = retry_after.or_else(|| limits.as_ref().and_then(reset));
        let verdict = match status {
            StatusCode::SERVICE_UNAVAILABLE if retry_after.is_none() => Verdict::Neither,
            StatusCode::FORBIDDEN if retry_after.is_none() && !limits.as_ref().is_some_and(is_spent) => {
                Verdict::Accepted
            }
            _ => Verdict::Refused(asked),
        };
        Self { verdict, limits }
    }

    /// The rate a second that the fields name, where requests were refused for it.
    pub(super) fn rate(&self) -> Option<f64> {
        let limits = self.limits.as_ref()?;
        let rates = limits.iter().filter(|limit| limit.counts_requests && limit.remaining == Some(0));
        let rates = rates.filter_map(|limit| Some(limit.quota? as f64 / limit.window?.as_secs_f64().max(1e-3)));
        rates.min_by(f64::total_cmp)
    }
}

fn is_spent(limits: &RateLimits) -> bool {
    limits.iter().any(|limit| limit.remaining == Some(0))
}

/// When all is there again of which nothing is left. A moment that has passed, by one clock or the other, says nothing.
fn reset(limits: &RateLimits) -> Option<Asked> {
    let spent = limits.iter().filter(|limit| limit.remaining == Some(0));
    spent
        .filter_map(|limit| limit.reset.filter(|reset| !reset.is_zero()))
        .max()
        .map(|wait| Asked { wait, by_retry_after: false })
}
