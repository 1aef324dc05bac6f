//! A tonic client with the token on each call, and what happens when the server refuses it.
//!
//! ```text
//! cargo run --example tonic_client
//! ```
//!
//! Starts a small tonic server, the health service behind a check of the token, and an authorization server. Then the
//! tokens are revoked: the next call fails with UNAUTHENTICATED, since a gRPC request cannot be sent twice, but the
//! token it failed with is dropped, and the call after it succeeds.

mod common;

use std::process::ExitCode;

use gatepass::{
    AuthorizationServer, BearerLayer, BoxError, ClientAuth, Origins, TokenCell, TokenEndpoint, grant::ClientCredentials,
};
use gatepass_testkit::AuthorizationServer as TestServer;
use tonic::{
    Request, Status,
    service::interceptor::InterceptedService,
    transport::{Endpoint, Server, server::TcpIncoming},
};
use tonic_health::{
    ServingStatus,
    pb::{HealthCheckRequest, health_client::HealthClient, health_server::HealthServer},
    server::HealthService,
};
use tower::ServiceBuilder;

fn main() -> ExitCode {
    common::run(async {
        let auth = TestServer::start().await;
        let origin = serve(auth.clone()).await?;

        let cell = TokenCell::new(TokenEndpoint::new(
            common::http_client(),
            AuthorizationServer::issuer(auth.issuer()),
            ClientAuth::basic("client", "secret"),
            ClientCredentials::new(),
        )?);
        // The channel adds scheme and authority beneath the layer, so the layer is told where it leads.
        let bearer = BearerLayer::new(cell, Origins::new([&origin])?).inner_is(&origin)?;
        let channel = ServiceBuilder::new().layer(bearer).service(Endpoint::from_shared(origin)?.connect_lazy());
        let mut health = HealthClient::new(channel);

        let check = || HealthCheckRequest { service: String::new() };
        println!("first call: {:?}", health.check(check()).await?.into_inner().status());
        auth.revoke_access_tokens();
        match health.check(check()).await {
            Ok(_) => return Err("the server accepted a revoked token".into()),
            Err(status) => println!("after the revocation: {:?}, {}", status.code(), status.message()),
        }
        println!("the next call: {:?}", health.check(check()).await?.into_inner().status());
        println!("token requests: {}", auth.token_requests());
        Ok(())
    })
}

/// The health service, for callers with a living token.
async fn serve(auth: TestServer) -> Result<String, BoxError> {
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse()?)?;
    let origin = format!("http://{}", incoming.local_addr()?);
    let check = move |request: Request<()>| {
        let token =
            request.metadata().get("authorization").and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        match token {
            Some(token) if auth.is_active(token) => Ok(request),
            _ => Err(Status::unauthenticated("the token is missing or not good any more")),
        }
    };
    let (reporter, _) = tonic_health::server::health_reporter();
    reporter.set_service_status("", ServingStatus::Serving).await;
    let service = InterceptedService::new(HealthServer::new(HealthService::from_health_reporter(reporter)), check);
    tokio::spawn(Server::builder().add_service(service).serve_with_incoming(incoming));
    Ok(origin)
}
