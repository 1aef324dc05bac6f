//! One run: servers of its own, a crowd of callers, and what came of it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use gatepass_testkit::{Api, AuthorizationServer, LimitFields};
use http::{Request, StatusCode};
use http_body_util::Full;
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use tower::ServiceExt;

use crate::stacks::{ClientId, SECRET, Stack, Variant, stack};

/// How many calls the API allows each client in each second.
const LIMIT: usize = 100;
/// How long a caller waits before it asks again for what failed.
const PAUSE: Duration = Duration::from_secs(1);

/// How much is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    pub(crate) callers: usize,
    /// Of each of them, one after the other.
    pub(crate) calls: usize,
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) variant: Variant,
    pub(crate) calls: usize,
    /// From the start of all until the last call of each client was done.
    pub(crate) times: Vec<Duration>,
    /// What the limit allows at best.
    pub(crate) ideal: Duration,
    /// 429s that the API sent.
    pub(crate) refused: usize,
    /// Calls that came back to their caller otherwise than by 200, and were made again.
    pub(crate) failed: usize,
    /// Why, of one of them.
    pub(crate) failure: Option<Arc<str>>,
    pub(crate) connections: usize,
    /// When each call came to the API, and the status of its answer.
    pub(crate) timeline: Vec<(Duration, u16)>,
}

/// # Panics
/// When it takes five times as long as it should: then something is stuck.
pub(crate) async fn run(variant: Variant, effort: Effort) -> Figures {
    let clients = variant.clients();
    let auth = AuthorizationServer::start().await;
    clients.iter().for_each(|client| {
        auth.add_client(client.0, SECRET);
    });
    let api = Api::start(&auth).await;
    api.limit(LIMIT, Duration::from_secs(1)).keep_journal(200_000);
    api.limit_fields((variant == Variant::Pacing).then_some(LimitFields::RateLimit));
    let stack = stack(variant, auth.token_url(), api.origin());

    let calls = effort.callers * effort.calls;
    let ideal = Duration::from_secs_f64((calls / clients.len()) as f64 / LIMIT as f64);
    let start = Instant::now();
    let mut callers = JoinSet::new();
    for number in 0..effort.callers {
        let whose = number % clients.len();
        let request = request(&api.url("/items"), clients[whose]);
        let (stack, calls) = (stack.clone(), effort.calls);
        callers.spawn(async move {
            let failures = caller(stack, request, calls).await;
            (whose, start.elapsed(), failures)
        });
    }
    let ended = timeout(ideal * 5 + Duration::from_secs(30), callers.join_all()).await;
    let ended = ended.expect("the calls should have come to an end long ago");

    let time = |whose| ended.iter().filter(|it| it.0 == whose).map(|it| it.1).max().unwrap_or_default();
    let mut failures = ended.iter().flat_map(|it| &it.2);
    Figures {
        variant,
        calls,
        times: (0..clients.len()).map(time).collect(),
        ideal,
        refused: api.answered(429),
        failed: failures.clone().count(),
        failure: failures.next().cloned(),
        connections: api.max_concurrent_connections(),
        timeline: api.timeline(start),
    }
}

/// Makes so many calls; why some failed.
async fn caller(stack: Stack, request: Request<Full<Bytes>>, calls: usize) -> Vec<Arc<str>> {
    let mut failures = Vec::new();
    for _ in 0..calls {
        loop {
            let failure = match stack.clone().oneshot(request.clone()).await {
                Ok(response) if response.status() == StatusCode::OK => break,
                Ok(response) => response.status().to_string(),
                Err(error) => error.to_string(),
            };
            failures.push(failure.into());
            sleep(PAUSE).await;
        }
    }
    failures
}

fn request(url: &str, client: ClientId) -> Request<Full<Bytes>> {
    Request::get(url).extension(client).body(Full::default()).unwrap()
}

impl Figures {
    /// How long it took, of what it takes at best: the slowest client.
    pub(crate) fn of_ideal(&self) -> f64 {
        self.times.iter().max().map_or(0.0, |time| time.as_secs_f64() / self.ideal.as_secs_f64())
    }

    /// How many 429s there were for each call that was asked for.
    pub(crate) fn refused_share(&self) -> f64 {
        self.refused as f64 / self.calls as f64
    }

    /// The slowest client, of the quickest.
    pub(crate) fn fairness(&self) -> f64 {
        let (slowest, quickest) = (self.times.iter().max(), self.times.iter().min());
        slowest.zip(quickest).map_or(1.0, |(slowest, quickest)| slowest.as_secs_f64() / quickest.as_secs_f64())
    }
}
