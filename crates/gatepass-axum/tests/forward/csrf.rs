//! Whose requests are forwarded (RFC 10017-4).

use axum::body::Body;
use http::Request;

use crate::{
    api::Api,
    browser::{refusal, send},
    site::{forward, signed_in, start, start_with},
};

#[tokio::test]
async fn rfc10017_4_what_another_sites_page_asks_for_is_asked_of_nobody() {
    let api = Api::echoing().await;
    let site = start(&api.url("/v1")).await;
    let url = format!("{}/api/orders", site.origin);
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
    ] {
        for method in ["GET", "POST", "OPTIONS"] {
            let request = Request::builder().method(method).uri(&url).header("cookie", &site.cookie);
            let answer = send(request.header("x-csrf", "1").header(name, value), Body::empty()).await;
            assert_eq!(refusal(&answer), (403, "not_from_this_site".to_owned()), "{method} {value}");
            assert!(!answer.headers().keys().any(|name| name.as_str().starts_with("access-control")));
        }
    }
    assert_eq!((api.calls(), site.asked()), (0, 0));
}

#[tokio::test]
async fn rfc10017_4_the_required_header_is_named_to_who_forgot_it() {
    let api = Api::echoing().await;
    let site = start_with(&api.url("/v1"), |forward| forward.header("X-My-App").unwrap()).await;
    for method in ["GET", "POST", "DELETE"] {
        let answer = send(site.request(method, "/api/orders"), Body::empty()).await;
        assert_eq!(refusal(&answer).0, 403);
        assert!(String::from_utf8_lossy(answer.body()).contains("with the header `x-my-app`"));
    }
    assert_eq!(api.calls(), 0);
    let answer = send(site.request("GET", "/api/orders").header("x-my-app", ""), Body::empty()).await;
    assert_eq!((answer.status().as_u16(), api.calls()), (200, 1));
}

#[tokio::test]
async fn rfc10017_4_an_event_source_and_a_program_are_let_through() {
    let api = Api::echoing().await;
    let site = start(&api.url("/v1")).await;
    let request = || Request::get(format!("{}/api/events", site.origin)).header("cookie", &site.cookie);
    let events = request().header("accept", "text/event-stream").header("sec-fetch-site", "same-origin");
    assert_eq!(send(events, Body::empty()).await.status(), 200);
    assert_eq!(send(request().header("x-csrf", "1"), Body::empty()).await.status(), 200);
    assert_eq!(send(request().header("x-csrf", "1").header("origin", &site.origin), Body::empty()).await.status(), 200);
}

#[tokio::test]
async fn rfc10017_4_a_header_that_protects_nothing_is_no_choice() {
    let site = signed_in().await.site;
    let with = |name: &str| forward(&site, "https://api.example.com").header(name).map(drop);
    assert!(with("x-requested-with").is_ok());
    for name in ["accept", "Content-Type", "cookie", "sec-fetch-mode", "", "a b", "ä"] {
        assert!(with(name).unwrap_err().is_misconfigured(), "{name}");
    }
}
