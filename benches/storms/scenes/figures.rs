use std::time::Duration;

use super::Scene;

/// What came of a scene.
#[derive(Clone, Debug)]
pub struct Figures {
    pub scene: Scene,
    /// Why the scene was not run; then everything else is zero.
    pub left_out: Option<&'static str>,
    /// How many calls were made.
    pub calls: usize,
    /// How many requests came to the token endpoint meanwhile.
    pub token_requests: usize,
    /// How many calls failed although there was a token they could have used: it lived when they began, or came early
    /// enough before they ended.
    pub failed_with_token: usize,
    /// How many others failed.
    pub failed_without: usize,
    /// One of the failures, as the client told it.
    pub failure: Option<String>,
    /// How long the calls took that did not fail.
    pub p50: Duration,
    pub p99: Duration,
    pub max: Duration,
    /// How many calls came to the API with a token that had ended.
    pub expired_sent: usize,
    /// How many came with one that was revoked.
    pub revoked_sent: usize,
    /// From when the token endpoint answers (again) until the first call succeeded: after an outage, and for impatient
    /// callers, from when the token had come.
    pub back_after: Option<Duration>,
    pub window: Option<Window>,
    pub expiry: Option<Expiry>,
}

/// Calls made while a token was renewed that had not ended, and the others.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    pub calls: usize,
    pub p99: Duration,
    pub max: Duration,
    pub p99_outside: Duration,
    pub max_outside: Duration,
}

impl Window {
    /// The p99 inside over that outside.
    pub fn ratio(&self) -> f64 {
        self.p99.as_secs_f64() / self.p99_outside.as_secs_f64().max(1e-6)
    }
}

/// Calls at a steady rate while a token ends.
#[derive(Clone, Debug)]
pub struct Expiry {
    /// When the token has ended; seconds, as all times here, since the calls began.
    pub ends: f64,
    /// When a request came to the token endpoint.
    pub token_requests: Vec<f64>,
    /// Of each call that succeeded: when it began, and how long it took.
    pub calls: Vec<(f64, f64)>,
}

impl Figures {
    pub(super) fn left_out(scene: Scene, why: &'static str) -> Self {
        Self {
            scene,
            left_out: Some(why),
            calls: 0,
            token_requests: 0,
            failed_with_token: 0,
            failed_without: 0,
            failure: None,
            p50: Duration::ZERO,
            p99: Duration::ZERO,
            max: Duration::ZERO,
            expired_sent: 0,
            revoked_sent: 0,
            back_after: None,
            window: None,
            expiry: None,
        }
    }

    /// How many calls failed.
    pub fn failed(&self) -> usize {
        self.failed_with_token + self.failed_without
    }
}
