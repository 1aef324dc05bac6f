//! When to come again, for answers of 503.

use std::time::Duration;

use http::HeaderValue;

/// Where nobody said.
const USUAL: Duration = Duration::from_secs(5);

/// `Retry-After` for this wait: whole seconds, never too early.
pub(crate) fn retry_after(wait: Option<Duration>) -> HeaderValue {
    let wait = wait.unwrap_or(USUAL);
    let begun = u64::from(wait.subsec_nanos() > 0);
    HeaderValue::from(wait.as_secs().saturating_add(begun).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_that_has_begun_counts() {
        for (wait, seconds) in [(0, "1"), (1, "1"), (1000, "1"), (1001, "2"), (59_999, "60")] {
            assert_eq!(retry_after(Some(Duration::from_millis(wait))), seconds);
        }
        assert_eq!(retry_after(None), "5");
        assert_eq!(retry_after(Some(Duration::MAX)), u64::MAX.to_string());
    }
}
