//! What the stories share: the test servers and the whole stack over a real client.

#![allow(dead_code, unreachable_pub, reason = "a module of several test programs, each of which uses a part")]

use std::time::Duration;

use bytes::Bytes;
use gatepass::{
    AuthorizationServer, BearerLayer, BoxError, ClientAuth, Origins, RetryPolicy, TokenCell, TokenEndpoint, TokenSet,
    clock::TestClock,
    grant::{ClientCredentials, RefreshToken},
    retry::Rules,
};
use gatepass_testkit::{Api, AuthorizationServer as TestServer};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use tower::{ServiceBuilder, ServiceExt};

pub type Client<B> = legacy::Client<HttpConnector, B>;

pub fn http_client<B>() -> Client<B>
where
    B: http_body::Body + Send,
    B::Data: Send,
{
    // Without this the client repeats a request on a dropped connection by itself, and the counts are off.
    legacy::Client::builder(TokioExecutor::new()).retry_canceled_requests(false).build_http()
}

/// Both servers, a cell and the layers over it. The cell's clock can be moved.
pub struct World {
    pub server: TestServer,
    pub api: Api,
    pub cell: TokenCell,
    pub clock: TestClock,
    bearer: BearerLayer,
    http: Client<Full<Bytes>>,
    rules: Rules,
}

impl World {
    /// With client credentials.
    pub async fn start() -> Self {
        Self::with(|server| {
            let client = ClientAuth::basic("client", "secret");
            let server = AuthorizationServer::issuer(server.issuer());
            let endpoint = TokenEndpoint::new(http_client(), server, client, ClientCredentials::new()).unwrap();
            let clock = TestClock::new();
            (TokenCell::builder(endpoint).clock(clock.clock()).build(), clock)
        })
        .await
    }

    /// With a refresh token had elsewhere.
    pub async fn signed_in() -> Self {
        Self::with(|server| {
            let refresh_token = server.issue_refresh_token();
            let client = ClientAuth::basic("client", "secret");
            let server = AuthorizationServer::issuer(server.issuer());
            let endpoint = TokenEndpoint::new(http_client(), server, client, RefreshToken::new()).unwrap();
            let clock = TestClock::new();
            let had = TokenSet::from_refresh_token(refresh_token);
            (TokenCell::builder(endpoint).clock(clock.clock()).start_from(had).build(), clock)
        })
        .await
    }

    async fn with(cell: impl FnOnce(&TestServer) -> (TokenCell, TestClock)) -> Self {
        let server = TestServer::start().await;
        let api = Api::start(&server).await;
        let (cell, clock) = cell(&server);
        let bearer = BearerLayer::new(cell.clone(), Origins::new([api.origin()]).unwrap());
        Self { server, api, cell, clock, bearer, http: http_client(), rules: Rules::new() }
    }

    /// Time passes, here and at the server.
    pub fn advance(&self, time: Duration) {
        self.clock.advance(time);
        self.server.advance(time);
    }

    pub async fn get(&self, path: &str) -> Result<Response<Incoming>, BoxError> {
        self.send(Request::get(self.api.url(path)).body(Full::default()).unwrap()).await
    }

    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, BoxError> {
        let stack = ServiceBuilder::new()
            .layer(self.bearer.clone().retry(RetryPolicy::new().rules(self.rules.clone())))
            .service(self.http.clone());
        stack.oneshot(request).await
    }

    /// All at once; how many were answered with 200.
    pub async fn burst(&self, calls: usize) -> usize {
        let calls = (0..calls).map(|_| async {
            match self.get("/items").await {
                Ok(response) => {
                    let ok = response.status() == 200;
                    response.into_body().collect().await.is_ok() && ok
                }
                Err(_) => false,
            }
        });
        join_all(calls).await.into_iter().filter(|ok| *ok).count()
    }
}

/// Runs futures side by side on this task.
pub async fn join_all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    futures_util::future::join_all(futures).await
}

/// The error of gatepass in what a stack returned.
#[track_caller]
pub fn token_error<T>(result: Result<T, BoxError>) -> gatepass::Error {
    match result {
        Ok(_) => panic!("this was to fail"),
        Err(error) => *error.downcast::<gatepass::Error>().expect("an error of gatepass"),
    }
}
