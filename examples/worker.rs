//! Calls an API all the time, as one of several workers that share a token: start it several times, kill it, start it
//! again.
//!
//! ```text
//! STORE=redis://127.0.0.1 OAUTH_TOKEN_URL=https://auth.example.com/token OAUTH_CLIENT_ID=me OAUTH_CLIENT_SECRET=s3cr3t \
//!     OAUTH_REFRESH_TOKEN=tGzv3JOkF0XG5Qx2TlKWIA API_URL=https://api.example.com/v1/items cargo run --example worker
//! ```
//!
//! | variable | |
//! |---|---|
//! | `STORE` | where the token is kept: `memory` (the default), `file:PATH`, `redis://HOST` or `rediss://HOST` |
//! | `OAUTH_…`, `API_URL` | as for the example `call_api` |
//! | `OAUTH_REFRESH_TOKEN` | what to start from while the store has nothing; where neither has one, client credentials are used |
//! | `SUBJECT` | whose token it is, where one store keeps those of several people |
//! | `SECONDS` | how long it runs; 10 unless set |
//! | `CONCURRENCY` | how many calls are under way at once; 4 unless set |
//! | `GRACE` | for how many seconds the server forgives a refresh token that is used again, if you know |
//! | `LOG` | a file to which each failed call adds a line of JSON: `at_ms` (since 1970), `waited_ms`, `kind`, `message` |
//!
//! From the first exchange on the store has what is newer than `OAUTH_REFRESH_TOKEN`. The variable may stay as it was,
//! or be left out, whenever a worker is started again. Another refresh token in it, from a new sign-in, is used once
//! the stored one is refused.
//!
//! Ends after `SECONDS`, on SIGTERM or on ctrl-c: no new calls, those under way finish, and so does an exchange, with
//! what it stores. Then one line of JSON on stdout: `calls`, how many of them failed and why under `failures`,
//! `max_wait_ms` of the slowest, and what the cell counted: `exchanges`, `adopted` (another worker's token taken
//! instead), `in_doubt` (exchanges whose answer got lost), `conflicts` in the store, `generation`.
//!
//! Ends non-zero, with one line on stderr, when no call succeeded, when the newest refresh token could not be stored,
//! and, at once, when somebody has to sign in again.

mod common;

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::Write,
    path::PathBuf,
    process::ExitCode,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use gatepass::{
    BearerLayer, BoxError, Error, RetryPolicy, TokenCell,
    cell::Builder,
    store::{FileStore, MemoryStore},
};
use gatepass_redis::RedisStore;
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use serde_json::json;
use tokio::{sync::watch, task::JoinSet};
use tower::{Service, ServiceBuilder, ServiceExt};

const PAUSE: Duration = Duration::from_millis(5);
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(50);
/// How long what is under way at the end may take.
const LAST_ORDERS: Duration = Duration::from_secs(15);

fn main() -> ExitCode {
    common::run(async {
        let settings = Settings::from_env()?;
        let (url, origins) = common::api_from_env()?;
        // First of all: an exchange that is cut off would take the refresh token along.
        let told_to_end = told_to_end()?;
        let cell = cell(&settings).await?;
        let api = ServiceBuilder::new()
            .layer(BearerLayer::new(cell.clone(), origins).retry(RetryPolicy::new()))
            .service(common::http_client());

        let work = Arc::new(Work::new(settings.log));
        let mut loops = JoinSet::new();
        for _ in 0..settings.concurrency {
            loops.spawn(Arc::clone(&work).run(api.clone(), url.clone()));
        }
        tokio::select! {
            () = told_to_end => {}
            () = tokio::time::sleep(settings.time) => {}
            () = work.until_ending() => {}
        }

        work.end();
        let last_orders = async {
            while loops.join_next().await.is_some() {}
            cell.settled().await;
        };
        let is_settled = tokio::time::timeout(LAST_ORDERS, last_orders).await.is_ok();
        work.sum_up(&cell, is_settled)
    })
}

async fn cell(settings: &Settings) -> Result<TokenCell, BoxError> {
    let (builder, start) = common::builder_from_env(common::http_client())?;
    if let Some(start) = start {
        return Ok(settings.give_to(builder.start_from(start))?.build());
    }
    // Without a refresh token it goes on with a stored one, if a worker left one.
    let stored = settings.give_to(common::refreshing_from_env(common::http_client())?)?.build();
    match stored.get().await {
        // Refused by the server: there is one.
        Err(error) if error.code().is_none() => Ok(settings.give_to(builder)?.build()),
        _ => Ok(stored),
    }
}

/// What the loops share.
struct Work {
    tally: Mutex<Tally>,
    ending: watch::Sender<bool>,
}

#[derive(Default)]
struct Tally {
    calls: u64,
    failures: BTreeMap<String, u64>,
    longest: Duration,
    last_failure: Option<BoxError>,
    /// Why somebody has to sign in again.
    reauth: Option<Error>,
    log: Option<File>,
}

impl Work {
    fn new(log: Option<File>) -> Self {
        Self { tally: Mutex::new(Tally { log, ..Tally::default() }), ending: watch::Sender::new(false) }
    }

    async fn run<S, B>(self: Arc<Self>, mut api: S, url: Uri)
    where
        S: Service<Request<Full<Bytes>>, Response = Response<B>, Error = BoxError>,
        B: http_body::Body,
        B::Error: Into<BoxError>,
    {
        let mut ending = self.ending.subscribe();
        while !*ending.borrow() {
            let started = Instant::now();
            let outcome = call(&mut api, &url).await;
            let pause = if outcome.is_ok() { PAUSE } else { PAUSE_AFTER_FAILURE };
            self.count(outcome, started.elapsed());
            // A time-out is no error here: it means that the pause is over and nobody said that this is the end.
            let _ = tokio::time::timeout(pause, ending.wait_for(|it| *it)).await;
        }
    }

    fn count(&self, outcome: Result<(), BoxError>, waited: Duration) {
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.calls += 1;
        tally.longest = tally.longest.max(waited);
        let Err(error) = outcome else { return };
        let kind = kind(&error);
        tally.log_failure(&kind, &error, waited);
        *tally.failures.entry(kind).or_default() += 1;
        if let Some(error) = error.downcast_ref::<Error>().filter(|it| it.is_reauth_required()) {
            tally.reauth = Some(error.clone());
            self.end();
        }
        tally.last_failure = Some(error);
    }

    fn end(&self) {
        self.ending.send_replace(true);
    }

    async fn until_ending(&self) {
        // It fails only when the sender is gone, and `self` holds it.
        let _ = self.ending.subscribe().wait_for(|it| *it).await;
    }

    /// Prints how it went.
    fn sum_up(&self, cell: &TokenCell, is_settled: bool) -> Result<(), BoxError> {
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        let status = cell.status();
        let summary = json!({
            "calls": tally.calls,
            "failures": tally.failures,
            "max_wait_ms": milliseconds(tally.longest),
            "exchanges": status.counts.exchanges,
            "adopted": status.counts.adopted,
            "in_doubt": status.counts.in_doubt,
            "conflicts": status.counts.conflicts,
            "generation": status.generation,
        });
        println!("{summary}");

        if let Some(error) = tally.reauth.take() {
            return Err(format!("sign in again, and give OAUTH_REFRESH_TOKEN what comes of it: {error}").into());
        }
        if let Some(error) = status.unsaved {
            let error = common::one_line(&error);
            return Err(format!("the newest refresh token could not be stored: sign in again ({error})").into());
        }
        if !is_settled {
            return Err(format!("calls or an exchange were under way after {LAST_ORDERS:?}, and were given up").into());
        }
        if tally.failures.values().sum::<u64>() == tally.calls {
            return Err(tally.last_failure.take().unwrap_or_else(|| "no call was made: give it more SECONDS".into()));
        }
        Ok(())
    }
}

impl Tally {
    fn log_failure(&self, kind: &str, error: &BoxError, waited: Duration) {
        let Some(mut log) = self.log.as_ref() else { return };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let line = json!({
            "at_ms": milliseconds(now),
            "waited_ms": milliseconds(waited),
            "kind": kind,
            "message": common::one_line(&**error),
        });
        // In one piece, so that a killed worker leaves whole lines.
        if let Err(error) = log.write_all(format!("{line}\n").as_bytes()) {
            eprintln!("LOG cannot be written: {error}");
        }
    }
}

async fn call<S, B>(api: &mut S, url: &Uri) -> Result<(), BoxError>
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>, Error = BoxError>,
    B: http_body::Body,
    B::Error: Into<BoxError>,
{
    let request = Request::get(url.clone()).body(Full::default())?;
    let response = api.ready().await?.call(request).await?;
    let status = response.status();
    response.into_body().collect().await.map_err(Into::into)?;
    if status.is_success() { Ok(()) } else { Err(Refusal(status).into()) }
}

/// The API answered, and not with what was asked for.
#[derive(Debug)]
struct Refusal(StatusCode);

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the API answered {}", self.0)
    }
}

impl std::error::Error for Refusal {}

fn kind(error: &BoxError) -> String {
    if let Some(Refusal(status)) = error.downcast_ref() {
        return format!("status_{}", status.as_u16());
    }
    let kind = match error.downcast_ref::<Error>() {
        Some(error) if error.is_reauth_required() => "reauth_required",
        Some(error) if error.is_misconfigured() => "misconfigured",
        Some(_) => "transient",
        // The way to the API.
        None => "transport",
    };
    kind.to_owned()
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Done when somebody says that it should end.
#[cfg(unix)]
fn told_to_end() -> Result<impl Future<Output = ()>, BoxError> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn told_to_end() -> Result<impl Future<Output = ()>, BoxError> {
    Ok(async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    })
}

struct Settings {
    store: Store,
    subject: Option<String>,
    grace: Option<Duration>,
    time: Duration,
    concurrency: usize,
    log: Option<File>,
}

enum Store {
    Memory,
    File(PathBuf),
    Redis(String),
}

impl Settings {
    fn from_env() -> Result<Self, BoxError> {
        let concurrency = number("CONCURRENCY", "a number of calls, such as 4")?.unwrap_or(4);
        if concurrency == 0 {
            return Err("CONCURRENCY is 0: write 1 or more".into());
        }
        Ok(Self {
            store: Store::from_env()?,
            subject: common::optional("SUBJECT"),
            grace: seconds("GRACE")?,
            time: seconds("SECONDS")?.unwrap_or(Duration::from_secs(10)),
            concurrency,
            log: common::optional("LOG").as_deref().map(open_log).transpose()?,
        })
    }

    fn give_to(&self, mut builder: Builder) -> Result<Builder, BoxError> {
        if let Some(subject) = &self.subject {
            builder = builder.subject(subject);
        }
        if let Some(grace) = self.grace {
            builder = builder.grace(grace);
        }
        Ok(match &self.store {
            Store::Memory => builder.store(MemoryStore::new()),
            Store::File(path) => builder.store(FileStore::new(path)),
            Store::Redis(url) => builder.store(RedisStore::new(url)?),
        })
    }
}

impl Store {
    fn from_env() -> Result<Self, BoxError> {
        let store = common::optional("STORE").unwrap_or_else(|| "memory".to_owned());
        match store.split_once(':') {
            None if store == "memory" => Ok(Self::Memory),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            Some(("redis" | "rediss", _)) => Ok(Self::Redis(store)),
            // What follows the colon may hold a password.
            other => {
                let start = other.map_or(store.as_str(), |(start, _)| start);
                Err(format!("STORE begins with `{start}`: write memory, file:PATH, redis://HOST or rediss://HOST")
                    .into())
            }
        }
    }
}

fn seconds(name: &str) -> Result<Option<Duration>, BoxError> {
    let wish = "seconds, such as 10 or 0.5";
    let Some(seconds) = number(name, wish)? else { return Ok(None) };
    let time = Duration::try_from_secs_f64(seconds).map_err(|_| format!("{name} is `{seconds}`: write {wish}"))?;
    Ok(Some(time))
}

fn number<N: FromStr>(name: &str, wish: &str) -> Result<Option<N>, BoxError> {
    let Some(text) = common::optional(name) else { return Ok(None) };
    let number = text.parse().map_err(|_| format!("{name} is `{text}`: write {wish}"))?;
    Ok(Some(number))
}

fn open_log(path: &str) -> Result<File, BoxError> {
    let opened = OpenOptions::new().append(true).create(true).open(path);
    opened.map_err(|error| format!("LOG is `{path}`: {error}; write a path where a file may be made").into())
}
