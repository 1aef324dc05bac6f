//! A service of 100 calls a second, and 1,000 callers with ten calls each that are sent until they pass, in paused time:
//! how long it takes, and how many are turned away.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use http::{HeaderMap, StatusCode};
use tokio::{sync::Semaphore, task::JoinSet, time::sleep};

use super::{super::Gate, HOST, cell, headers, secs};
use crate::{cell::TokenCell, clock};

const CALLERS: usize = 1_000;
const CALLS: usize = 10;
const LIMIT: u64 = 100;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Limiter {
    /// A hundred in each second of the clock.
    Windows,
    /// A hundred at once, and one back every ten milliseconds.
    Bucket,
}

/// How callers share the service.
#[derive(Clone)]
enum Manner {
    Gate(Gate, TokenCell),
    /// Each sleeps for what it was told itself, and a little more.
    Each,
    /// Each backs off by itself: full jitter, a second doubled, as reqwest-retry does.
    BackOff,
}

#[derive(Clone)]
struct Service {
    limiter: Limiter,
    /// So many calls in so long.
    limit: u64,
    per: Duration,
    fields: bool,
    retry_after: bool,
    connections: usize,
    /// There and back, in microseconds.
    latency: (u64, u64),
    /// From then on, so many calls.
    then: Option<(Duration, u64)>,
    /// Between these it takes nothing, and says to come back in so many seconds.
    down: Option<(Duration, Duration, u64)>,
}

struct Server {
    service: Service,
    started: Instant,
    counts: Mutex<Counts>,
    connections: Semaphore,
}

#[derive(Default)]
struct Counts {
    window: u64,
    taken: u64,
    /// When the bucket was looked at last, and what was out of it.
    at: f64,
    spent: f64,
    refused: usize,
}

/// What came of a run.
#[derive(Debug)]
struct Figures {
    took: Duration,
    refused: usize,
}

impl Service {
    fn new(limiter: Limiter) -> Self {
        Self {
            limiter,
            limit: LIMIT,
            per: secs(1),
            fields: false,
            retry_after: true,
            connections: 200,
            latency: (5_000, 20_000),
            then: None,
            down: None,
        }
    }
}

impl Server {
    fn new(service: Service) -> Arc<Self> {
        let connections = Semaphore::new(service.connections);
        Arc::new(Self { service, started: clock::instant(), counts: Mutex::default(), connections })
    }

    async fn call(&self) -> (StatusCode, HeaderMap) {
        let (least, most) = self.service.latency;
        sleep(random(least / 2, most / 2)).await;
        let answer = self.answer();
        sleep(random(least / 2, most / 2)).await;
        answer
    }

    fn answer(&self) -> (StatusCode, HeaderMap) {
        let Service { limit, per, then, down, .. } = self.service;
        let now = clock::instant().duration_since(self.started);
        if let Some((.., wait)) = down.filter(|(from, to, _)| (*from..*to).contains(&now)) {
            self.counts.lock().unwrap().refused += 1;
            return (StatusCode::SERVICE_UNAVAILABLE, headers([("retry-after", &*wait.to_string())]));
        }
        let limit = then.filter(|(from, _)| now >= *from).map_or(limit, |(_, limit)| limit);
        let now = now.as_secs_f64() / per.as_secs_f64();
        let mut counts = self.counts.lock().unwrap();
        let (left, wait) = match self.service.limiter {
            Limiter::Windows => {
                if counts.window != now as u64 {
                    (counts.window, counts.taken) = (now as u64, 0);
                }
                counts.taken += 1;
                (limit.checked_sub(counts.taken), 1.0 - now.fract())
            }
            Limiter::Bucket => {
                counts.spent = (counts.spent - (now - counts.at) * limit as f64).max(0.0);
                counts.at = now;
                let has_some = counts.spent + 1.0 <= limit as f64;
                counts.spent += f64::from(u8::from(has_some));
                (has_some.then(|| limit - counts.spent.ceil() as u64), 1.0 / limit as f64)
            }
        };
        let wait = (wait * per.as_secs_f64()).ceil().to_string();
        let mut answer = (StatusCode::OK, HeaderMap::new());
        if left.is_none() {
            counts.refused += 1;
            answer.0 = StatusCode::TOO_MANY_REQUESTS;
            if self.service.retry_after {
                answer.1.extend(headers([("retry-after", &wait)]));
            }
        }
        if self.service.fields {
            let line = format!("\"a\";r={};t={wait};q={limit};w={}", left.unwrap_or_default(), per.as_secs());
            answer.1.extend(headers([("ratelimit", &line)]));
        }
        answer
    }
}

fn random(from: u64, to: u64) -> Duration {
    Duration::from_micros(fastrand::u64(from..to))
}

/// One call, sent until it passes. As in a tower stack: ready first, then through the gate; who has to wait there lets go
/// of the connection.
async fn call(server: &Server, manner: &Manner) {
    for attempt in 0.. {
        let mut ready = server.connections.acquire().await.unwrap();
        let mut pass = None;
        if let Manner::Gate(gate, cell) = manner {
            let lane = gate.lane(cell, "https", HOST, None);
            pass = lane.try_enter();
            if pass.is_none() {
                drop(ready);
                pass = Some(lane.enter(None).await.unwrap());
                ready = server.connections.acquire().await.unwrap();
            }
        }
        let (status, headers) = server.call().await;
        drop(ready);
        let taken = pass.is_some_and(|pass| pass.answered(status, &headers).is_some());
        if status == StatusCode::OK {
            return;
        }
        match manner {
            Manner::Gate(..) => assert!(taken),
            Manner::Each => sleep(secs(1) + random(0, 100_000)).await,
            Manner::BackOff => sleep(random(0, 1_000_000 << u32::min(attempt, 16))).await,
        }
    }
}

/// Calls that come by themselves, sixty a second; how many passed within a minute of their own.
async fn offer(server: &Arc<Server>, manner: &Manner, time: Duration) -> usize {
    let mut calls = JoinSet::new();
    for _ in 0..time.as_secs() * 60 {
        let (server, manner) = (server.clone(), manner.clone());
        calls.spawn(async move { tokio::time::timeout(secs(60), call(&server, &manner)).await.is_ok() });
        sleep(secs(1) / 60).await;
    }
    calls.join_all().await.into_iter().filter(|passed| *passed).count()
}

/// So many callers with ten calls each.
async fn run(server: &Arc<Server>, manner: Manner, callers: usize) -> Duration {
    let started = clock::instant();
    let mut tasks = JoinSet::new();
    for _ in 0..callers {
        let (server, manner) = (server.clone(), manner.clone());
        tasks.spawn(async move {
            for _ in 0..CALLS {
                call(&server, &manner).await;
            }
        });
    }
    tasks.join_all().await;
    clock::instant() - started
}

async fn figures(service: Service, manner: Manner, callers: usize) -> Figures {
    fastrand::seed(5);
    let server = Server::new(service);
    let took = run(&server, manner, callers).await;
    let refused = server.counts.lock().unwrap().refused;
    Figures { took, refused }
}

fn through(gate: Gate) -> Manner {
    Manner::Gate(gate, cell())
}

#[tokio::test(start_paused = true)]
async fn r5_r6_all_calls_pass_in_little_more_than_the_least_time() {
    for (limiter, fields) in
        [(Limiter::Windows, false), (Limiter::Windows, true), (Limiter::Bucket, false), (Limiter::Bucket, true)]
    {
        // Those under way when the first is refused cannot be helped: all who have a connection.
        for (connections, most) in [(200, 200), (CALLERS, 1_000)] {
            let gate = if fields { Gate::new().pacing() } else { Gate::new() };
            let service = Service { fields, connections, ..Service::new(limiter) };
            let figures = figures(service, through(gate), CALLERS).await;
            println!("{limiter:?}, fields: {fields}, {connections} connections: {figures:?}");
            assert!(figures.took <= secs(115), "{figures:?}");
            assert!(figures.refused <= most, "{figures:?}");
        }
    }
}

/// Why there is a gate: how the same goes without.
#[tokio::test(start_paused = true)]
async fn r5_without_a_gate_callers_are_refused_by_the_thousand() {
    for limiter in [Limiter::Windows, Limiter::Bucket] {
        for (name, manner) in [("each for itself", Manner::Each), ("back-off", Manner::BackOff)] {
            let figures = figures(Service::new(limiter), manner, CALLERS).await;
            println!("{limiter:?}, {name}: {figures:?}");
            assert!(figures.refused > 5_000, "{figures:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn r5_two_credentials_get_on_alike() {
    fastrand::seed(5);
    let gate = Gate::new();
    let servers = [(); 2].map(|()| Server::new(Service::new(Limiter::Windows)));
    let manners = [(); 2].map(|()| Manner::Gate(gate.clone(), cell()));
    let [first, second] = manners;
    let (first, second) = tokio::join!(run(&servers[0], first, 500), run(&servers[1], second, 500));
    println!("{first:?} and {second:?}");
    assert!(first.max(second) <= first.min(second).mul_f64(1.1));
    assert!(first.max(second) <= secs(60), "each has a limit of its own");
}

#[tokio::test(start_paused = true)]
async fn r5_two_processes_share_one_limit() {
    fastrand::seed(5);
    let server = Server::new(Service::new(Limiter::Windows));
    let manners = [(); 2].map(|()| through(Gate::new()));
    let [first, second] = manners;
    let (first, second) = tokio::join!(run(&server, first, 500), run(&server, second, 500));
    let refused = server.counts.lock().unwrap().refused;
    println!("{first:?} and {second:?}, {refused} refused");
    assert!(first.max(second) <= secs(160) && refused <= 450);
}

/// What the service does, of whom no caller knows.
#[tokio::test(start_paused = true)]
async fn r5_r6_other_services_are_got_on_with_too() {
    let each = |limiter| {
        let usual = Service::new(limiter);
        [
            ("10 s windows", 115, 250, 1_000, Service { limit: 1_000, per: secs(10), ..usual.clone() }),
            ("by the minute", 320, 60, 30, Service { limit: 60, per: secs(60), ..usual.clone() }),
            ("10 a second", 120, 200, 100, Service { limit: 10, ..usual.clone() }),
            ("drops to 10", 160, 200, 300, Service { then: Some((secs(20), 10)), ..usual.clone() }),
            ("rises from 10", 250, 250, 1_000, Service { limit: 10, then: Some((secs(50), 100)), ..usual.clone() }),
            ("no Retry-After", 115, 200, 1_000, Service { retry_after: false, ..usual.clone() }),
            ("slow answers", 140, 200, 1_000, Service { latency: (1_000_000, 3_000_000), ..usual }),
        ]
    };
    for limiter in [Limiter::Windows, Limiter::Bucket] {
        for (name, most, refused, callers, service) in each(limiter) {
            for fields in [false, true] {
                let gate = Gate::new().longest_wait(secs(600));
                let gate = if fields { gate.pacing() } else { gate };
                let figures = figures(Service { fields, ..service.clone() }, through(gate), callers).await;
                println!("{limiter:?}, {name}, fields: {fields}: {figures:?}");
                assert!(figures.took <= secs(most), "{name}: {figures:?}");
                assert!(figures.refused <= refused, "{name}: {figures:?}");
            }
        }
    }
}

/// What it refuses while it takes nothing says nothing of what it takes else.
#[tokio::test(start_paused = true)]
async fn r5_after_an_outage_all_goes_on_as_before_soon() {
    for (before, down, wait) in
        [(20, 4, 1), (20, 10, 1), (2, 10, 1), (20, 30, 2), (20, 15, 5), (200, 30, 30), (5, 6, 3)]
    {
        fastrand::seed(5);
        let (from, to) = (secs(before), secs(before + down));
        let server =
            Server::new(Service { limit: u64::MAX, down: Some((from, to, wait)), ..Service::new(Limiter::Windows) });
        let offered = before + down + 60;
        let passed = offer(&server, &through(Gate::new()), secs(offered)).await;
        println!("down after {before} s for {down}, {wait} at a time: {passed} of {}", offered * 60);
        assert_eq!(passed as u64, offered * 60);
    }
}

/// A single refusal after little was sent says as little.
#[tokio::test(start_paused = true)]
async fn r5_who_sent_little_before_the_first_429_finds_the_pace_soon() {
    for (before, wait, most) in [(0, 2, 3), (1, 2, 3), (5, 2, 3), (20, 2, 12), (100, 2, 6), (1, 10, 12), (5, 30, 34)] {
        fastrand::seed(5);
        let server = Server::new(Service { limit: u64::MAX, ..Service::new(Limiter::Windows) });
        let manner = through(Gate::new());
        for _ in 0..before {
            call(&server, &manner).await;
        }
        let Manner::Gate(gate, cell) = &manner else { unreachable!() };
        let pass = gate.lane(cell, "https", HOST, None).try_enter().unwrap();
        pass.answered(StatusCode::TOO_MANY_REQUESTS, &headers([("retry-after", &*wait.to_string())]));
        let took = run(&server, manner, 10).await;
        println!("{before} calls, then a 429 for {wait} s: the next hundred in {took:?}");
        assert!(took < secs(most), "{took:?}");
    }
}
