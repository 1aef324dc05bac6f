//! A turn at the gate that comes when the token is gone: the request goes later, if it goes at all. In paused time, with a
//! middleware in place of the network.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use gatepass::{Error, Gate, Origins, TokenCell, TokenSet};
use gatepass_reqwest::{BearerMiddleware, token_error};
use http::Extensions;
use reqwest::{Request, Response, ResponseBuilderExt};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next};
use tokio::time::Instant;

const API: &str = "https://api.example.com/";

/// What the server answers, by when and to which call.
type Answer = dyn Fn(usize) -> http::Response<&'static str> + Send + Sync;

#[derive(Clone)]
struct Server {
    answer: Arc<Answer>,
    calls: Arc<Mutex<Vec<(Instant, String)>>>,
}

impl Server {
    fn answering(answer: impl Fn(usize) -> http::Response<&'static str> + Send + Sync + 'static) -> Self {
        Self { answer: Arc::new(answer), calls: Arc::default() }
    }

    fn tokens(&self) -> Vec<String> {
        self.calls.lock().unwrap().iter().map(|(_, token)| token.clone()).collect()
    }
}

#[async_trait]
impl Middleware for Server {
    async fn handle(&self, request: Request, _: &mut Extensions, _: Next<'_>) -> reqwest_middleware::Result<Response> {
        let token = request.headers()["authorization"].to_str().unwrap().to_owned();
        let mut calls = self.calls.lock().unwrap();
        calls.push((Instant::now(), token));
        let (mut parts, body) = (self.answer)(calls.len()).into_parts();
        let located = http::Response::builder().url(request.url().clone()).body(()).unwrap();
        parts.extensions = located.into_parts().0.extensions;
        Ok(Response::from(http::Response::from_parts(parts, body)))
    }
}

fn answer(status: u16, fields: &[(&str, &str)]) -> http::Response<&'static str> {
    let response = http::Response::builder().status(status);
    fields.iter().fold(response, |response, (name, value)| response.header(*name, *value)).body("").unwrap()
}

fn http(cell: &TokenCell, gate: Gate, server: &Server) -> ClientWithMiddleware {
    crate::provide_tls();
    let bearer = BearerMiddleware::new(cell.clone(), Origins::new([API]).unwrap()).gate(gate).no_retries();
    ClientBuilder::new(reqwest::Client::new()).with(bearer).with(server.clone()).build()
}

/// A cell whose only token was refused while calls wait at the gate; then its source takes `takes`.
async fn cell(takes: Duration, then: fn() -> Result<TokenSet, Error>) -> TokenCell {
    let cell = TokenCell::new(move |_| async move {
        tokio::time::sleep(takes).await;
        then()
    });
    cell.put(TokenSet::new("first").expires_in(Duration::from_secs(3600))).await.unwrap();
    cell
}

/// Else who asks for a token in vain spends a quota, and the next waits longer.
#[tokio::test(start_paused = true)]
async fn r6_a_turn_for_which_there_was_no_token_is_not_counted_as_sent() {
    let cell = cell(Duration::ZERO, || Err(Error::misconfigured("wrong secret"))).await;
    let fields = [("ratelimit", r#""a";r=10;t=50"#), ("ratelimit-policy", r#""a";q=60;w=60"#)];
    let server = Server::answering(move |_| answer(200, &fields));
    let http = http(&cell, Gate::new().pacing(), &server);
    http.get(API).send().await.unwrap();

    // One every five seconds.
    let calls: Vec<_> = (0..5).map(|_| tokio::spawn(http.get(API).send())).collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    cell.reject(&cell.peek().unwrap());
    for call in calls {
        let error = call.await.unwrap().unwrap_err();
        let error = token_error(&error).expect("gatepass's own error");
        assert!(error.is_misconfigured(), "{error}");
    }
    cell.put(TokenSet::new("second").expires_in(Duration::from_secs(3600))).await.unwrap();
    let start = Instant::now();
    http.get(API).send().await.unwrap();
    assert!(
        start.elapsed() < Duration::from_secs(4),
        "ten are left of what is left of the time: {:?}",
        start.elapsed()
    );
    assert_eq!(server.tokens(), ["Bearer first", "Bearer second"]);
}

#[tokio::test(start_paused = true)]
async fn r5_who_waits_for_a_token_after_its_turn_does_not_go_into_a_closed_lane() {
    let cell = cell(Duration::from_secs(3), || Ok(TokenSet::new("second"))).await;
    let gate = Gate::new();
    let lane = gate.lane(&cell, "https", "api.example.com", None);
    let (refused, late) = (lane.try_enter().unwrap(), lane.try_enter().unwrap());
    let turned_away = answer(429, &[("retry-after", "5")]);
    assert!(refused.answered(turned_away.status(), turned_away.headers()).is_some());

    let server = Server::answering(|_| answer(200, &[]));
    let http = http(&cell, gate, &server);
    let start = Instant::now();
    let call = tokio::spawn(http.get(API).send());
    tokio::time::sleep(Duration::from_secs(1)).await;
    cell.reject(&cell.peek().unwrap());

    // Its turn came, and it waits for the token, when the server says again that it wants to be left alone.
    tokio::time::sleep(Duration::from_secs(6)).await;
    let turned_away = answer(429, &[("retry-after", "10")]);
    assert!(late.answered(turned_away.status(), turned_away.headers()).is_some());
    assert_eq!(call.await.unwrap().unwrap().status(), 200);
    assert_eq!(server.tokens(), ["Bearer second"]);
    assert!(start.elapsed() >= Duration::from_secs(17), "{:?}", start.elapsed());
}

/// Else all whose turn came meanwhile go at once, faster than the server takes them.
#[tokio::test(start_paused = true)]
async fn r5_turns_that_came_during_a_long_wait_for_the_token_do_not_go_in_one_burst() {
    let cell = cell(Duration::from_secs(4), || Ok(TokenSet::new("second"))).await;
    let gate = Gate::new();
    let lane = gate.lane(&cell, "https", "api.example.com", None);
    let mut passes: Vec<_> = (0..21).map(|_| lane.try_enter().unwrap()).collect();
    let last = passes.pop().unwrap();
    passes.into_iter().for_each(|pass| assert!(pass.answered(http::StatusCode::OK, &http::HeaderMap::new()).is_none()));
    let turned_away = answer(429, &[("retry-after", "1")]);
    assert!(last.answered(turned_away.status(), turned_away.headers()).is_some());

    // Twenty a second.
    let server = Server::answering(|_| answer(200, &[]));
    let http = http(&cell, gate, &server);
    let calls: Vec<_> = (0..120).map(|_| tokio::spawn(http.get(API).send())).collect();
    tokio::task::yield_now().await;
    cell.reject(&cell.peek().unwrap());
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().status(), 200);
    }
    let came: Vec<_> = server.calls.lock().unwrap().iter().map(|(at, _)| *at).collect();
    let within = |at| came.iter().filter(|&&other| other >= at && other < at + Duration::from_millis(500)).count();
    let most = came.iter().map(|&at| within(at)).max().unwrap();
    assert!(most <= 34, "{most} in half a second: what is due in it, and of a second before");
}
