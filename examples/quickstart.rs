//! The main job, on servers of its own: five thousand calls through cold start, expiry, revocation, rate limit and
//! outage.
//!
//! ```text
//! cargo run --release --example quickstart
//! ```
//!
//! Needs no network and no set-up. Ends non-zero when a row is not what gatepass promises.

mod common;

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use bytes::Bytes;
use common::measure::{Call, concurrently, row};
use gatepass::{
    AuthorizationServer, BearerLayer, BoxError, ClientAuth, Origins, RetryPolicy, TokenCell, TokenEndpoint,
    grant::ClientCredentials,
};
use gatepass_testkit::{Api, AuthorizationServer as TestServer, Failure, RetryAfter};
use http_body_util::Full;
use tower::{ServiceBuilder, limit::ConcurrencyLimitLayer};

const CALLS: usize = 1000;

fn main() -> ExitCode {
    common::run(async {
        println!("{:<28}{:>7}{:>16}{:>10}{:>12}{:>12}", "", "calls", "token requests", "failures", "p50", "p99");
        let cold = Setup::start(3600).await?;
        row("cold start", &cold.calls(CALLS).await, cold.server.token_requests(), 1)?;

        let expiring = Setup::warm(2).await?;
        tokio::time::sleep(Duration::from_millis(2050)).await;
        row("expiry", &expiring.calls(CALLS).await, expiring.token_requests(), 1)?;

        let revoked = Setup::warm(3600).await?;
        revoked.server.revoke_access_tokens(); // the API answers 401 to a token that has an hour to live
        row("everything revoked (401)", &revoked.calls(CALLS).await, revoked.token_requests(), 1)?;

        let limited = Setup::warm(3600).await?;
        limited.api.fail_next(100, Failure::too_many_requests(RetryAfter::Seconds(1)));
        row("rate limited (429)", &limited.calls(CALLS).await, limited.token_requests(), 0)?;

        server_down(&Setup::warm(5).await?).await
    })
}

/// The authorization server is away when the token is due: nobody notices, and soon after it is back there is a new
/// one.
async fn server_down(setup: &Setup) -> Result<(), BoxError> {
    let first = setup.cell.status().generation;
    setup.server.stop().await;
    let (mut calls, mut back, mut healed) = (Vec::new(), None, None);
    while calls.len() < CALLS {
        calls.extend(setup.calls(CALLS / 25).await);
        tokio::time::sleep(Duration::from_millis(170)).await;
        let status = setup.cell.status();
        match back {
            None if status.last_error.is_some() => {
                setup.server.restart().await?;
                back = Some(Instant::now());
            }
            Some(back) if healed.is_none() && status.generation > first => {
                healed = Some(back.elapsed());
            }
            _ => {}
        }
    }
    row("server down, token lives", &calls, setup.token_requests(), 1)?;
    match healed {
        Some(after) if after <= Duration::from_secs(2) => {
            println!("the next good token came {after:.1?} after the server was back");
            Ok(())
        }
        other => Err(format!("no good token within 2 s after the server was back: {other:?}").into()),
    }
}

/// An authorization server, an API, and a client of both.
struct Setup {
    server: TestServer,
    api: Api,
    cell: TokenCell,
    http: common::HttpClient<Full<Bytes>>,
}

impl Setup {
    async fn start(token_lifetime_secs: u64) -> Result<Self, BoxError> {
        let server = TestServer::start().await;
        server.token_lifetime(Duration::from_secs(token_lifetime_secs));
        let api = Api::start(&server).await;
        let cell = TokenCell::new(TokenEndpoint::new(
            common::http_client(),
            AuthorizationServer::issuer(server.issuer()),
            ClientAuth::basic("client", "secret"),
            ClientCredentials::new(),
        )?);
        Ok(Self { server, api, cell, http: common::http_client() })
    }

    /// The same with a token at hand.
    async fn warm(token_lifetime_secs: u64) -> Result<Self, BoxError> {
        let setup = Self::start(token_lifetime_secs).await?;
        setup.cell.get().await?;
        Ok(setup)
    }

    /// Calls at once, over at most 200 connections. A call that waits for the token holds none.
    async fn calls(&self, count: usize) -> Vec<Call> {
        let origins = Origins::new([self.api.origin()]).expect("the test API is on loopback");
        let client = ServiceBuilder::new()
            .layer(BearerLayer::new(self.cell.clone(), origins).retry(RetryPolicy::new()))
            .layer(ConcurrencyLimitLayer::new(200))
            .service(self.http.clone());
        concurrently(&client, &self.api.url("/items"), count).await
    }

    /// Those after the first.
    fn token_requests(&self) -> usize {
        self.server.token_requests() - 1
    }
}
