//! How many calls are allowed in a span of time. Pure: the caller says what time it is.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// So many calls in each window, for each holder of tokens; a window opens with the first call after the last one.
#[derive(Debug)]
pub(super) struct Limit {
    calls: usize,
    per: Duration,
    windows: HashMap<String, Window>,
}

#[derive(Debug)]
struct Window {
    opened: Instant,
    calls: usize,
}

impl Limit {
    pub(super) fn new(calls: usize, per: Duration) -> Self {
        Self { calls, per, windows: HashMap::new() }
    }

    /// Counts a call if it is allowed, else says how long the holder has to wait.
    pub(super) fn admit(&mut self, holder: String, now: Instant) -> Result<(), Duration> {
        if self.windows.len() > 10_000 {
            let per = self.per;
            self.windows.retain(|_, window| now.saturating_duration_since(window.opened) < per);
        }
        let window = self.windows.entry(holder).or_insert(Window { opened: now, calls: 0 });
        let age = now.saturating_duration_since(window.opened);
        if age >= self.per {
            *window = Window { opened: now, calls: 0 };
        } else if window.calls >= self.calls {
            return Err(self.per.saturating_sub(age));
        }
        window.calls += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_beyond_the_limit_waits_for_the_next_window_and_holds_up_nobody() {
        let mut limit = Limit::new(2, Duration::from_secs(10));
        let start = Instant::now();
        let mut admit = |holder: &str, seconds| limit.admit(holder.to_owned(), start + Duration::from_secs(seconds));
        assert_eq!(admit("a", 0), Ok(()));
        assert_eq!(admit("a", 3), Ok(()));
        assert_eq!(admit("a", 4), Err(Duration::from_secs(6)));
        assert_eq!(admit("b", 4), Ok(()));
        assert_eq!(admit("a", 10), Ok(()));
    }
}
