use std::time::UNIX_EPOCH;

use http::{HeaderName, HeaderValue};

use super::*;
use crate::retry_after::RetryAfter;

mod dialects;
mod grammar;
mod properties;

/// Sun, 06 Nov 1994 08:49:37 GMT.
const NOW: u64 = 784_111_777;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
    let field = |&(name, value): &(_, &str)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    let mut headers = HeaderMap::new();
    for (name, value) in fields.iter().map(field) {
        headers.append(name, value);
    }
    headers
}

fn parse(fields: &[(&'static str, &str)]) -> Option<RateLimits> {
    RateLimits::parse(&headers(fields), at(NOW))
}

fn all(fields: &[(&'static str, &str)]) -> Vec<RateLimit> {
    parse(fields).map(|limits| limits.list).unwrap_or_default()
}

fn only(fields: &[(&'static str, &str)]) -> RateLimit {
    let mut all = all(fields);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

fn seconds(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds))
}

/// The name of the tightest policy, of limits such as `"a";r=1;t=2`.
fn tightest(limits: &str, policies: &str) -> Option<String> {
    let limits = parse(&[("ratelimit", limits), ("ratelimit-policy", policies)])?;
    limits.tightest().map(|limit| limit.policy.as_deref().unwrap_or("unnamed").to_owned())
}

#[test]
fn rl1_malformed_fields_are_ignored_one_by_one() {
    let good = ("ratelimit", r#""a";r=5;t=10"#);
    for malformed in ["", ",", r#""a"#, r#""b";r=1;;"#, r#""b";r=1 "c";r=2"#, r#""b\n";r=1"#, "(1 2);r=1", r#""b";R=1"#]
    {
        assert_eq!(parse(&[("ratelimit", malformed)]), None, "{malformed}");
        assert_eq!(only(&[("ratelimit", malformed), good]), only(&[good]), "{malformed}");
        assert_eq!(only(&[("ratelimit-policy", malformed), good]), only(&[good]), "{malformed}");
    }
    // A malformed member takes only itself along.
    for member in [r#""b""#, r#""b";t=1"#, r#""b";r"#, r#""b";r=-1"#, r#""b";r="1""#, "7;r=1", "?1;r=1", ":Yg==:;r=1"] {
        assert_eq!(only(&[("ratelimit", &format!(r#"{member}, "a";r=5;t=10"#))]), only(&[good]), "{member}");
    }
    for member in [r#""a""#, r#""a";w=60"#, r#""a";q=-1"#, r#""a";q=x"#, "?1;q=1"] {
        let policies = format!(r#"{member}, "b";q=9"#);
        let quotas: Vec<_> = all(&[good, ("ratelimit-policy", &policies)]).iter().map(|limit| limit.quota).collect();
        assert_eq!(quotas, [None, Some(9)], "{member}");
    }
    // An older dialect is read when the newer one says nothing.
    let older = [("ratelimit", "soon"), ("ratelimit-remaining", "-1"), ("x-ratelimit-remaining", "3")];
    assert_eq!(only(&older).remaining, Some(3));
}

#[test]
fn rl2_limits_have_a_name_what_remains_and_perhaps_a_time_and_a_partition() {
    let line = r#""a \"b\"";r=5;t=10;pk=:AQI=:, plain;r=0"#;
    let limits = all(&[("ratelimit", line), ("ratelimit", "c;r=7; t=1.5;x=?0")]);
    let [a, plain, c] = limits.as_slice() else { panic!("{limits:?}") };
    assert_eq!((a.policy.as_deref(), a.remaining, a.reset), (Some("a \"b\""), Some(5), seconds(10)));
    assert_eq!(a.partition.as_deref(), Some(&[1, 2][..]));
    assert_eq!((plain.policy.as_deref(), plain.remaining, plain.reset), (Some("plain"), Some(0), None));
    assert_eq!((c.remaining, c.reset), (Some(7), Some(Duration::from_millis(1500))));
    assert!(limits.iter().all(|limit| limit.counts_requests && limit.quota.is_none()));
}

#[test]
fn rl2_unknown_parameters_are_comments() {
    let known = only(&[("ratelimit", r#""a";r=5;t=10"#)]);
    let unknown = r#""a";x;r=5;y="r=6, \"";z=?1;t=10;u=@17;v=%"caf%c3%a9";w=:AA==:;x=-1.5;*.-_=tok/en:"#;
    assert_eq!(only(&[("ratelimit", unknown)]), known);
    // The last of two counts.
    assert_eq!(only(&[("ratelimit", r#""a";r=9;t=10;r=5"#)]), known);
}

#[test]
fn rl3_policies_bring_quota_window_and_unit() {
    let policies =
        r#""a";q=100;w=60, "b";q=1000000;w=3600;qu="content-bytes", "c";q=5;qu="concurrent-requests", d;q=7;w=0"#;
    let limits = all(&[("ratelimit", r#""b";r=9, "a";r=5;t=10"#), ("ratelimit-policy", policies)]);
    let facts: Vec<_> = limits
        .iter()
        .map(|limit| {
            (limit.policy.as_deref().unwrap(), limit.remaining, limit.quota, limit.window, limit.counts_requests)
        })
        .collect();
    assert_eq!(
        facts,
        [
            ("b", Some(9), Some(1_000_000), seconds(3600), false),
            ("a", Some(5), Some(100), seconds(60), true),
            ("c", None, Some(5), None, false),
            ("d", None, Some(7), None, true),
        ]
    );
    // A unit that cannot be read is not taken for requests.
    for (unit, counts) in [("requests", true), ("\"requests\"", true), ("request", true), ("7", false), ("kg", false)] {
        let policy = format!(r#""a";q=1;qu={unit}"#);
        assert_eq!(only(&[("ratelimit-policy", &policy)]).counts_requests, counts, "{unit}");
    }
}

#[test]
fn rl4_nothing_is_made_up_for_what_was_not_sent() {
    let limit = only(&[("ratelimit", r#""a";r=5"#)]);
    assert_eq!((limit.reset, limit.quota, limit.window, limit.partition), (None, None, None, None));
    assert_eq!(parse(&[]), None);
    assert_eq!(parse(&[("ratelimit-reset-date", "5"), ("x-rated", "5"), ("x-ratelimit-used", "1")]), None);
}

#[test]
fn rl5_the_tightest_has_the_least_remaining_for_its_time() {
    for (limits, policies, expected) in [
        ("a;r=50;t=30, b;r=12;t=7200", "", Some("b")),
        ("a;r=1;t=1, b;r=12;t=13", "", Some("b")),
        ("a;r=1;t=1, b;r=14;t=13", "", Some("a")),
        // Nothing left: the one that resets last.
        ("a;r=0;t=5, b;r=0;t=50, c;r=1;t=5000", "", Some("b")),
        // What counts bytes does not count here.
        ("a;r=50;t=30, b;r=1;t=60", "b;q=1;qu=content-bytes", Some("a")),
        ("b;r=1;t=60", "b;q=1;qu=content-bytes", None),
        // The window is what a reset that was not sent lies within.
        ("a;r=50;t=30, b;r=50", "b;q=50;w=60", Some("b")),
        // Without a time, or with none left, there is nothing to spread it over.
        ("a;r=50;t=30, b;r=2, c;r=0;t=0", "", Some("a")),
        ("b;r=2, c;r=1;t=0, d;r=3", "", Some("c")),
        ("b;r=2", "c;q=1;w=60", Some("b")),
        ("", "c;q=1;w=60", Some("c")),
        // No overflow.
        ("a;r=99999999999999999999;t=1000000000, b;r=99999999999999999999;t=1", "", Some("a")),
    ] {
        assert_eq!(tightest(limits, policies).as_deref(), expected, "{limits} {policies}");
    }
}

#[test]
fn rl6_retry_after_is_left_to_its_own_parser() {
    let limit = ("ratelimit", "a;r=0;t=10");
    let with_it = headers(&[limit, ("retry-after", "7")]);
    assert_eq!(RateLimits::parse(&with_it, at(NOW)), parse(&[limit]));
    assert_eq!(RetryAfter::parse(&with_it, at(NOW)).map(|asked| asked.wait()), seconds(7));
}

#[test]
fn rl7_what_a_cache_served_says_nothing() {
    let limit = ("ratelimit", "a;r=0;t=10");
    for (age, is_read) in
        [("0", true), ("000", true), ("", true), ("old", true), ("-1", true), ("1", false), ("60", false)]
    {
        assert_eq!(parse(&[limit, ("age", age)]).is_some(), is_read, "{age:?}");
    }
    assert_eq!(parse(&[limit, ("age", "99999999999999999999")]), None);
    assert_eq!(parse(&[limit, ("age", "0"), ("age", "1")]), None);
}

// RL-8: the parser sees headers only, whatever the status was.
#[test]
fn rl8_any_response_may_carry_the_fields() {
    for status in [200, 301, 403, 429, 503] {
        let mut response = http::Response::builder().status(status).body(()).unwrap();
        response.headers_mut().extend(headers(&[("ratelimit", "a;r=3;t=10")]));
        let limits = RateLimits::parse(response.headers(), at(NOW)).unwrap();
        assert_eq!(limits.tightest().unwrap().remaining, Some(3));
    }
}

#[test]
fn rl9_partitions_are_limits_of_their_own() {
    let limits = all(&[
        ("ratelimit", "a;r=0;t=10;pk=:AQ==:, a;r=9;t=10;pk=:Ag==:, a;r=5"),
        ("ratelimit-policy", "a;q=10;w=60;pk=:AQ==:, a;q=20;w=60;pk=:Ag==:"),
    ]);
    let facts: Vec<_> = limits.iter().map(|limit| (limit.partition.as_deref(), limit.remaining, limit.quota)).collect();
    let (one, two) = (Some(&[1][..]), Some(&[2][..]));
    assert_eq!(facts, [(one, Some(0), Some(10)), (two, Some(9), Some(20)), (one, Some(5), Some(10))]);

    // A policy without one holds for all; one for another partition holds for none of them.
    let limits = all(&[("ratelimit", "a;r=0;pk=:AQ:, a;r=9;pk=:Ag:"), ("ratelimit-policy", "a;q=10")]);
    assert!(limits.len() == 2 && limits.iter().all(|limit| limit.quota == Some(10)));
    let limits = all(&[("ratelimit", "a;r=0;pk=:AQ:"), ("ratelimit-policy", "a;q=10;pk=:Ag:")]);
    assert_eq!((limits.len(), limits[0].quota, limits[1].remaining), (2, None, None));

    // Whose it is cannot be read: it is nobody's, not everybody's.
    for unreadable in ["=1", "=?1", "", "=-1"] {
        assert_eq!(parse(&[("ratelimit", &format!("a;r=0;pk{unreadable}"))]), None, "{unreadable}");
    }
    assert_eq!(parse(&[("ratelimit", "a;r=0;pk=:?:")]), None);
}

// RL-10: the problem types are in the body, which the parser does not get. RL-11: see `dialects`.

#[test]
fn rl12_absurd_values_are_clamped() {
    let max = Some(RetryAfter::MAX);
    for digits in ["1000000000", "999999999999999", "18446744073709551616", &"9".repeat(500)] {
        let limit = only(&[
            ("ratelimit", &format!("a;r={digits};t={digits}")),
            ("ratelimit-policy", &format!("a;q={digits};w={digits}")),
        ]);
        let number = digits.parse().unwrap_or(u64::MAX);
        assert_eq!((limit.remaining, limit.quota), (Some(number), Some(number)));
        assert_eq!((limit.reset, limit.window), (max, max));

        let older = only(&[("x-ratelimit-reset-after", digits), ("x-ratelimit-remaining", "1")]);
        assert_eq!(older.reset, max);
        let older = only(&[("x-ratelimit-reset", digits)]);
        assert!(older.reset <= max);
    }
    let many: Vec<_> = (0..1000).map(|n| format!("p{n};r={n};q={n}")).collect();
    assert_eq!(all(&[("ratelimit", &many.join(", ")), ("ratelimit-policy", &many.join(","))]).len(), 16);
    let others: Vec<_> = (0..1000).map(|n| format!("o{n};q={n}")).collect();
    assert_eq!(all(&[("ratelimit", &many.join(", ")), ("ratelimit-policy", &others.join(","))]).len(), 32);
}
