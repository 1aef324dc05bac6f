use std::{
    collections::BTreeMap,
    time::{Duration, Instant, SystemTime},
};

use http::HeaderMap;

use super::{
    handle::Api,
    limit::{Kind, Limit},
    limit_fields::LimitFields,
};
use crate::{
    failure::Failure,
    lock::lock,
    retry_after::{RetryAfter, seconds_rounded_up},
};

/// How often it may be called, and what it says of that.
///
/// A limit holds for each sign-in, or else for each client. Calls on `/public` and calls whose token is refused are not
/// counted.
impl Api {
    /// Allows so many calls in each window of time; the others get 429 with `Retry-After` in seconds, rounded up. A
    /// window opens with the first call after the last one.
    pub fn limit(&self, calls: usize, per: Duration) -> &Self {
        self.set_limit(Some(Limit::new(Kind::Window, calls, per)))
    }

    /// The same with a bucket that holds so many calls, and gets them back one by one, all of them in this time:
    /// `limit_bucket(100, 1 s)` allows a burst of 100 calls, and one call more every 10 ms.
    ///
    /// `Retry-After` says when the next call is allowed, a reset in the [fields](Self::limit_fields) when the bucket is
    /// full.
    pub fn limit_bucket(&self, calls: usize, per: Duration) -> &Self {
        self.set_limit(Some(Limit::new(Kind::Bucket, calls, per)))
    }

    /// Takes the limit away; what it says when there is one stays.
    pub fn no_limit(&self) -> &Self {
        self.set_limit(None)
    }

    /// Says in each answer to a counted call what is left, also in the refusal; `None`, unless set, says nothing.
    pub fn limit_fields(&self, fields: Option<LimitFields>) -> &Self {
        lock(&self.service().limits).fields = fields;
        self
    }

    /// With which status calls beyond the limit are refused: 429 unless set. GitHub says 403, and that nothing remains:
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use gatepass_testkit::{Api, AuthorizationServer, LimitFields};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let api = Api::start(&AuthorizationServer::start().await).await;
    /// api.limit(60, Duration::from_secs(3600)).limit_fields(Some(LimitFields::XRateLimitEpoch));
    /// api.limit_status(403).limit_retry_after(false);
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// When the status is not between 200 and 999.
    pub fn limit_status(&self, status: u16) -> &Self {
        lock(&self.service().limits).refusal = Failure::status(status);
        self
    }

    /// Whether that refusal carries `Retry-After`; it does unless set.
    pub fn limit_retry_after(&self, retry_after: bool) -> &Self {
        lock(&self.service().limits).retry_after = retry_after;
        self
    }

    /// How many calls were beyond the limit, by whom they were from: `sign-in 0`, counted from the first sign-in at the
    /// authorization server, or `client ID`.
    pub fn beyond_limit(&self) -> BTreeMap<String, usize> {
        lock(&self.service().limits).beyond.clone()
    }

    fn set_limit(&self, limit: Option<Limit>) -> &Self {
        lock(&self.service().limits).limit = limit;
        self
    }
}

/// The limit, and how it is told.
#[derive(Debug)]
pub(super) struct Limits {
    limit: Option<Limit>,
    fields: Option<LimitFields>,
    refusal: Failure,
    retry_after: bool,
    pub(super) beyond: BTreeMap<String, usize>,
}

impl Default for Limits {
    fn default() -> Self {
        let refusal = Failure::status(429);
        Self { limit: None, fields: None, refusal, retry_after: true, beyond: BTreeMap::new() }
    }
}

impl Limits {
    /// Counts a call: what its answer says of the limit, or how it is refused by a server whose clock shows `now`.
    pub(super) fn count(&mut self, holder: String, now: SystemTime) -> Result<HeaderMap, Box<Failure>> {
        let Some(limit) = &mut self.limit else {
            return Ok(HeaderMap::new());
        };
        let counted = limit.count(holder.clone(), Instant::now());
        let fields = self.fields.map(|fields| fields.headers(limit, &counted, now)).unwrap_or_default();
        let Some(wait) = counted.wait else {
            return Ok(fields);
        };
        *self.beyond.entry(holder).or_default() += 1;
        let mut refusal = self.refusal.clone();
        for (name, value) in &fields {
            refusal = refusal.header(name.clone(), value.clone());
        }
        if self.retry_after {
            refusal = refusal.retry_after(RetryAfter::Seconds(seconds_rounded_up(wait)));
        }
        Err(refusal.into())
    }
}
