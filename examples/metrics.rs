//! What a service shows of itself: its cell's status on one line, and a page of metrics for Prometheus.
//!
//! ```text
//! cargo run --example metrics
//!
//! OAUTH_ISSUER=https://auth.example.com OAUTH_CLIENT_ID=me OAUTH_CLIENT_SECRET=s3cr3t \
//!     API_URL=https://api.example.com/v1/items cargo run --example metrics -- --listen 127.0.0.1:9464
//! ```
//!
//! Without an environment it starts servers of its own, and has a token expire, another revoked, a call turned away with
//! 429 and a refresh fail. With one (see `call_api`) it calls that API, and does to its own token what can be done from
//! here. `--listen ADDR` then goes on calling once a second and serves the page at `/metrics` until it is told to end.
//! Ends non-zero when a figure is missing.

mod common;

use std::{env, net::SocketAddr, process::ExitCode, time::Duration};

use axum::{Router, routing};
use bytes::Bytes;
use gatepass::{
    AuthorizationServer, BoxError, ClientAuth, Origins, TokenCell, TokenEndpoint, cell::Builder,
    grant::ClientCredentials,
};
use gatepass_testkit::{Api, AuthorizationServer as TestServer, Failure, RetryAfter};
use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tower::Service;

/// The name of the cell, and its label.
const NAME: &str = "example";

/// In seconds: from a fast answer to the longest wait that is kept.
const BUCKETS: [f64; 8] = [0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0];

fn main() -> ExitCode {
    common::run(async {
        let listen = arguments()?;
        // Before the first exchange, so that none is missed.
        let metrics = PrometheusBuilder::new().set_buckets(&BUCKETS)?.install_recorder()?;

        if ["OAUTH_ISSUER", "OAUTH_TOKEN_URL", "API_URL"].iter().any(|name| common::optional(name).is_some()) {
            let (url, origins) = common::api_from_env()?;
            let (builder, start) = common::builder_from_env(common::http_client())?;
            let builder = builder.name(NAME);
            let cell = start.into_iter().fold(builder, Builder::start_from).build();
            let mut api = common::api(cell.clone(), origins);
            let figures = from_here(&cell, &mut api, &url).await?;
            show(&cell, &metrics, &figures)?;
            serve(listen, &metrics, &mut api, &url).await
        } else {
            let server = TestServer::start().await;
            let api = Api::start(&server).await;
            let source = TokenEndpoint::new(
                common::http_client(),
                AuthorizationServer::issuer(server.issuer()),
                ClientAuth::basic("client", "secret"),
                ClientCredentials::new(),
            )?;
            let cell = TokenCell::builder(source).name(NAME).build();
            let mut client = common::api(cell.clone(), Origins::new([api.origin()])?);
            let url: Uri = api.url("/v1/items").parse()?;
            let figures = a_bad_day(&server, &api, &cell, &mut client, &url).await?;
            show(&cell, &metrics, &figures)?;
            serve(listen, &metrics, &mut client, &url).await
        }
    })
}

/// What has to be on the page: a name, and labels.
type Figure = (&'static str, &'static [&'static str]);

/// An expiry, a revocation, a 429 and an outage, on servers that do as they are told.
async fn a_bad_day<S>(
    server: &TestServer,
    api: &Api,
    cell: &TokenCell,
    client: &mut S,
    url: &Uri,
) -> Result<Vec<Figure>, BoxError>
where
    S: Service<Request<Full<Bytes>>, Response = Response<Incoming>, Error = BoxError>,
{
    server.token_lifetime(Duration::from_secs(2));
    common::get(client, url).await?;
    server.token_lifetime(Duration::from_secs(3600));
    tokio::time::sleep(Duration::from_millis(2050)).await;
    common::get(client, url).await?;

    server.revoke_access_tokens();
    common::get(client, url).await?;

    api.fail_next(1, Failure::too_many_requests(RetryAfter::Seconds(1)));
    common::get(client, url).await?;

    server.fail_next(1, Failure::status(503));
    if cell.refresh().await.is_ok() {
        return Err("a token came from a server that is away".into());
    }
    common::get(client, url).await?; // the token there is still lives
    Ok(vec![
        ("gatepass_exchanges_total", &["reason=\"cold\"", "outcome=\"issued\""]),
        ("gatepass_exchanges_total", &["reason=\"mandatory\"", "outcome=\"issued\""]),
        ("gatepass_exchanges_total", &["reason=\"rejected\"", "outcome=\"issued\""]),
        ("gatepass_exchanges_total", &["reason=\"forced\"", "outcome=\"transient\""]),
        ("gatepass_exchange_duration_seconds_count", &["outcome=\"issued\""]),
        ("gatepass_wait_duration_seconds_count", &["outcome=\"token\""]),
        ("gatepass_rejections_total", &["outcome=\"dropped\""]),
        ("gatepass_replays_total", &[]),
        ("gatepass_retry_wait_seconds_count", &["status=\"429\""]),
        ("gatepass_token_expiry_timestamp_seconds", &[]),
    ])
}

/// What can be done to a token without the help of its server.
async fn from_here<S>(cell: &TokenCell, client: &mut S, url: &Uri) -> Result<Vec<Figure>, BoxError>
where
    S: Service<Request<Full<Bytes>>, Response = Response<Incoming>, Error = BoxError>,
{
    common::get(client, url).await?;
    // As if the API had refused it.
    cell.reject(&cell.get().await?);
    common::get(client, url).await?;
    Ok(vec![
        ("gatepass_exchanges_total", &["reason=\"cold\"", "outcome=\"issued\""]),
        ("gatepass_exchanges_total", &["reason=\"rejected\"", "outcome=\"issued\""]),
        ("gatepass_rejections_total", &["outcome=\"dropped\""]),
        ("gatepass_token_expiry_timestamp_seconds", &[]),
    ])
}

/// Prints the status and the page.
fn show(cell: &TokenCell, metrics: &PrometheusHandle, figures: &[Figure]) -> Result<(), BoxError> {
    let page = metrics.render();
    common::say(cell.status().to_string())?;
    common::say(&page)?;
    for (name, labels) in figures {
        let is_there = page
            .lines()
            .filter(|line| !line.ends_with(" 0") && line.split(['{', ' ']).next() == Some(name))
            .any(|line| labels.iter().all(|label| line.contains(label)));
        if !is_there {
            return Err(format!("{name} with {} is not on the page", labels.join(" and ")).into());
        }
    }
    Ok(())
}

/// Serves the page, and calls the API once a second.
async fn serve<S>(
    listen: Option<SocketAddr>,
    metrics: &PrometheusHandle,
    client: &mut S,
    url: &Uri,
) -> Result<(), BoxError>
where
    S: Service<Request<Full<Bytes>>, Response = Response<Incoming>, Error = BoxError>,
{
    let Some(address) = listen else {
        return Ok(());
    };
    let listener = tokio::net::TcpListener::bind(address)
        .await
        .map_err(|error| format!("cannot listen on {address}: {error}; choose another with --listen"))?;
    common::say(format!("http://{}/metrics", listener.local_addr()?))?;
    let metrics = metrics.clone();
    let page = Router::new().route("/metrics", routing::get(async move || metrics.render()));
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    let calls = async {
        loop {
            tick.tick().await;
            if let Err(error) = common::get(client, url).await {
                eprintln!("{error}");
            }
        }
    };
    tokio::select! {
        ended = axum::serve(listener, page).into_future() => Ok(ended?),
        () = calls => Ok(()),
        told = tokio::signal::ctrl_c() => Ok(told?),
    }
}

fn arguments() -> Result<Option<SocketAddr>, BoxError> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => Ok(None),
        ["--listen", address] => match address.parse() {
            Ok(address) => Ok(Some(address)),
            Err(_) => {
                Err(format!("--listen is `{address}`: write an address and a port, such as 127.0.0.1:9464").into())
            }
        },
        _ => Err("write --listen ADDR, or nothing".into()),
    }
}
