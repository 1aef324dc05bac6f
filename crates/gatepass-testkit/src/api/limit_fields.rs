use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue};

use super::limit::{Counted, Limit};
use crate::retry_after::{RetryAfter, seconds_rounded_up};

/// How the API says what is left of its [limit](super::Api::limit).
///
/// Times are in whole seconds, rounded up. Moments are told by the API's own clock
/// ([`Api::clock_skew`](super::Api::clock_skew)), as its `Date` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LimitFields {
    /// `RateLimit: "default";r=50;t=30` and `RateLimit-Policy: "default";q=100;w=60`
    /// (draft-ietf-httpapi-ratelimit-headers-10)
    RateLimit,
    /// `RateLimit-Limit: 100`, `RateLimit-Remaining: 50`, `RateLimit-Reset: 30` and `RateLimit-Policy: 100;w=60` (its
    /// draft 06)
    Draft06,
    /// `X-RateLimit-Limit: 100`, `X-RateLimit-Remaining: 50` and `X-RateLimit-Reset: 784111777`, which are seconds since
    /// 1970
    XRateLimitEpoch,
    /// The same with `X-RateLimit-Reset: 30`, which are seconds from now
    XRateLimitDelta,
    /// The same with `X-RateLimit-Reset: Sun, 06 Nov 1994 08:49:37 GMT`
    XRateLimitDate,
}

impl LimitFields {
    /// As a server whose clock shows `now` writes them.
    pub(super) fn headers(self, limit: &Limit, counted: &Counted, now: SystemTime) -> HeaderMap {
        let (quota, remaining) = (limit.calls, counted.remaining);
        let (window, reset) = (seconds_rounded_up(limit.per), seconds_rounded_up(counted.reset));
        match self {
            Self::RateLimit => fields([
                ("ratelimit", format!("\"default\";r={remaining};t={reset}").try_into().ok()),
                ("ratelimit-policy", format!("\"default\";q={quota};w={window}").try_into().ok()),
            ]),
            Self::Draft06 => fields([
                ("ratelimit-limit", Some(quota.into())),
                ("ratelimit-remaining", Some(remaining.into())),
                ("ratelimit-reset", Some(reset.into())),
                ("ratelimit-policy", format!("{quota};w={window}").try_into().ok()),
            ]),
            Self::XRateLimitEpoch => x_fields(quota, remaining, epoch(now, counted.reset).into()),
            Self::XRateLimitDelta => x_fields(quota, remaining, reset.into()),
            Self::XRateLimitDate => x_fields(quota, remaining, RetryAfter::Date(counted.reset).header(now)),
        }
    }
}

fn x_fields(quota: u32, remaining: u32, reset: HeaderValue) -> HeaderMap {
    fields([
        ("x-ratelimit-limit", Some(quota.into())),
        ("x-ratelimit-remaining", Some(remaining.into())),
        ("x-ratelimit-reset", Some(reset)),
    ])
}

fn fields<const N: usize>(fields: [(&'static str, Option<HeaderValue>); N]) -> HeaderMap {
    let fields = fields.into_iter().filter_map(|(name, value)| Some((HeaderName::from_static(name), value?)));
    fields.collect()
}

fn epoch(now: SystemTime, wait: Duration) -> u64 {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    seconds_rounded_up(since.saturating_add(wait))
}

#[cfg(test)]
mod tests {
    use super::{super::limit::Kind, *};

    #[test]
    fn the_same_limit_in_all_dialects() {
        let limit = Limit::new(Kind::Window, 100, Duration::from_secs(60));
        let counted = Counted { wait: None, remaining: 50, reset: Duration::from_millis(36_500) };
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_740);
        for (dialect, expected) in [
            (LimitFields::RateLimit, vec![r#""default";r=50;t=37"#, r#""default";q=100;w=60"#]),
            (LimitFields::Draft06, vec!["100", "50", "37", "100;w=60"]),
            (LimitFields::XRateLimitEpoch, vec!["100", "50", "784111777"]),
            (LimitFields::XRateLimitDelta, vec!["100", "50", "37"]),
            (LimitFields::XRateLimitDate, vec!["100", "50", "Sun, 06 Nov 1994 08:49:37 GMT"]),
        ] {
            let headers = dialect.headers(&limit, &counted, now);
            let values: Vec<_> = headers.values().map(|value| value.to_str().unwrap()).collect();
            assert_eq!(values, expected, "{dialect:?}");
        }
    }
}
