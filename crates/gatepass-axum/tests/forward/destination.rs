//! Where requests go (RFC 10017-5).

use axum::body::Body;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tower::ServiceExt;

use crate::{
    api::Api,
    browser::{json, refusal, send},
    site::{http, signed_in, start, start_with},
};

#[tokio::test]
async fn rfc10017_5_path_and_query_arrive_below_the_destination() {
    let api = Api::echoing().await;
    let site = start(&api.url("/v1")).await;
    for (asked, arrives) in [
        ("/api/orders/7?open=1&q=a%20b", "/v1/orders/7?open=1&q=a%20b"),
        ("/api", "/v1"),
        ("/api/", "/v1/"),
        ("/api?q", "/v1?q"),
        ("/api/a%20b/%E2%82%AC", "/v1/a%20b/%E2%82%AC"),
    ] {
        assert_eq!(json(&site.get(asked).await)["uri"], arrives, "{asked}");
    }
    assert_eq!(site.get("/apix").await.status(), 404);
}

#[tokio::test]
async fn rfc10017_5_a_way_out_of_the_destination_is_refused_as_it_is_written() {
    let api = Api::echoing().await;
    let site = start(&api.url("/v1")).await;
    for path in [
        "/api/../admin",
        "/api/%2e%2E/admin",
        "/api/.%2e/admin",
        "/api/..%2fadmin",
        "/api/a%5c..",
        "/api/..\\admin",
        "/api//x",
    ] {
        let mut stream = TcpStream::connect(site.origin.trim_start_matches("http://")).await.unwrap();
        let head = format!("host: x\r\ncookie: {}\r\nx-csrf: 1\r\nconnection: close\r\n\r\n", site.cookie);
        stream.write_all(format!("GET {path} HTTP/1.1\r\n{head}").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 400") && answer.contains(r#""error":"path_refused""#), "{path}: {answer}");
    }
    assert_eq!((api.calls(), site.asked()), (0, 0));
}

#[tokio::test]
async fn rfc10017_5_other_methods_are_refused_in_every_spelling() {
    let api = Api::echoing().await;
    let site = start_with(&api.url("/v1"), |forward| {
        forward.methods([http::Method::GET, http::Method::POST, http::Method::TRACE])
    })
    .await;
    for method in ["PUT", "DELETE", "TRACE", "BREW"] {
        let answer = send(site.request(method, "/api/orders"), Body::empty()).await;
        assert_eq!(refusal(&answer), (405, "method_refused".to_owned()), "{method}");
        assert_eq!(answer.headers()["allow"], "GET, POST");
    }
    for name in ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"] {
        let post = |method: &str| send(site.request("POST", "/api/orders").header(name, method), Body::empty());
        assert_eq!(post("delete").await.status(), 405, "{name}");
        assert_eq!(post("GET").await.status(), 200, "{name}");
    }
}

#[tokio::test]
async fn a_path_that_is_not_below_the_prefix_is_not_found_without_a_router_too() {
    let site = signed_in().await;
    let answer = site.around(http()).oneshot(site.asks("/apix/a", Body::empty())).await.unwrap();
    assert_eq!((answer.status().as_u16(), site.asked()), (404, 0));
}
