//! The ways to call that are compared, each over the same client.

use std::{fmt, time::Duration};

use bytes::Bytes;
use gatepass::{
    AuthorizationServer, BearerLayer, BoxError, ClientAuth, Gate, Origins, RetryPolicy, TokenCell, TokenEndpoint,
    TokenMap, grant::ClientCredentials, retry::Rules,
};
use http::{Request, Response, StatusCode, header::RETRY_AFTER};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::time::{Sleep, sleep};
use tower::{
    Layer, Service,
    limit::ConcurrencyLimit,
    retry::{Policy, RetryLayer},
    service_fn,
    util::BoxCloneSyncService,
};

/// How many connections to the API there may be, for all callers.
const CONNECTIONS: usize = 200;

/// Who does what with a 429.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    /// One 429 has the siblings wait at the gate.
    Gate,
    /// The same, and the gate reads what the API says of its limit in each answer.
    Pacing,
    /// Each call waits by itself: our policy without a gate, allowed to go on for as long as it takes.
    Without,
    /// Each call sleeps what it was told, and tries again: a policy as one writes it for tower.
    Tower,
    /// Two credentials at one gate, with half of the callers and a limit of its own each.
    Fairness,
}

impl Variant {
    pub(crate) const ALL: [Self; 5] = [Self::Gate, Self::Pacing, Self::Without, Self::Tower, Self::Fairness];

    /// One word, for machines and for `--variant`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Gate => "gate",
            Self::Pacing => "pacing",
            Self::Without => "without",
            Self::Tower => "tower",
            Self::Fairness => "fairness",
        }
    }

    /// For people.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Gate => "with the gate",
            Self::Pacing => "with the gate, pacing",
            Self::Without => "without the gate",
            Self::Tower => "sleep, try again",
            Self::Fairness => "two credentials",
        }
    }

    /// Whose calls they are.
    pub(crate) fn clients(self) -> &'static [ClientId] {
        const TWO: &[ClientId] = &[ClientId("client"), ClientId("another")];
        if self == Self::Fairness { TWO } else { &TWO[..1] }
    }
}

/// In the extensions of a request: whose token it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ClientId(pub(crate) &'static str);

/// The secret of every client.
pub(crate) const SECRET: &str = "secret";

pub(crate) type Stack = BoxCloneSyncService<Request<Full<Bytes>>, Response<Bytes>, BoxError>;

/// From the caller inwards: retries, the token and the gate, a place for each connection, the client.
pub(crate) fn stack(variant: Variant, token_url: String, api: &str) -> Stack {
    let cells = TokenMap::new(8, move |client| cell(&token_url, *client));
    let bearer = BearerLayer::keyed(cells, Origins::new([api]).unwrap());
    let client = ConcurrencyLimit::new(client(), CONNECTIONS);
    match variant {
        Variant::Gate | Variant::Fairness => {
            BoxCloneSyncService::new(bearer.gate(Gate::new()).retry(RetryPolicy::new()).layer(client))
        }
        Variant::Pacing => {
            BoxCloneSyncService::new(bearer.gate(Gate::new().pacing()).retry(RetryPolicy::new()).layer(client))
        }
        Variant::Without => {
            BoxCloneSyncService::new(bearer.retry(RetryPolicy::new().rules(without_bound())).layer(client))
        }
        Variant::Tower => BoxCloneSyncService::new(RetryLayer::new(SleepAndTryAgain).layer(bearer.layer(client))),
    }
}

fn cell(token_url: &str, client: ClientId) -> TokenCell {
    let http = legacy::Client::builder(TokioExecutor::new()).retry_canceled_requests(false).build_http();
    let server = AuthorizationServer::token_endpoint(token_url);
    let auth = ClientAuth::basic(client.0, SECRET);
    TokenCell::new(TokenEndpoint::new(http, server, auth, ClientCredentials::new()).unwrap())
}

/// Reads each answer to its end, so that its place is free only when its connection is.
fn client() -> impl Service<
    Request<Full<Bytes>>,
    Response = Response<Bytes>,
    Error = BoxError,
    Future: Future<Output = Result<Response<Bytes>, BoxError>> + Send,
> + Clone
+ Send
+ Sync
+ 'static {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    // Without this the client repeats a request on a dropped connection by itself, and the counts are off.
    let client = legacy::Client::builder(TokioExecutor::new()).retry_canceled_requests(false).build(connector);
    service_fn(move |request| {
        let answer = client.request(request);
        async move {
            let (parts, body) = answer.await?.into_parts();
            Ok(Response::from_parts(parts, body.collect().await?.to_bytes()))
        }
    })
}

fn without_bound() -> Rules {
    let hour = Duration::from_secs(3600);
    Rules::new().max_retries(u32::MAX).longest_wait(hour).total_time(hour)
}

/// What many write who know tower but not this crate.
#[derive(Clone)]
struct SleepAndTryAgain;

impl<E> Policy<Request<Full<Bytes>>, Response<Bytes>, E> for SleepAndTryAgain {
    type Future = Sleep;

    fn retry(&mut self, _: &mut Request<Full<Bytes>>, result: &mut Result<Response<Bytes>, E>) -> Option<Sleep> {
        let response = result.as_ref().ok().filter(|response| response.status() == StatusCode::TOO_MANY_REQUESTS)?;
        let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
        Some(sleep(Duration::from_secs(seconds)))
    }

    fn clone_request(&mut self, request: &Request<Full<Bytes>>) -> Option<Request<Full<Bytes>>> {
        Some(request.clone())
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.title())
    }
}
