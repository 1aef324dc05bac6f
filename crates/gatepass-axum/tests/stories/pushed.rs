//! Requests that are left at the provider beforehand (RFC 9126).

use gatepass::grant::AuthorizationRequest;
use gatepass_testkit::{Failure, RetryAfter};
use http::StatusCode;

use crate::world::World;

#[tokio::test]
async fn rfc9126_3_only_a_reference_goes_through_the_browser() {
    let request = AuthorizationRequest::new("").scope("openid read").pushed();
    let world = World::at(|provider| provider.request(request), |site| site).await;
    let browser = world.browser();
    let sent = browser.get("/login").await;
    let query = sent.location().split_once('?').unwrap().1.to_owned();
    let mut names: Vec<_> = query.split('&').map(|it| it.split('=').next().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["client_id", "request_uri"]);
    let pushed = world.auth.last_arrival("/par").unwrap();
    assert_eq!(pushed.param("redirect_uri"), Some("http://127.0.0.1:4180/callback"));
    assert!(pushed.param("code_challenge").is_some() && pushed.headers.contains_key("authorization"));
    let done = browser.get(&browser.at_provider(sent.location()).await).await;
    assert_eq!(done.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn rfc9126_4_a_server_that_wants_requests_pushed_gets_them_pushed() {
    let world = World::new().await;
    world.auth.require_pushed(true);
    world.signed_in("ann").await;
    world.signed_in("bob").await;
    assert_eq!(world.auth.arrived_at("/par"), 2, "one for each sign-in");
}

#[tokio::test]
async fn rfc9126_4_when_pushing_fails_nothing_goes_through_the_browser_instead() {
    let world = World::new().await;
    world.auth.require_pushed(true);
    let browser = world.browser();
    for (failure, status) in [
        (Failure::status(503).retry_after(RetryAfter::Seconds(7)), StatusCode::SERVICE_UNAVAILABLE),
        (Failure::dropped(), StatusCode::SERVICE_UNAVAILABLE),
        (Failure::html(200), StatusCode::SERVICE_UNAVAILABLE),
        (Failure::too_many_requests(RetryAfter::Seconds(7)), StatusCode::SERVICE_UNAVAILABLE),
        (Failure::oauth("invalid_client"), StatusCode::INTERNAL_SERVER_ERROR),
        (Failure::oauth("invalid_request"), StatusCode::INTERNAL_SERVER_ERROR),
    ] {
        world.auth.fail_next_at("/par", 2, failure.clone());
        let answer = browser.get("/login").await;
        assert_eq!((answer.status(), answer.location()), (status, ""), "{failure:?} {}", answer.text());
        if status == StatusCode::SERVICE_UNAVAILABLE && answer.headers().contains_key("retry-after") {
            assert_eq!(answer.headers()["retry-after"], "7");
        }
        assert!(browser.cookie_names().is_empty());
        world.auth.recover();
    }
    assert_eq!(world.auth.arrived_at("/authorize"), 0);
    assert_eq!(browser.sign_in("/login").await.status(), StatusCode::SEE_OTHER);
}
