//! What an idle cell costs: bytes of resident memory, everything included.
//!
//! A map from `u64` to cells, made from one builder, each of which gets its token from a token endpoint that answers
//! at once, as real ones do: an access token of 200 bytes, type, scope, lifetime; and once more with a refresh token
//! of 200 bytes. What the process holds more than before, divided by the cells, is the price of one: map entry, cell,
//! token, token set, and what the allocator adds.
//!
//! ```text
//! cargo bench --bench memory                  # a million cells, less than a minute
//! CELLS=50000 cargo bench --bench memory      # a first impression
//! ```
//!
//! The last line is for machines: `bytes_per_cell access_only=N with_refresh=N`. Fails if a million idle cells with an
//! access token each would not fit into 1 GiB. Reads `/proc`, so it measures on Linux only.

use std::{
    convert::Infallible,
    env, fs,
    future::{Ready, ready},
    hint::black_box,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use gatepass::{
    AuthorizationServer, ClientAuth, Error, Token, TokenCell, TokenEndpoint, TokenMap, TokenSet, TokenSource,
    endpoint::Body, grant::ClientCredentials,
};
use http::{Request, Response};
use tokio::runtime::Runtime;
use tower::Service;

/// A million of these are a gibibyte.
const MOST: u64 = (1 << 30) / 1_000_000;

fn main() -> ExitCode {
    let cells = cells();
    println!("{cells} cells; of their parts, the public ones, in bytes:");
    println!("  TokenCell {:>4}", size_of::<TokenCell>());
    println!("  Token     {:>4}", size_of::<Token>());
    println!("  TokenSet  {:>4}", size_of::<TokenSet>());

    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    // What is made once: buffers, thread-locals, the cache of the allocator.
    drop(fill(&runtime, 1000, 200));
    let access_only = bytes_per_cell(&runtime, cells, 0);
    let with_refresh = bytes_per_cell(&runtime, cells, 200);
    let (Some(access_only), Some(with_refresh)) = (access_only, with_refresh) else {
        println!("not measured: there is no /proc/self/status here");
        return ExitCode::SUCCESS;
    };
    println!("bytes_per_cell access_only={access_only} with_refresh={with_refresh}");
    if is_bench() && access_only > MOST {
        eprintln!("more than {MOST} bytes for an idle cell with an access token");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// For `cargo bench` enough to believe, otherwise (`cargo test --benches`) just that it runs.
fn cells() -> u64 {
    let asked = env::var("CELLS").ok().map(|cells| cells.parse().expect("CELLS is a number"));
    asked.unwrap_or(if is_bench() { 1_000_000 } else { 1000 })
}

fn is_bench() -> bool {
    let given = |flag| env::args().any(|argument| argument == flag);
    given("--bench") && !given("--test")
}

/// The map is never freed: what is measured next would go where this was.
fn bytes_per_cell(runtime: &Runtime, cells: u64, refresh_token: usize) -> Option<u64> {
    let before = resident()?;
    let map = fill(runtime, cells, refresh_token);
    let grown = resident()?.saturating_sub(before);
    assert_eq!(map.len() as u64, cells, "none was evicted");
    std::mem::forget(black_box(map));
    Some(grown / cells)
}

fn fill(runtime: &Runtime, cells: u64, refresh_token: usize) -> TokenMap<u64> {
    let server =
        AuthorizationServer::token_endpoint("https://auth.example.com/oauth2/token").named("https://auth.example.com");
    let client = ClientAuth::basic("a-client-of-the-example", "secret");
    let grant = ClientCredentials::new().scope("read:orders write:orders");
    let endpoint = TokenEndpoint::new(Upstream(Arc::default()), server, client, grant).unwrap();
    let cell = TokenCell::builder(Source { endpoint, refresh_token }).copies(1);
    // A little more room than cells: the map is made of equal parts, and keys do not spread evenly.
    let map = TokenMap::new((cells + cells / 8) as usize + 100, move |_| cell.clone().build());
    runtime.block_on(async {
        for key in 0..cells {
            let token = map.get(&key).get().await.unwrap();
            assert_eq!(token.expose().len(), 200);
        }
    });
    map
}

/// The bytes of this process that are in memory.
fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.strip_suffix("kB"))?;
    let kibibytes: u64 = resident.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// The endpoint, and what this grant would not accept from it.
struct Source {
    endpoint: TokenEndpoint<Upstream, ClientCredentials>,
    refresh_token: usize,
}

impl TokenSource for Source {
    async fn exchange(&self, current: Option<&TokenSet>) -> Result<TokenSet, Error> {
        let set = self.endpoint.exchange(current).await?;
        Ok(set.refresh_token("r".repeat(self.refresh_token)))
    }
}

/// Answers at once.
#[derive(Clone)]
struct Upstream(Arc<AtomicU64>);

impl Service<Request<Body>> for Upstream {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _request: Request<Body>) -> Self::Future {
        let number = self.0.fetch_add(1, Ordering::Relaxed);
        ready(Ok(Response::new(format!(
            r#"{{"access_token":"{number:0>200}","token_type":"Bearer","expires_in":3600,"scope":"read:orders write:orders"}}"#
        ))))
    }
}
