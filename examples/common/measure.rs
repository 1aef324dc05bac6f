//! Many calls at once, and a row that says how they went.

use std::time::{Duration, Instant};

use gatepass::BoxError;
use http::{Request, Response};
use http_body_util::BodyExt;
use tokio::task::JoinSet;
use tower::{Service, ServiceExt};

/// How long a call took; `Err` when it failed.
pub type Call = Result<Duration, BoxError>;

/// Makes `count` calls at once, each through a clone of `client`.
pub async fn concurrently<S, B, R>(client: &S, url: &str, count: usize) -> Vec<Call>
where
    S: Service<Request<B>, Response = Response<R>, Error = BoxError> + Clone + Send + 'static,
    S::Future: Send,
    B: Default + Send + 'static,
    R: http_body::Body + Send + 'static,
    R::Data: Send,
    R::Error: Into<BoxError>,
{
    let mut calls = JoinSet::new();
    for _ in 0..count {
        let (client, url) = (client.clone(), url.to_owned());
        calls.spawn(async move {
            let started = Instant::now();
            let response = client.oneshot(Request::get(url).body(B::default())?).await?;
            let status = response.status();
            response.into_body().collect().await.map_err(Into::into)?;
            if status.is_success() { Ok(started.elapsed()) } else { Err(format!("the API answered {status}").into()) }
        });
    }
    calls.join_all().await
}

/// Prints how the calls went; an error when it is not what was promised: so many token requests, and no failure.
pub fn row(story: &str, calls: &[Call], token_requests: usize, promised: usize) -> Result<(), BoxError> {
    let mut times: Vec<_> = calls.iter().filter_map(|call| call.as_ref().ok()).collect();
    times.sort();
    let failures = calls.len() - times.len();
    let percentile = |percent: usize| times.get((times.len() * percent / 100).min(times.len().saturating_sub(1)));
    let shown =
        |percent| percentile(percent).map_or("-".to_owned(), |time| format!("{:.1} ms", time.as_secs_f64() * 1e3));
    println!("{story:<28}{:>7}{token_requests:>16}{failures:>10}{:>12}{:>12}", calls.len(), shown(50), shown(99));
    if let Some(error) = calls.iter().find_map(|call| call.as_ref().err()) {
        return Err(format!("{story}: {failures} calls failed, one with: {error}").into());
    }
    if token_requests != promised {
        return Err(format!("{story}: {token_requests} token requests where {promised} do").into());
    }
    Ok(())
}
