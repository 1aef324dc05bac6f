//! Reads `Retry-After`: how long a server asked to wait (RFC 9110 §10.2.3, rule R1).
//!
//! ```
//! use std::time::{Duration, SystemTime};
//!
//! use gatepass::retry_after::RetryAfter;
//! use http::{HeaderMap, header};
//!
//! let mut headers = HeaderMap::new();
//! headers.insert(header::DATE, "Sun, 06 Nov 1994 08:49:00 GMT".parse()?);
//! headers.insert(header::RETRY_AFTER, "Sun, 06 Nov 1994 08:49:37 GMT".parse()?);
//!
//! // The response's own `Date` is what the date is measured from: a clock that is years off here does no harm.
//! let asked = RetryAfter::parse(&headers, SystemTime::now()).unwrap();
//! assert_eq!(asked.wait(), Duration::from_secs(37));
//! # Ok::<(), http::header::InvalidHeaderValue>(())
//! ```

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{
    HeaderMap,
    header::{self, HeaderName},
};

/// How long the server asked to wait. A response that is handed back instead of slept on carries it in its extensions
/// (rule R2). See the [module docs](self).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RetryAfter(Duration);

impl RetryAfter {
    /// The longest wait there is, ten years: added to a clock of today it overflows nothing.
    pub const MAX: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

    /// A wait of this length, or of [`MAX`](Self::MAX) if that is shorter.
    pub fn new(wait: Duration) -> Self {
        Self(wait.min(Self::MAX))
    }

    /// Reads `Retry-After` from the headers of a response that came at `now`.
    ///
    /// The value is a number of seconds, or a date in one of the three forms of RFC 9110 §5.6.7. A date is measured
    /// from the response's own `Date`, so that a clock that is off on either side cancels out; without a readable
    /// `Date`, from `now`. A date in the past is a wait of zero. Seconds with a fraction are no valid value, but they
    /// say what is meant: they are rounded up.
    ///
    /// `None` when the header is missing, negative or cannot be read: then the caller's own back-off holds. Where it
    /// came more than once, the longest readable wait counts, and of several `Date`s the earliest: never early.
    pub fn parse(headers: &HeaderMap, now: SystemTime) -> Option<Self> {
        if !headers.contains_key(header::RETRY_AFTER) {
            return None;
        }
        let sent = sent(headers, now);
        let waits = lines(headers, &header::RETRY_AFTER);
        waits.filter_map(|wait| parse_wait(wait, sent)).max().map(Self::new)
    }

    /// How long to wait, counted from when the response came.
    pub fn wait(&self) -> Duration {
        self.0
    }
}

/// When a response that came at `now` was sent, by the clock of who sent it.
pub(crate) fn sent(headers: &HeaderMap, now: SystemTime) -> SystemTime {
    let dates = lines(headers, &header::DATE);
    dates.filter_map(|date| parse_date(date, now)).min().unwrap_or(now)
}

/// The lines of one header, but those that hold anything outside ASCII: neither a number nor a date does.
pub(crate) fn lines<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).iter();
    values.filter_map(|value| value.to_str().ok()).map(str::trim_ascii)
}

fn parse_wait(value: &str, sent: SystemTime) -> Option<Duration> {
    if value.starts_with(|c: char| c.is_ascii_digit()) {
        return parse_seconds(value);
    }
    let until = parse_date(value, sent)?;
    Some(until.duration_since(sent).unwrap_or_default())
}

/// More digits than fit are a very long wait, not garbage.
fn parse_seconds(value: &str) -> Option<Duration> {
    let all_digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = value.split_once('.').unwrap_or((value, "0"));
    if !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let whole = whole.parse::<u64>().unwrap_or(u64::MAX);
    let begun = fraction.bytes().any(|b| b != b'0');
    Some(Duration::from_secs(whole.saturating_add(begun.into())))
}

pub(crate) fn parse_date(value: &str, now: SystemTime) -> Option<SystemTime> {
    parse_rfc850(value, now).or_else(|| httpdate::parse_http_date(value).ok())
}

/// `Sunday, 06-Nov-94 08:49:37 GMT`: of the years that end so, the last that is not more than 50 years ahead
/// (RFC 9110 §5.6.7). `httpdate` would always choose between 1970 and 2069.
fn parse_rfc850(value: &str, now: SystemTime) -> Option<SystemTime> {
    const YEAR: u64 = 31_556_952; // the Gregorian calendar's mean
    let (weekday, rest) = value.split_once(", ")?;
    let (date, time) = rest.split_once(' ')?;
    let mut date = date.split('-');
    let (day, month, year) = (date.next()?, date.next()?, date.next()?);
    if year.len() != 2 || date.next().is_some() {
        return None;
    }
    let latest = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs().saturating_add(50 * YEAR);
    let century = 19.max((1970 + latest / YEAR) / 100);
    // The estimate of the year may be one off, and so may the century at its turn.
    [century + 1, century, century - 1].into_iter().find_map(|century| {
        let full = format!("{}, {day} {month} {century}{year} {time}", weekday.get(..3)?);
        let date = httpdate::parse_http_date(&full).ok()?;
        (date.duration_since(UNIX_EPOCH).ok()?.as_secs() <= latest).then_some(date)
    })
}

#[cfg(test)]
mod tests;
