use bytes::Bytes;
use gatepass::bearer::Refused;
use gatepass_testkit::{Challenge, Failure};
use http_body_util::Full;
use reqwest::Body;

use crate::{Stage, client};

#[tokio::test]
async fn a1_a_post_is_replayed_with_its_body_and_another_token() {
    let stage = Stage::set().await;
    let http = stage.http();
    http.get(stage.api.url("/")).send().await.unwrap();
    stage.auth.revoke_access_tokens();

    let request = http.post(stage.api.url("/orders")).body("two apples");
    assert_eq!(request.send().await.unwrap().status(), 200);
    let journal = stage.api.journal();
    let [_, refused, replayed] = &journal[..] else {
        panic!("{journal:?}");
    };
    assert_eq!((refused.body_length, replayed.body_length), (10, 10));
    assert_ne!(refused.token, replayed.token);
}

#[tokio::test]
async fn a1_a4_the_second_refusal_is_handed_back() {
    let stage = Stage::set().await;
    stage.api.fail_until_told(Failure::challenge(Challenge::InvalidToken));
    let response = stage.http().get(stage.api.url("/")).send().await.unwrap();
    assert_eq!(response.status(), 401);
    let refused = response.extensions().get::<Refused>().unwrap();
    assert!(refused.token_is_bad());
    assert_eq!((stage.api.calls(), stage.auth.token_requests()), (2, 2));
}

#[tokio::test]
async fn a2_a_grpc_status_16_in_the_head_is_a_refusal_too() {
    let stage = Stage::set().await;
    let http = stage.http();
    http.get(stage.api.url("/")).send().await.unwrap();
    stage.auth.revoke_access_tokens();
    stage.api.refuse_with(Some(Failure::grpc_status(16)));
    let response = http.post(stage.api.url("/")).body("x").send().await.unwrap();
    assert!(!response.headers().contains_key("grpc-status"));
    assert_eq!(stage.auth.token_requests(), 2);
}

#[tokio::test]
async fn a3_insufficient_scope_is_not_replayed_and_says_what_is_needed() {
    let stage = Stage::set().await;
    let needed = Challenge::InsufficientScope("orders:write".to_owned());
    stage.api.fail_next(1, Failure::challenge(needed));
    let response = stage.http().get(stage.api.url("/")).send().await.unwrap();
    assert_eq!(response.status(), 403);
    let refused = response.extensions().get::<Refused>().unwrap();
    let challenge = refused.challenges().find("Bearer").unwrap();
    assert_eq!(challenge.scope(), Some("orders:write"));
    assert_eq!((stage.api.calls(), stage.auth.token_requests()), (1, 1));
}

#[tokio::test]
async fn a3_a_stronger_sign_in_and_another_scheme_are_not_replayed() {
    let stage = Stage::set().await;
    let http = stage.http();
    let stronger = Challenge::InsufficientUserAuthentication("mfa".to_owned());
    for challenge in [stronger, Challenge::Basic] {
        stage.api.fail_next(1, Failure::challenge(challenge));
        let response = http.get(stage.api.url("/")).send().await.unwrap();
        assert_eq!(response.status(), 401);
    }
    assert_eq!((stage.api.calls(), stage.auth.token_requests()), (2, 1));
}

#[tokio::test]
async fn a6_a_stream_is_sent_once_and_its_401_returned_as_it_is() {
    let stage = Stage::set().await;
    let http = stage.http();
    http.get(stage.api.url("/")).send().await.unwrap();
    stage.auth.revoke_access_tokens();

    let stream = Body::wrap(Full::new(Bytes::from("two apples")));
    let request = http.post(stage.api.url("/orders")).body(stream);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 401);
    assert!(response.extensions().get::<Refused>().unwrap().can_replay());
    let journal = stage.api.journal();
    assert_eq!((journal.len(), journal[1].body_length), (2, 10));

    // The refused token is gone: the next call is right at once.
    let stream = Body::wrap(Full::new(Bytes::from("two apples")));
    let request = http.post(stage.api.url("/orders")).body(stream);
    assert_eq!(request.send().await.unwrap().status(), 200);
    assert_eq!((stage.api.calls(), stage.auth.token_requests()), (3, 2));
}

#[tokio::test]
async fn a6_a_stream_that_meets_a_429_is_not_sent_again() {
    use gatepass_testkit::RetryAfter;

    let stage = Stage::set().await;
    stage.api.fail_next(1, Failure::too_many_requests(RetryAfter::Seconds(0)));
    let stream = Body::wrap(Full::new(Bytes::from("two apples")));
    let request = stage.http().post(stage.api.url("/")).body(stream);
    assert_eq!(request.send().await.unwrap().status(), 429);
    assert_eq!(stage.api.calls(), 1);
}

#[tokio::test]
async fn a6_without_retries_the_token_is_dropped_all_the_same() {
    let stage = Stage::set().await;
    let http = client(stage.bearer().no_retries());
    http.get(stage.api.url("/")).send().await.unwrap();
    stage.auth.revoke_access_tokens();
    for expected in [401, 200] {
        let response = http.get(stage.api.url("/")).send().await.unwrap();
        assert_eq!(response.status(), expected);
    }
    stage.api.fail_next(1, Failure::status(429));
    let response = http.get(stage.api.url("/")).send().await.unwrap();
    assert_eq!(response.status(), 429);
}

#[tokio::test]
async fn a2_a_fixed_token_that_is_refused_is_not_sent_twice() {
    let stage = Stage::set().await;
    let cell = gatepass::TokenCell::new(gatepass::Token::new("not-good").unwrap());
    let http = client(gatepass_reqwest::BearerMiddleware::new(cell, stage.origins()));
    let response = http.get(stage.api.url("/")).send().await.unwrap();
    assert_eq!((response.status().as_u16(), stage.api.calls()), (401, 1));
}
