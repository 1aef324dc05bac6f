#![no_main]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gatepass::retry_after::RetryAfter;
use http::{
    HeaderMap, HeaderValue,
    header::{DATE, RETRY_AFTER},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((clock, rest)) = data.split_first_chunk() else {
        return;
    };
    let now = clock_at(i64::from_le_bytes(*clock));

    let mut lines = rest.split(|&byte| byte == b'\n').take(64);
    let mut dated = HeaderMap::new();
    if let Some(Ok(date)) = lines.next().map(HeaderValue::from_bytes) {
        dated.insert(DATE, date);
    }

    let mut all = dated.clone();
    let mut longest = None;
    for wait in lines.flat_map(HeaderValue::from_bytes) {
        all.append(RETRY_AFTER, wait.clone());

        let mut one = dated.clone();
        one.insert(RETRY_AFTER, wait.clone());
        let asked = RetryAfter::parse(&one, now).map(|asked| asked.wait());
        longest = longest.max(asked);

        // Where `httpdate` reads a date as well, its four-digit years agree with ours.
        let plain = wait.to_str().ok().filter(|text| !text.contains('-'));
        let date = plain.and_then(|text| httpdate::parse_http_date(text).ok());
        if let Some(date) = date
            && !dated.contains_key(DATE)
        {
            let expected = date.duration_since(now).unwrap_or_default();
            assert_eq!(asked, Some(expected.min(RetryAfter::MAX)));
        }
    }

    let asked = RetryAfter::parse(&all, now).map(|asked| asked.wait());
    assert_eq!(asked, longest);
    assert!(asked.is_none_or(|wait| wait <= RetryAfter::MAX));
});

/// Also before the epoch; a clock that the platform cannot hold is the epoch.
fn clock_at(seconds: i64) -> SystemTime {
    let distance = Duration::from_secs(seconds.unsigned_abs());
    let clock = if seconds < 0 {
        UNIX_EPOCH.checked_sub(distance)
    } else {
        UNIX_EPOCH.checked_add(distance)
    };
    clock.unwrap_or(UNIX_EPOCH)
}
