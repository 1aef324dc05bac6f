//! Reads `RateLimit` and its older dialects: how much a server still allows, and until when (rule R6).
//!
//! ```
//! use std::time::{Duration, SystemTime};
//!
//! use gatepass::rate_limit::RateLimits;
//! use http::HeaderMap;
//!
//! let mut headers = HeaderMap::new();
//! headers.insert("ratelimit-policy", r#""burst";q=100;w=60, "daily";q=1000;w=86400"#.parse()?);
//! headers.insert("ratelimit", r#""burst";r=50;t=30, "daily";r=12;t=7200"#.parse()?);
//!
//! let limits = RateLimits::parse(&headers, SystemTime::now()).unwrap();
//! assert_eq!(limits.iter().count(), 2);
//!
//! // 12 more within two hours is less than 50 more within half a minute.
//! let tightest = limits.tightest().unwrap();
//! assert_eq!(tightest.policy.as_deref(), Some("daily"));
//! assert_eq!((tightest.remaining, tightest.reset), (Some(12), Some(Duration::from_secs(7200))));
//! assert_eq!((tightest.quota, tightest.window), (Some(1000), Some(Duration::from_secs(86400))));
//! # Ok::<(), http::header::InvalidHeaderValue>(())
//! ```
//!
//! | fields | what is read |
//! |---|---|
//! | `RateLimit: "name";r=50;t=30;pk=:…:` | draft-ietf-httpapi-ratelimit-headers, 08 to 10; names as strings or tokens |
//! | `RateLimit: limit=100, remaining=50, reset=30` | draft 07 |
//! | `RateLimit-Limit`, `-Remaining`, `-Reset` | the drafts before; also `100, 100;w=60` and `50;w=60` |
//! | `X-RateLimit-Limit`, `-Remaining`, `-Reset` | the same; `X-RateLimit-Reset-After` wins over a reset |
//! | `X-Rate-Limit-Limit`, `-Remaining`, `-Reset` | the same |
//! | `RateLimit-Policy: "name";q=100;w=60;qu="requests";pk=:…:` | with any of them: quota and window of a limit |
//! | `RateLimit-Policy: 100;w=60` | the same in the drafts up to 07, found by the quota |
//!
//! The first dialect that can be read counts, in this order: a server that speaks several says the same in each. With the
//! older ones, `X-RateLimit-Resource` or else `X-RateLimit-Bucket` is the partition.
//!
//! # Resets
//!
//! In the drafts from 07 on a reset is seconds. In the older dialects, servers send what they like:
//!
//! - a number below 1,000,000,000 is seconds from when the response was sent, fractions too;
//! - one below 100,000,000,000 is seconds since 1970, and one from there on milliseconds since 1970;
//! - else a date, in a form of HTTP or of RFC 3339.
//!
//! Moments are measured from the response's own `Date`, so that a clock that is off on either side cancels out; without
//! a readable `Date`, from `now`. One in the past is a reset of zero; none is longer than [`RetryAfter::MAX`].
//!
//! # What is ignored
//!
//! The parser is total: it never fails and never panics. A line that is no structured field (RFC 9651) is ignored, and
//! the other lines count; a member without a readable `r` or `q`, or with a `pk` that cannot be read, is ignored, and
//! the other members count. `t` and `w` that cannot be read are as if they were not there, and parameters that are not
//! known are comments. Where a number came more than once, the least that remains and the latest reset count. At most 16
//! limits and 16 policies are kept.
//!
//! # What it cannot do
//!
//! - What remains is no promise: the server may refuse the next request all the same, need not give back everything at
//!   the reset, and may send no fields with the next response. Where `Retry-After` came too, that counts
//!   ([`retry_after`](crate::retry_after)).
//! - Statuses are not looked at: the fields come with any, and some servers say 403 with nothing remaining where others
//!   say 429. Give it headers, not trailers: the fields are not allowed there.
//! - Bodies are not read: the problem types of the draft (`quota-exceeded` and its like) are for who reads the body.
//! - A server that counts down in milliseconds cannot be told from one that counts in seconds.
//!
//! [`RetryAfter::MAX`]: crate::retry_after::RetryAfter::MAX

use std::{
    cmp::Ordering,
    time::{Duration, SystemTime},
};

use http::{HeaderMap, header};

use crate::retry_after::lines;

mod dialects;
mod members;
mod reset;

/// What a response said of the limits that hold for its sender. See the [module docs](self).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimits {
    /// At least one.
    list: Vec<RateLimit>,
}

impl RateLimits {
    /// Reads the limits from the headers of a response that came at `now`.
    ///
    /// `None` when there are no readable fields, and when a cache served the response (`Age` above zero): then they
    /// tell of another time.
    pub fn parse(headers: &HeaderMap, now: SystemTime) -> Option<Self> {
        if !dialects::are_there(headers) || is_from_cache(headers) {
            return None;
        }
        let list = dialects::read(headers, now);
        (!list.is_empty()).then_some(Self { list })
    }

    /// All limits in the order they were sent, then the policies that none of them belongs to.
    pub fn iter(&self) -> impl Iterator<Item = &RateLimit> {
        self.list.iter()
    }

    /// The one that counts: of those that count requests, the one with the least remaining for the time until it
    /// resets. `None` if all count something else.
    ///
    /// Where the time is not known, the window stands in for it. Limits with neither, or that reset now, come after
    /// those with a time, and the ones that do not say what remains come last.
    pub fn tightest(&self) -> Option<&RateLimit> {
        let counting = self.iter().filter(|limit| limit.counts_requests);
        counting.min_by(|a, b| by_tightness(a, b))
    }
}

/// One limit. See the [module docs](self).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateLimit {
    /// The name of its policy, where it has one.
    pub policy: Option<Box<str>>,
    /// How much is left until the reset, in requests if it [counts](Self::counts_requests) those. `None` when only the
    /// policy was sent.
    pub remaining: Option<u64>,
    /// How long until the reset, counted from when the response came; at most [ten years](crate::retry_after::RetryAfter::MAX).
    pub reset: Option<Duration>,
    /// How much there is in each window.
    pub quota: Option<u64>,
    /// How long a window is, never zero; at most ten years.
    pub window: Option<Duration>,
    /// Whether it counts requests, and not bytes, say, or requests at the same time. It does unless the policy says
    /// otherwise.
    pub counts_requests: bool,
    /// For whom or what it is counted, in bytes that only the server understands. Limits of different partitions are
    /// different limits, even under one policy.
    pub partition: Option<Box<[u8]>>,
}

impl RateLimit {
    /// Of which nothing is known yet.
    const fn unknown() -> Self {
        Self {
            policy: None,
            remaining: None,
            reset: None,
            quota: None,
            window: None,
            counts_requests: true,
            partition: None,
        }
    }

    /// What remains, for how long; where the reset was not sent it comes within the window.
    fn pace(&self) -> Option<(u64, Duration)> {
        let time = self.reset.or(self.window).filter(|time| !time.is_zero())?;
        Some((self.remaining?, time))
    }
}

fn by_tightness(a: &RateLimit, b: &RateLimit) -> Ordering {
    match (a.pace(), b.pace()) {
        (Some((left, time)), Some((other_left, other_time))) => {
            // left / time, compared without a division: both are below 2^64.
            let rate = u128::from(left) * other_time.as_nanos();
            let other_rate = u128::from(other_left) * time.as_nanos();
            rate.cmp(&other_rate).then(other_time.cmp(&time))
        }
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => (a.remaining.is_none(), a.remaining).cmp(&(b.remaining.is_none(), b.remaining)),
    }
}

fn is_from_cache(headers: &HeaderMap) -> bool {
    let not_zero = |age: &str| age.bytes().all(|b| b.is_ascii_digit()) && age.bytes().any(|b| b != b'0');
    lines(headers, &header::AGE).any(not_zero)
}

#[cfg(test)]
mod tests;
