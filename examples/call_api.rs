//! Calls an API with a token from whatever authorization server the environment names, once or all the time.
//!
//! ```text
//! OAUTH_TOKEN_URL=https://auth.example.com/token OAUTH_CLIENT_ID=me OAUTH_CLIENT_SECRET=s3cr3t \
//!     API_URL=https://api.example.com/v1/items cargo run --example call_api [-- --repeat 100 --every 200]
//! ```
//!
//! `OAUTH_ISSUER` may stand instead of `OAUTH_TOKEN_URL`; `OAUTH_CLIENT_AUTH` is `basic`, `post` or `none`;
//! `OAUTH_SCOPES` are separated by spaces; with `OAUTH_REFRESH_TOKEN` the refresh grant is used (if the server rotates
//! it, it is spent: a program that goes on from there keeps what `cell.events()` tells). `--repeat N` makes N calls,
//! one every `--every MS` milliseconds, and prints a summary. Ends non-zero when a call failed.

mod common;

use std::{
    env,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use gatepass::{BearerLayer, BoxError, RetryPolicy, endpoint};
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use tower::{Service, ServiceBuilder, ServiceExt};

fn main() -> ExitCode {
    common::run(async {
        let (repeat, every) = arguments()?;
        let token_requests = Arc::new(AtomicUsize::new(0));
        let counter = token_requests.clone();
        let to_the_server = common::http_client().map_request(move |request: Request<endpoint::Body>| {
            let asks_for_token = usize::from(request.method() == Method::POST);
            counter.fetch_add(asks_for_token, Ordering::Relaxed);
            request
        });
        let (url, origins) = common::api_from_env()?;
        let mut api = ServiceBuilder::new()
            .layer(BearerLayer::new(common::cell_from_env(to_the_server)?, origins).retry(RetryPolicy::new()))
            .service(common::http_client());

        let mut failures = 0;
        let mut tick = tokio::time::interval(every.max(Duration::from_millis(1)));
        for call in 0..repeat.unwrap_or(1) {
            tick.tick().await;
            let answer = async {
                let request = Request::get(url.clone()).body(Full::<Bytes>::default())?;
                let response = api.ready().await?.call(request).await?;
                let status = response.status();
                let body = response.into_body().collect().await?.to_bytes();
                Ok::<_, BoxError>((status, body))
            };
            match answer.await {
                Ok((status, body)) => {
                    failures += usize::from(!status.is_success());
                    if call == 0 || !status.is_success() {
                        println!("{status}\n{}", String::from_utf8_lossy(&body));
                    }
                }
                Err(error) if repeat.is_none() => return Err(error),
                Err(error) => {
                    failures += 1;
                    println!("call {call}: {error}");
                }
            }
        }
        if let Some(calls) = repeat {
            println!("calls {calls}, failures {failures}, token requests {}", token_requests.load(Ordering::Relaxed));
        }
        if failures > 0 {
            Err(format!("{failures} of the calls failed; what was said is above").into())
        } else {
            Ok(())
        }
    })
}

fn arguments() -> Result<(Option<usize>, Duration), BoxError> {
    let (mut repeat, mut every) = (None, Duration::ZERO);
    let mut arguments = env::args().skip(1);
    while let Some(name) = arguments.next() {
        let number = arguments.next().and_then(|value| value.parse().ok());
        match (name.as_str(), number) {
            ("--repeat", Some(number)) => repeat = Some(usize::try_from(number)?),
            ("--every", Some(number)) => every = Duration::from_millis(number),
            _ => {
                return Err(format!("`{name}` is not understood: use --repeat N and --every MS").into());
            }
        }
    }
    Ok((repeat, every))
}
