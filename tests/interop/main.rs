//! Against a real authorization server, `oidc-provider` from npm: see README.md beside this file. `scripts/interop`
//! runs them.

mod browser;
mod fleet;
mod program;
mod provider;
mod services;
mod sign_in;
mod web;

use std::{future::Future, time::Duration};

use bytes::Bytes;
use gatepass::{
    AuthorizationServer, BearerLayer, BoxError, ClientAuth, Error, Origins, RetryPolicy, TokenCell, TokenEndpoint,
    TokenSet,
    grant::{ClientCredentials, RefreshToken},
};
use gatepass_reqwest::{BearerMiddleware, Transport, reqwest_middleware::ClientWithMiddleware};
use http::{Request, StatusCode};
use http_body_util::Full;
use provider::{Client, Provider, http_client};
use tokio::task::JoinSet;
use tower::{ServiceBuilder, ServiceExt};

const CALLS: usize = 200;
const LIFETIME: Duration = Duration::from_secs(4);

/// Something that calls the API with a token and says what it answered.
trait Caller: Clone + Send + 'static {
    fn call(self, url: String) -> impl Future<Output = Result<StatusCode, BoxError>> + Send;
}

/// Through the tower layers over hyper-util's client.
#[derive(Clone)]
struct Tower(BearerLayer, Client<Full<Bytes>>);

impl Caller for Tower {
    async fn call(self, url: String) -> Result<StatusCode, BoxError> {
        let service = ServiceBuilder::new().layer(self.0.retry(RetryPolicy::new())).service(self.1);
        let request = Request::get(url).body(Full::<Bytes>::default())?;
        Ok(service.oneshot(request).await?.status())
    }
}

/// Through the reqwest middleware.
#[derive(Clone)]
struct Reqwest(ClientWithMiddleware);

impl Caller for Reqwest {
    async fn call(self, url: String) -> Result<StatusCode, BoxError> {
        Ok(self.0.get(url).send().await?.status())
    }
}

fn tower(provider: &Provider, cell: &TokenCell) -> Tower {
    Tower(BearerLayer::new(cell.clone(), Origins::new([&provider.api]).unwrap()), http_client())
}

fn reqwest(provider: &Provider, cell: &TokenCell) -> Reqwest {
    let origins = Origins::new([&provider.api]).unwrap();
    Reqwest(BearerMiddleware::new(cell.clone(), origins).client(reqwest::Client::builder()).unwrap())
}

/// All at once; every one has to succeed.
async fn burst(caller: &impl Caller, provider: &Provider) {
    let mut calls = JoinSet::new();
    for _ in 0..CALLS {
        calls.spawn(caller.clone().call(format!("{}/items", provider.api)));
    }
    for status in calls.join_all().await {
        assert_eq!(status.unwrap(), StatusCode::OK);
    }
}

/// Cold, across an expiry and across a revocation: one exchange each, and no call fails.
async fn three_bursts_cost_three_exchanges(provider: &Provider, caller: &impl Caller) {
    for exchanges in 1..=3 {
        match exchanges {
            2 => tokio::time::sleep(LIFETIME + Duration::from_millis(100)).await,
            3 => provider.revoke_access_tokens().await,
            _ => {}
        }
        burst(caller, provider).await;
        assert_eq!(provider.token_requests().await, exchanges);
    }
}

fn machine(provider: &Provider) -> TokenCell {
    let server = AuthorizationServer::issuer(&provider.issuer);
    let client = provider.client("machine", ClientAuth::basic);
    TokenCell::new(TokenEndpoint::new(http_client(), server, client, ClientCredentials::new()).unwrap())
}

/// A cell that starts from a refresh token that was issued before.
async fn signed_in(provider: &Provider) -> (TokenCell, String) {
    let refresh_token = provider.mint("web").await;
    let server = AuthorizationServer::issuer(&provider.issuer);
    let client = provider.client("web", ClientAuth::basic);
    let transport = Transport::new().unwrap();
    let cell = TokenCell::new(TokenEndpoint::new(transport, server, client, RefreshToken::new()).unwrap());
    cell.put(TokenSet::from_refresh_token(refresh_token.as_str())).await.unwrap();
    (cell, refresh_token)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Node.js: run scripts/interop"]
async fn client_credentials_through_tower_cost_one_exchange_a_burst() {
    let provider = Provider::start(LIFETIME).await;
    let caller = tower(&provider, &machine(&provider));
    three_bursts_cost_three_exchanges(&provider, &caller).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Node.js: run scripts/interop"]
async fn client_credentials_through_reqwest_cost_one_exchange_a_burst() {
    let provider = Provider::start(LIFETIME).await;
    let caller = reqwest(&provider, &machine(&provider));
    three_bursts_cost_three_exchanges(&provider, &caller).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Node.js: run scripts/interop"]
async fn a_rotating_refresh_token_through_tower_costs_one_exchange_a_burst_and_lives_on() {
    let provider = Provider::start(LIFETIME).await;
    let (cell, _) = signed_in(&provider).await;
    three_bursts_cost_three_exchanges(&provider, &tower(&provider, &cell)).await;
    assert!(cell.refresh().await.is_ok(), "the family is alive");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Node.js: run scripts/interop"]
async fn a_rotating_refresh_token_through_reqwest_costs_one_exchange_a_burst_and_lives_on() {
    let provider = Provider::start(LIFETIME).await;
    let (cell, _) = signed_in(&provider).await;
    three_bursts_cost_three_exchanges(&provider, &reqwest(&provider, &cell)).await;
    assert!(cell.refresh().await.is_ok(), "the family is alive");
}

#[tokio::test]
#[ignore = "needs Node.js: run scripts/interop"]
async fn f1_a_family_that_somebody_else_killed_asks_for_the_sign_in_and_is_not_tried_again() {
    let provider = Provider::start(LIFETIME).await;
    let (cell, first) = signed_in(&provider).await;
    cell.get().await.unwrap();
    cell.refresh().await.unwrap();

    // Somebody replays a refresh token that was rotated away: the server revokes the whole family.
    let (thief, _) = signed_in(&provider).await;
    thief.put(TokenSet::from_refresh_token(first)).await.unwrap();
    assert_eq!(thief.get().await.unwrap_err().code(), Some("invalid_grant"));

    let error = cell.refresh().await.unwrap_err();
    assert!(error.is_reauth_required(), "{error:?}");
    let requests = provider.token_requests().await;
    let _ = provider.revoke_access_tokens().await;
    let status = tower(&provider, &cell).call(format!("{}/items", provider.api)).await;
    assert_eq!(status.unwrap(), StatusCode::UNAUTHORIZED, "the last token is refused, and there is no other");
    let error = cell.get().await.unwrap_err();
    assert!(error.is_reauth_required() && error.to_string().contains("sign-in"), "{error}");
    assert_eq!(provider.token_requests().await, requests, "a dead grant costs nothing");

    cell.put(TokenSet::from_refresh_token(provider.mint("web").await)).await.unwrap();
    assert!(cell.get().await.is_ok(), "a new sign-in revives it");
}

#[tokio::test]
#[ignore = "needs Node.js: run scripts/interop"]
async fn rfc6749_2_every_way_to_authenticate_the_client() {
    let provider = Provider::start(LIFETIME).await;
    let get = async |client: ClientAuth| -> Result<(), Error> {
        let server = AuthorizationServer::token_endpoint(&provider.token_endpoint);
        let endpoint = TokenEndpoint::new(http_client(), server, client, ClientCredentials::new())?;
        TokenCell::new(endpoint).get().await.map(drop)
    };
    get(provider.client("machine", ClientAuth::basic)).await.unwrap();
    get(provider.client("post", ClientAuth::post)).await.unwrap();
    assert_eq!(provider.counter("/token/client_auth/post").await, 1);
    // `:`, `%`, `+` and spaces in identifier and secret.
    get(provider.client("nasty", ClientAuth::basic)).await.unwrap();
    let error = get(provider.client("nasty", ClientAuth::basic_unencoded)).await.unwrap_err();
    assert!(error.is_misconfigured(), "{error:?}");
    let error = get(ClientAuth::basic("machine", "wrong")).await.unwrap_err();
    assert_eq!((error.is_misconfigured(), error.code()), (true, Some("invalid_client")), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("wrong"), "{error:?}");
}

#[tokio::test]
#[ignore = "needs Node.js: run scripts/interop"]
async fn f3_an_outage_of_the_token_endpoint_passes() {
    let provider = Provider::start(LIFETIME).await;
    provider.control("token", r#"{"times":1,"status":503,"body":"<html>away</html>"}"#).await;
    let cell = machine(&provider);
    let error = cell.get().await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    tokio::time::sleep(error.retry_after().unwrap_or(Duration::from_secs(1))).await;
    assert!(cell.get().await.is_ok());
}

#[tokio::test]
#[ignore = "needs Node.js: run scripts/interop"]
async fn x1_another_origin_gets_no_token() {
    let provider = Provider::start(LIFETIME).await;
    let cell = machine(&provider);
    for url in [
        format!("{}/items", provider.other_origin),
        format!("{}/redirect?to={}/items", provider.api, provider.other_origin),
    ] {
        let status = reqwest(&provider, &cell).call(url).await.unwrap();
        assert_eq!(status, StatusCode::UNAUTHORIZED, "the other origin saw no token");
    }
    assert!(provider.token_requests().await <= 1, "and its 401 costs no exchange");
}
