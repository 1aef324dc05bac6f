use gatepass_testkit::{AuthorizationServer, Failure, Metadata};
use http::Request;
use http_body_util::Full;

use crate::client::{Answer, Http};

async fn get(http: &Http, url: &str) -> Answer {
    http.send(Request::get(url).body(Full::default()).unwrap()).await.unwrap()
}

#[tokio::test]
async fn both_documents_name_the_issuer_and_the_token_endpoint() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    for name in ["oauth-authorization-server", "openid-configuration"] {
        let document = get(&http, &server.url(&format!("/.well-known/{name}"))).await;
        assert_eq!(document.text("issuer"), server.issuer());
        assert_eq!(document.text("token_endpoint"), server.token_url());
    }
    assert_eq!((server.discovery_requests(), server.token_requests()), (2, 0));
}

#[tokio::test]
async fn both_documents_name_what_signing_in_takes() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    for name in ["oauth-authorization-server", "openid-configuration"] {
        let document = get(&http, &server.url(&format!("/.well-known/{name}"))).await.json();
        for (member, url) in [
            ("authorization_endpoint", server.authorization_url()),
            ("device_authorization_endpoint", server.device_authorization_url()),
            ("pushed_authorization_request_endpoint", server.url("/par")),
            ("revocation_endpoint", server.url("/revoke")),
        ] {
            assert_eq!(document[member], url, "{member}");
        }
        assert_eq!(document["authorization_response_iss_parameter_supported"], true);
        assert_eq!(document["require_pushed_authorization_requests"], false);
        let lists = |member: &str, value: &str| document[member].as_array().unwrap().contains(&value.into());
        assert!(lists("code_challenge_methods_supported", "S256"));
        for method in ["client_secret_basic", "private_key_jwt", "client_secret_jwt", "none"] {
            assert!(lists("token_endpoint_auth_methods_supported", method), "{method}");
        }
        for grant in ["device_code", "token-exchange", "jwt-bearer"] {
            assert!(lists("grant_types_supported", &format!("urn:ietf:params:oauth:grant-type:{grant}")), "{grant}");
        }
        assert!(lists("grant_types_supported", "authorization_code"));
    }
}

#[tokio::test]
async fn each_document_fails_in_its_own_way() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    let oauth = server.url("/.well-known/oauth-authorization-server");
    let openid = server.url("/.well-known/openid-configuration");
    server.oauth_metadata(Metadata::Missing);
    server.openid_configuration(Metadata::WrongIssuer("http://evil.example".into()));
    assert_eq!(get(&http, &oauth).await.status, 404);
    assert_eq!(get(&http, &openid).await.text("issuer"), "http://evil.example");

    server.oauth_metadata(Metadata::Fails(Failure::html(200)));
    server.openid_configuration(Metadata::Member("token_endpoint".into(), "7".into()));
    assert_eq!(get(&http, &oauth).await.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(get(&http, &openid).await.json()["token_endpoint"], 7);

    server.oauth_metadata(Metadata::Fails(Failure::torn_json()));
    let torn = get(&http, &oauth).await.body.unwrap();
    assert!(torn.starts_with(b"{") && serde_json::from_slice::<serde_json::Value>(&torn).is_err());
}

#[tokio::test]
async fn an_issuer_may_have_a_path_and_another_name_for_the_host() {
    let builder = AuthorizationServer::builder().host("localhost").issuer_path("/tenant/1/");
    let server = builder.token_path("/tenant/1/oauth/token").start().await.unwrap();
    assert!(server.issuer().starts_with("http://localhost:"));
    assert!(server.issuer().ends_with("/tenant/1"));
    let loopback = server.url("").replace("localhost", "127.0.0.1");
    let url = format!("{loopback}.well-known/oauth-authorization-server/tenant/1");
    let document = get(&Http::new(), &url).await;
    assert_eq!(document.text("token_endpoint"), server.token_url());
    assert!(server.token_url().ends_with("/tenant/1/oauth/token"));
}
