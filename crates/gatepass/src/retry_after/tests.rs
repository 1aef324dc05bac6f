use std::time::Instant;

use http::HeaderValue;
use proptest::prelude::*;

use super::*;

/// Sun, 06 Nov 1994 08:49:37 GMT.
const NOW: u64 = 784_111_777;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn headers(date: Option<&str>, waits: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.extend(date.map(|date| (header::DATE, date.parse().unwrap())));
    for wait in waits {
        headers.append(header::RETRY_AFTER, wait.parse().unwrap());
    }
    headers
}

fn wait_at(now: u64, date: Option<&str>, waits: &[&str]) -> Option<u64> {
    RetryAfter::parse(&headers(date, waits), at(now)).map(|asked| {
        assert_eq!(asked.wait().subsec_nanos(), 0);
        asked.wait().as_secs()
    })
}

#[test]
fn corpus() {
    let max = RetryAfter::MAX.as_secs();
    #[rustfmt::skip]
    let corpus = [
        ("120", Some(120)),
        ("0", Some(0)),
        ("007", Some(7)),
        (" 5\t", Some(5)),
        // Rounded up, for the server means something and it is not less.
        ("1.5", Some(2)),
        ("0.001", Some(1)),
        ("3.0", Some(3)),
        ("18446744073709551615.5", Some(max)),
        // Clamped.
        ("315360000", Some(max)),
        ("315360001", Some(max)),
        ("18446744073709551615", Some(max)),
        ("18446744073709551616", Some(max)),
        ("100000000000000000000", Some(max)),
        ("Fri, 31 Dec 9999 23:59:59 GMT", Some(max)),
        // Dates, 23 seconds from now.
        ("Sun, 06 Nov 1994 08:50:00 GMT", Some(23)),
        ("Sunday, 06-Nov-94 08:50:00 GMT", Some(23)),
        ("Sun Nov  6 08:50:00 1994", Some(23)),
        ("  Sun, 06 Nov 1994 08:50:00 GMT ", Some(23)),
        // Dates in the past.
        ("Sun, 06 Nov 1994 08:49:37 GMT", Some(0)),
        ("Sun, 06 Nov 1994 08:49:36 GMT", Some(0)),
        ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
        ("Friday, 06-Nov-92 08:49:37 GMT", Some(0)),
        ("Wed Nov  6 08:49:37 1974", Some(0)),
        // Neither.
        ("", None),
        ("-1", None),
        ("+1", None),
        ("1.", None),
        (".5", None),
        ("1.5.0", None),
        ("1e3", None),
        ("12s", None),
        ("1 2", None),
        ("10, 20", None),
        ("soon", None),
        ("sun, 06 nov 1994 08:50:00 gmt", None),
        ("Sun,  06 Nov 1994 08:50:00 GMT", None),
        ("Mon, 06 Nov 1994 08:50:00 GMT", None),
        ("Sun, 06 Nov 1994 08:50:00 CET", None),
        ("Sun, 06 Nov 1994 24:00:00 GMT", None),
        ("Sunday, 06-Nov-94", None),
        ("Sunday, 06-Nov-94-00 08:50:00 GMT", None),
        ("S, 06-Nov-94 08:50:00 GMT", None),
    ];
    for (input, expected) in corpus {
        assert_eq!(wait_at(NOW, None, &[input]), expected, "{input:?}");
    }
}

#[test]
fn without_the_header_nothing_was_asked() {
    assert_eq!(wait_at(NOW, Some("Sun, 06 Nov 1994 08:49:37 GMT"), &[]), None);
}

#[test]
fn a_skewed_clock_does_no_harm() {
    let date = Some("Sun, 06 Nov 1994 08:49:30 GMT");
    for now in [0, NOW - 3_600, NOW, NOW + 3_600, 4_000_000_000] {
        assert_eq!(wait_at(now, date, &["Sun, 06 Nov 1994 08:49:37 GMT"]), Some(7));
        assert_eq!(wait_at(now, date, &["Sun, 06 Nov 1994 08:49:29 GMT"]), Some(0));
        assert_eq!(wait_at(now, date, &["120"]), Some(120));
    }
}

#[test]
fn an_unreadable_date_leaves_us_our_own_clock() {
    for date in ["", "yesterday", "784111770"] {
        assert_eq!(wait_at(NOW, Some(date), &["Sun, 06 Nov 1994 08:50:00 GMT"]), Some(23));
    }
}

#[test]
fn a_fraction_of_a_second_is_not_lost() {
    let now = at(NOW) + Duration::from_millis(250);
    let asked = RetryAfter::parse(&headers(None, &["Sun, 06 Nov 1994 08:49:38 GMT"]), now);
    assert_eq!(asked.unwrap().wait(), Duration::from_millis(750));
}

#[test]
fn the_longest_wait_and_the_earliest_date_win() {
    assert_eq!(wait_at(NOW, None, &["5", "Sun, 06 Nov 1994 08:50:00 GMT", "7"]), Some(23));
    assert_eq!(wait_at(NOW, None, &["30", "Sun, 06 Nov 1994 08:50:00 GMT", "-1"]), Some(30));

    let mut headers = headers(Some("Sun, 06 Nov 1994 08:49:37 GMT"), &["Sun, 06 Nov 1994 08:50:00 GMT"]);
    headers.append(header::DATE, HeaderValue::from_static("Sun, 06 Nov 1994 08:49:36 GMT"));
    assert_eq!(RetryAfter::parse(&headers, at(NOW)), Some(RetryAfter::new(Duration::from_secs(24))));
}

#[test]
fn two_digits_of_a_year_mean_at_most_fifty_years_ahead() {
    let max = Some(RetryAfter::MAX.as_secs());
    // Sat, 01 Jan 2028, Fri, 01 Jan 2077 and Sat, 01 Jan 2078.
    let (in_2028, in_2077) = (1_830_297_600, 3_376_684_800);
    for (now, date, expected) in [
        (in_2028, "Saturday, 01-Jan-28 00:00:09 GMT", Some(9)),
        (in_2028, "Friday, 01-Jan-77 00:00:09 GMT", max),
        // 2079 is more than 50 years ahead, so this was 1979.
        (in_2028, "Monday, 01-Jan-79 00:00:09 GMT", Some(0)),
        // The weekday of 2079: no year fits.
        (in_2028, "Sunday, 01-Jan-79 00:00:09 GMT", None),
        // Where `httpdate` alone would read 1977 and 2000.
        (in_2077, "Friday, 01-Jan-77 00:00:09 GMT", Some(9)),
        (in_2077, "Friday, 01-Jan-00 00:00:00 GMT", max),
        (4_102_444_790, "Friday, 01-Jan-00 00:00:00 GMT", Some(10)),
        // Fifty mean years before ten past midnight on the first day of 2300.
        (8_835_945_000, "Monday, 01-Jan-00 00:00:00 GMT", max),
    ] {
        assert_eq!(wait_at(now, None, &[date]), expected, "{date} at {now}");
    }
}

#[test]
fn a_clock_before_the_epoch_or_far_ahead_is_survived() {
    let odd = [UNIX_EPOCH - Duration::from_secs(1), at(253_402_300_800), at(i64::MAX as u64)];
    for now in odd {
        for wait in ["5", "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT"] {
            assert!(RetryAfter::parse(&headers(None, &[wait]), now).is_some(), "{wait} at {now:?}");
        }
    }
}

#[test]
fn the_longest_wait_overflows_no_clock() {
    let wait = RetryAfter::new(Duration::MAX).wait();
    assert_eq!(wait, RetryAfter::MAX);
    assert!(Instant::now().checked_add(wait).is_some());
    assert!(SystemTime::now().checked_add(wait).is_some());
}

#[test]
fn a_response_can_carry_it() {
    let mut response = http::Response::new(());
    response.extensions_mut().insert(RetryAfter::new(Duration::from_secs(7)));
    assert_eq!(response.extensions().get().map(RetryAfter::wait), Some(Duration::from_secs(7)));
}

/// Bytes that a header may hold, often close to something readable.
fn value() -> impl Strategy<Value = HeaderValue> {
    let noise = proptest::collection::vec(prop_oneof![32_u8..127, 128_u8..=255, Just(b'\t')], 0..60);
    let nearly = "([A-Za-z]{1,9},? ?)?[0-9]{1,2}[ -][A-Z][a-z]{2}[ -][0-9]{2,4} [0-9:]{6,9}( GMT)?";
    prop_oneof![noise, "[0-9.+-]{0,30}".prop_map(String::into_bytes), nearly.prop_map(String::into_bytes)]
        .prop_map(|bytes| HeaderValue::from_bytes(&bytes).unwrap())
}

/// The same moment in each of the three forms.
fn three_forms(seconds: u64) -> [String; 3] {
    let imf = httpdate::fmt_http_date(at(seconds));
    let (weekday, day, month, year, time) = (&imf[..3], &imf[5..7], &imf[8..11], &imf[12..16], &imf[17..25]);
    let full = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
    let full = full.into_iter().find(|name| name.starts_with(weekday)).unwrap();
    let padded = day.strip_prefix('0').map_or(day.to_owned(), |day| format!(" {day}"));
    let rfc850 = format!("{full}, {day}-{month}-{} {time} GMT", &year[2..]);
    let asctime = format!("{weekday} {month} {padded} {time} {year}");
    [imf, rfc850, asctime]
}

proptest! {
    #[test]
    fn no_value_panics(
        wait in value(),
        date in value(),
        now in any::<u32>(),
    ) {
        let mut headers = HeaderMap::new();
        headers.append(header::RETRY_AFTER, wait);
        headers.append(header::DATE, date);
        let asked = RetryAfter::parse(&headers, at(now.into()));
        prop_assert!(asked.is_none_or(|asked| asked.wait() <= RetryAfter::MAX));
    }

    #[test]
    fn seconds_are_kept_or_clamped(seconds in prop_oneof![any::<u64>(), 0..1_000_000_u64]) {
        let asked = wait_at(NOW, None, &[&seconds.to_string()]);
        prop_assert_eq!(asked, Some(seconds.min(RetryAfter::MAX.as_secs())));
    }

    #[test]
    fn digits_of_any_length_are_a_wait(digits in "[1-9][0-9]{19,60}") {
        prop_assert_eq!(wait_at(NOW, None, &[&digits]), Some(RetryAfter::MAX.as_secs()));
    }

    // From the epoch to 2116, each within 49 years of the other and of `now`.
    #[test]
    fn two_dates_give_their_exact_difference(
        now in 0..4_622_400_000_u64,
        date in -700_000_000..700_000_000_i64,
        ahead in -800_000_000..800_000_000_i64,
    ) {
        let date = now.saturating_add_signed(date);
        let until = date.saturating_add_signed(ahead);
        let expected = until.saturating_sub(date).min(RetryAfter::MAX.as_secs());
        for sent in three_forms(date) {
            for wait in three_forms(until) {
                prop_assert_eq!(wait_at(now, Some(&sent), &[&wait]), Some(expected), "{} {}", sent, wait);
            }
        }
        for wait in three_forms(date) {
            let expected = date.saturating_sub(now).min(RetryAfter::MAX.as_secs());
            prop_assert_eq!(wait_at(now, None, &[&wait]), Some(expected), "{}", wait);
        }
    }
}
