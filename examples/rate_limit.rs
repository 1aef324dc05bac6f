//! Many calls against a limit: with a gate, one 429 pauses the siblings, and all are done in time.
//!
//! ```text
//! cargo run --release --example rate_limit                  # needs nothing: an API that allows 50 calls a second
//!
//! OAUTH_ISSUER=https://auth.example.com OAUTH_CLIENT_ID=me OAUTH_CLIENT_SECRET=s3cr3t \
//!     API_URL=https://api.example.com/v1/items cargo run --release --example rate_limit -- --calls 200
//! ```
//!
//! Each call is a task of its own; `--calls N` says how many. It prints how many attempts they took, and what the slowest
//! call waited for, out of its [`Story`](gatepass::bearer::Story). With `--no-gate` look at how many are turned away: the time
//! is much the same, since each call comes back by itself, as often as it takes. Ends non-zero when a call failed.

mod common;

use std::{env, process::ExitCode, time::Instant};

use bytes::Bytes;
use gatepass::{
    AuthorizationServer, BearerLayer, BoxError, ClientAuth, Gate, Origins, RetryPolicy, TokenCell, TokenEndpoint,
    bearer::Story, grant::ClientCredentials, retry::Rules,
};
use gatepass_testkit::{Api, AuthorizationServer as TestServer};
use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::task::JoinSet;
use tower::{Service, ServiceBuilder, ServiceExt, limit::ConcurrencyLimitLayer};

fn main() -> ExitCode {
    common::run(async {
        let Settings { calls, gated } = Settings::read(env::args().skip(1))?;
        if ["OAUTH_ISSUER", "OAUTH_TOKEN_URL", "API_URL"].iter().any(|name| common::optional(name).is_some()) {
            let (url, origins) = common::api_from_env()?;
            let cell = common::cell_from_env(common::http_client())?;
            return call(layer(cell, origins, gated), url, calls).await;
        }
        let server = TestServer::start().await;
        let api = Api::start(&server).await;
        api.limit(50, std::time::Duration::from_secs(1));
        let source = TokenEndpoint::new(
            common::http_client(),
            AuthorizationServer::issuer(server.issuer()),
            ClientAuth::basic("client", "secret"),
            ClientCredentials::new(),
        )?;
        let origins = Origins::new([api.origin()])?;
        call(layer(TokenCell::new(source), origins, gated), api.url("/v1/items").parse()?, calls).await?;
        common::say(format!("the API turned {} calls away with a 429", api.answered(429)))
    })
}

struct Settings {
    calls: usize,
    gated: bool,
}

impl Settings {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, BoxError> {
        let mut settings = Self { calls: 200, gated: true };
        while let Some(argument) = arguments.next() {
            match &*argument {
                "--no-gate" => settings.gated = false,
                "--calls" => {
                    let calls = arguments.next().and_then(|calls| calls.parse().ok()).filter(|calls| *calls > 0);
                    settings.calls = calls.ok_or("--calls takes a number, such as --calls 200")?;
                }
                other => return Err(format!("`{other}` is not known: there are --calls N and --no-gate").into()),
            }
        }
        Ok(settings)
    }
}

/// Also follows what the API says of its limit before it is hit.
fn layer(cell: TokenCell, origins: Origins, gated: bool) -> BearerLayer {
    let bearer = BearerLayer::new(cell, origins).stories();
    if gated { bearer.gate(Gate::new().pacing()) } else { bearer }
}

async fn call(bearer: BearerLayer, url: Uri, calls: usize) -> Result<(), BoxError> {
    let api = ServiceBuilder::new()
        .layer(bearer.retry(RetryPolicy::new().rules(Rules::new().max_retries(10))))
        .layer(ConcurrencyLimitLayer::new(50))
        .service(common::http_client());
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..calls {
        tasks.spawn(one(api.clone(), url.clone()));
    }
    let (mut done, mut attempts, mut slowest, mut failed) = (0, 0, Story::default(), None);
    while let Some(outcome) = tasks.join_next().await {
        match outcome? {
            Ok(story) => {
                done += 1;
                attempts += story.attempts;
                if waited(&story) >= waited(&slowest) {
                    slowest = story;
                }
            }
            Err(error) => failed = Some(error),
        }
    }
    common::say(format!("{done} of {calls} calls done in {:.1?}, by {attempts} attempts", started.elapsed()))?;
    common::say(format!("who waited longest: {slowest:?}"))?;
    failed.map_or(Ok(()), Err)
}

fn waited(story: &Story) -> std::time::Duration {
    story.waited_for_token + story.waited_at_gate + story.waited_to_retry
}

async fn one<S>(api: S, url: Uri) -> Result<Story, BoxError>
where
    S: Service<Request<Full<Bytes>>, Response = Response<Incoming>, Error = BoxError>,
{
    let response = api.oneshot(Request::get(url.clone()).body(Full::default())?).await?;
    let status = response.status();
    if !status.is_success() {
        return Err(format!("{url} answered {status}").into());
    }
    Ok(response.extensions().get::<Story>().cloned().unwrap_or_default())
}
