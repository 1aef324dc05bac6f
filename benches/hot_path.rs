//! What a request with a fresh token pays for it: nanoseconds and allocations.
//!
//! Four stacks over the same service that answers at once: no layer, tower-http's static `AddAuthorization`, `Bearer`,
//! and `Bearer` under `Retry`. Each is measured on one thread, and on two threads that share the layer among 128
//! tasks; each with the service kept, and with a clone of it for each request. A request is built, sent and answered;
//! the time is that of all of it, so that a ratio says what the layer adds to the cheapest request there is.
//!
//! ```text
//! cargo bench --bench hot_path                # about half a minute
//! cargo bench --bench hot_path -- --quick     # a first impression
//! ```
//!
//! Stacks take turns, in an order that rotates, and a ratio is the median of the rounds' own ratios: a machine that is
//! busy for a while slows both sides of it. The last line is for machines:
//! `hot_path bearer/static one=RATIO two=RATIO allocs=+N`.

use std::{
    convert::Infallible,
    env,
    future::{Future, Ready, poll_fn, ready},
    hint::black_box,
    pin::pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use gatepass::{BearerLayer, Error, Origins, RetryPolicy, TokenCell, TokenSet};
use http::{HeaderValue, Request, Response, header};
use http_body_util::Full;
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinHandle,
};
use tower::{Layer, Service, ServiceExt};
use tower_http::auth::AddAuthorizationLayer;

fn main() {
    let effort = Effort::asked_for();
    let token = "t".repeat(800);
    let one = Builder::new_current_thread().enable_time().build().unwrap();
    let two = Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();

    let origins = Origins::new(["https://api.example.com"]).unwrap();
    let cell = one.block_on(warm_cell(token.clone()));
    let bearer = BearerLayer::new(cell, origins);
    let stacks = [
        Stack::new("no layer", Upstream),
        Stack::new("AddAuthorization", AddAuthorizationLayer::bearer(&token).as_sensitive(true).layer(Upstream)),
        Stack::new("Bearer", bearer.layer(Upstream)),
        Stack::new("Bearer under Retry", bearer.retry(RetryPolicy::new()).layer(Upstream)),
    ];

    let on_one = |cloned| Load { tasks: 1, requests: effort.requests, cloned };
    let on_two = |cloned| Load { tasks: 128, requests: effort.requests.div_ceil(64), cloned };
    let mut scenes = [
        Scene::new("one thread", &one, on_one(false)),
        Scene::new("one thread, service cloned", &one, on_one(true)),
        Scene::new("two threads, 128 tasks", &two, on_two(false)),
        Scene::new("two threads, 128 tasks, service cloned", &two, on_two(true)),
    ];
    for scene in &mut scenes {
        scene.count_allocations(&stacks);
    }
    for round in 0..effort.rounds {
        at_depth(round * 37 % 64, &mut || {
            for scene in &mut scenes {
                scene.measure_times(&stacks, round);
            }
        });
    }

    for scene in &scenes {
        scene.print(&stacks);
    }
    let [kept, _, shared, _] = &scenes;
    println!(
        "hot_path bearer/static one={:.3} two={:.3} allocs={:+.0}",
        kept.ratio(BEARER),
        shared.ratio(BEARER),
        kept.allocations[BEARER] - kept.allocations[STATIC],
    );
}

const STATIC: usize = 1;
const BEARER: usize = 2;

/// How much is measured: for `cargo bench` enough to believe, otherwise (`cargo test --benches`) just that it runs.
struct Effort {
    rounds: usize,
    requests: usize,
}

impl Effort {
    fn asked_for() -> Self {
        let given = |flag| env::args().any(|argument| argument == flag);
        if !given("--bench") || given("--test") {
            Self { rounds: 1, requests: 64 }
        } else if given("--quick") {
            Self { rounds: 30, requests: 4_000 }
        } else {
            Self { rounds: 200, requests: 4_000 }
        }
    }
}

/// A cell that has its token.
async fn warm_cell(token: String) -> TokenCell {
    let cell = TokenCell::new(move |_current| {
        let set = TokenSet::new(token.clone()).expires_in(Duration::from_secs(3600));
        async { Ok::<_, Error>(set) }
    });
    cell.get().await.unwrap();
    cell
}

type Body = Full<Bytes>;

/// Answers at once, with a head as an API sends it.
#[derive(Clone)]
struct Upstream;

impl Service<Request<Body>> for Upstream {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        drop(black_box(request));
        let response = Response::builder()
            .header(header::CONTENT_TYPE, fixed("application/json"))
            .header(header::CONTENT_LENGTH, fixed("2"))
            .header(header::DATE, fixed("Tue, 15 Nov 1994 08:12:31 GMT"))
            .header(header::CACHE_CONTROL, fixed("no-store"))
            .body(Body::from("{}"));
        ready(Ok(response.unwrap()))
    }
}

fn request() -> Request<Body> {
    Request::get(black_box("https://api.example.com/v1/items?page=2"))
        .header(header::ACCEPT, fixed("application/json"))
        .header(header::ACCEPT_ENCODING, fixed("gzip"))
        .header(header::ACCEPT_LANGUAGE, fixed("en"))
        .header(header::USER_AGENT, fixed("hot-path/1.0"))
        .header(header::IF_NONE_MATCH, fixed("\"33a64df5\""))
        .body(Body::default())
        .unwrap()
}

fn fixed(value: &'static str) -> HeaderValue {
    HeaderValue::from_static(value)
}

/// One of the things compared.
struct Stack {
    name: &'static str,
    spawn: Box<dyn Fn(Load, Watch) -> JoinHandle<u64>>,
}

/// What one run sends.
#[derive(Clone, Copy)]
struct Load {
    tasks: usize,
    requests: usize,
    cloned: bool,
}

impl Load {
    fn total(&self) -> f64 {
        (self.tasks * self.requests) as f64
    }
}

impl Stack {
    fn new<S>(name: &'static str, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
        S::Error: std::fmt::Debug,
        S::Future: Send,
    {
        Self { name, spawn: Box::new(move |load, watch| tokio::spawn(watch.over(send(service.clone(), load)))) }
    }

    fn run(&self, runtime: &Runtime, load: Load, watch: Watch) -> (Duration, u64) {
        let started = Instant::now();
        let allocations = runtime.block_on(async {
            let tasks: Vec<_> = (0..load.tasks).map(|_| (self.spawn)(load, watch)).collect();
            let mut allocations = 0;
            for task in tasks {
                allocations += task.await.unwrap();
            }
            allocations
        });
        (started.elapsed(), allocations)
    }
}

async fn send<S>(mut service: S, load: Load)
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone,
    S::Error: std::fmt::Debug,
{
    for sent in 1..=load.requests {
        let mut clone;
        let service = if load.cloned {
            clone = service.clone();
            &mut clone
        } else {
            &mut service
        };
        let response = service.ready().await.unwrap().call(request()).await;
        drop(black_box(response.unwrap()));
        if sent.is_multiple_of(16) {
            tokio::task::yield_now().await;
        }
    }
}

/// What the allocator does meanwhile: count for the thread that polls, or stay out of the way.
#[derive(Clone, Copy)]
enum Watch {
    Allocations,
    Time,
}

impl Watch {
    async fn over(self, task: impl Future<Output = ()>) -> u64 {
        let mut task = pin!(task);
        let mut allocations = 0;
        poll_fn(|cx| {
            let mut polled = Poll::Pending;
            match self {
                Self::Allocations => {
                    let counted = allocation_counter::measure(|| polled = task.as_mut().poll(cx));
                    allocations += counted.count_total;
                }
                Self::Time => allocation_counter::opt_out(|| polled = task.as_mut().poll(cx)),
            }
            polled
        })
        .await;
        allocations
    }
}

/// The stacks under one load, and what was measured of each.
struct Scene<'a> {
    name: &'static str,
    runtime: &'a Runtime,
    load: Load,
    allocations: Vec<f64>,
    /// By stack, then by round: nanoseconds a request.
    times: Vec<Vec<f64>>,
}

impl<'a> Scene<'a> {
    fn new(name: &'static str, runtime: &'a Runtime, load: Load) -> Self {
        Self { name, runtime, load, allocations: Vec::new(), times: Vec::new() }
    }

    /// Warms up on the way.
    fn count_allocations(&mut self, stacks: &[Stack]) {
        for stack in stacks {
            stack.run(self.runtime, self.load, Watch::Time);
            let (_, allocations) = stack.run(self.runtime, self.load, Watch::Allocations);
            self.allocations.push(allocations as f64 / self.load.total());
            self.times.push(Vec::new());
        }
    }

    fn measure_times(&mut self, stacks: &[Stack], round: usize) {
        for turn in 0..stacks.len() {
            let at = (turn + round) % stacks.len();
            let (time, _) = stacks[at].run(self.runtime, self.load, Watch::Time);
            self.times[at].push(time.as_secs_f64() * 1e9 / self.load.total());
        }
    }

    /// The time over that of the static layer.
    fn ratio(&self, stack: usize) -> f64 {
        let rounds = self.times[stack].iter().zip(&self.times[STATIC]);
        median(rounds.map(|(own, other)| own / other))
    }

    fn print(&self, stacks: &[Stack]) {
        println!("{}", self.name);
        println!("                         ns     least   /static   allocations");
        for (at, stack) in stacks.iter().enumerate() {
            let times = &self.times[at];
            println!(
                "  {:<18} {:>8.1}  {:>8.1}  {:>8.3}  {:>12.2}",
                stack.name,
                median(times.iter().copied()),
                times.iter().copied().fold(f64::INFINITY, f64::min),
                self.ratio(at),
                self.allocations[at],
            );
        }
        println!();
    }
}

/// Runs this so many frames further down the stack.
///
/// How the stack lies to the heap is drawn when a process starts, and is worth up to a tenth for each service alike.
/// So every round draws anew.
#[inline(never)]
fn at_depth(frames: usize, run: &mut dyn FnMut()) {
    let room = black_box([0_u8; 64]);
    match frames.checked_sub(1) {
        None => run(),
        Some(frames) => at_depth(frames, run),
    }
    black_box(&room);
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len().is_multiple_of(2) { (values[middle - 1] + values[middle]) / 2.0 } else { values[middle] }
}
