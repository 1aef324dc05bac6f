//! A thousand callers at once before an API that lets 250 a second through, and answers the others by 429 with a
//! `Retry-After`: who gets through, and at what price. Who sends again does so three times at most.

use std::time::{Duration, Instant};

use gatepass::{Gate, retry::Rules};
use gatepass_testkit::{Api, AuthorizationServer};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};

use crate::{
    peers::{ours, retry},
    post::post,
};

/// What came of it.
pub(crate) struct Limited {
    pub(crate) name: &'static str,
    /// How many 429s the API answered.
    pub(crate) turned_away: usize,
    /// How many callers were left with one.
    pub(crate) failed: usize,
    /// Until the last one was done.
    pub(crate) time: Duration,
}

const GATED: &str = "gatepass-reqwest, Gate";

const CALLERS: usize = 1_000;
const RETRIES: u32 = 3;
const ALLOWED: (usize, Duration) = (250, Duration::from_secs(1));

pub(crate) const WORD: &str = "limited";

pub(crate) fn run(wanted: impl Fn(&str) -> bool) -> Vec<Limited> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut all = Vec::new();
    for name in ["gatepass-reqwest", GATED, "reqwest-retry"] {
        if wanted(name) {
            eprintln!("{name}: {WORD} …");
            all.push(runtime.block_on(play(name)));
        }
    }
    all
}

async fn play(name: &'static str) -> Limited {
    let server = AuthorizationServer::start().await;
    let api = Api::start(&server).await;
    let token_url = server.token_url();
    let client = ClientBuilder::new(reqwest::Client::new());
    let (client, token) = if name == "reqwest-retry" {
        (client.with(retry::middleware(RETRIES)).build(), Some(post(&token_url).await.unwrap().0))
    } else {
        let bearer = ours::middleware(&token_url, api.origin()).rules(Rules::new().max_retries(RETRIES));
        let bearer = if name == GATED { bearer.gate(Gate::new()) } else { bearer };
        (client.with(bearer).build(), None)
    };
    // Whoever has to fetch a token has it.
    call(client.clone(), api.url("/items"), token.clone()).await;

    api.limit(ALLOWED.0, ALLOWED.1);
    let started = Instant::now();
    let calls = (0..CALLERS).map(|_| tokio::spawn(call(client.clone(), api.url("/items"), token.clone())));
    let mut failed = 0;
    for call in calls.collect::<Vec<_>>() {
        failed += usize::from(!call.await.unwrap());
    }
    Limited { name, turned_away: api.answered(429), failed, time: started.elapsed() }
}

async fn call(client: ClientWithMiddleware, url: String, token: Option<String>) -> bool {
    let mut request = client.get(url);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    request.send().await.is_ok_and(|response| response.status().is_success())
}
