use std::time::{Duration, SystemTime};

use http::HeaderValue;

/// How a server says when to come back (RFC 9110, 10.2.3).
///
/// The three dates are what the server's clock will show after the wait, rounded up to a whole second. When that clock
/// is wrong ([`Api::clock_skew`](crate::Api::clock_skew)), so are they, and so is the answer's `Date`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RetryAfter {
    /// `Retry-After: 120`
    Seconds(u64),
    /// `Retry-After: Fri, 31 Dec 1999 23:59:59 GMT`
    Date(Duration),
    /// `Retry-After: Friday, 31-Dec-99 23:59:59 GMT`
    Rfc850(Duration),
    /// `Retry-After: Fri Dec 31 23:59:59 1999`
    Asctime(Duration),
    /// Exactly this text. What cannot stand in a header is left out.
    Raw(String),
}

impl RetryAfter {
    /// The header, as a server whose clock shows `now` writes it.
    pub(crate) fn header(&self, now: SystemTime) -> HeaderValue {
        let text = match self {
            Self::Seconds(seconds) => seconds.to_string(),
            Self::Date(wait) => date(now, *wait),
            Self::Rfc850(wait) => rfc850(&date(now, *wait)),
            Self::Asctime(wait) => asctime(&date(now, *wait)),
            Self::Raw(text) => text.clone(),
        };
        header_value(&text)
    }
}

/// The text as a header; what cannot stand in one is left out.
pub(crate) fn header_value(text: &str) -> HeaderValue {
    let allowed: Vec<u8> = text.bytes().filter(|&byte| byte == b'\t' || (byte >= 0x20 && byte != 0x7f)).collect();
    HeaderValue::from_bytes(&allowed).unwrap_or(HeaderValue::from_static(""))
}

/// 31 December 9999, 23:59:59: the last date that can be written.
const LAST_DATE: u64 = 253_402_300_799;

/// The date in the preferred form.
pub(crate) fn http_date(at: SystemTime) -> String {
    let last = SystemTime::UNIX_EPOCH + Duration::from_secs(LAST_DATE);
    httpdate::fmt_http_date(at.clamp(SystemTime::UNIX_EPOCH, last))
}

pub(crate) fn seconds_rounded_up(time: Duration) -> u64 {
    time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0))
}

fn date(now: SystemTime, wait: Duration) -> String {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let seconds = seconds_rounded_up(since.saturating_add(wait)).min(LAST_DATE);
    http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}

/// From `Fri, 31 Dec 1999 23:59:59 GMT` to `Friday, 31-Dec-99 23:59:59 GMT`.
fn rfc850(date: &str) -> String {
    let weekday = match &date[..3] {
        "Mon" => "Monday",
        "Tue" => "Tuesday",
        "Wed" => "Wednesday",
        "Thu" => "Thursday",
        "Fri" => "Friday",
        "Sat" => "Saturday",
        _ => "Sunday",
    };
    format!("{weekday}, {}-{}-{} {} GMT", &date[5..7], &date[8..11], &date[14..16], &date[17..25])
}

/// From `Fri, 31 Dec 1999 23:59:59 GMT` to `Fri Dec 31 23:59:59 1999`; the day is padded with a space.
fn asctime(date: &str) -> String {
    let day = date[5..7].trim_start_matches('0');
    format!("{} {} {day:>2} {} {}", &date[..3], &date[8..11], &date[17..25], &date[12..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_secs(37);

    fn shown(form: &RetryAfter) -> String {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_740);
        form.header(now).to_str().unwrap().to_owned()
    }

    #[test]
    fn the_rfc_s_example_is_written_in_all_three_forms() {
        assert_eq!(shown(&RetryAfter::Date(WAIT)), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(shown(&RetryAfter::Rfc850(WAIT)), "Sunday, 06-Nov-94 08:49:37 GMT");
        assert_eq!(shown(&RetryAfter::Asctime(WAIT)), "Sun Nov  6 08:49:37 1994");
    }

    #[test]
    fn a_date_is_never_earlier_than_the_wait() {
        let wait = Duration::from_millis(36_001);
        assert_eq!(shown(&RetryAfter::Date(wait)), "Sun, 06 Nov 1994 08:49:37 GMT");
    }

    #[test]
    fn absurd_waits_are_written_without_a_panic() {
        assert_eq!(shown(&RetryAfter::Date(Duration::MAX)), "Fri, 31 Dec 9999 23:59:59 GMT");
        assert_eq!(shown(&RetryAfter::Seconds(u64::MAX)), "18446744073709551615");
        assert_eq!(shown(&RetryAfter::Raw("-1\r\nevil: yes".to_owned())), "-1evil: yes");
    }
}
