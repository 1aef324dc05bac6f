//! reqwest-retry, as in its README. It knows no tokens; it sends again what was answered by a 429 or a 5xx.

use reqwest_retry::{RetryTransientMiddleware, policies::ExponentialBackoff};

pub(crate) fn middleware(retries: u32) -> RetryTransientMiddleware<ExponentialBackoff> {
    RetryTransientMiddleware::new_with_policy(ExponentialBackoff::builder().build_with_max_retries(retries))
}
