//! Bodies pass as they come.

use std::{convert::Infallible, sync::Arc};

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, channel::Channel};
use tokio::sync::{Mutex, Notify, mpsc};

use crate::{
    api::{Api, echo},
    browser::{begin, json, send},
    site::start,
};

pub(crate) type Sender = http_body_util::channel::Sender<Bytes, Infallible>;

/// A body that the test sends piece by piece.
pub(crate) fn piecewise() -> (Sender, Body) {
    let (sender, body) = Channel::new(8);
    (sender, Body::new(body))
}

/// An API that answers once, with this header and such a body.
pub(crate) async fn streaming(name: &'static str, value: &'static str) -> (Sender, Api) {
    let (sender, body) = piecewise();
    let body = Arc::new(Mutex::new(Some(body)));
    let api = Api::start(move |_| {
        let body = body.clone();
        async move {
            let answer = Response::builder().header(name, value);
            answer.body(body.lock().await.take().unwrap()).unwrap()
        }
    })
    .await;
    (sender, api)
}

#[tokio::test]
async fn a_server_sent_event_arrives_while_the_stream_is_open() {
    let (mut sender, api) = streaming("content-type", "text/event-stream").await;
    let site = start(&api.url("/v1")).await;
    let request = Request::get(format!("{}/api/events", site.origin)).header("cookie", &site.cookie);
    let request = request.header("accept", "text/event-stream").header("sec-fetch-site", "same-origin");
    let mut answer = begin(request, Body::empty()).await;
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    for event in ["data: 1\n\n", "data: 2\n\n"] {
        sender.send_data(Bytes::from(event)).await.unwrap();
        let frame = answer.body_mut().frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), event);
    }
    drop(sender);
    assert!(answer.body_mut().frame().await.is_none());
}

#[tokio::test]
async fn an_upload_reaches_the_api_before_it_has_ended() {
    let (arrived, mut arrivals) = mpsc::unbounded_channel();
    let api = Api::start(move |request: Request<Body>| {
        let arrived = arrived.clone();
        async move {
            let mut body = request.into_body();
            while let Some(Ok(frame)) = body.frame().await {
                arrived.send(frame.into_data().unwrap()).unwrap();
            }
            Response::new(Body::empty())
        }
    })
    .await;
    let site = start(&api.url("/v1")).await;
    let (mut sender, body) = piecewise();
    let answer = tokio::spawn(begin(site.request("POST", "/api/upload"), body));
    for piece in ["one", "two"] {
        sender.send_data(Bytes::from(piece)).await.unwrap();
        assert_eq!(arrivals.recv().await.unwrap(), piece);
    }
    assert!(!answer.is_finished());
    drop(sender);
    assert_eq!(answer.await.unwrap().status(), 200);
}

#[tokio::test]
async fn trailers_pass_both_ways() {
    let api = Api::start(|request: Request<Body>| async move {
        assert_eq!(request.headers()["te"], "trailers");
        let mut sum = HeaderMap::new();
        sum.insert("x-sum", "42".parse().unwrap());
        let whole = echo(request).await.into_body().collect().await.unwrap().to_bytes();
        // Of no known length: else there would be no place for trailers.
        let (mut sender, body) = piecewise();
        sender.send_data(whole).await.unwrap();
        sender.send(Frame::trailers(sum)).await.unwrap();
        let mut response = Response::new(body);
        response.headers_mut().insert("trailer", "x-sum".parse().unwrap());
        response
    })
    .await;
    let site = start(&api.url("/v1")).await;
    let (mut sender, body) = piecewise();
    let request = site.request("POST", "/api/x").header("te", "trailers").header("trailer", "x-count");
    let sending = async {
        sender.send_data(Bytes::from("data")).await.unwrap();
        let mut count = HeaderMap::new();
        count.insert("x-count", "7".parse().unwrap());
        sender.send(Frame::trailers(count)).await.unwrap();
        drop(sender);
    };
    let (answer, ()) = tokio::join!(begin(request, body), sending);
    let collected = answer.into_body().collect().await.unwrap();
    assert_eq!(collected.trailers().unwrap()["x-sum"], "42");
    let echo: serde_json::Value = serde_json::from_slice(&collected.to_bytes()).unwrap();
    assert_eq!((&echo["body"], &echo["trailers"]["x-count"]), (&"data".into(), &"7".into()));
}

#[tokio::test]
async fn a_browser_that_leaves_ends_the_call_to_the_api() {
    let (left, has_left) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (at_api, by_test) = (left.clone(), has_left.clone());
    struct Leaves(Arc<Notify>);
    impl Drop for Leaves {
        fn drop(&mut self) {
            self.0.notify_one();
        }
    }
    let api = Api::start(move |_| {
        let (arrived, leaves) = (at_api.clone(), Leaves(by_test.clone()));
        async move {
            arrived.notify_one();
            std::future::pending::<()>().await;
            drop(leaves);
            Response::new(Body::empty())
        }
    })
    .await;
    let site = start(&api.url("/v1")).await;
    let asking = tokio::spawn(begin(site.request("GET", "/api/slow"), Body::empty()));
    left.notified().await;
    asking.abort();
    has_left.notified().await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_breaks_off_here_too() {
    let (mut sender, api) = streaming("content-length", "100").await;
    let site = start(&api.url("/v1")).await;
    let answer = begin(site.request("GET", "/api/x"), Body::empty()).await;
    sender.send_data(Bytes::from("half")).await.unwrap();
    drop(sender);
    assert!(answer.into_body().collect().await.is_err());
}

#[tokio::test]
async fn a_body_of_a_megabyte_arrives_whole() {
    let site = start(&Api::echoing().await.url("/v1")).await;
    let echo = json(&send(site.request("POST", "/api/x"), Body::from("x".repeat(1024 * 1024))).await);
    assert_eq!(echo["body"].as_str().unwrap().len(), 1024 * 1024);
}
