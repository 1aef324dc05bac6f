//! What a sign-out ends, and what goes on.

use axum::body::Body;
use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt;
use tokio::io::AsyncWriteExt;

use crate::{
    api::{Api, websocket},
    browser::{assert_sign_in_required, begin, send, set_cookies},
    site::{Running, start},
    streaming::streaming,
    websocket::{open, origin, read},
};

async fn sign_out(site: &Running) {
    let out = send(site.request("POST", "/logout"), Body::empty()).await;
    assert_eq!(out.status(), 303, "{out:?}");
}

#[tokio::test]
async fn after_a_sign_out_the_next_request_is_401_and_costs_the_api_nothing() {
    let api = Api::echoing().await;
    let site = start(&api.url("/v1")).await;
    assert_eq!(site.get("/api/orders").await.status(), 200);
    sign_out(&site).await;
    for method in ["GET", "POST"] {
        let answer = send(site.request(method, "/api/orders"), Body::empty()).await;
        assert_sign_in_required(&answer);
        let (name, _) = site.cookie.split_once('=').unwrap();
        assert_eq!(set_cookies(&answer), [format!("{name}=")], "there is no such session any more");
    }
    assert_eq!((api.calls(), site.auth.token_requests()), (1, 1));
    assert!(!site.auth.is_active("alices-token"), "it is ended at the provider, too");
}

#[tokio::test]
async fn a_websocket_outlives_a_sign_out_and_the_next_one_is_not_opened() {
    let api = Api::start(websocket).await;
    let site = start(&api.url("/v1")).await;
    let (mut socket, _) = open(&site, &origin(&site)).await;
    sign_out(&site).await;
    socket.write_all(b"still here").await.unwrap();
    assert_eq!(read(&mut socket, 10).await, "still here");
    let (_, head) = open(&site, &origin(&site)).await;
    assert!(head.starts_with("HTTP/1.1 401"), "{head}");
    assert_eq!(api.calls(), 1);
}

#[tokio::test]
async fn an_event_stream_outlives_a_sign_out_and_the_next_one_is_told_to_sign_in() {
    let (mut sender, api) = streaming("content-type", "text/event-stream").await;
    let site = start(&api.url("/v1")).await;
    // As an `EventSource` asks: without the header.
    let request = || {
        let request = Request::get(format!("{}/api/events", site.origin)).header("cookie", &site.cookie);
        request.header("accept", "text/event-stream").header("sec-fetch-site", "same-origin")
    };
    let mut events = begin(request(), Body::empty()).await;
    sign_out(&site).await;
    sender.send_data(Bytes::from("data: 1\n\n")).await.unwrap();
    assert_eq!(events.body_mut().frame().await.unwrap().unwrap().into_data().unwrap(), "data: 1\n\n");
    assert_sign_in_required(&send(request(), Body::empty()).await);
    assert_eq!(api.calls(), 1);
}
