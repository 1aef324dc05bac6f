use gatepass::Origins;
use gatepass_reqwest::{
    BearerMiddleware,
    reqwest_middleware::{ClientBuilder, ClientWithMiddleware},
};
use gatepass_testkit::{Api, Failure};

use crate::{Stage, client};

fn redirect(api: &Api, to: &str) -> String {
    api.url(&format!("/redirect?to={to}"))
}

/// A client that follows redirects as reqwest does unless told otherwise.
fn by_reqwest_alone(stage: &Stage) -> ClientWithMiddleware {
    ClientBuilder::new(reqwest::Client::new()).with(stage.bearer()).build()
}

#[tokio::test]
async fn x3_a_redirect_within_the_origin_keeps_the_token() {
    let stage = Stage::set().await;
    for http in [stage.http(), by_reqwest_alone(&stage)] {
        let url = redirect(&stage.api, &stage.api.url("/orders"));
        let response = http.get(url).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.url().path(), "/orders");
    }
}

#[tokio::test]
async fn a3_a_refusal_after_a_redirect_within_the_origin_is_healed() {
    let stage = Stage::set().await;
    let http = stage.http();
    http.get(stage.api.url("/")).send().await.unwrap();
    stage.api.fail_next(1, Failure::redirect(&stage.api.url("/orders")));
    stage.auth.revoke_access_tokens();
    let response = http.get(stage.api.url("/")).send().await.unwrap();
    assert_eq!((response.status().as_u16(), stage.auth.token_requests()), (200, 2));
}

#[tokio::test]
async fn x3_a_redirect_to_another_origin_goes_without_the_token() {
    let stage = Stage::set().await;
    let other = Api::start(&stage.auth).await;
    for http in [stage.http(), by_reqwest_alone(&stage)] {
        let url = redirect(&stage.api, &other.url("/public/file"));
        assert_eq!(http.get(url).send().await.unwrap().status(), 200);
    }
    assert_eq!((other.calls(), other.distinct_tokens_seen()), (2, 0));
}

#[tokio::test]
async fn x3_a_chain_that_would_take_the_token_along_ends_in_an_error() {
    let stage = Stage::set().await;
    let other = Api::start(&stage.auth).await;
    other.fail_next(1, Failure::redirect(&other.url("/public/2")));
    let url = redirect(&stage.api, &other.url("/public/1"));
    let error = stage.http().get(url).send().await.unwrap_err();
    assert!(error.is_redirect(), "{error:?}");
    assert_eq!((other.calls(), other.distinct_tokens_seen()), (1, 0));
}

/// Why there is a redirect policy of ours. When this fails, reqwest has learned better: say so in its docs.
#[tokio::test]
async fn x3_reqwest_alone_gives_the_token_away_on_the_second_hop() {
    let stage = Stage::set().await;
    let other = Api::start(&stage.auth).await;
    other.fail_next(1, Failure::redirect(&other.url("/public/2")));
    let url = redirect(&stage.api, &other.url("/public/1"));
    by_reqwest_alone(&stage).get(url).send().await.unwrap();
    let tokens: Vec<_> = other.journal().iter().map(|call| call.token.is_some()).collect();
    assert_eq!(tokens, [false, true]);
}

#[tokio::test]
async fn x3_chains_that_start_elsewhere_are_followed_as_ever() {
    let stage = Stage::set().await;
    let other = Api::start(&stage.auth).await;
    let third = Api::start(&stage.auth).await;
    other.fail_next(1, Failure::redirect(&third.url("/public/1")));
    third.fail_next(1, Failure::redirect(&third.url("/public/2")));
    let response = stage.http().get(other.url("/")).send().await.unwrap();
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn a3_a_401_from_where_a_redirect_led_is_not_about_our_token() {
    let stage = Stage::set().await;
    let other = Api::start(&stage.auth).await;
    // Even if it is an origin that gets the token when it is asked by itself.
    let origins = Origins::new([stage.api.origin(), other.origin()]).unwrap();
    let http = client(BearerMiddleware::new(stage.cell(), origins));
    let url = redirect(&stage.api, &other.url("/orders"));
    assert_eq!(http.get(url).send().await.unwrap().status(), 401);
    assert_eq!((stage.api.calls(), other.calls()), (1, 1));

    let response = http.get(stage.api.url("/")).send().await.unwrap();
    assert_eq!((response.status().as_u16(), stage.auth.token_requests()), (200, 1));
}
