use proptest::prelude::*;

use super::*;

const NAMES: [&str; 15] = [
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
    "x-rate-limit-limit",
    "x-rate-limit-remaining",
    "x-rate-limit-reset",
    "date",
    "age",
];

/// Bytes that a header may hold, often close to something readable.
fn value() -> impl Strategy<Value = HeaderValue> {
    let noise = proptest::collection::vec(prop_oneof![32_u8..127, 128_u8..=255, Just(b'\t')], 0..60);
    let fields = r#"(["a]{1,3}(;(r|t|q|w|qu|pk)=([0-9.-]{1,25}|:[A-Za-z=]{0,5}:|"[a-z"\\]{0,9}"?))*, ?){0,5}"#;
    let dictionaries = "((limit|remaining|reset)=[0-9.]{0,22},? ?){0,4}";
    let dates = "[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9:]{7,9}(\\.[0-9]{0,3})?(Z|[+-][0-9:]{4,6})?";
    let text =
        prop_oneof![fields, dictionaries, dates, "[0-9.+-]{0,30}", "[0-9]{1,4}(, ?[0-9]{1,4};w=[0-9]{1,4}){0,3}"];
    prop_oneof![noise, text.prop_map(String::into_bytes)].prop_map(|bytes| HeaderValue::from_bytes(&bytes).unwrap())
}

proptest! {
    #[test]
    fn no_value_panics_and_all_is_bounded(
        fields in proptest::collection::vec((0..NAMES.len(), value()), 0..12),
        now in prop_oneof![any::<u32>().prop_map(u64::from), Just(i64::MAX as u64)],
    ) {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(NAMES[name], value);
        }
        if let Some(limits) = RateLimits::parse(&headers, at(now)) {
            prop_assert!((1..=32).contains(&limits.iter().count()));
            for limit in limits.iter() {
                prop_assert!(limit.reset.is_none_or(|reset| reset <= RetryAfter::MAX));
                prop_assert!(limit.window.is_none_or(|window| !window.is_zero() && window <= RetryAfter::MAX));
                prop_assert!(limit.remaining.is_some() || limit.quota.is_some() || limit.reset.is_some());
            }
            prop_assert_eq!(limits.tightest().is_some(), limits.iter().any(|limit| limit.counts_requests));
        }
    }

    #[test]
    fn the_tightest_is_tighter_than_all_others_in_any_order(
        mut limits in proptest::collection::vec((0..9_u64, 0..9_u64), 1..9),
        turn in 0..9_usize,
    ) {
        let tightest = |limits: &[(u64, u64)]| {
            let line: Vec<_> = limits.iter().map(|(left, time)| format!("a;r={left};t={time}")).collect();
            let limits = parse(&[("ratelimit", &line.join(", "))]).unwrap();
            let tightest = limits.tightest().unwrap();
            (tightest.remaining.unwrap(), tightest.reset.unwrap().as_secs())
        };
        let (left, time) = tightest(&limits);
        for &(other_left, other_time) in limits.iter().filter(|(_, time)| *time > 0) {
            prop_assert!(time > 0 && left * other_time <= other_left * time);
        }
        let turn = turn % limits.len();
        limits.rotate_left(turn);
        let (other_left, other_time) = tightest(&limits);
        prop_assert_eq!(left * other_time, other_left * time);
    }

    #[test]
    fn a_moment_is_the_same_in_every_form(now in 1_100_000_000..4_000_000_000_u64, ahead in 0..300_000_000_u64) {
        let imf = httpdate::fmt_http_date(at(now + ahead));
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let month = 1 + months.iter().position(|month| *month == &imf[8..11]).unwrap();
        let rfc3339 = format!("{}-{month:02}-{}T{}Z", &imf[12..16], &imf[5..7], &imf[17..25]);
        for reset in [(now + ahead).to_string(), format!("{}000", now + ahead), imf, rfc3339, ahead.to_string()] {
            let headers = headers(&[("x-ratelimit-reset", &reset)]);
            let limits = RateLimits::parse(&headers, at(now)).unwrap();
            prop_assert_eq!(limits.list[0].reset, seconds(ahead), "{}", reset);
        }
    }
}
