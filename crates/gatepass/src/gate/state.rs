//! What is known of one origin and one credential, and what follows from it. The moment is an input; no clock is read,
//! nobody waits here.

use std::time::{Duration, Instant};

use super::{
    accepted::Accepted,
    answer::{Answer, Asked, Verdict},
    pace::Pace,
    quota::{Quotas, Report},
};

/// The first wait where the server names none; each further one in a row is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_OWN_WAIT: Duration = Duration::from_secs(30);
/// "Again at once" does not make a hot loop.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);
/// What is longer is absurd, and a single response must not close a lane for good.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);
/// When somebody could go for so long and nobody did, whoever has the turn is not polled: others may overtake.
pub(super) const STALLED: Duration = Duration::from_secs(1);
/// When nobody had to wait for so long, the pace is forgotten.
const FREE_AFTER: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct State {
    accepted: Accepted,
    /// Free without one.
    pace: Option<Pace>,
    closed: Option<Closed>,
    quotas: Quotas,
    /// How often it was closed.
    closings: u32,
    /// Refusals in a row.
    streak: u32,
    /// Those who wait for their turn.
    waiting: usize,
    in_flight: u32,
    sent: u64,
    /// When somebody had to wait last.
    busy: Instant,
    /// When somebody went last.
    last: Instant,
}

/// Until when nobody goes.
#[derive(Clone, Copy, Debug)]
struct Closed {
    /// Since when, and for how long without our own spread.
    at: Instant,
    wait: Duration,
    until: Instant,
    /// The rate its fields named.
    named: Option<f64>,
    /// Whether a request was refused that was sent since the lane opened last.
    is_new: bool,
}

/// One who goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    number: u64,
    pub(super) sent: Instant,
    /// How often the lane had been closed.
    closings: u32,
}

/// Somebody goes; whether a lane that was closed opened for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Admitted {
    pub(super) ticket: Ticket,
    pub(super) opened: bool,
}

/// What an answer did to the lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    None,
    /// A request was refused, and comes back to the gate.
    Refused,
    /// The same, and the lane was closed by it for so long.
    Closed(Duration),
}

impl State {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            accepted: Accepted::new(now),
            pace: None,
            closed: None,
            quotas: Quotas::default(),
            closings: 0,
            streak: 0,
            waiting: 0,
            in_flight: 0,
            sent: 0,
            busy: now,
            last: now,
        }
    }

    /// Lets one go, or says when to ask again. Who is not from the queue goes only if there is none.
    pub(super) fn admit(&mut self, now: Instant, queued: bool) -> Result<Admitted, Instant> {
        if !queued && self.waiting > 0 {
            return Err(now);
        }
        if let Some(closed) = self.closed.filter(|closed| now < closed.until) {
            return Err(closed.until);
        }
        let closed = self.closed.take();
        if let Some(closed) = closed {
            self.open(closed);
        }
        if self.pace.is_some() && now.saturating_duration_since(self.busy) > FREE_AFTER {
            self.pace = None;
        }
        if let Some(ready_at) = self.ready_at(now).filter(|&ready_at| ready_at > now) {
            return Err(ready_at);
        }
        if let Some(pace) = &mut self.pace {
            pace.take(now, queued);
        }
        if !self.quotas.is_empty() {
            self.quotas.take(now, self.in_flight);
        }
        if queued {
            self.busy = now;
        }
        self.in_flight = self.in_flight.saturating_add(1);
        self.last = now;
        self.sent += 1;
        Ok(Admitted {
            ticket: Ticket { number: self.sent, sent: now, closings: self.closings },
            opened: closed.is_some(),
        })
    }

    /// Lets one of the queue go to whom it is not the turn, if who has it could have gone long ago.
    pub(super) fn overtake(&mut self, now: Instant) -> Option<Admitted> {
        let earlier = now.checked_sub(STALLED)?;
        let could_go = !self.is_closed(earlier) && self.ready_at(now).is_none_or(|ready_at| ready_at <= earlier);
        (could_go && self.last <= earlier).then(|| self.admit(now, true).ok()).flatten()
    }

    /// Whether nobody goes now.
    pub(super) fn is_closed(&self, now: Instant) -> bool {
        self.closed.is_some_and(|closed| now < closed.until)
    }

    /// How long somebody would wait who comes now: the closed time, and those before it one by one.
    pub(super) fn foresee(&self, now: Instant) -> Duration {
        let before = u32::try_from(self.waiting).unwrap_or(u32::MAX);
        let opens = self.closed.map_or(now, |closed| closed.until);
        // Right after a burst the pace is not known: what was accepted of it is still on its way back.
        let (due, interval) =
            self.pace.as_ref().map_or((now, Duration::ZERO), |pace| (pace.ready_at(), pace.interval()));
        let paced = opens.max(due).saturating_duration_since(now).saturating_add(interval.saturating_mul(before));
        paced.max(self.quotas.foresee(now, before))
    }

    /// Somebody waits from now on.
    pub(super) fn queue(&mut self, now: Instant) {
        self.waiting += 1;
        self.busy = now;
    }

    /// Somebody waits no longer, went or gave up.
    pub(super) fn leave(&mut self) {
        self.waiting = self.waiting.saturating_sub(1);
    }

    pub(super) fn has_queue(&self) -> bool {
        self.waiting > 0
    }

    /// Admissions a second, where there is a pace.
    pub(super) fn rate(&self) -> Option<f64> {
        self.pace.as_ref().map(Pace::rate)
    }

    /// A response came. `jitter` between 0 and 1; `longest` bounds the waits that pacing brings.
    pub(super) fn answered(
        &mut self,
        now: Instant,
        ticket: Ticket,
        answer: &Answer,
        jitter: f64,
        longest: Option<Duration>,
    ) -> Effect {
        self.in_flight = self.in_flight.saturating_sub(1);
        if let Some(longest) = longest {
            let took = now.saturating_duration_since(ticket.sent);
            let report = Report { now, number: ticket.number, took, in_flight: self.in_flight, longest };
            if answer.limits.is_none() {
                self.quotas.lost();
            }
            self.quotas.report(answer.limits.as_ref(), report);
        }
        let is_current = ticket.closings == self.closings;
        match answer.verdict {
            Verdict::Refused(asked) => return self.refused(now, is_current, asked, answer.rate(), jitter),
            Verdict::Accepted => {
                self.accepted.count(now);
                if is_current {
                    self.streak = 0;
                    self.pace.iter_mut().for_each(|pace| pace.accepted(ticket.sent));
                }
            }
            Verdict::Neither if is_current => self.pace.iter_mut().for_each(Pace::gone),
            Verdict::Neither => {}
        }
        Effect::None
    }

    /// Whether a refusal came since this one was let through. A late one counts as no refusal of its own, but may close.
    pub(super) fn was_closed_since(&self, ticket: Ticket, now: Instant) -> bool {
        ticket.closings != self.closings || self.is_closed(now)
    }

    /// No response came, and whether the request counted is not known.
    pub(super) fn lost(&mut self, ticket: Ticket) {
        self.quotas.lost();
        self.unsent(ticket);
    }

    /// One that was let go was not sent.
    pub(super) fn unsent(&mut self, ticket: Ticket) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if ticket.closings == self.closings {
            self.pace.iter_mut().for_each(Pace::gone);
        }
    }

    fn refused(
        &mut self,
        now: Instant,
        is_current: bool,
        asked: Option<Asked>,
        named: Option<f64>,
        jitter: f64,
    ) -> Effect {
        if is_current {
            self.closings = self.closings.wrapping_add(1);
            self.streak = self.streak.saturating_add(1);
            self.pace.iter_mut().for_each(Pace::gone);
        }
        let wait = match asked {
            Some(asked) => asked.wait,
            None if is_current => own_wait(self.streak).mul_f64(0.5 + jitter / 2.0),
            // The same refusal as the one that closed the lane, which asks for nothing.
            None => return Effect::Refused,
        };
        let wait = wait.clamp(SHORTEST_WAIT, LONGEST_WAIT);
        let spread = spread(wait);
        let earlier = self.closed.filter(|closed| now < closed.until);
        let until = match earlier {
            // Its spread is the lane's: each one's own would end up with the longest.
            Some(closed) if closed.until >= now + wait => closed.until,
            _ => now + wait + spread.mul_f64(jitter),
        };
        if asked.is_some_and(|asked| asked.by_retry_after) {
            self.quotas.retry_after(until);
        }
        self.closed = Some(match (self.closed, is_current) {
            // Already closed by one like it.
            (Some(closed), false) => Closed { until, ..closed },
            (_, is_new) => Closed {
                at: now,
                wait,
                until,
                named,
                // Where the pace was forgotten, a late one shows it again.
                is_new: is_new || self.pace.is_none(),
            },
        });
        match earlier {
            None => Effect::Closed(until - now),
            Some(_) => Effect::Refused,
        }
    }

    /// The closed time is over: at which pace to go on. Decided here and not before, when all answers were in.
    fn open(&mut self, closed: Closed) {
        self.busy = self.busy.max(closed.until);
        if !closed.is_new {
            return self.pace.iter_mut().for_each(|pace| pace.postpone(closed.until));
        }
        let shown = closed.named.unwrap_or_else(|| self.accepted.rate(closed.at, closed.wait));
        self.pace = Some(match &self.pace {
            Some(pace) => pace.refused(closed.at, closed.wait, closed.until, shown),
            None => Pace::new(shown, closed.wait, closed.until),
        });
    }

    fn ready_at(&self, now: Instant) -> Option<Instant> {
        self.pace.as_ref().map(Pace::ready_at).max(self.quotas.ready_at(now, self.in_flight))
    }
}

/// How much later than asked a lane opens, at the latest (R1).
pub(super) fn spread(wait: Duration) -> Duration {
    (wait / 10).clamp(Duration::from_millis(50), Duration::from_secs(1))
}

fn own_wait(streak: u32) -> Duration {
    FIRST_WAIT.saturating_mul(1 << streak.saturating_sub(1).min(16)).min(LONGEST_OWN_WAIT)
}
