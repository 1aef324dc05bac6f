//! WebSockets, as far as a proxy sees them.

use axum::body::Body;
use gatepass_axum::Forward;
use gatepass_testkit::AuthorizationServer;
use http::{Request, Response};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tower::{ServiceExt, service_fn};

use crate::{
    api::{Api, echo, websocket},
    browser::{json, send},
    site::{Running, signed_in, start, start_app},
};

/// A browser's WebSocket, and the head of the answer to its handshake.
pub(crate) async fn open(site: &Running, more: &str) -> (TcpStream, String) {
    open_as(site, &site.cookie, more).await
}

async fn open_as(site: &Running, cookie: &str, more: &str) -> (TcpStream, String) {
    let mut socket = TcpStream::connect(site.origin.trim_start_matches("http://")).await.unwrap();
    let head = format!(
        "GET /api/ws?room=1 HTTP/1.1\r\nhost: x\r\ncookie: {cookie}\r\nConnection: keep-alive, Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Key: k\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(socket.read_u8().await.unwrap());
    }
    (socket, String::from_utf8(answer).unwrap())
}

pub(crate) fn origin(site: &Running) -> String {
    format!("Origin: {}\r\n", site.origin)
}

pub(crate) async fn read(socket: &mut TcpStream, bytes: usize) -> String {
    let mut read = vec![0; bytes];
    socket.read_exact(&mut read).await.unwrap();
    String::from_utf8(read).unwrap()
}

#[tokio::test]
async fn a_websocket_is_opened_with_the_token_and_bytes_go_to_and_fro() {
    let api = Api::start(websocket).await;
    let site = start(&api.url("/v1")).await;
    let (mut socket, head) = open(&site, &origin(&site)).await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    for line in [
        "x-token: Bearer alices-token",
        "x-key: k",
        "x-cookies: 0",
        "sec-websocket-accept: accepted",
        "upgrade: websocket",
        "connection: upgrade",
    ] {
        assert!(head.to_lowercase().contains(&line.to_lowercase()), "{line}: {head}");
    }
    assert!(!head.contains("set-cookie"), "{head}");
    for text in ["hello", "how are you?"] {
        socket.write_all(text.as_bytes()).await.unwrap();
        assert_eq!(read(&mut socket, text.len()).await, text);
    }
    let long = "x".repeat(300 * 1024);
    let (mut reading, mut writing) = socket.split();
    let mut back = vec![0; long.len()];
    let (written, all) = tokio::join!(writing.write_all(long.as_bytes()), reading.read_exact(&mut back));
    assert!(written.is_ok() && all.is_ok() && back == long.as_bytes());
}

#[tokio::test]
async fn a_websocket_ends_when_the_api_ends_it() {
    let site = start(&Api::start(websocket).await.url("/v1")).await;
    let (mut socket, _) = open(&site, &origin(&site)).await;
    socket.write_all(b"end").await.unwrap();
    assert_eq!(socket.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test]
async fn a_websocket_ends_when_the_browser_ends_it() {
    let (ended, mut at_api) = tokio::sync::mpsc::unbounded_channel();
    let api = Api::start(move |mut request: Request<Body>| {
        let ended = ended.clone();
        async move {
            tokio::spawn(async move {
                let upgraded = hyper::upgrade::on(&mut request).await.unwrap();
                let mut socket = hyper_util::rt::TokioIo::new(upgraded);
                ended.send(socket.read(&mut [0]).await.unwrap_or_default()).unwrap();
            });
            let switches =
                Response::builder().status(101).header("upgrade", "websocket").header("connection", "upgrade");
            switches.body(Body::empty()).unwrap()
        }
    })
    .await;
    let site = start(&api.url("/v1")).await;
    let (socket, head) = open(&site, &origin(&site)).await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    drop(socket);
    assert_eq!(at_api.recv().await, Some(0));
}

#[tokio::test]
async fn rfc10017_4_a_websocket_of_another_site_is_not_opened() {
    let api = Api::start(websocket).await;
    let site = start(&api.url("/v1")).await;
    for more in
        ["", "Origin: https://evil.example\r\n", "Origin: null\r\n", "x-csrf: 1\r\nSec-Fetch-Site: same-origin\r\n"]
    {
        let (_, head) = open(&site, more).await;
        assert!(head.starts_with("HTTP/1.1 403"), "{more}: {head}");
    }
    assert_eq!(api.calls(), 0);
}

#[tokio::test]
async fn a_websocket_of_nobody_is_not_opened() {
    let api = Api::start(websocket).await;
    let site = start(&api.url("/v1")).await;
    let (mut socket, head) = open_as(&site, "theme=dark", &origin(&site)).await;
    assert!(head.starts_with("HTTP/1.1 401"), "{head}");
    assert!(read(&mut socket, 27).await.starts_with(r#"{"error":"sign_in_required""#));
    assert_eq!(api.calls(), 0);
}

#[tokio::test]
async fn a_websocket_is_opened_with_the_next_token_when_one_has_ended() {
    let site = start(&Api::start(websocket).await.url("/v1")).await;
    site.when_tokens_have_ended();
    site.auth.next_access_token("alices-next-token");
    let (mut socket, head) = open(&site, &origin(&site)).await;
    assert!(head.starts_with("HTTP/1.1 101") && head.contains("x-token: Bearer alices-next-token"), "{head}");
    socket.write_all(b"hello").await.unwrap();
    assert_eq!(read(&mut socket, 5).await, "hello");
}

#[tokio::test]
async fn an_api_without_websockets_answers_as_it_likes() {
    let site = start(&Api::answering(426, &[("x-why", "no")]).await.url("/v1")).await;
    let (mut socket, head) = open(&site, &origin(&site)).await;
    assert!(head.starts_with("HTTP/1.1 426") && head.contains("x-why: no"), "{head}");
    assert_eq!(read(&mut socket, 17).await, "what the API said");
}

#[tokio::test]
async fn other_upgrades_are_ordinary_requests() {
    let site = start(&Api::start(echo).await.url("/v1")).await;
    let answer = send(
        site.request("GET", "/api/x")
            .header("connection", "upgrade, http2-settings")
            .header("upgrade", "h2c")
            .header("http2-settings", "x"),
        Body::empty(),
    )
    .await;
    let echo = json(&answer);
    let headers = echo["headers"].as_object().unwrap();
    assert!(!headers.keys().any(|name| ["upgrade", "connection", "http2-settings"].contains(&name.as_str())), "{echo}");
}

#[tokio::test]
async fn where_nobody_lets_go_of_a_connection_there_is_an_answer_and_no_panic() {
    let switches = || {
        service_fn(|_: Request<Body>| async {
            let switches = Response::builder().status(101).header("upgrade", "websocket");
            Ok::<_, std::convert::Infallible>(switches.body(Body::empty()).unwrap())
        })
    };
    let site = signed_in().await;
    let ask = |upgrades: bool| {
        let mut request = site.asks("/api/ws", Body::empty());
        if upgrades {
            for (name, value) in [("origin", &*site.origin), ("upgrade", "websocket"), ("connection", "upgrade")] {
                request.headers_mut().insert(name, value.parse().unwrap());
            }
        }
        site.around(switches()).oneshot(request)
    };
    // This "server" is none of hyper's; then the client is not.
    assert_eq!(ask(true).await.unwrap().status(), 501);
    assert_eq!(ask(false).await.unwrap().status(), 502, "switched unasked");

    let forward = |site: &_| Forward::new(site, "/api", "https://api.example.com", switches()).unwrap().routes();
    let site = start_app(AuthorizationServer::start().await, forward).await;
    let (_, head) = open(&site, &origin(&site)).await;
    assert!(head.starts_with("HTTP/1.1 502"), "{head}");
}

#[tokio::test]
async fn an_api_that_switches_to_something_else_gets_no_connection() {
    let api = Api::start(|_| async {
        let switches = Response::builder().status(101).header("upgrade", "h2c").header("connection", "upgrade");
        switches.body(Body::empty()).unwrap()
    })
    .await;
    let site = start(&api.url("/v1")).await;
    let (_, head) = open(&site, &origin(&site)).await;
    assert!(head.starts_with("HTTP/1.1 502"), "{head}");
}
