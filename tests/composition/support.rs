//! What the stories share.

use std::{
    collections::HashSet,
    convert::Infallible,
    future::{Ready, ready},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use gatepass::{
    AuthorizationServer, BearerLayer, ClientAuth, Error, Origins, TokenCell, TokenEndpoint, TokenSet,
    grant::ClientCredentials,
};
use gatepass_testkit::AuthorizationServer as TestServer;
use http::{Request, Response, header};
use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::sync::Semaphore;
use tower::Service;

pub(crate) const ORIGIN: &str = "https://api.example.com";

pub(crate) fn get(url: &str) -> Request<String> {
    Request::get(url).body(String::new()).unwrap()
}

/// A request that gets the token.
pub(crate) fn items() -> Request<String> {
    get("https://api.example.com/items")
}

/// A request that does not.
pub(crate) fn elsewhere() -> Request<String> {
    get("https://elsewhere.example.com/")
}

pub(crate) fn bearer(cell: &TokenCell) -> BearerLayer {
    BearerLayer::new(cell.clone(), Origins::new([ORIGIN]).unwrap())
}

/// Issues `token-1`, `token-2` ...
pub(crate) fn cell() -> TokenCell {
    let issue = issuer();
    TokenCell::new(move |_current| {
        let set = issue();
        async { Ok::<_, Error>(set) }
    })
}

/// The same, but each exchange waits until it is let through.
pub(crate) fn gated_cell() -> (TokenCell, Arc<Gate>) {
    let gate = Arc::new(Gate::default());
    let issue = issuer();
    let source = {
        let gate = gate.clone();
        move |_current| {
            let (gate, set) = (gate.clone(), issue());
            async move {
                gate.pass().await;
                Ok::<_, Error>(set)
            }
        }
    };
    (TokenCell::new(source), gate)
}

fn issuer() -> impl Fn() -> TokenSet + Send + Sync {
    let issued = AtomicU64::new(0);
    move || {
        let number = issued.fetch_add(1, Ordering::Relaxed) + 1;
        TokenSet::new(format!("token-{number}")).expires_in(Duration::from_secs(3600))
    }
}

/// Where a test and what it tests meet.
pub(crate) struct Gate {
    arrived: Semaphore,
    open: Semaphore,
}

impl Default for Gate {
    fn default() -> Self {
        Self { arrived: Semaphore::new(0), open: Semaphore::new(0) }
    }
}

impl Gate {
    async fn pass(&self) {
        self.arrived.add_permits(1);
        self.open.acquire().await.unwrap().forget();
    }

    pub(crate) async fn until_somebody_waits(&self) {
        self.arrived.acquire().await.unwrap().forget();
    }

    pub(crate) fn let_one_through(&self) {
        self.open.add_permits(1);
    }
}

/// An API in this process. It answers 401 to tokens that were revoked, and remembers what came.
#[derive(Clone, Default)]
pub(crate) struct Upstream {
    calls: Arc<Mutex<Vec<Call>>>,
    revoked: Arc<Mutex<HashSet<String>>>,
}

/// The token of a call, if it had one.
type Call = Option<String>;

impl Upstream {
    pub(crate) fn revoke(&self, token: &str) {
        self.revoked.lock().unwrap().insert(token.to_owned());
    }

    /// The tokens that came, oldest first; `-` for none.
    pub(crate) fn tokens(&self) -> Vec<String> {
        let calls = self.calls.lock().unwrap();
        let token = |call: &Call| call.clone().unwrap_or_else(|| "-".to_owned());
        calls.iter().map(token).collect()
    }
}

impl<B> Service<Request<B>> for Upstream {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let token = request.headers().get(header::AUTHORIZATION).map(|value| {
            let value = value.to_str().unwrap();
            value.strip_prefix("Bearer ").unwrap().to_owned()
        });
        let refused = token.as_ref().is_some_and(|token| self.revoked.lock().unwrap().contains(token));
        self.calls.lock().unwrap().push(token);
        let response = Response::builder().status(if refused { 401 } else { 200 }).body(String::new());
        ready(Ok(response.unwrap()))
    }
}

pub(crate) type Http = Client<HttpConnector, Full<Bytes>>;

pub(crate) fn http() -> Http {
    Client::builder(TokioExecutor::new()).build_http()
}

/// A cell that asks a test server, over a client of its own.
pub(crate) fn cell_at(server: &TestServer) -> TokenCell {
    let http: Client<_, gatepass::endpoint::Body> = Client::builder(TokioExecutor::new()).build_http();
    let endpoint = TokenEndpoint::new(
        http,
        AuthorizationServer::token_endpoint(server.token_url()),
        ClientAuth::basic("client", "secret"),
        ClientCredentials::new(),
    );
    TokenCell::new(endpoint.unwrap())
}
