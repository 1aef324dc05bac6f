#![no_main]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gatepass::{rate_limit::RateLimits, retry_after::RetryAfter};
use http::{HeaderMap, HeaderName, HeaderValue, header::AGE};
use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 16] = [
    "ratelimit",
    "ratelimit-policy",
    "ratelimit-limit",
    "ratelimit-remaining",
    "ratelimit-reset",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "x-ratelimit-reset-after",
    "x-ratelimit-resource",
    "x-ratelimit-bucket",
    "x-rate-limit-limit",
    "x-rate-limit-remaining",
    "x-rate-limit-reset",
    "date",
    "age",
];

fuzz_target!(|data: &[u8]| {
    let Some((clock, rest)) = data.split_first_chunk() else {
        return;
    };
    let now = UNIX_EPOCH.checked_add(Duration::from_secs(u64::from_le_bytes(*clock)));
    let now = now.unwrap_or(UNIX_EPOCH);

    // The first byte of a line chooses the field.
    let mut headers = HeaderMap::new();
    for line in rest.split(|&byte| byte == b'\n').take(64) {
        if let Some((&name, value)) = line.split_first()
            && let Ok(value) = HeaderValue::from_bytes(value)
        {
            let name = NAMES[usize::from(name) % NAMES.len()];
            headers.append(HeaderName::from_static(name), value);
        }
    }
    if let Some(limits) = RateLimits::parse(&headers, now) {
        check(&limits, data.len());
        assert_eq!(RateLimits::parse(&headers, now), Some(limits));
    }
    headers.append(AGE, HeaderValue::from_static("1"));
    assert_eq!(RateLimits::parse(&headers, SystemTime::now()), None);
});

fn check(limits: &RateLimits, sent: usize) {
    assert!((1..=32).contains(&limits.iter().count()));
    let mut size = 0;
    for limit in limits.iter() {
        assert!(limit.reset.is_none_or(|reset| reset <= RetryAfter::MAX));
        assert!(
            limit
                .window
                .is_none_or(|window| !window.is_zero() && window <= RetryAfter::MAX)
        );
        assert!(limit.remaining.is_some() || limit.quota.is_some() || limit.reset.is_some());
        size += limit.policy.as_ref().map_or(0, |name| name.len());
        size += limit.partition.as_ref().map_or(0, |key| key.len());
    }
    // The partition of a policy is copied to each limit that belongs to it.
    assert!(size <= 32 * sent);

    let Some(tightest) = limits.tightest() else {
        assert!(limits.iter().all(|limit| !limit.counts_requests));
        return;
    };
    assert!(tightest.counts_requests);
    let of_requests = limits.iter().filter(|limit| limit.counts_requests);
    for limit in of_requests.filter(|limit| limit.reset.is_some_and(|reset| !reset.is_zero())) {
        let (Some(left), Some(reset)) = (limit.remaining, limit.reset) else {
            continue;
        };
        let (Some(least), Some(time)) = (tightest.remaining, tightest.reset.or(tightest.window))
        else {
            panic!("{tightest:?} before {limit:?}");
        };
        assert!(u128::from(least) * reset.as_nanos() <= u128::from(left) * time.as_nanos());
    }
}
