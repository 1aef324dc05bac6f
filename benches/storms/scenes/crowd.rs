//! Callers, each a task of its own: when they come, how patient they are, and how their calls went.

use std::time::{Duration, Instant};

use tokio::time::{sleep_until, timeout};

use super::{Client, servers::Life};

/// How one call went.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) started: Instant,
    pub(super) ended: Instant,
    /// Why it was no 200.
    pub(super) failure: Option<String>,
}

/// How patient a caller is who was not told otherwise.
pub(super) const PATIENT: Duration = Duration::from_secs(10);
/// What is enough to send a call with a token that has come while the caller waited.
const ROOM: Duration = Duration::from_millis(40);
/// So shortly before its end a client need not use a token any more.
const MARGIN: Duration = Duration::from_millis(100);

/// Calls that begin at these distances from `begin`, each given up after `patience`.
///
/// A call's time is counted from its own beginning, not from when it was to begin: that the machine is late is not the
/// client's doing.
pub(super) async fn crowd<C: Client>(
    client: &C,
    url: &str,
    begin: Instant,
    offsets: impl Iterator<Item = Duration>,
    patience: Duration,
) -> Vec<Call> {
    let callers: Vec<_> = offsets
        .map(|offset| {
            let (client, url) = (client.clone(), url.to_owned());
            tokio::spawn(async move {
                sleep_until((begin + offset).into()).await;
                let started = Instant::now();
                let answer = timeout(patience, client.call(&url)).await;
                let failure = match answer {
                    Ok(Ok(200)) => None,
                    Ok(Ok(status)) => Some(format!("the API answered {status}")),
                    Ok(Err(error)) => Some(error),
                    Err(_) => Some(format!("given up after {patience:?}")),
                };
                // A timer that fires late gives no room.
                Call { started, ended: Instant::now().min(started + patience), failure }
            })
        })
        .collect();
    let mut calls = Vec::with_capacity(callers.len());
    for caller in callers {
        let now = Instant::now();
        let died = |error| Call { started: now, ended: now, failure: Some(format!("the client died: {error}")) };
        calls.push(caller.await.unwrap_or_else(died));
    }
    calls
}

/// Soon, when all tasks are there and wait for it.
pub(super) fn soon() -> Instant {
    Instant::now() + Duration::from_millis(100)
}

pub(super) fn at_once(callers: usize) -> impl Iterator<Item = Duration> {
    over(callers, Duration::ZERO)
}

pub(super) fn over(callers: usize, span: Duration) -> impl Iterator<Item = Duration> {
    (0..callers).map(move |caller| span.mul_f64(caller as f64 / callers as f64))
}

pub(super) fn steady(rate: u32, span: Duration) -> impl Iterator<Item = Duration> {
    over((span.as_secs_f64() * f64::from(rate)) as usize, span)
}

pub(super) fn waves(waves: u32, size: usize, gap: Duration) -> impl Iterator<Item = Duration> {
    (0..waves).flat_map(move |wave| std::iter::repeat_n(gap * wave, size))
}

impl Call {
    pub(super) fn time(&self) -> Duration {
        self.ended - self.started
    }

    pub(super) fn is_good(&self) -> bool {
        self.failure.is_none()
    }

    /// Whether there was a token for it.
    pub(super) fn had_token(&self, lives: &[Life]) -> bool {
        lives.iter().any(|life| {
            let lived = life.from <= self.started && self.started + MARGIN <= life.until;
            let came = life.from > self.started && life.from + ROOM <= self.ended && life.from + MARGIN <= life.until;
            lived || came
        })
    }
}

/// The median, the 99th percentile and the longest.
pub(super) fn percentiles(times: impl Iterator<Item = Duration>) -> [Duration; 3] {
    let mut times: Vec<Duration> = times.collect();
    times.sort_unstable();
    let at = |percent: usize| times.get((times.len() * percent / 100).min(times.len().saturating_sub(1)));
    [50, 99, 100].map(|percent| at(percent).copied().unwrap_or_default())
}
