//! The decision, and what it is decided from.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use http::{HeaderMap, Method, StatusCode};
use tower::retry::budget::{Budget, TpsBudget};

use crate::{bearer::Refused, clock, gate::Held, meter, retry_after::RetryAfter};

/// The first wait where the server names none; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// What is sent again, how often and how late. Cheap to clone; clones share the budget. See the [module
/// docs](crate::retry).
#[derive(Clone)]
#[must_use]
pub struct Rules {
    max_retries: u32,
    longest_wait: Duration,
    total_time: Duration,
    also: Arc<[StatusCode]>,
    transport_errors: bool,
    budget: Arc<dyn Budget + Send + Sync>,
}

/// What was done for one request so far.
#[derive(Clone, Copy, Debug)]
pub struct Attempts {
    started: Instant,
    retries: u32,
    replayed: bool,
}

/// What counts about a request.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    may_repeat: bool,
    deadline: Option<Instant>,
}

/// What came of an attempt.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Outcome<'a> {
    /// A response.
    Response(StatusCode, &'a HeaderMap),
    /// The same, where a [gate](crate::gate) took the wait upon itself: whoever sends again comes to it at once.
    AtGate(StatusCode, &'a HeaderMap, Held),
    /// A response that refused the token, and whether another one is there or may be had ([`Refused::can_replay`]).
    TokenRefused {
        /// See [`Refused::can_replay`].
        can_replay: bool,
    },
    /// No response. An error of gatepass itself is none of these: it is not sent again.
    TransportError,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// Hand back what there is; with how long the server wants to be left alone, if it said so, or how long a gate would
    /// hold this back.
    Return(Option<RetryAfter>),
    /// Send again at once: `Bearer` will use another token.
    Replay,
    /// Send again after a while.
    Retry {
        /// How long to wait.
        wait: Duration,
        /// Whether it draws on the budget.
        costs: bool,
    },
}

/// When a decision is taken, and its share of chance.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The monotonic clock.
    pub instant: Instant,
    /// The wall clock, for dates in Retry-After.
    pub wall: SystemTime,
    /// Between 0 and 1.
    pub jitter: f64,
}

/// In the extensions of a request: when its caller loses interest. No wait before sending again goes beyond it (R2);
/// for the whole of a call, the wait for a token included, use a time-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Default for Rules {
    fn default() -> Self {
        Self::new()
    }
}

impl Rules {
    /// Three retries, single waits of up to a minute, two minutes in all; a budget of five retries a second, averaged
    /// over ten.
    pub fn new() -> Self {
        Self {
            max_retries: 3,
            longest_wait: Duration::from_secs(60),
            total_time: Duration::from_secs(120),
            also: Arc::new([]),
            transport_errors: false,
            // No percentage: a success would have to deposit, and take a lock for it (R4).
            budget: Arc::new(TpsBudget::new(Duration::from_secs(10), 5, 0.0)),
        }
    }

    /// How often a request is sent again, the one replay after a refused token not counted.
    pub fn max_retries(mut self, retries: u32) -> Self {
        self.max_retries = retries;
        self
    }

    /// The longest single wait; a server that asks for more gets its response handed to the caller instead (R2).
    pub fn longest_wait(mut self, wait: Duration) -> Self {
        self.longest_wait = wait;
        self
    }

    /// The longest time from the first attempt to the start of the last.
    pub fn total_time(mut self, time: Duration) -> Self {
        self.total_time = time;
        self
    }

    /// Also sends again on this status, under the conditions of 503. 401 stays as it is.
    pub fn also(mut self, status: StatusCode) -> Self {
        self.also = self.also.iter().copied().chain([status]).collect();
        self
    }

    /// Also sends again when there was no response, under the conditions of 503.
    pub fn transport_errors(mut self, retry: bool) -> Self {
        self.transport_errors = retry;
        self
    }

    /// What bounds retries over all requests (R4). Successes are never deposited.
    pub fn budget(mut self, budget: impl Budget + Send + Sync + 'static) -> Self {
        self.budget = Arc::new(budget);
        self
    }

    /// The decision. Pure: see [`Attempts::next`] for the one that reads the clock, counts and draws on the budget.
    pub fn decide(&self, attempts: &Attempts, request: Facts, outcome: Outcome<'_>, now: Moment) -> Decision {
        let deadline = self.deadline(attempts, request);
        let held = outcome.held();
        let (asked, may) = match outcome {
            Outcome::TokenRefused { can_replay } => {
                let replay =
                    can_replay && !attempts.replayed && deadline.is_none_or(|deadline| now.instant <= deadline);
                return if replay { Decision::Replay } else { Decision::Return(None) };
            }
            Outcome::TransportError => (None, self.transport_errors && request.may_repeat),
            Outcome::Response(status, headers) | Outcome::AtGate(status, headers, _) => match status {
                StatusCode::TOO_MANY_REQUESTS => (RetryAfter::parse(headers, now.wall), true),
                StatusCode::SERVICE_UNAVAILABLE => (RetryAfter::parse(headers, now.wall), request.may_repeat),
                StatusCode::UNAUTHORIZED => (None, false),
                // The gate took it for a 429.
                StatusCode::FORBIDDEN if held.is_some() => (RetryAfter::parse(headers, now.wall), true),
                other if self.also.contains(&other) => (RetryAfter::parse(headers, now.wall), request.may_repeat),
                _ => (None, false),
            },
        };
        let too_many = match outcome.status() {
            Some(StatusCode::FORBIDDEN) => held.is_some(),
            status => status == Some(StatusCode::TOO_MANY_REQUESTS),
        };
        let wait = self.wait(attempts, asked, now.jitter);
        let in_time = wait.is_some_and(|wait| {
            let then = now.instant.checked_add(held.map_or(wait, |held| held.wait()));
            then.is_some_and(|then| deadline.is_none_or(|deadline| then <= deadline))
        });
        let is_refused = held.is_some_and(|held| held.is_refused());
        match wait {
            Some(wait) if may && in_time && !is_refused && attempts.retries < self.max_retries => {
                let wait = if held.is_some() { Duration::ZERO } else { wait };
                // What a gate lets through at its pace is bounded by that.
                Decision::Retry { wait, costs: !(too_many && (asked.is_some() || held.is_some())) }
            }
            // A gate knows it where Retry-After does not say it, and what siblings were asked for.
            _ => Decision::Return(asked.max(held.map(|held| RetryAfter::new(held.wait())))),
        }
    }

    /// Whether a response of this status may be sent again at all.
    fn know(&self, status: StatusCode) -> bool {
        matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) || self.also.contains(&status)
    }

    /// How long to wait; `None` when the server asks for more than the cap. Never earlier than it asks: the jitter
    /// comes after (R1).
    fn wait(&self, attempts: &Attempts, asked: Option<RetryAfter>, jitter: f64) -> Option<Duration> {
        let Some(asked) = asked.map(|asked| asked.wait()) else {
            let doubled = FIRST_WAIT.saturating_mul(1 << attempts.retries.min(16));
            return Some(doubled.min(self.longest_wait).mul_f64(0.5 + jitter / 2.0));
        };
        let spread = (asked / 10).clamp(Duration::from_millis(50), Duration::from_secs(1));
        (asked <= self.longest_wait).then(|| asked + spread.mul_f64(jitter))
    }

    /// The earlier of the total time and the request's own deadline (R2). For adapters: what waits beneath, at a gate,
    /// ends by it too (R4).
    pub fn deadline(&self, attempts: &Attempts, request: Facts) -> Option<Instant> {
        let own = attempts.started.checked_add(self.total_time);
        match (own, request.deadline) {
            (Some(own), Some(request)) => Some(own.min(request)),
            (own, request) => own.or(request),
        }
    }
}

impl Attempts {
    /// Starts counting, and the total time.
    pub fn start() -> Self {
        Self { started: clock::instant(), retries: 0, replayed: false }
    }

    pub(super) fn none_yet(&self) -> bool {
        self.retries == 0 && !self.replayed
    }

    /// Decides, counts, and draws on the budget where the decision costs.
    pub fn next(&mut self, rules: &Rules, request: Facts, outcome: Outcome<'_>) -> Decision {
        if matches!(outcome, Outcome::Response(status, _) if !rules.know(status)) {
            return Decision::Return(None);
        }
        let now = Moment { instant: clock::instant(), wall: clock::wall(), jitter: fastrand::f64() };
        let decision = rules.decide(self, request, outcome, now);
        match decision {
            Decision::Replay => {
                self.replayed = true;
                meter::replayed();
            }
            Decision::Retry { wait, costs } => {
                if costs && !rules.budget.withdraw() {
                    tracing::debug!("not sent again: the retry budget is used up");
                    return Decision::Return(outcome.asked(now.wall));
                }
                self.retries += 1;
                if !matches!(outcome, Outcome::AtGate(..)) {
                    meter::retried(outcome.status(), wait);
                }
            }
            Decision::Return(_) => {}
        }
        decision
    }
}

impl Facts {
    /// Reads a request's method, `Idempotency-Key` and [`Deadline`].
    pub fn of(method: &Method, headers: &HeaderMap, extensions: &http::Extensions) -> Self {
        // The method first: a look-up by text parses the text, for each response.
        let may_repeat = method.is_idempotent() || headers.get("idempotency-key").is_some_and(|key| !key.is_empty());
        let deadline = extensions.get::<Deadline>().map(|deadline| deadline.0);
        Self { may_repeat, deadline }
    }
}

impl<'a> Outcome<'a> {
    /// Reads a response's head and the mark that `Bearer` left.
    pub fn of(status: StatusCode, headers: &'a HeaderMap, refused: Option<&Refused>) -> Self {
        match refused {
            Some(refused) if refused.token_is_bad() => Self::TokenRefused { can_replay: refused.can_replay() },
            _ => Self::Response(status, headers),
        }
    }

    /// The same for a response to a request that passed a gate, and what that made of it.
    #[must_use]
    pub fn at_gate(self, held: Option<Held>) -> Self {
        match (self, held) {
            (Self::Response(status, headers), Some(held)) => Self::AtGate(status, headers, held),
            (other, _) => other,
        }
    }

    fn held(&self) -> Option<Held> {
        match self {
            Self::AtGate(.., held) => Some(*held),
            _ => None,
        }
    }

    fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Response(status, _) | Self::AtGate(status, ..) => Some(*status),
            Self::TokenRefused { .. } | Self::TransportError => None,
        }
    }

    fn asked(&self, wall: SystemTime) -> Option<RetryAfter> {
        match self {
            Self::Response(_, headers) | Self::AtGate(_, headers, _) => RetryAfter::parse(headers, wall),
            Self::TokenRefused { .. } | Self::TransportError => None,
        }
    }
}

impl Deadline {
    /// At this moment.
    pub fn at(instant: Instant) -> Self {
        Self(instant)
    }

    /// When that is.
    pub fn instant(&self) -> Instant {
        self.0
    }

    /// This long from now; never, when that is beyond what the clock can say.
    pub fn after(wait: Duration) -> Self {
        let now = clock::instant();
        Self(now.checked_add(wait).unwrap_or_else(|| now + Duration::from_secs(100 * 365 * 24 * 3600)))
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules")
            .field("max_retries", &self.max_retries)
            .field("longest_wait", &self.longest_wait)
            .field("total_time", &self.total_time)
            .field("also", &self.also)
            .field("transport_errors", &self.transport_errors)
            .finish_non_exhaustive()
    }
}
