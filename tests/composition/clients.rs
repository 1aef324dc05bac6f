//! Over the clients people have.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::{Router, extract::State, routing};
use bytes::Bytes;
use gatepass::{BearerLayer, Origins, RetryPolicy, TokenCell};
use gatepass_testkit::{Api, AuthorizationServer as TestServer};
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::Full;
use tonic::{
    Code, Status,
    service::interceptor::InterceptedService,
    transport::{Channel, Endpoint, Server, server::TcpIncoming},
};
use tonic_health::{
    ServingStatus,
    pb::{HealthCheckRequest, health_client::HealthClient, health_server::HealthServer},
    server::HealthService,
};
use tower::{Service, ServiceBuilder, ServiceExt};

use crate::support::{Upstream, cell, cell_at, http};

#[tokio::test]
async fn hyper_utils_client_gets_a_token_and_another_one_when_it_is_revoked() {
    let server = TestServer::start().await;
    let api = Api::start(&server).await;
    let origins = Origins::new([api.origin()]).unwrap();
    let mut client = ServiceBuilder::new()
        .layer(BearerLayer::new(cell_at(&server), origins).retry(RetryPolicy::new()))
        .service(http());
    let order = || {
        let body = Full::new(Bytes::from_static(b"two apples"));
        Request::post(api.url("/orders")).body(body).unwrap()
    };

    for _ in 0..2 {
        let response = client.ready().await.unwrap().call(order()).await.unwrap();
        assert_eq!(response.status(), 200);
    }
    assert_eq!((server.token_requests(), api.calls()), (1, 2));

    server.revoke_access_tokens();
    let response = client.ready().await.unwrap().call(order()).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!((server.token_requests(), api.answered(401)), (2, 1));
    assert!(api.journal().iter().all(|call| call.body_length == 10), "the replay has its body");
}

#[tokio::test]
async fn tonics_bodies_cannot_be_cloned_and_the_call_after_the_refusal_succeeds() {
    let (origin, refuse_next) = health_server().await;
    let cell = cell();
    let bearer = over(&origin, &cell).inner_is(&origin).unwrap();
    let stack = ServiceBuilder::new().layer(bearer.retry(RetryPolicy::never())).service(channel(&origin));
    let mut health = HealthClient::new(stack);

    assert_eq!(check(&mut health).await, Ok(()));
    refuse_next.store(true, Ordering::Relaxed);
    assert_eq!(check(&mut health).await, Err(Code::Unauthenticated));
    assert!(cell.peek().is_none(), "the refused token was dropped");
    assert_eq!(check(&mut health).await, Ok(()));
    assert_eq!(cell.status().generation, 2);
}

#[tokio::test]
async fn a_tonic_client_gets_no_token_unless_someone_says_where_its_channel_leads() {
    let (origin, _) = health_server().await;
    let cell = cell();
    let stack = || ServiceBuilder::new().layer(over(&origin, &cell)).service(channel(&origin));

    let mut untold = HealthClient::new(stack());
    assert_eq!(check(&mut untold).await, Err(Code::Unauthenticated));
    assert_eq!(cell.status().generation, 0);

    // The other way to say it: then tonic writes the origin into each request.
    let mut told = HealthClient::with_origin(stack(), origin.parse().unwrap());
    assert_eq!(check(&mut told).await, Ok(()));
}

#[tokio::test]
async fn an_axum_router_in_this_process_is_an_upstream_like_others() {
    async fn list(State(upstream): State<Upstream>, headers: HeaderMap) -> StatusCode {
        let mut request = Request::new(());
        *request.headers_mut() = headers;
        upstream.oneshot(request).await.unwrap().status()
    }
    let upstream = Upstream::default();
    let router = Router::new().route("/items", routing::get(list)).with_state(upstream.clone());
    let bearer = over("http://localhost", &cell()).inner_is("http://localhost").unwrap();
    let client = ServiceBuilder::new().layer(bearer.retry(RetryPolicy::empty_bodies())).service(router);
    let items = || Request::get("/items").body(axum::body::Body::empty());

    upstream.revoke("token-1");
    let response = client.oneshot(items().unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(upstream.tokens(), ["token-1", "token-2"]);
}

fn over(origin: &str, cell: &TokenCell) -> BearerLayer {
    BearerLayer::new(cell.clone(), Origins::new([origin]).unwrap())
}

fn channel(origin: &str) -> Channel {
    Endpoint::from_shared(origin.to_owned()).unwrap().connect_lazy()
}

/// A health service that wants a token, and refuses one when told to.
async fn health_server() -> (String, Arc<AtomicBool>) {
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let origin = format!("http://{}", incoming.local_addr().unwrap());
    let refuse_next = Arc::new(AtomicBool::new(false));
    let guard = {
        let refuse_next = refuse_next.clone();
        move |request: tonic::Request<()>| {
            let token = request.metadata().get(header::AUTHORIZATION.as_str());
            let refuse = refuse_next.swap(false, Ordering::Relaxed);
            match token {
                Some(_) if !refuse => Ok(request),
                _ => Err(Status::unauthenticated("no good token")),
            }
        }
    };
    let (reporter, _) = tonic_health::server::health_reporter();
    reporter.set_service_status("", ServingStatus::Serving).await;
    let health = HealthServer::new(HealthService::from_health_reporter(reporter));
    let service = InterceptedService::new(health, guard);
    let server = Server::builder().add_service(service);
    tokio::spawn(server.serve_with_incoming(incoming));
    (origin, refuse_next)
}

async fn check<T>(health: &mut HealthClient<T>) -> Result<(), Code>
where
    T: tonic::client::GrpcService<tonic::body::Body>,
    T::Error: Into<gatepass::BoxError>,
    T::ResponseBody: http_body::Body<Data = Bytes, Error: Into<gatepass::BoxError> + Send> + Send + 'static,
{
    let request = HealthCheckRequest { service: String::new() };
    match health.check(request).await {
        Ok(_) => Ok(()),
        Err(status) => Err(status.code()),
    }
}
