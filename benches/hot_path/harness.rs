//! Sends many requests through several stacks in turn, and says what each costs: nanoseconds and allocations.
//!
//! Knows neither gatepass nor what it is compared with: `benches/peers` measures others with the same file.

use std::{
    convert::Infallible,
    fmt::Debug,
    future::{Future, Ready, poll_fn, ready},
    hint::black_box,
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use http_body_util::Full;
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinHandle,
};
use tower::{Service, ServiceExt};

/// How much is measured.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    pub(crate) requests: usize,
}

/// Where the stacks run: on one thread, and on two that share them.
pub(crate) struct Threads {
    pub(crate) one: Runtime,
    pub(crate) two: Runtime,
}

impl Threads {
    pub(crate) fn new() -> Self {
        Self {
            one: Builder::new_current_thread().enable_all().build().unwrap(),
            two: Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap(),
        }
    }
}

/// The four scenes, measured: one thread, two; each with the service kept, then with a clone for each request.
///
/// The stacks take turns, in an order that rotates.
pub(crate) fn measure<'a>(threads: &'a Threads, stacks: &[Stack], effort: Effort) -> [Scene<'a>; 4] {
    let on_one = |cloned| Load { tasks: 1, requests: effort.requests, cloned, first: 0 };
    // Long enough that the workers' waking and the last task's end do not show.
    let on_two = |cloned| Load { tasks: 128, requests: effort.requests.div_ceil(8), cloned, first: 0 };
    let mut scenes = [
        Scene::new("one thread", &threads.one, on_one(false)),
        Scene::new("one thread, service cloned", &threads.one, on_one(true)),
        Scene::new("two threads, 128 tasks", &threads.two, on_two(false)),
        Scene::new("two threads, 128 tasks, service cloned", &threads.two, on_two(true)),
    ];
    for scene in &mut scenes {
        scene.count_allocations(stacks);
    }
    for round in 0..effort.rounds {
        DEPTH.store(round * 37 % 64, Ordering::Relaxed);
        for scene in &mut scenes {
            scene.measure_times(stacks, round);
        }
    }
    scenes
}

/// The stacks under one load, and what was measured of each.
pub(crate) struct Scene<'a> {
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

    /// The time of a stack over that of another.
    pub(crate) fn ratio(&self, stack: usize, other: usize) -> f64 {
        median(self.pairs(stack, other).map(|(own, other)| own / other))
    }

    /// How many nanoseconds a request takes longer than with the other stack.
    pub(crate) fn added(&self, stack: usize, other: usize) -> f64 {
        median(self.pairs(stack, other).map(|(own, other)| own - other))
    }

    /// How many allocations a request costs more than with the other stack.
    pub(crate) fn allocated(&self, stack: usize, other: usize) -> f64 {
        self.allocations[stack] - self.allocations[other]
    }

    /// With each time over that of the stack `other`.
    pub(crate) fn print(&self, stacks: &[Stack], other: usize) {
        println!("{} (/1: over {})", self.name, stacks[other].name);
        println!("                                    ns     least        /1   allocations");
        for (at, stack) in stacks.iter().enumerate() {
            let times = &self.times[at];
            println!(
                "  {:<29} {:>8.1}  {:>8.1}  {:>8.3}  {:>12.2}",
                stack.name,
                median(times.iter().copied()),
                times.iter().copied().fold(f64::INFINITY, f64::min),
                self.ratio(at, other),
                self.allocations[at],
            );
        }
        println!();
    }

    /// Round by round: a machine that is busy for a while slows both sides.
    fn pairs(&self, stack: usize, other: usize) -> impl Iterator<Item = (f64, f64)> {
        self.times[stack].iter().copied().zip(self.times[other].iter().copied())
    }

    /// Warms up on the way.
    fn count_allocations(&mut self, stacks: &[Stack]) {
        for stack in stacks {
            stack.run(self.runtime, self.load, Watch::Time);
            let (_, allocations) = stack.run(self.runtime, self.load, Watch::Allocations);
            self.allocations.push(allocations as f64 / self.load.total() as f64);
            self.times.push(Vec::new());
        }
    }

    fn measure_times(&mut self, stacks: &[Stack], round: usize) {
        self.load.first = round * self.load.total();
        for turn in 0..stacks.len() {
            let at = (turn + round) % stacks.len();
            let (time, _) = stacks[at].run(self.runtime, self.load, Watch::Time);
            self.times[at].push(time.as_secs_f64() * 1e9 / self.load.total() as f64);
        }
    }
}

/// One of the things compared.
pub(crate) struct Stack {
    pub(crate) name: &'static str,
    spawn: Box<dyn Fn(Load, usize, Watch) -> JoinHandle<u64>>,
}

/// Builds a request, sends it and drops the answer.
pub(crate) trait Caller: Clone + Send + 'static {
    /// `turn` is another one for each request of a round; a caller may choose by it whose request it is.
    fn call(&mut self, turn: usize) -> impl Future<Output = ()> + Send;
}

impl Stack {
    /// A service above [`Upstream`].
    pub(crate) fn new<S>(name: &'static str, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
        S::Error: Debug,
        S::Future: Send,
    {
        Self::asking(name, service, |_turn| request())
    }

    /// The same, with requests of its own.
    pub(crate) fn asking<S, R>(name: &'static str, service: S, request: R) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
        S::Error: Debug,
        S::Future: Send,
        R: Fn(usize) -> Request<Body> + Clone + Send + 'static,
    {
        Self::calling(name, Asking { service, request })
    }

    /// Whatever can be called.
    pub(crate) fn calling(name: &'static str, caller: impl Caller) -> Self {
        let spawn = move |load, task, watch: Watch| tokio::spawn(watch.over(send(caller.clone(), load, task)));
        Self { name, spawn: Box::new(spawn) }
    }

    fn run(&self, runtime: &Runtime, load: Load, watch: Watch) -> (Duration, u64) {
        let started = Instant::now();
        let allocations = runtime.block_on(async {
            let tasks: Vec<_> = (0..load.tasks).map(|task| (self.spawn)(load, task, watch)).collect();
            let mut allocations = 0;
            for task in tasks {
                allocations += task.await.unwrap();
            }
            allocations
        });
        (started.elapsed(), allocations)
    }
}

#[derive(Clone)]
struct Asking<S, R> {
    service: S,
    request: R,
}

impl<S, R> Caller for Asking<S, R>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Error: Debug,
    S::Future: Send,
    R: Fn(usize) -> Request<Body> + Clone + Send + 'static,
{
    async fn call(&mut self, turn: usize) {
        let response = self.service.ready().await.unwrap().call((self.request)(turn)).await;
        drop(black_box(response.unwrap()));
    }
}

/// What one run sends.
#[derive(Clone, Copy)]
struct Load {
    tasks: usize,
    requests: usize,
    cloned: bool,
    /// The turn of the first request.
    first: usize,
}

impl Load {
    fn total(&self) -> usize {
        self.tasks * self.requests
    }
}

async fn send(mut caller: impl Caller, load: Load, task: usize) {
    let first = load.first + task * load.requests;
    for sent in 1..=load.requests {
        if load.cloned {
            caller.clone().call(first + sent).await;
        } else {
            caller.call(first + sent).await;
        }
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
                Self::Time => at_depth(DEPTH.load(Ordering::Relaxed), &mut || {
                    allocation_counter::opt_out(|| polled = task.as_mut().poll(cx));
                }),
            }
            polled
        })
        .await;
        allocations
    }
}

pub(crate) type Body = Full<Bytes>;

/// Answers at once.
#[derive(Clone)]
pub(crate) struct Upstream;

impl Service<Request<Body>> for Upstream {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        drop(black_box(request));
        ready(Ok(response().body(Body::from("{}")).unwrap()))
    }
}

/// The head of what [`Upstream`] answers.
pub(crate) fn response() -> http::response::Builder {
    Response::builder().header(header::CONTENT_TYPE, fixed("application/json"))
}

/// A cheap one: beside a dear one a layer's cost would look small.
pub(crate) fn request() -> Request<Body> {
    Request::get(black_box(URL))
        .header(header::ACCEPT, fixed("application/json"))
        .header(header::USER_AGENT, fixed("hot-path/1.0"))
        .body(Body::default())
        .unwrap()
}

pub(crate) const URL: &str = "https://api.example.com/v1/items?page=2";

fn fixed(value: &'static str) -> HeaderValue {
    HeaderValue::from_static(value)
}

/// How many frames further down the stack tasks are polled in this round.
///
/// How a thread's stack lies to the heap is drawn when it starts, and is worth up to a fifth for each service alike. So every
/// round draws anew, for all threads.
static DEPTH: AtomicUsize = AtomicUsize::new(0);

/// Runs this so many frames further down the stack.
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
