//! What users of gatepass live through, over real sockets and through the public API.

mod common;

use std::time::Duration;

use common::{World, token_error};
use gatepass::{RetryAfter, bearer::Refused, cell::State};
use gatepass_testkit::{Challenge, Failure, RetryAfter as Wait};
use http::Request;
use http_body_util::{BodyExt, Full};

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn c2_everybody_starts_at_once_and_one_token_request_does() {
    let world = World::start().await;
    assert_eq!(world.burst(200).await, 200);
    assert_eq!((world.server.token_requests(), world.api.distinct_tokens_seen()), (1, 1));
}

#[tokio::test]
async fn c7_the_token_ends_and_one_token_request_does() {
    let world = World::start().await;
    world.burst(1).await;
    world.advance(HOUR);
    assert_eq!(world.burst(200).await, 200);
    assert_eq!((world.server.token_requests(), world.api.answered(401)), (2, 0));
}

#[tokio::test]
async fn a2_everything_is_revoked_twice_in_a_row_and_nobody_notices() {
    let world = World::start().await;
    for token_requests in 1..=3 {
        assert_eq!(world.burst(100).await, 100);
        assert_eq!(world.server.token_requests(), token_requests);
        world.server.revoke_access_tokens();
    }
}

#[tokio::test]
async fn c6_a_rotating_refresh_token_survives_expiry_and_revocation() {
    let world = World::signed_in().await;
    for round in 1..=4 {
        assert_eq!(world.burst(50).await, 50);
        assert_eq!(world.server.token_requests(), round);
        if round % 2 == 0 {
            world.server.revoke_access_tokens();
        } else {
            world.advance(HOUR);
        }
    }
    assert_eq!(world.server.families_revoked(), 0);
    assert!(world.server.journal().iter().all(|request| request.status == Some(200)));
}

#[tokio::test]
async fn c6_a_server_that_leaves_the_refresh_token_out_keeps_it() {
    let world = World::signed_in().await;
    for rotation in
        [gatepass_testkit::Rotation::Omit, gatepass_testkit::Rotation::Empty, gatepass_testkit::Rotation::Rotate]
    {
        world.server.rotation(rotation);
        assert!(world.cell.refresh().await.is_ok());
    }
    assert!(world.cell.refresh().await.is_ok());
}

#[tokio::test]
async fn c8_the_server_is_away_while_the_token_lives_and_nobody_notices() {
    let world = World::start().await;
    world.burst(1).await;
    world.server.stop().await;
    world.advance(HOUR - Duration::from_secs(200)); // due
    assert_eq!(world.burst(50).await, 50);
    world.cell.settled().await;
    assert!(world.cell.status().last_error.unwrap().is_transient());
    world.advance(Duration::from_secs(170)); // about to end
    assert_eq!(world.burst(50).await, 50);
    world.cell.settled().await;

    world.advance(Duration::from_secs(30)); // gone
    let error = token_error(world.get("/items").await);
    assert!(error.is_transient(), "{error:?}");
    world.server.restart().await.unwrap();
    world.advance(Duration::from_secs(2));
    assert_eq!(world.burst(50).await, 50);
    assert_eq!(world.api.answered(401), 0, "an expired token was never sent");
}

#[tokio::test]
async fn f1_a_dead_grant_is_one_error_for_everybody_and_no_second_request() {
    let world = World::signed_in().await;
    world.server.revoke_everything();
    for _ in 0..3 {
        let error = token_error(world.get("/items").await);
        assert!(error.is_reauth_required() && error.to_string().contains("sign-in"), "{error}");
        assert_eq!(error.code(), Some("invalid_grant"));
    }
    assert_eq!((world.server.token_requests(), world.api.calls()), (1, 0));
    assert_eq!(world.cell.status().state, State::ReauthRequired);

    world.cell.put(gatepass::TokenSet::from_refresh_token(world.server.issue_refresh_token())).await.unwrap();
    assert_eq!(world.burst(10).await, 10);
}

#[tokio::test]
async fn a3_a_scope_that_is_missing_costs_no_token_and_says_which() {
    let world = World::start().await;
    world.api.fail_next(1, Failure::challenge(Challenge::InsufficientScope("write".to_owned())));
    let response = world.get("/items").await.unwrap();
    assert_eq!(response.status(), 403);
    let refused = response.extensions().get::<Refused>().unwrap();
    assert_eq!(refused.challenges().find("bearer").unwrap().scope(), Some("write"));
    assert_eq!((world.server.token_requests(), world.api.calls()), (1, 1));
}

#[tokio::test]
async fn a3_every_way_to_refuse_a_token_is_understood() {
    for challenge in [
        Challenge::Absent,
        Challenge::Bearer,
        Challenge::InvalidToken,
        Challenge::LowerCase,
        Challenge::Compact,
        Challenge::OneLine,
        Challenge::SeveralLines,
    ] {
        let world = World::start().await;
        world.api.fail_next(1, Failure::challenge(challenge.clone()));
        let response = world.get("/items").await.unwrap();
        assert_eq!((response.status().as_u16(), world.server.token_requests()), (200, 2), "{challenge:?}");
    }
}

#[tokio::test]
async fn a4_an_api_that_refuses_good_tokens_causes_no_storm() {
    let world = World::start().await;
    world.api.fail_until_told(Failure::challenge(Challenge::InvalidToken));
    for _ in 0..10 {
        assert_eq!(world.burst(20).await, 0);
    }
    assert!(world.server.token_requests() <= 7, "{} token requests", world.server.token_requests());
    assert!(world.api.calls() <= 400, "each call at most twice");
    world.api.recover();
    assert_eq!(world.burst(20).await, 20);
}

#[tokio::test]
async fn a6_a_body_is_sent_again_whole() {
    let world = World::start().await;
    world.burst(1).await;
    world.server.revoke_access_tokens();
    let body = "x".repeat(100_000);
    let response =
        world.send(Request::post(world.api.url("/items")).body(Full::from(body.clone())).unwrap()).await.unwrap();
    let echo = response.into_body().collect().await.unwrap().to_bytes();
    let echo: serde_json::Value = serde_json::from_slice(&echo).unwrap();
    assert_eq!(echo["body_length"], body.len());
}

#[tokio::test]
async fn r1_a_429_is_waited_out_in_every_form_of_retry_after() {
    for wait in
        [Wait::Seconds(0), Wait::Date(Duration::ZERO), Wait::Rfc850(Duration::ZERO), Wait::Asctime(Duration::ZERO)]
    {
        let world = World::start().await;
        // The server's clock is wrong by an hour; its Date says so.
        world.api.clock_skew(3600).fail_next(1, Failure::too_many_requests(wait.clone()));
        assert_eq!(world.get("/items").await.unwrap().status(), 200, "{wait:?}");
        assert_eq!(world.api.calls(), 2, "{wait:?}");
    }
}

#[tokio::test]
async fn r2_a_wait_that_is_too_long_is_handed_back() {
    let world = World::start().await;
    world.api.fail_next(1, Failure::too_many_requests(Wait::Seconds(86_400)));
    let response = world.get("/items").await.unwrap();
    assert_eq!(response.status(), 429);
    assert_eq!(response.extensions().get::<RetryAfter>().unwrap().wait(), Duration::from_secs(86_400));
}

#[tokio::test]
async fn r3_a_503_is_sent_again_only_where_that_is_safe() {
    let unavailable = || Failure::status(503).retry_after(Wait::Seconds(0));
    let world = World::start().await;
    world.api.fail_next(1, unavailable());
    assert_eq!(world.get("/items").await.unwrap().status(), 200);

    world.api.fail_next(1, unavailable());
    let post = || Request::post(world.api.url("/items"));
    assert_eq!(world.send(post().body(Full::from("order")).unwrap()).await.unwrap().status(), 503);

    world.api.fail_next(1, unavailable());
    let keyed = post().header("idempotency-key", "order-1").body(Full::from("order")).unwrap();
    assert_eq!(world.send(keyed).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a5_the_callers_own_authorization_stays() {
    let world = World::start().await;
    let request = Request::get(world.api.url("/items")).header("authorization", "Bearer mine").body(Full::default());
    assert_eq!(world.send(request.unwrap()).await.unwrap().status(), 401);
    assert_eq!((world.server.token_requests(), world.api.calls()), (0, 1));
    assert_eq!(world.api.journal()[0].token.as_deref(), Some("mine"));
}
