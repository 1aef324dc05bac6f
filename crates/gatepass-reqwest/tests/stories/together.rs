use bytes::Bytes;
use gatepass::{BearerLayer, RetryPolicy};
use gatepass_reqwest::BearerMiddleware;
use http::Request;
use http_body_util::Full;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tower::{ServiceBuilder, ServiceExt};

use crate::{Stage, client};

#[tokio::test]
async fn one_cell_serves_a_tower_stack_and_a_reqwest_client() {
    let stage = Stage::set().await;
    let cell = stage.cell();
    let by_reqwest = client(BearerMiddleware::new(cell.clone(), stage.origins()));
    let by_tower = ServiceBuilder::new()
        .layer(BearerLayer::new(cell, stage.origins()).retry(RetryPolicy::new()))
        .service(Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>());

    let both = async || {
        let request = Request::get(stage.api.url("/tower")).body(Full::default());
        let (tower, reqwest) =
            tokio::join!(by_tower.clone().oneshot(request.unwrap()), by_reqwest.get(stage.api.url("/reqwest")).send(),);
        assert_eq!(tower.unwrap().status(), 200);
        assert_eq!(reqwest.unwrap().status(), 200);
    };

    both().await;
    assert_eq!(stage.auth.token_requests(), 1);
    // What one of them has refused, the other does not send again.
    stage.auth.revoke_access_tokens();
    both().await;
    assert_eq!(stage.auth.token_requests(), 2);
    assert_eq!(stage.api.distinct_tokens_seen(), 2);
}
