//! `BearerMiddleware`, and what it is compared with.
//!
//! A stack over a real client cannot be measured without its I/O. So the last middleware answers and calls no other.

use std::{future::Future, hint::black_box, pin::Pin};

use gatepass::{Origins, TokenCell};
use gatepass_reqwest::BearerMiddleware;
use http::Extensions;
use reqwest::{Request, Response, ResponseBuilderExt};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next, Result};

use crate::harness::{Caller, Scene, Stack, request, response};

pub(crate) const NOTHING: usize = 0;
const BEARER: usize = 2;
const RULES: usize = 3;

pub(crate) fn stacks(cell: &TokenCell) -> [Stack; 4] {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let bearer = || BearerMiddleware::new(cell.clone(), Origins::new(["https://api.example.com"]).unwrap());
    [
        Stack::calling("a middleware that does nothing", Sender::new(pass, false)),
        Stack::calling("the same, and try_clone", Sender::new(pass, true)),
        Stack::calling("BearerMiddleware, no_retries", Sender::new(bearer().no_retries(), false)),
        Stack::calling("BearerMiddleware", Sender::new(bearer(), false)),
    ]
}

pub(crate) fn last_line([kept, ..]: &[Scene<'_>; 4]) -> String {
    format!("reqwest={:+.0}ns reqwest_retry={:+.0}ns", kept.added(BEARER, NOTHING), kept.added(RULES, NOTHING))
}

#[derive(Clone)]
struct Sender {
    client: ClientWithMiddleware,
    /// Whether each request is copied as for sending it again.
    copied: bool,
}

impl Sender {
    fn new(middleware: impl Middleware, copied: bool) -> Self {
        let client = ClientBuilder::new(reqwest::Client::new()).with(middleware).with(answer).build();
        Self { client, copied }
    }
}

impl Caller for Sender {
    async fn call(&mut self, _turn: usize) {
        let request = Request::try_from(request().map(|_| "")).unwrap();
        let copy = self.copied.then(|| request.try_clone());
        let response = self.client.execute(request).await;
        drop(black_box((response.unwrap(), copy)));
    }
}

type Answer<'a> = Pin<Box<dyn Future<Output = Result<Response>> + Send + 'a>>;

fn pass<'a>(request: Request, extensions: &'a mut Extensions, next: Next<'a>) -> Answer<'a> {
    Box::pin(next.run(request, extensions))
}

fn answer<'a>(request: Request, _extensions: &'a mut Extensions, _next: Next<'a>) -> Answer<'a> {
    let response = response().url(request.url().clone()).body("{}").unwrap();
    drop(black_box(request));
    Box::pin(async { Ok(Response::from(response)) })
}
