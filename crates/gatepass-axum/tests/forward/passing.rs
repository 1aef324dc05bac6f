//! What the API and the browser get of each other.

use axum::body::Body;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tower::{ServiceExt, service_fn};

use crate::{
    api::Api,
    browser::{json, send},
    site::{signed_in, start},
};

#[tokio::test]
async fn the_api_gets_the_persons_token_and_nothing_of_the_session() {
    let api = Api::echoing().await;
    let site = start(&api.url("/v1")).await;
    let request = site
        .request("PUT", "/api/orders/7")
        .header("authorization", "Bearer the-visitors-own")
        .header("origin", &site.origin)
        .header("referer", "https://app.example.com/?private")
        .header("x-forwarded-for", "10.0.0.1")
        .header("x-forwarded-host", "evil.example")
        .header("accept", "application/json")
        .header("if-match", "\"1\"")
        .header("content-type", "text/plain");
    let echo = json(&send(request, Body::from("an order")).await);
    assert_eq!((&echo["method"], &echo["body"]), (&"PUT".into(), &"an order".into()));
    let mut headers = echo["headers"].as_object().unwrap().clone();
    assert_eq!(headers.remove("authorization").unwrap(), "Bearer alices-token");
    assert_eq!(format!("http://{}", headers.remove("host").unwrap().as_str().unwrap()), api.origin);
    let left: Vec<&String> = headers.keys().collect();
    assert_eq!(left, ["accept", "content-length", "content-type", "if-match"]);
}

#[tokio::test]
async fn the_browser_gets_the_answer_and_nothing_that_it_takes_as_said_of_this_site() {
    let headers = &[
        ("set-cookie", "session=evil"),
        ("clear-site-data", "\"*\""),
        ("access-control-allow-origin", "*"),
        ("strict-transport-security", "max-age=1; includeSubDomains"),
        ("alt-svc", "h3=\":443\""),
        ("content-type", "text/plain"),
        ("etag", "\"1\""),
    ];
    let site = start(&Api::answering(418, headers).await.url("/v1")).await;
    let answer = site.get("/api/tea").await;
    assert_eq!((answer.status().as_u16(), &answer.body()[..]), (418, &b"what the API said"[..]));
    let mut names: Vec<&str> = answer.headers().keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["cache-control", "content-length", "content-type", "date", "etag", "vary"]);
    assert_eq!(
        (&answer.headers()["cache-control"], &answer.headers()["vary"]),
        (&"no-store".parse().unwrap(), &"Cookie".parse().unwrap())
    );
}

#[tokio::test]
async fn x3_a_redirect_is_passed_on_and_not_followed() {
    let api = Api::start(|request: Request<Body>| async move {
        let host = request.headers()["host"].to_str().unwrap().to_owned();
        let to = match request.uri().path() {
            "/v1/within" => format!("http://{host}/v1/orders/8?a=b"),
            _ => "https://elsewhere.example/".to_owned(),
        };
        Response::builder().status(307).header("location", to).body(Body::empty()).unwrap()
    })
    .await;
    let site = start(&api.url("/v1")).await;
    for (path, location) in [("/api/within", "/api/orders/8?a=b"), ("/api/out", "https://elsewhere.example/")] {
        let answer = site.get(path).await;
        assert_eq!((answer.status().as_u16(), answer.headers()["location"].to_str().unwrap()), (307, location));
    }
    assert_eq!(api.calls(), 2);
}

#[tokio::test]
async fn a_429_is_the_browsers_to_wait_for() {
    let api = Api::answering(429, &[("retry-after", "30")]).await;
    let site = start(&api.url("/v1")).await;
    let answer = site.get("/api/orders").await;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["retry-after"], api.calls()),
        (429, &"30".parse().unwrap(), 1)
    );
}

#[tokio::test]
async fn without_axum_and_over_any_client_it_is_a_service() {
    let client = service_fn(|request: Request<Full<bytes::Bytes>>| async move {
        assert_eq!(request.headers()["authorization"], "Bearer alices-token");
        // What the server knows of the visitor's request is not for the client.
        assert!(request.extensions().get::<&str>().is_none());
        let mut response = Response::new(Full::from(request.uri().to_string()));
        response.extensions_mut().insert("what the client knows of its own");
        *response.version_mut() = http::Version::HTTP_3;
        Ok::<_, std::io::Error>(response)
    });
    let site = signed_in().await;
    let mut request = site.asks("/api/x", Full::from("body"));
    *request.method_mut() = http::Method::POST;
    request.extensions_mut().insert("what the server knows");
    *request.version_mut() = http::Version::HTTP_2;
    let response = site.around(client).oneshot(request).await.unwrap();
    assert!(response.extensions().is_empty() && response.version() == http::Version::HTTP_11);
    let body = response.into_body();
    assert_eq!(http_body::Body::size_hint(&body).exact(), Some(28));
    assert_eq!(body.collect().await.unwrap().to_bytes(), "https://api.example.com/v1/x");
}

#[tokio::test]
async fn a_client_is_asked_whether_it_is_ready() {
    let site = signed_in().await;
    let forward = site.around(Probe { ready: false });
    for _ in 0..2 {
        let response = forward.clone().oneshot(site.asks("/api/x", Body::empty())).await.unwrap();
        assert_eq!(response.status(), 200);
    }
}

/// Panics when it is called before it was ready.
struct Probe {
    ready: bool,
}

impl Clone for Probe {
    fn clone(&self) -> Self {
        Self { ready: false }
    }
}

impl tower::Service<Request<Body>> for Probe {
    type Response = Response<Body>;
    type Error = std::convert::Infallible;
    type Future = std::future::Ready<Result<Response<Body>, Self::Error>>;

    fn poll_ready(&mut self, _cx: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> {
        self.ready = true;
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _request: Request<Body>) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "called before it was ready");
        std::future::ready(Ok(Response::new(Body::empty())))
    }
}
