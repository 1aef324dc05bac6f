//! gatepass in front of wiremock: what a test of a service that is mocked anyway looks like.

use bytes::Bytes;
use gatepass::{
    AuthorizationServer, BearerLayer, ClientAuth, Origins, RetryPolicy, TokenCell, TokenEndpoint,
    grant::ClientCredentials,
};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::json;
use tower::{ServiceBuilder, ServiceExt};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{basic_auth, body_string, header, method, path},
};

fn token(token: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({"access_token": token, "token_type": "Bearer", "expires_in": 3600}))
}

fn token_requests() -> wiremock::MockBuilder {
    Mock::given(method("POST"))
        .and(path("/token"))
        .and(basic_auth("client", "secret"))
        .and(header("content-type", "application/x-www-form-urlencoded"))
        .and(body_string("grant_type=client_credentials&scope=read"))
}

fn cell(server: &MockServer) -> TokenCell {
    let authorization_server = AuthorizationServer::token_endpoint(format!("{}/token", server.uri()));
    let client = ClientAuth::basic("client", "secret");
    let http = Client::builder(TokioExecutor::new()).build_http();
    TokenCell::new(
        TokenEndpoint::new(http, authorization_server, client, ClientCredentials::new().scope("read")).unwrap(),
    )
}

async fn call(server: &MockServer, cell: &TokenCell) -> Response<Incoming> {
    let bearer = BearerLayer::new(cell.clone(), Origins::new([server.uri()]).unwrap());
    let http = Client::builder(TokioExecutor::new()).build_http();
    let api = ServiceBuilder::new().layer(bearer.retry(RetryPolicy::new())).service(http);
    api.oneshot(Request::get(format!("{}/items", server.uri())).body(Full::<Bytes>::default()).unwrap()).await.unwrap()
}

#[tokio::test]
async fn one_token_serves_many_calls() {
    let server = MockServer::start().await;
    token_requests().respond_with(token("first")).expect(1).mount(&server).await;
    Mock::given(path("/items"))
        .and(header("authorization", "Bearer first"))
        .respond_with(ResponseTemplate::new(200))
        .expect(3)
        .mount(&server)
        .await;
    let cell = cell(&server);
    for _ in 0..3 {
        assert_eq!(call(&server, &cell).await.status(), 200);
    }
}

#[tokio::test]
async fn a_refused_token_is_replaced_and_the_call_repeated() {
    let server = MockServer::start().await;
    token_requests().respond_with(token("first")).up_to_n_times(1).mount(&server).await;
    token_requests().respond_with(token("second")).expect(1).mount(&server).await;
    let refused = ResponseTemplate::new(401).insert_header("www-authenticate", r#"Bearer error="invalid_token""#);
    Mock::given(path("/items"))
        .and(header("authorization", "Bearer first"))
        .respond_with(refused)
        .expect(1)
        .mount(&server)
        .await;
    Mock::given(path("/items"))
        .and(header("authorization", "Bearer second"))
        .respond_with(ResponseTemplate::new(200))
        .expect(1)
        .mount(&server)
        .await;
    assert_eq!(call(&server, &cell(&server)).await.status(), 200);
}

#[tokio::test]
async fn a_token_from_elsewhere_needs_no_token_endpoint() {
    let server = MockServer::start().await;
    token_requests().respond_with(token("unused")).expect(0).mount(&server).await;
    Mock::given(path("/items"))
        .and(header("authorization", "Bearer mine"))
        .respond_with(ResponseTemplate::new(200))
        .mount(&server)
        .await;
    let cell = TokenCell::new(gatepass::Token::new("mine").unwrap());
    assert_eq!(call(&server, &cell).await.status(), 200);
}
