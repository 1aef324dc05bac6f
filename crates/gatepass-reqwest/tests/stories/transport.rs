use gatepass::{
    AuthorizationServer, ClientAuth, Error, TokenEndpoint, TokenSet, TokenSource, grant::ClientCredentials,
};
use gatepass_reqwest::Transport;
use gatepass_testkit::{AuthorizationServer as Server, Failure};
use http::{HeaderValue, header};

use super::provide_tls;

async fn exchange(server: &Server, transport: Transport) -> Result<TokenSet, Error> {
    let client = ClientAuth::post("client", "secret");
    let at = AuthorizationServer::token_endpoint(server.token_url());
    let endpoint = TokenEndpoint::new(transport, at, client, ClientCredentials::new())?;
    endpoint.exchange(None).await
}

async fn fails(server: &Server, failure: Failure) -> Error {
    server.fail_next(1, failure);
    exchange(server, Transport::new().unwrap()).await.unwrap_err()
}

#[tokio::test]
async fn x4_a_token_endpoint_that_redirects_is_not_followed_and_the_secret_stays() {
    provide_tls();
    let (server, elsewhere) = (Server::start().await, Server::start().await);
    let to = HeaderValue::from_str(&elsewhere.token_url()).unwrap();
    let following = reqwest::redirect::Policy::limited(3);
    let built = Transport::from_builder(reqwest::Client::builder().redirect(following)).unwrap();
    for status in [301, 302, 303, 307, 308] {
        for transport in [Transport::new().unwrap(), built.clone()] {
            let redirect = Failure::status(status).header(header::LOCATION, to.clone());
            server.fail_next(1, redirect);
            let error = exchange(&server, transport).await.unwrap_err();
            assert!(error.is_misconfigured(), "{error:?}");
        }
    }
    assert_eq!((server.token_requests(), elsewhere.token_requests()), (10, 0));
}

/// What the name of that constructor warns of.
#[tokio::test]
async fn x4_a_client_that_follows_redirects_gives_the_secret_away() {
    provide_tls();
    let (server, elsewhere) = (Server::start().await, Server::start().await);
    let to = HeaderValue::from_str(&elsewhere.token_url()).unwrap();
    server.fail_next(1, Failure::status(307).header(header::LOCATION, to));
    let transport = Transport::dangerous_from_client(reqwest::Client::new());
    assert!(exchange(&server, transport).await.is_ok());
    let journal = elsewhere.journal();
    assert_eq!(journal[0].param("client_secret"), Some("secret"));
}

#[tokio::test]
async fn x4_an_answer_of_ten_mebibytes_is_not_read_to_its_end() {
    provide_tls();
    let server = Server::start().await;
    let error = fails(&server, Failure::oversize(200, 10 << 20)).await;
    assert!(error.is_transient() && error.to_string().contains("larger"), "{error}");
}

#[tokio::test]
async fn f3_what_is_no_answer_of_a_token_endpoint_is_transient() {
    provide_tls();
    let server = Server::start().await;
    for failure in [
        Failure::dropped(),
        Failure::html(200),
        Failure::html(502),
        Failure::torn_json(),
        Failure::torn_connection(),
        Failure::status(429),
    ] {
        let shown = format!("{failure:?}");
        let error = fails(&server, failure).await;
        assert!(error.is_transient(), "{shown}: {error:?}");
        assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    }
    server.stop().await;
    let transport = Transport::new().unwrap();
    let error = exchange(&server, transport.clone()).await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");

    server.restart().await.unwrap();
    assert!(exchange(&server, transport).await.is_ok());
}

/// Without TLS in the build, which the features of the whole build decide, the error says so and is not retried in
/// vain.
#[tokio::test]
async fn f2_https_without_tls_is_misconfigured_and_says_what_to_turn_on() {
    provide_tls();
    let endpoint = TokenEndpoint::new(
        Transport::new().unwrap(),
        AuthorizationServer::token_endpoint("https://127.0.0.1:1/token"),
        ClientAuth::basic("client", "secret"),
        ClientCredentials::new(),
    );
    let error = endpoint.unwrap().exchange(None).await.unwrap_err();
    let without_tls = error.is_misconfigured() && error.to_string().contains("rustls");
    assert!(without_tls || error.is_transient(), "{error:?}");
}

#[tokio::test]
async fn discovery_works_over_it_too() {
    provide_tls();
    let server = Server::start().await;
    let endpoint = TokenEndpoint::new(
        Transport::new().unwrap(),
        AuthorizationServer::issuer(server.issuer()),
        ClientAuth::basic("client", "secret"),
        ClientCredentials::new(),
    );
    assert!(endpoint.unwrap().exchange(None).await.is_ok());
    assert_eq!((server.discovery_requests(), server.token_requests()), (1, 1));
}
