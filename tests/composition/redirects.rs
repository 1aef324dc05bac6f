//! With tower-http's redirect follower above the layer and beneath it: the token stays at its origin (X3).

use bytes::Bytes;
use gatepass::{BearerLayer, BoxError, Origins, RetryPolicy, TokenCell};
use gatepass_testkit::{Api, AuthorizationServer as TestServer, Challenge, Failure};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use tower::{ServiceBuilder, ServiceExt, util::BoxCloneService};
use tower_http::follow_redirect::FollowRedirectLayer;

use crate::support::{cell_at, http};

#[tokio::test]
async fn x3_a_redirect_to_another_origin_goes_without_the_token() {
    for order in Order::BOTH {
        let world = World::start(order).await;
        let status = world.get_via(&world.other.url("/public/landing")).await;
        assert_eq!(status, 200, "{order:?}");
        assert_eq!((world.api.calls(), world.other.calls()), (1, 1));
        let arrived = &world.other.journal()[0];
        assert_eq!(arrived.token, None, "{order:?}");
        assert!(!arrived.headers.contains_key("authorization"), "{order:?}");
    }
}

#[tokio::test]
async fn x3_a_redirect_within_the_origin_keeps_the_token() {
    for order in Order::BOTH {
        let world = World::start(order).await;
        let status = world.get_via(&world.api.url("/items")).await;
        assert_eq!(status, 200, "{order:?}");
        let tokens: Vec<_> = world.api.journal().iter().map(|call| call.token.clone()).collect();
        assert!(tokens.len() == 2 && tokens[0].is_some(), "{order:?}");
        assert_eq!(tokens[0], tokens[1], "{order:?}");
    }
}

#[tokio::test]
async fn x3_another_origin_that_asks_for_a_token_by_401_gets_none() {
    for order in Order::BOTH {
        let world = World::start(order).await;
        let status = world.get_via(&world.other.url("/items")).await;
        assert_eq!(status, 401, "{order:?}");
        assert_eq!(world.other.distinct_tokens_seen(), 0, "{order:?}");
    }
}

#[tokio::test]
async fn above_the_layer_the_401_of_another_origin_costs_no_token() {
    let world = World::start(Order::FollowerAbove).await;
    world.get_via(&world.other.url("/items")).await;
    assert!(world.cell.peek().is_some());
    assert_eq!((world.server.token_requests(), world.other.calls()), (1, 1));
}

/// Beneath, the follower hides where the 401 came from. It looks like a refusal, and costs one exchange and one replay.
#[tokio::test]
async fn beneath_the_layer_the_401_of_another_origin_starts_no_storm() {
    let world = World::start(Order::FollowerBeneath).await;
    for _ in 0..20 {
        world.get_via(&world.other.url("/items")).await;
    }
    assert!(world.server.token_requests() <= 7, "{}", world.server.token_requests());
    assert_eq!(world.other.distinct_tokens_seen(), 0);
}

#[tokio::test]
async fn above_the_layer_a_redirect_that_comes_back_finds_its_token_again() {
    let world = World::start(Order::FollowerAbove).await;
    let back = world.api.url("/items");
    world.other.fail_next(1, Failure::redirect(&back));
    assert_eq!(world.get_via(&world.other.url("/public")).await, 200);
    let arrived = world.api.journal();
    assert!(arrived.len() == 2 && arrived.iter().all(|call| call.token.is_some()));
    assert_eq!(world.other.distinct_tokens_seen(), 0);
}

#[tokio::test]
async fn above_the_layer_a_replay_happens_at_the_hop_that_was_refused() {
    let world = World::start(Order::FollowerAbove).await;
    let refused = Challenge::InvalidToken;
    world.api.fail_next(1, Failure::redirect(&world.api.url("/items"))).fail_next(1, Failure::challenge(refused));
    assert_eq!(world.get_via("/").await, 200);
    assert_eq!((world.api.calls(), world.api.answered(302)), (3, 1));
    assert_eq!(world.server.token_requests(), 2);
}

#[derive(Clone, Copy, Debug)]
enum Order {
    FollowerAbove,
    FollowerBeneath,
}

impl Order {
    const BOTH: [Self; 2] = [Self::FollowerAbove, Self::FollowerBeneath];
}

/// An API with the token, and another one on another port, hence at another origin.
struct World {
    server: TestServer,
    api: Api,
    other: Api,
    cell: TokenCell,
    client: BoxCloneService<Request<Full<Bytes>>, Response<Incoming>, BoxError>,
}

impl World {
    async fn start(order: Order) -> Self {
        let server = TestServer::start().await;
        let api = Api::start(&server).await;
        let other = Api::start(&server).await;
        let cell = cell_at(&server);
        let bearer = BearerLayer::new(cell.clone(), Origins::new([api.origin()]).unwrap()).retry(RetryPolicy::new());
        let follow = FollowRedirectLayer::new();
        let client = match order {
            Order::FollowerAbove => {
                let stack = ServiceBuilder::new().layer(follow).layer(bearer);
                BoxCloneService::new(stack.service(http()))
            }
            Order::FollowerBeneath => {
                let stack = ServiceBuilder::new().layer(bearer).layer(follow);
                BoxCloneService::new(stack.service(http()))
            }
        };
        Self { server, api, other, cell, client }
    }

    /// Calls the API, which redirects there.
    async fn get_via(&self, target: &str) -> StatusCode {
        let url = self.api.url(&format!("/redirect?to={target}"));
        let request = Request::get(url).body(Full::default()).unwrap();
        let response = self.client.clone().oneshot(request).await;
        response.unwrap().status()
    }
}
