//! Cookies are between the browser and the site.

use axum::{
    body::Body,
    middleware::{Next, from_fn},
};
use gatepass_axum::tower_sessions::Session;
use gatepass_testkit::AuthorizationServer;
use http::{Request, Response};

use crate::{
    api::Api,
    browser::{assert_sign_in_required, json, send, set_cookies},
    site::{forward, start, start_app},
};

/// Sets cookies, one of them by the name that it was asked for.
async fn with_cookies(request: Request<Body>) -> Response<Body> {
    let name = request.uri().query().unwrap_or("none");
    let answer = Response::builder().header("set-cookie", format!("{name}=evil; Path=/"));
    answer.header("set-cookie", "theirs=1").header("set-cookie2", "theirs=2").body(Body::from("tea")).unwrap()
}

fn name(cookie: &str) -> &str {
    cookie.split('=').next().unwrap()
}

#[tokio::test]
async fn no_cookie_reaches_the_api() {
    let site = start(&Api::echoing().await.url("/v1")).await;
    let begun = send(site.request("GET", "/login"), Body::empty()).await;
    let sign_in = &set_cookies(&begun)[0];
    assert!(sign_in.starts_with("sign-in-"), "{sign_in}");
    for (method, body) in [("GET", ""), ("POST", "an order")] {
        let request = site.request(method, "/api/orders").header("cookie", "theme=dark");
        let request = request.header("cookie", format!("{sign_in}; other=1; {}", site.cookie));
        let answer = send(request, Body::from(body)).await;
        let echo = json(&answer);
        assert_eq!((answer.status().as_u16(), &echo["body"]), (200, &body.into()));
        assert!(echo["headers"].get("cookie").is_none(), "{echo}");
        for cookie in [sign_in, &site.cookie, "theme=dark", "other=1"] {
            let (name, value) = cookie.split_once('=').unwrap();
            assert!(!echo.to_string().contains(name) && (value == "1" || !echo.to_string().contains(value)), "{echo}");
        }
    }
}

#[tokio::test]
async fn no_cookie_of_the_apis_reaches_the_browser_while_the_sites_own_do() {
    let api = Api::start(with_cookies).await;
    let site = start(&api.url("/v1")).await;
    let tea = |cookie: &str| format!("/api/tea?{}", name(cookie));
    let answer = site.get(&tea(&site.cookie)).await;
    assert_eq!((answer.status().as_u16(), &answer.body()[..], set_cookies(&answer).len()), (200, &b"tea"[..], 0));
    assert!(!answer.headers().contains_key("set-cookie2"));

    // The session has ended: its cookie goes.
    site.time.advance(std::time::Duration::from_secs(3 * 3600));
    let answer = site.get(&tea(&site.cookie)).await;
    assert_sign_in_required(&answer);
    assert_eq!((set_cookies(&answer), api.calls()), (vec![format!("{}=", name(&site.cookie))], 1));

    // A layer that keeps something in the session, within the site's.
    let keeps = from_fn(async |request: Request<Body>, next: Next| {
        let session = request.extensions().get::<Session>().unwrap().clone();
        session.insert("last", request.uri().path()).await.unwrap();
        next.run(request).await
    });
    let auth = AuthorizationServer::start().await;
    let site = start_app(auth, |site| forward(site, &api.url("/v1")).routes().layer(keeps)).await;
    let answer = site.get(&tea(&site.cookie)).await;
    assert_eq!((answer.status().as_u16(), set_cookies(&answer)), (200, vec![site.cookie]));
}
