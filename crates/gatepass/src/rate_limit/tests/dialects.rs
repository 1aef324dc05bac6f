//! RL-11: what servers sent before there was a draft, and between the drafts.

use super::*;

/// The same limit in all of them: 3 of 10 are left, for 23 seconds from `NOW`.
#[test]
fn rl11_every_dialect_says_the_same() {
    let (reset, limit, remaining) = ("x-ratelimit-reset", ("x-ratelimit-limit", "10"), ("x-ratelimit-remaining", "3"));
    let dialects: &[&[(&str, &str)]] = &[
        &[("ratelimit", "\"a\";r=3;t=23"), ("ratelimit-policy", "\"a\";q=10;w=60")],
        &[("ratelimit", "limit=10, remaining=3, reset=23")],
        &[("ratelimit", "limit=10"), ("ratelimit", "reset=23, remaining=3;x")],
        &[("ratelimit", "limit=10, remaining=3, reset=23"), ("ratelimit-policy", "10;w=60")],
        &[("ratelimit-limit", "10"), ("ratelimit-remaining", "3"), ("ratelimit-reset", "23")],
        &[("ratelimit-limit", "10, 10;w=60"), ("ratelimit-remaining", "3"), ("ratelimit-reset", "23")],
        // A container registry's.
        &[("ratelimit-limit", "10;w=60"), ("ratelimit-remaining", "3;w=60"), ("ratelimit-reset", "23")],
        // An epoch where the drafts want seconds.
        &[("ratelimit-limit", "10"), ("ratelimit-remaining", "3"), ("ratelimit-reset", "1784111800")],
        &[limit, remaining, (reset, "23")],
        &[limit, remaining, (reset, "23.0")],
        &[limit, ("x-ratelimit-remaining", "3.0"), (reset, "23")],
        &[limit, remaining, (reset, "1784111800")],
        &[limit, remaining, (reset, "1784111800.000")],
        &[limit, remaining, (reset, "1784111800000")],
        &[limit, remaining, (reset, "1784111800.5"), ("x-ratelimit-reset-after", "23")],
        &[limit, remaining, (reset, "Wed, 15 Jul 2026 10:36:40 GMT")],
        &[limit, remaining, (reset, "2026-07-15T10:36:40Z")],
        &[limit, remaining, (reset, "2026-07-15 12:36:39.25+02:00")],
        &[("x-rate-limit-limit", "10"), ("x-rate-limit-remaining", "3"), ("x-rate-limit-reset", "1784111800")],
    ];
    // 1,000,000,000 s after `NOW`: an epoch of 1994 would be read as seconds.
    let now = at(NOW + 1_000_000_000);
    for fields in dialects {
        let limits = RateLimits::parse(&headers(fields), now).unwrap_or_else(|| panic!("{fields:?}"));
        let limit = limits.tightest().unwrap();
        assert_eq!((limits.list.len(), limit.quota, limit.remaining), (1, Some(10), Some(3)), "{fields:?}");
        assert_eq!(limit.reset, seconds(23), "{fields:?}");
    }
}

#[test]
fn rl11_several_policies_of_the_older_drafts() {
    let expected = [(Some(3), Some(10), seconds(1)), (None, Some(50), seconds(60)), (None, Some(1000), seconds(3600))];
    let (remaining, policies) = (("ratelimit-remaining", "3"), ("ratelimit-policy", "10;w=1, 50;w=60, 1000;w=3600"));
    for fields in [
        &[("ratelimit-limit", "10, 10;w=1;burst=1000, 50;w=60, 1000;w=3600"), remaining][..],
        &[("ratelimit-limit", "10"), remaining, policies],
        &[("ratelimit", "limit=10, remaining=3, reset=5"), policies],
    ] {
        let facts: Vec<_> = all(fields).iter().map(|limit| (limit.remaining, limit.quota, limit.window)).collect();
        assert_eq!(facts, expected, "{fields:?}");
    }
}

#[test]
fn rl11_the_newest_dialect_counts() {
    let newest_first = [
        ("ratelimit", "a;r=1"),
        ("ratelimit-remaining", "2"),
        ("x-ratelimit-remaining", "3"),
        ("x-rate-limit-remaining", "4"),
    ];
    for (fields, expected) in (0..4).map(|from| &newest_first[from..]).zip(1..) {
        assert_eq!(only(fields).remaining, Some(expected));
    }
    // A policy alone hides nothing.
    let policy = ("ratelimit-policy", "a;q=7;w=60");
    let remaining: Vec<_> = all(&[policy, newest_first[2]]).iter().map(|limit| limit.remaining).collect();
    assert_eq!(remaining, [Some(3), None]);
}

#[test]
fn rl11_the_least_that_remains_and_the_latest_reset() {
    let (left, reset) = ("x-ratelimit-remaining", "x-ratelimit-reset");
    for fields in [&[(left, "7, 3"), (reset, "5, 60, 4")][..], &[(left, "3"), (left, "7"), (reset, "60"), (reset, "5")]]
    {
        let limit = only(fields);
        assert_eq!((limit.remaining, limit.reset), (Some(3), seconds(60)));
    }
}

/// A proxy has limits of its own, and adds its line before or after.
#[test]
fn rl11_in_one_dictionary_too_the_least_that_remains_and_the_latest_reset() {
    let spent = ("ratelimit", "limit=10, remaining=0, reset=23");
    for other in
        ["limit=10, remaining=90, reset=7", "limit=10, remaining=many, reset=soon"].map(|line| ("ratelimit", line))
    {
        for fields in [[spent, other], [other, spent]] {
            let limit = only(&fields);
            assert_eq!((limit.remaining, limit.reset), (Some(0), seconds(23)), "{fields:?}");
        }
    }
}

#[test]
fn rl11_resource_and_bucket_are_partitions() {
    let left = ("x-ratelimit-remaining", "3");
    let of = |fields: &[_]| only(fields).partition.map(|it| String::from_utf8(it.into()).unwrap());
    assert_eq!(of(&[left, ("x-ratelimit-resource", "search")]).as_deref(), Some("search"));
    assert_eq!(of(&[left, ("x-ratelimit-bucket", "abcd1234")]).as_deref(), Some("abcd1234"));
    assert_eq!(of(&[left]), None);
    // They say nothing by themselves.
    assert_eq!(parse(&[("x-ratelimit-resource", "search"), ("x-ratelimit-reset-after", "5")]), None);
}

#[test]
fn rl11_epochs_and_dates_are_corrected_by_the_date_of_the_response() {
    let date = ("date", "Wed, 15 Jul 2026 10:36:17 GMT");
    for reset in ["1784111800", "1784111800000", "2026-07-15T10:36:40Z", "Wed, 15 Jul 2026 10:36:40 GMT", "23"] {
        let headers = headers(&[("x-ratelimit-reset", reset), date]);
        for now in [UNIX_EPOCH - Duration::from_secs(9), at(0), at(NOW), at(1_784_111_777), at(4_000_000_000)] {
            let limits = RateLimits::parse(&headers, now).unwrap();
            assert_eq!(limits.list[0].reset, seconds(23), "{reset} at {now:?}");
        }
    }
}

#[test]
fn rl11_resets() {
    let max = Some(RetryAfter::MAX);
    #[rustfmt::skip]
    let corpus = [
        ("0", seconds(0)),
        ("0.25", Some(Duration::from_millis(250))),
        ("999999999", max),
        // The least epochs, both past.
        ("1000000000", seconds(0)),
        ("100000000000", seconds(0)),
        ("99999999999", max),
        ("99999999999999999999", max),
        ("2026-07-15T10:36:17Z", seconds(0)),
        ("2026-07-15t10:36:18z", seconds(1)),
        ("2026-07-15T10:36:17.001Z", seconds(1)),
        ("2026-07-15T10:36:17.000Z", seconds(0)),
        ("2026-07-15T10:36:60Z", seconds(43)),
        ("2026-07-15T00:36:18-10:00", seconds(1)),
        ("2026-07-16T00:06:18+13:30", seconds(1)),
        ("2026-07-16T10:36:17Z", seconds(86_400)),
        ("2028-02-29T10:36:17Z", seconds(594 * 86_400)),
        ("2028-03-01T10:36:17Z", seconds(595 * 86_400)),
        ("1969-12-31T23:59:59Z", seconds(0)),
        ("0000-01-01T00:00:00Z", seconds(0)),
        ("9999-12-31T23:59:59Z", max),
        ("Wednesday, 15-Jul-26 10:36:40 GMT", seconds(23)),
        ("Wed Jul 15 10:36:40 2026", seconds(23)),
        ("", None),
        ("-1", None),
        ("+1", None),
        (".5", None),
        ("1e9", None),
        ("5s", None),
        ("soon", None),
        ("0x10", None),
        ("2026-07-15", None),
        ("2026-07-15T10:36:40", None),
        ("2026-7-15T10:36:40Z", None),
        ("2026-13-15T10:36:40Z", None),
        ("2026-00-15T10:36:40Z", None),
        ("2026-07-32T10:36:40Z", None),
        ("2026-07-15T24:36:40Z", None),
        ("2026-07-15T10:60:40Z", None),
        ("2026-07-15T10:36:61Z", None),
        ("2026-07-15T10:36:40.Z", None),
        ("2026-07-15T10:36:40.1.2Z", None),
        ("2026-07-15T10:36:4012Z", None),
        ("2026-07-15T10:36:40ZZ", None),
        ("2026-07-15T10:36:40+1:00", None),
        ("2026-07-15T10:36:40+24:00", None),
        ("2026-07-15T10:36:40+00:00:00", None),
        ("2026-07-15X10:36:40Z", None),
    ];
    for (input, expected) in corpus {
        let headers = headers(&[("x-ratelimit-reset", input), ("x-ratelimit-remaining", "1")]);
        let limits = RateLimits::parse(&headers, at(1_784_111_777)).unwrap();
        assert_eq!(limits.list[0].reset, expected, "{input:?}");
    }
}
