//! What a server does on command: fail, wait, hold its answers, tell the wrong time.

use std::{
    collections::VecDeque,
    sync::Mutex,
    time::{Duration, SystemTime},
};

use http::{HeaderValue, Response, header};
use tokio::sync::watch;

use crate::{body::Body, failure::Failure, lock::lock, retry_after::http_date};

#[derive(Debug)]
pub(crate) struct Script {
    orders: Mutex<Orders>,
    held: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Orders {
    failures: Failures,
    delay: Duration,
    skew_seconds: i64,
    omit_date: bool,
}

/// The failures that were ordered.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    next: VecDeque<(usize, Failure)>,
    until_told: Option<Failure>,
}

impl Default for Script {
    fn default() -> Self {
        Self { orders: Mutex::default(), held: watch::Sender::new(false) }
    }
}

impl Script {
    pub(crate) fn fail_next(&self, times: usize, failure: Failure) {
        lock(&self.orders).failures.fail_next(times, failure);
    }

    pub(crate) fn fail_until_told(&self, failure: Failure) {
        lock(&self.orders).failures.fail_until_told(failure);
    }

    pub(crate) fn recover(&self) {
        lock(&self.orders).failures = Failures::default();
    }

    pub(crate) fn delay(&self, delay: Duration) {
        lock(&self.orders).delay = delay;
    }

    pub(crate) fn skew(&self, seconds: i64) {
        lock(&self.orders).skew_seconds = seconds;
    }

    pub(crate) fn omit_date(&self, omit: bool) {
        lock(&self.orders).omit_date = omit;
    }

    pub(crate) fn hold(&self, held: bool) {
        self.held.send_replace(held);
    }

    /// The failure for the request that has just arrived, if one was ordered.
    pub(crate) fn take(&self) -> Option<Failure> {
        lock(&self.orders).failures.take()
    }

    /// Waits as long as was ordered, and for as long as answers are held.
    pub(crate) async fn wait(&self, more: Duration) {
        let delay = lock(&self.orders).delay.saturating_add(more);
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        if *self.held.borrow() {
            let _ = self.held.subscribe().wait_for(|held| !held).await;
        }
    }

    /// What the server's clock shows.
    pub(crate) fn now(&self) -> SystemTime {
        let seconds = lock(&self.orders).skew_seconds;
        let skew = Duration::from_secs(seconds.unsigned_abs());
        let now = SystemTime::now();
        let skewed = if seconds < 0 { now.checked_sub(skew) } else { now.checked_add(skew) };
        skewed.unwrap_or(now)
    }

    pub(crate) fn put_date(&self, response: &mut Response<Body>) {
        if lock(&self.orders).omit_date || response.headers().contains_key(header::DATE) {
            return;
        }
        if let Ok(date) = HeaderValue::from_str(&http_date(self.now())) {
            response.headers_mut().insert(header::DATE, date);
        }
    }
}

impl Failures {
    pub(crate) fn fail_next(&mut self, times: usize, failure: Failure) {
        if times > 0 {
            self.next.push_back((times, failure));
        }
    }

    pub(crate) fn fail_until_told(&mut self, failure: Failure) {
        self.until_told = Some(failure);
    }

    /// The failure for the request that has just arrived, if one was ordered.
    pub(crate) fn take(&mut self) -> Option<Failure> {
        let Some((times, failure)) = self.next.front_mut() else {
            return self.until_told.clone();
        };
        *times -= 1;
        let failure = failure.clone();
        if *times == 0 {
            self.next.pop_front();
        }
        Some(failure)
    }
}
