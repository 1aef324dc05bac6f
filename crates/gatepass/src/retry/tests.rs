//! The decision as a table, and stories through tower's `Retry` over `Bearer`, in paused time.

mod bodies;
mod decision;
mod stories;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Empty, Full};
use tower::{
    ServiceExt,
    limit::ConcurrencyLimit,
    retry::{RetryLayer, budget::Budget},
};
use tower_layer::Layer;

use super::*;
use crate::{
    BearerLayer, Error, RetryAfter, Token, TokenCell, TokenSet,
    bearer::{
        Refused,
        tests::{
            api, cell,
            probe::{Probe, response, status},
            request,
        },
    },
    clock::TestClock,
    error::BoxError,
};

const API: &str = "https://api.example.com";

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Answers in this order, then 200 for ever.
fn script(answers: &[(u16, &[(&'static str, &'static str)])]) -> Probe {
    let answers: Vec<_> = answers.iter().map(|(code, headers)| (*code, headers.to_vec())).collect();
    let mut next = answers.into_iter();
    Probe::new(move |_| Ok(next.next().map_or_else(|| status(200), |(code, headers)| response(code, &headers))))
}

fn post(body: &str) -> Request<String> {
    Request::post(API).body(body.to_owned()).unwrap()
}

/// The seconds between the requests that came.
fn distances(probe: &Probe) -> Vec<f64> {
    let seen = probe.seen();
    let pairs = seen.windows(2);
    pairs.map(|pair| (pair[1].at - pair[0].at).as_secs_f64()).collect()
}
