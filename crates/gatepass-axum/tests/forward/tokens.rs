//! What becomes of a request when its token is no good, or there is none.

use axum::body::Body;
use gatepass_axum::Forward;
use gatepass_testkit::{Api, AuthorizationServer, Challenge, Failure, RetryAfter};
use http::{Request, Response};
use tokio::task::JoinSet;
use tower::{Layer, ServiceExt};

use crate::{
    browser::{assert_sign_in_required, refusal, send},
    site::{Running, forward, http, signed_in, start, start_app},
};

struct World {
    api: Api,
    site: Running,
}

impl World {
    async fn start() -> Self {
        let auth = AuthorizationServer::start().await;
        let api = Api::start(&auth).await;
        let site = start_app(auth, |site| forward(site, api.origin()).routes()).await;
        Self { api, site }
    }

    async fn post(&self, body: &'static str) -> u16 {
        send(self.site.request("POST", "/api/orders"), Body::from(body)).await.status().as_u16()
    }
}

#[tokio::test]
async fn a2_a_refused_token_is_replaced_and_the_request_sent_again() {
    let world = World::start().await;
    assert_eq!(world.site.get("/api/orders").await.status(), 200);
    world.site.auth.revoke_access_tokens();
    assert_eq!(world.site.get("/api/orders").await.status(), 200);
    assert_eq!((world.api.answered(401), world.api.calls(), world.site.auth.token_requests()), (1, 3, 2));
}

#[tokio::test]
async fn a6_a_request_with_a_body_gets_the_401_and_the_next_one_another_token() {
    let world = World::start().await;
    assert_eq!(world.post("an order").await, 200);
    world.site.auth.revoke_access_tokens();
    assert_eq!(world.post("an order").await, 401);
    assert_eq!(world.post("an order").await, 200);
    assert_eq!((world.api.calls(), world.site.auth.token_requests()), (3, 2));
}

#[tokio::test]
async fn a6_a_post_without_a_body_is_sent_again() {
    let world = World::start().await;
    assert_eq!(world.post("").await, 200);
    world.site.auth.revoke_access_tokens();
    assert_eq!(world.post("").await, 200);
}

#[tokio::test]
async fn a1_an_api_that_refuses_every_token_is_asked_twice() {
    let world = World::start().await;
    world.api.fail_until_told(Failure::challenge(Challenge::InvalidToken));
    let answer = world.site.get("/api/orders").await;
    assert_eq!((answer.status().as_u16(), world.api.calls()), (401, 2));
    assert!(answer.headers()["www-authenticate"].to_str().unwrap().starts_with("Bearer"));
}

#[tokio::test]
async fn c2_twenty_requests_at_the_tokens_end_cost_one_exchange() {
    let World { api, site } = World::start().await;
    let service = site.site.layer().layer(Forward::new(&site.site, "/api", api.origin(), http()).unwrap());
    site.when_tokens_have_ended();
    site.auth.hold();
    let mut asking = JoinSet::new();
    for _ in 0..20 {
        asking.spawn(service.clone().oneshot(site.asks("/api/orders", Body::empty())));
    }
    site.auth.until_token_requests(2).await;
    assert!(site.sessions.loads() >= 20 && api.calls() == 0, "all of them wait");
    site.auth.release();
    for answer in asking.join_all().await {
        assert_eq!(answer.unwrap().status(), 200);
    }
    assert_eq!((api.answered(200), api.calls(), api.distinct_tokens_seen()), (20, 20, 1));
    assert_eq!(site.auth.token_requests(), 2, "the code's, and one");
}

#[tokio::test]
async fn f1_who_has_to_sign_in_again_is_told_by_the_site() {
    let World { api, site } = World::start().await;
    site.auth.revoke_everything();
    site.when_tokens_have_ended();
    let name = site.cookie.split('=').next().unwrap();
    let nobodys = format!("{name}=AAAAAAAAAAAAAAAAAAAAAA");
    for cookie in [&site.cookie, &site.cookie, &nobodys, "theme=dark", ""] {
        let request = Request::get(format!("{}/api/x", site.origin)).header("x-csrf", "1").header("cookie", cookie);
        assert_sign_in_required(&send(request, Body::empty()).await);
    }
    assert_eq!((api.calls(), site.auth.token_requests()), (0, 2), "the grant is known to be dead");
}

#[tokio::test]
async fn f1_a_session_revoked_while_a_request_is_under_way_ends_in_a_sign_in() {
    let world = World::start().await;
    assert_eq!(world.site.get("/api/orders").await.status(), 200);
    world.site.auth.revoke_everything();
    let answer = world.site.get("/api/orders").await;
    assert_sign_in_required(&answer);
    assert_eq!((world.api.answered(401), world.api.calls()), (1, 2));
}

#[tokio::test]
async fn f3_without_an_authorization_server_there_is_a_time_to_come_again() {
    let world = World::start().await;
    world.site.when_tokens_have_ended();
    world.site.auth.fail_until_told(Failure::status(503).retry_after(RetryAfter::Seconds(7)));
    let answer = world.site.get("/api/orders").await;
    assert_eq!(refusal(&answer), (503, "temporarily_unavailable".to_owned()));
    let wait: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=8).contains(&wait), "{wait}");
    assert_eq!(world.api.calls(), 0, "nothing is sent without its token (F5)");

    world.site.sessions.go_away();
    let answer = world.site.get("/api/x").await;
    assert_eq!(refusal(&answer), (503, "temporarily_unavailable".to_owned()));
    assert_eq!(answer.headers()["retry-after"], "5");
    assert!(!String::from_utf8_lossy(answer.body()).contains("10.1.2.3"), "{answer:?}");
}

#[tokio::test]
async fn f2_what_is_wrong_here_is_for_the_log() {
    let world = World::start().await;
    world.site.auth.add_client("client", "another secret");
    world.site.when_tokens_have_ended();
    let answer = world.site.get("/api/orders").await;
    assert_eq!(refusal(&answer), (500, "server_error".to_owned()));
    let text = String::from_utf8_lossy(answer.body());
    assert!(!text.contains("invalid_client") && !text.contains("127.0.0.1"), "{text}");
}

#[tokio::test]
async fn an_api_that_cannot_be_reached_is_not_named() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let site = start(&format!("http://{address}/v1")).await;
    let answer = site.get("/api/orders").await;
    assert_eq!(refusal(&answer), (502, "api_unreachable".to_owned()));
    let text = String::from_utf8_lossy(answer.body());
    assert!(!text.contains("127.0.0.1") && !text.contains(&address.port().to_string()), "{text}");

    let world = World::start().await;
    world.api.fail_next(1, Failure::dropped());
    assert_eq!(refusal(&world.site.get("/api/orders").await).0, 502);
}

#[tokio::test]
async fn f5_where_the_token_would_be_the_visitors_nothing_is_sent() {
    // A client that gives away what it got.
    let client = tower::service_fn(|request: Request<Body>| async move {
        let token = request.headers()["authorization"].to_str().unwrap().to_owned();
        Ok::<_, std::convert::Infallible>(Response::new(Body::from(token)))
    });
    let site = signed_in().await;
    site.when_tokens_have_ended();
    site.auth.fail_until_told(Failure::status(503));
    let mut request = site.asks("/api/x", Body::empty());
    request.headers_mut().insert("authorization", "Bearer mine".parse().unwrap());
    assert_eq!(site.around(client).oneshot(request).await.unwrap().status(), 503);
}
