//! When a limit resets, as the older dialects write it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::members::{Number, members};
use crate::retry_after::{RetryAfter, parse_date};

/// As seconds since 1970 it is 2001; as seconds from now, 31 years.
const LEAST_EPOCH: u64 = 1_000_000_000;
/// As milliseconds since 1970 it is 1973; as seconds, 5138.
const LEAST_EPOCH_MILLIS: u64 = 100_000_000_000;

/// How long after `sent` that is.
pub(super) fn wait(line: &str, sent: SystemTime) -> Option<Duration> {
    let numbers = members(line).and_then(|members| members.iter().map(|member| member.value.number()).max());
    let wait = match numbers {
        Some(number) => number_from(number?, sent),
        None => date_from(line, sent)?,
    };
    Some(wait.min(RetryAfter::MAX))
}

fn number_from(number: Number, sent: SystemTime) -> Duration {
    match number.whole {
        ..LEAST_EPOCH => number.time(),
        LEAST_EPOCH..LEAST_EPOCH_MILLIS => until(Duration::new(number.whole, number.nanos), sent),
        LEAST_EPOCH_MILLIS.. => until(Duration::from_millis(number.whole), sent),
    }
}

fn date_from(text: &str, sent: SystemTime) -> Option<Duration> {
    if let Some(date) = parse_date(text, sent) {
        return Some(date.duration_since(sent).unwrap_or_default());
    }
    rfc3339(text).map(|date| until(date, sent))
}

/// From durations since 1970, as adding to a `SystemTime` may overflow it.
fn until(since_1970: Duration, sent: SystemTime) -> Duration {
    since_1970.saturating_sub(sent.duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// `2018-03-13T00:00:00.5+01:00`, since 1970 and rounded up to a second; what was before then is zero.
fn rfc3339(text: &str) -> Option<Duration> {
    let (date, rest) = text.split_at_checked(10)?;
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (time, rest) = rest.split_at_checked(8)?;
    let zone_at = rest.find(|c: char| c != '.' && !c.is_ascii_digit())?;
    let (fraction, zone) = rest.split_at(zone_at);

    let [year, month, day] = fields(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = fields(time, ':', [2, 2, 2])?;
    let is_date = (1..=12).contains(&month) && (1..=31).contains(&day);
    // 60 is a leap second.
    if !is_date || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let begun = match fraction.strip_prefix('.') {
        None if fraction.is_empty() => 0,
        Some(digits) if !digits.is_empty() && !digits.contains('.') => i64::from(digits.contains(|c| c != '0')),
        _ => return None,
    };
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second + begun;
    Some(Duration::from_secs(u64::try_from(seconds - offset(zone)?).unwrap_or(0)))
}

/// How many seconds a time zone is ahead.
fn offset(zone: &str) -> Option<i64> {
    let sign = match zone.chars().next()? {
        'Z' | 'z' => return (zone.len() == 1).then_some(0),
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    let [hours, minutes] = fields(&zone[1..], ':', [2, 2])?;
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 3_600 + minutes * 60))
}

/// Digits, so many in each field.
fn fields<const N: usize>(text: &str, separator: char, digits: [usize; N]) -> Option<[i64; N]> {
    let mut parts = text.split(separator);
    let mut fields = [0; N];
    for (field, digits) in fields.iter_mut().zip(digits) {
        let part = parts.next().filter(|part| part.len() == digits && part.bytes().all(|b| b.is_ascii_digit()))?;
        *field = part.parse().ok()?;
    }
    parts.next().is_none().then_some(fields)
}

/// In the Gregorian calendar. Years begin in March here, so that the leap day is the last one.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // The months from March on have 31, 30, 31, 30, 31 days, and then again.
    365 * year + leap_days + (153 * month + 2) / 5 + day - 1 - 719_468
}
