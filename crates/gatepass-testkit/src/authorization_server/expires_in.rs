use std::time::Duration;

use crate::retry_after::seconds_rounded_up;

/// How `expires_in` is written. What the server enforces is the exact lifetime, whatever it says here.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub enum ExpiresIn {
    /// `3600`: the lifetime in whole seconds, rounded down; a lifetime of 900 ms says `0`.
    #[default]
    Seconds,
    /// `3600`, rounded up: the server then promises more than it keeps, unless the lifetime is whole.
    RoundedUp,
    /// `3600.0`
    Fraction,
    /// `"3600"`, rounded down.
    Text,
    /// Left out.
    Missing,
    /// This number, whatever the lifetime is: zero, negative, far too large.
    Number(i64),
    /// This JSON, sent as it is: `null`, `1e18`, `"soon"`.
    Json(String),
}

impl ExpiresIn {
    /// The JSON of the member, for a token that lives so long from now.
    pub(super) fn json(&self, left: Duration) -> Option<String> {
        let seconds = left.as_secs();
        Some(match self {
            Self::Seconds => seconds.to_string(),
            Self::RoundedUp => seconds_rounded_up(left).to_string(),
            Self::Fraction => format!("{:?}", left.as_secs_f64()),
            Self::Text => format!("\"{seconds}\""),
            Self::Missing => return None,
            Self::Number(number) => number.to_string(),
            Self::Json(json) => json.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_of_two_and_a_half_seconds_is_written_as_told() {
        let written = |form: ExpiresIn| form.json(Duration::from_millis(2500));
        assert_eq!(written(ExpiresIn::Seconds).as_deref(), Some("2"));
        assert_eq!(written(ExpiresIn::RoundedUp).as_deref(), Some("3"));
        assert_eq!(written(ExpiresIn::Fraction).as_deref(), Some("2.5"));
        assert_eq!(written(ExpiresIn::Text).as_deref(), Some("\"2\""));
        assert_eq!(written(ExpiresIn::Missing), None);
        assert_eq!(written(ExpiresIn::Number(-1)).as_deref(), Some("-1"));
        assert_eq!(written(ExpiresIn::Json("1e18".to_owned())).as_deref(), Some("1e18"));
    }

    #[test]
    fn a_whole_number_of_seconds_is_still_a_fraction_when_told() {
        assert_eq!(ExpiresIn::Fraction.json(Duration::from_secs(3600)).as_deref(), Some("3600.0"));
    }
}
