//! What servers and users get wrong: each a clear error that says what to do, or ignored as the rules say.

mod common;

use std::time::Duration;

use common::{World, http_client, token_error};
use gatepass::{
    AuthorizationServer, ClientAuth, Error, Origins, RetryAfter, TokenEndpoint,
    endpoint::Body,
    grant::{ClientCredentials, RefreshToken},
};
use gatepass_testkit::{ExpiresIn, Failure, Metadata, RetryAfter as Wait};

/// What a call fails with when the server is as `prepare` leaves it. Nothing is sent to the API.
async fn failure(prepare: impl FnOnce(&World)) -> Error {
    let world = World::start().await;
    prepare(&world);
    let error = token_error(world.get("/items").await);
    assert_eq!(world.api.calls(), 0, "no request without a token (F5)");
    error
}

#[tokio::test]
async fn x5_a_token_with_a_line_end_is_refused() {
    let error = failure(|world| {
        world.server.next_access_token("abc\r\nx-evil: 1");
    })
    .await;
    assert!(error.is_misconfigured() && error.to_string().contains("visible ASCII"), "{error}");
    assert!(!format!("{error:?}").contains("evil"), "{error:?}");
}

#[tokio::test]
async fn c9_a_token_that_arrives_expired_is_no_token_and_no_hot_loop() {
    let world = World::start().await;
    world.server.expires_in(ExpiresIn::Number(0));
    for _ in 0..20 {
        let error = token_error(world.get("/items").await);
        assert!(error.is_transient() && error.to_string().contains("expired"), "{error}");
    }
    assert_eq!((world.server.token_requests(), world.api.calls()), (1, 0));
}

#[tokio::test]
async fn rfc6749_22_a_token_of_another_type_is_not_sent() {
    for token_type in ["mac", "N_A", "DPoP"] {
        let error = failure(|world| {
            world.server.token_type(token_type);
        })
        .await;
        assert!(error.is_misconfigured() && error.to_string().contains(token_type), "{error}");
    }
}

#[tokio::test]
async fn x4_ten_megabytes_of_html_are_not_read() {
    let error = failure(|world| {
        world.server.fail_next(1, Failure::oversize(200, 10 << 20));
    })
    .await;
    assert!(error.is_transient() && error.to_string().contains("larger than"), "{error}");
}

#[tokio::test]
async fn x4_a_redirect_of_the_token_endpoint_is_not_followed() {
    let error = failure(|world| {
        world.server.fail_next(1, Failure::redirect(&world.api.url("/public")));
    })
    .await;
    assert!(error.is_misconfigured() && error.to_string().contains("final URL"), "{error}");
}

#[tokio::test]
async fn f3_html_torn_json_and_dropped_connections_pass() {
    for failing in [
        Failure::html(200),
        Failure::html(502),
        Failure::torn_json(),
        Failure::torn_connection(),
        Failure::dropped(),
        Failure::status(503),
    ] {
        let world = World::start().await;
        world.server.fail_next(1, failing.clone());
        let error = token_error(world.get("/items").await);
        assert!(error.is_transient(), "{failing:?}: {error:?}");
        world.advance(Duration::from_secs(1));
        assert_eq!(world.get("/items").await.unwrap().status(), 200, "{failing:?}");
    }
}

#[tokio::test]
async fn c10_expires_in_of_every_kind_is_read() {
    for (written, lives) in [
        (ExpiresIn::Seconds, true),
        (ExpiresIn::Text, true),
        (ExpiresIn::Fraction, true),
        (ExpiresIn::Missing, true),
        (ExpiresIn::Number(-1), false),
        (ExpiresIn::Json("1e18".to_owned()), true),
        (ExpiresIn::Json("null".to_owned()), true),
        (ExpiresIn::Json("\"soon\"".to_owned()), true),
    ] {
        let world = World::start().await;
        world.server.expires_in(written.clone());
        assert_eq!(world.get("/items").await.is_ok(), lives, "{written:?}");
    }
}

#[tokio::test]
async fn r1_a_retry_after_of_ten_to_the_twentieth_is_clamped_and_handed_back() {
    let world = World::start().await;
    world.api.fail_next(1, Failure::too_many_requests(Wait::Raw("100000000000000000000".to_owned())));
    let response = world.get("/items").await.unwrap();
    assert_eq!(response.status(), 429);
    assert_eq!(response.extensions().get::<RetryAfter>().unwrap().wait(), RetryAfter::MAX);
}

#[tokio::test]
async fn f2_a_wrong_secret_is_named_and_remembered() {
    let world = World::start().await;
    let server = AuthorizationServer::token_endpoint(world.server.token_url());
    let client = ClientAuth::basic("client", "hunter2");
    let endpoint = TokenEndpoint::new(http_client::<Body>(), server, client, ClientCredentials::new()).unwrap();
    let cell = gatepass::TokenCell::new(endpoint);
    for _ in 0..5 {
        let error = cell.get().await.unwrap_err();
        assert!(error.is_misconfigured() && error.to_string().contains("secret"), "{error}");
        assert_eq!(error.code(), Some("invalid_client"));
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
    assert_eq!(world.server.token_requests(), 1);
}

#[tokio::test]
async fn f2_a_transport_without_tls_is_named() {
    let server = AuthorizationServer::issuer("https://127.0.0.1:1");
    let client = ClientAuth::basic("client", "secret");
    let endpoint = TokenEndpoint::new(http_client::<Body>(), server, client, ClientCredentials::new()).unwrap();
    let error = gatepass::TokenCell::new(endpoint).get().await.unwrap_err();
    assert!(error.is_misconfigured() && error.to_string().contains("TLS"), "{error}");
}

#[tokio::test]
async fn x5_what_a_server_echoes_of_our_secrets_is_not_shown() {
    let world = World::start().await;
    let server = AuthorizationServer::token_endpoint(world.server.token_url());
    let client = ClientAuth::basic("client", "s3cr3t+/=");
    let grant = ClientCredentials::new().parameter("password", "hunter22");
    assert!(!format!("{grant:?}").contains("hunter22"));
    let endpoint = TokenEndpoint::new(http_client::<Body>(), server, client, grant).unwrap();
    // As it is, form-encoded, within Basic, and of a parameter.
    let echo = "s3cr3t+/= s3cr3t%2B%2F%3D Y2xpZW50OnMzY3IzdCUyQiUyRiUzRA== hunter22";
    let body = format!(r#"{{"error":"invalid_client","error_description":"{echo}"}}"#);
    world.server.fail_next(1, Failure::json(401, &body));
    let shown = format!("{:?}", gatepass::TokenCell::new(endpoint).get().await.unwrap_err());
    assert!(shown.contains("invalid_client"), "{shown}");
    for part in ["s3cr3t", "Y2xp", "hunter"] {
        assert!(!shown.contains(part), "{shown}");
    }
}

#[tokio::test]
async fn rfc8414_3_metadata_of_another_issuer_is_not_used() {
    let error = failure(|world| {
        world.server.oauth_metadata(Metadata::WrongIssuer("https://evil.example".to_owned()));
    })
    .await;
    assert!(error.is_misconfigured() && error.to_string().contains("https://evil.example"), "{error}");
}

#[tokio::test]
async fn rfc8414_2_openid_metadata_does_where_the_other_is_missing() {
    let world = World::start().await;
    world.server.oauth_metadata(Metadata::Missing);
    assert_eq!(world.burst(3).await, 3);
    let error = failure(|world| {
        world.server.oauth_metadata(Metadata::Missing).openid_configuration(Metadata::Fails(Failure::html(200)));
    })
    .await;
    assert!(error.is_misconfigured() && error.to_string().contains("token endpoint's URL"), "{error}");
}

#[test]
fn x1_origins_that_are_none_say_what_to_write() {
    for (origin, hint) in [
        ("api.example.com", "scheme"),
        ("http://api.example.com", "https"),
        ("https://api.example.com/v1", "path"),
        ("https://user:hunter2@api.example.com", "user name"),
    ] {
        let error = Origins::new([origin]).unwrap_err();
        assert!(error.is_misconfigured() && error.to_string().contains(hint), "{origin}: {error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

#[test]
fn rfc6749_23_token_endpoints_are_https_or_on_loopback() {
    let endpoint = |url: &str| {
        let (server, client) = (AuthorizationServer::token_endpoint(url), ClientAuth::none("app"));
        TokenEndpoint::new(http_client::<Body>(), server, client, RefreshToken::new()).map(drop)
    };
    assert!(endpoint("http://auth.example.com/token").unwrap_err().to_string().contains("https"));
    assert!(endpoint("auth.example.com").unwrap_err().to_string().contains("whole URL"));
    assert!(endpoint("http://127.0.0.1:1/token").is_ok());
}
