use gatepass_testkit::{Api, AuthorizationServer};
use tokio::net::TcpStream;

use crate::client::Http;

fn authority(url: &str) -> String {
    url.strip_prefix("http://").unwrap().to_owned()
}

#[tokio::test]
async fn dropping_the_last_handle_stops_the_server() {
    let server = AuthorizationServer::start().await;
    let address = authority(&server.issuer());
    let other = server.clone();
    drop(server);
    assert!(TcpStream::connect(&address).await.is_ok());
    drop(other);
    while TcpStream::connect(&address).await.is_ok() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_stopped_server_refuses_connections_and_comes_back_with_its_tokens() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    let refresh_token = server.issue_refresh_token();
    let token = http.token(&server).await.access_token();
    server.stop().await;
    server.stop().await;
    assert!(http.try_refresh(&server, &refresh_token).await.is_none());

    server.restart().await.unwrap();
    server.restart().await.unwrap();
    assert!(server.is_active(&token));
    assert_eq!(Http::new().refresh(&server, &refresh_token).await.status, 200);
}

#[tokio::test]
async fn a_port_that_is_taken_is_an_error() {
    let server = AuthorizationServer::start().await;
    let port = authority(&server.issuer()).split_once(':').unwrap().1.parse().unwrap();
    assert!(AuthorizationServer::builder().port(port).start().await.is_err());
    assert!(Api::start_on(port, &server).await.is_err());
}

#[tokio::test]
async fn an_api_keeps_its_authorization_server_running() {
    let server = AuthorizationServer::start().await;
    let address = authority(&server.issuer());
    let _api = Api::start(&server).await;
    drop(server);
    assert!(TcpStream::connect(&address).await.is_ok());
}
