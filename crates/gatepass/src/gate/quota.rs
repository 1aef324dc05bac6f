//! Pacing by what a server says is left (R6): decisions that a test can read without time.

use std::time::{Duration, Instant};

use crate::{
    clock::FAR,
    rate_limit::{RateLimit, RateLimits},
};

/// How many policies of one lane are followed; a server has two or three.
const POLICIES: usize = 8;
/// What is longer is not kept: a server could fill the memory with names.
const LONGEST_NAME: usize = 256;
/// So long, at most, after the reset a quota is followed of which no answer speaks (RL-12).
const LONGEST_SILENCE: Duration = Duration::from_secs(24 * 3600);
/// How much of a lost moment may be caught up: timers are a millisecond or more late.
const SLACK: Duration = Duration::from_millis(20);

/// What is left of the quotas of one lane.
#[derive(Clone, Debug, Default)]
pub(super) struct Quotas {
    list: Vec<Quota>,
    /// The server counts for several partitions here, and which one the next request is in is not known (RL-9).
    mixed: bool,
}

/// What is left of one policy's quota.
#[derive(Clone, Debug)]
struct Quota {
    policy: Option<Box<str>>,
    partition: Option<Box<[u8]>>,
    remaining: u64,
    /// The quota; the most that was ever left, where it is not known.
    limit: u64,
    window: Duration,
    resets: Instant,
    /// Which request told it; a later one knows better.
    number: u64,
    /// When the last one was due.
    due: Instant,
    /// No reset, no distance between two requests is longer (RL-12).
    longest: Duration,
}

/// When something was read, and by which request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Report {
    pub(super) now: Instant,
    /// The how-manieth request of the lane it was.
    pub(super) number: u64,
    /// How long the answer took.
    pub(super) took: Duration,
    /// How many others are under way.
    pub(super) in_flight: u32,
    pub(super) longest: Duration,
}

impl Quotas {
    /// A response came, with these fields or none.
    pub(super) fn report(&mut self, limits: Option<&RateLimits>, report: Report) {
        // What nobody speaks of any more is over.
        self.list.retain(|quota| report.now < quota.resets + quota.window.min(LONGEST_SILENCE));
        let limits = limits
            .into_iter()
            .flat_map(RateLimits::iter)
            .filter(|limit| limit.counts_requests && has_short_names(limit));
        for limit in limits {
            let has_room = self.list.len() < POLICIES;
            let (Some(remaining), Some(reset)) = (limit.remaining, limit.reset.or(limit.window)) else {
                continue;
            };
            // What it tells is of a window that may be over by now.
            if report.took > limit.window.unwrap_or(reset) / 2 {
                continue;
            }
            match self.list.iter_mut().find(|quota| quota.policy == limit.policy) {
                _ if self.mixed => {}
                Some(quota) if quota.partition != limit.partition => {
                    self.list.clear();
                    self.mixed = true;
                }
                Some(quota) => quota.report(limit, remaining, reset.min(report.longest), report),
                None if has_room => {
                    self.list.push(Quota::new(limit, remaining, reset.min(report.longest), report));
                }
                None => {}
            }
        }
    }

    /// A request that may have counted brought no report.
    pub(super) fn lost(&mut self) {
        for quota in &mut self.list {
            quota.remaining = quota.remaining.saturating_sub(1);
        }
    }

    /// The server says in another way when there is some again (RL-6).
    pub(super) fn retry_after(&mut self, opens: Instant) {
        for quota in self.list.iter_mut().filter(|quota| quota.remaining == 0) {
            quota.resets = opens;
        }
    }

    /// When the next may go; `now` or before, if at once. The tightest policy governs (RL-5).
    pub(super) fn ready_at(&self, now: Instant, in_flight: u32) -> Option<Instant> {
        self.list.iter().map(|quota| quota.ready_at(now, in_flight)).max()
    }

    /// How long somebody would wait, at the least, who comes behind so many others. Responses overtake each other, so what is
    /// under way may be counted already: for that nobody is turned away.
    pub(super) fn foresee(&self, now: Instant, before: u32) -> Duration {
        self.list.iter().map(|quota| quota.foresee(now, before)).max().unwrap_or_default()
    }

    /// Somebody goes.
    pub(super) fn take(&mut self, now: Instant, in_flight: u32) {
        let earliest = now.checked_sub(SLACK).unwrap_or(now);
        for quota in &mut self.list {
            quota.due = quota.ready_at(now, in_flight).max(earliest);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

impl Quota {
    fn new(limit: &RateLimit, remaining: u64, reset: Duration, report: Report) -> Self {
        Self {
            policy: limit.policy.clone(),
            partition: limit.partition.clone(),
            remaining,
            limit: limit.quota.unwrap_or(remaining).max(1),
            window: limit.window.map_or(reset, |window| window.min(FAR)),
            resets: report.now + reset,
            number: report.number,
            due: report.now,
            longest: report.longest,
        }
    }

    fn report(&mut self, limit: &RateLimit, remaining: u64, reset: Duration, report: Report) {
        self.limit = limit.quota.unwrap_or(self.limit.max(remaining)).max(1);
        self.window = limit.window.map_or(self.window.max(reset), |window| window.min(FAR));
        let resets = report.now + reset;
        let is_later = report.number > self.number;
        // Responses overtake each other: more is left than was said only if it is more than that explains.
        let is_refilled =
            report.now >= self.resets || remaining > self.remaining.saturating_add(report.in_flight.into());
        match (is_later, is_refilled) {
            (true, true) => (self.remaining, self.resets) = (remaining, resets),
            // Of the window before.
            (false, _) if resets + self.window / 2 < self.resets => return,
            (true, false) => (self.remaining, self.resets) = (remaining, self.resets.min(resets)),
            (false, _) => {
                (self.remaining, self.resets) = (self.remaining.min(remaining), self.resets.min(resets));
            }
        }
        self.number = self.number.max(report.number);
    }

    /// Free while more than a fifth is left. Then what is left is spread over the time to the reset; when nothing is,
    /// the reset is waited for. What it brings is not known before an answer tells (RL-4): until then the quota is spread
    /// over its window.
    fn ready_at(&self, now: Instant, in_flight: u32) -> Instant {
        if now >= self.resets {
            return if self.due < self.resets { self.resets } else { self.due + self.usual() };
        }
        match self.left(in_flight) {
            0 => self.resets,
            left if self.is_plenty(left) => now,
            left => self.due + self.resets.saturating_duration_since(self.due).div_f64(left as f64),
        }
    }

    fn foresee(&self, now: Instant, before: u32) -> Duration {
        let left = if now < self.resets { self.remaining } else { 0 };
        let first = self.ready_at(now, 0).saturating_duration_since(now);
        let reset = self.resets.saturating_duration_since(now);
        match u64::from(before) {
            before if before < left && self.is_plenty(left - before) => Duration::ZERO,
            before if before < left => first.max(reset.mul_f64(before as f64 / left as f64)),
            before => {
                let further = u32::try_from(before - left).unwrap_or(u32::MAX);
                first.max(reset).saturating_add(self.usual().saturating_mul(further))
            }
        }
    }

    fn usual(&self) -> Duration {
        self.window.div_f64(self.limit as f64).min(self.longest)
    }

    fn left(&self, in_flight: u32) -> u64 {
        self.remaining.saturating_sub(in_flight.into())
    }

    fn is_plenty(&self, left: u64) -> bool {
        left > self.limit / 5
    }
}

fn has_short_names(limit: &RateLimit) -> bool {
    let policy = limit.policy.as_ref().map_or(0, |policy| policy.len());
    let partition = limit.partition.as_ref().map_or(0, |partition| partition.len());
    policy.max(partition) <= LONGEST_NAME
}

#[cfg(test)]
mod tests;
