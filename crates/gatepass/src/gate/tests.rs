mod closing;
mod lanes;
mod properties;
mod queue;
mod simulation;

use std::time::Duration;

use http::{HeaderMap, HeaderName, StatusCode};
use tokio::time::Instant;

use super::*;
use crate::{Token, cell::TokenCell};

const HOST: &str = "api.example.com";

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn cell() -> TokenCell {
    TokenCell::new(Token::new("s3cr3t").unwrap())
}

/// A lane of its own.
fn lane(gate: &Gate) -> Lane {
    gate.lane(&cell(), "https", HOST, None)
}

/// Headers; of `ratelimit` what the draft has in `RateLimit-Policy` goes there.
fn headers<const N: usize>(lines: [(&'static str, &str); N]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        if name == "ratelimit" {
            headers.extend(rate_limit(value));
        } else {
            headers.insert(name, value.parse().unwrap());
        }
    }
    headers
}

/// `"a";r=1;t=2;q=3;w=4` as the two fields it takes.
pub(super) fn rate_limit(both: &str) -> HeaderMap {
    let of_policy = ["q=", "w=", "qu=", "pk="];
    let of_limit = ["r=", "t=", "pk="];
    let only = |wanted: &[&str]| {
        let item = |item: &str| {
            let mut parts = item.trim().split(';');
            let name = parts.next().unwrap_or_default().to_owned();
            let wanted = parts.filter(|part| wanted.iter().any(|start| part.starts_with(start)));
            wanted.fold(name, |line, part| format!("{line};{part}"))
        };
        both.split(',').map(item).collect::<Vec<_>>().join(", ")
    };
    let fields = [("ratelimit", only(&of_limit)), ("ratelimit-policy", only(&of_policy))];
    fields.into_iter().map(|(name, line)| (HeaderName::from_static(name), line.parse().unwrap())).collect()
}

/// A 429, for so many seconds.
fn refuse(pass: Pass, retry_after: u64) -> bool {
    pass.answered(StatusCode::TOO_MANY_REQUESTS, &headers([("retry-after", &retry_after.to_string())])).is_some()
}

fn accept(pass: Pass) -> bool {
    pass.answered(StatusCode::OK, &HeaderMap::new()).is_some()
}

/// A lane that accepted so many calls just now, then refused one for so many seconds.
fn closed(gate: &Gate, accepted: usize, retry_after: u64) -> Lane {
    let lane = lane(gate);
    let passes: Vec<_> = (0..=accepted).map(|_| lane.try_enter().unwrap()).collect();
    let mut passes = passes.into_iter();
    let last = passes.next().unwrap();
    passes.for_each(|pass| assert!(!accept(pass)));
    assert!(refuse(last, retry_after));
    lane
}

/// How long it takes to get in, answered at once.
async fn time_to_enter(lane: &Lane) -> Duration {
    let start = Instant::now();
    accept(lane.enter(None).await.unwrap());
    start.elapsed()
}
