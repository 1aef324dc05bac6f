//! Services: clients that sign, assertions as grants, tokens exchanged for others.

use std::time::Duration;

use gatepass::{
    AuthorizationServer, ClientAuth, Error, TokenCell, TokenEndpoint,
    endpoint::Client,
    grant::{ClientCredentials, Grant, JwtBearer, TokenExchange, token_type},
    jwt::{Algorithm, Assertion, SigningKey},
};
use serde_json::Value;

use super::{
    program::{Home, Program, example},
    provider::{Provider, http_client},
};

const LIFETIME: Duration = Duration::from_secs(60);

const ALGORITHMS: [(Algorithm, &str); 3] =
    [(Algorithm::RS256, "RS256"), (Algorithm::ES256, "ES256"), (Algorithm::EdDSA, "EdDSA")];

fn key(provider: &Provider, (algorithm, name): (Algorithm, &str)) -> SigningKey {
    SigningKey::from_pem(algorithm, provider.private_key(name)).unwrap().key_id(name)
}

fn cell(provider: &Provider, client: ClientAuth, grant: impl Grant) -> TokenCell {
    let server = AuthorizationServer::issuer(&provider.issuer);
    TokenCell::new(TokenEndpoint::new(http_client(), server, client, grant).unwrap())
}

#[tokio::test]
#[ignore = "needs Node.js: run scripts/interop"]
async fn rfc7523_3_each_exchange_of_a_client_that_signs_is_signed_anew() {
    let provider = Provider::start(LIFETIME).await;
    for algorithm in ALGORITHMS {
        let cell =
            cell(&provider, ClientAuth::private_key_jwt("signed", key(&provider, algorithm)), ClientCredentials::new());
        let first = cell.get().await.unwrap();
        // The server takes no assertion twice.
        assert_ne!(cell.refresh().await.unwrap().expose(), first.expose(), "{algorithm:?}");
    }
    let shared = cell(&provider, provider.client("hmac", ClientAuth::client_secret_jwt), ClientCredentials::new());
    shared.get().await.unwrap();
    shared.refresh().await.unwrap();
    assert_eq!(provider.counter("/token/client_auth/jwt").await, 8);

    let other_key = key(&provider, ALGORITHMS[0]).key_id("ES256");
    let error = cell(&provider, ClientAuth::private_key_jwt("signed", other_key), ClientCredentials::new()).get().await;
    let error = error.unwrap_err();
    assert!(error.is_misconfigured() && error.code() == Some("invalid_client"), "{error:?}");
}

#[tokio::test]
#[ignore = "needs Node.js: run scripts/interop"]
async fn rfc7523_3_an_answer_that_is_lost_is_asked_for_again_with_another_assertion() {
    let provider = Provider::start(LIFETIME).await;
    provider.control("token", r#"{"drop":"answer"}"#).await;
    let client = ClientAuth::private_key_jwt("signed", key(&provider, ALGORITHMS[0]));
    let cell = cell(&provider, client, ClientCredentials::new());
    let error = cell.get().await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    tokio::time::sleep(error.retry_after().unwrap_or(Duration::from_secs(1))).await;
    cell.get().await.unwrap();
}

#[tokio::test]
#[ignore = "needs Node.js: run scripts/interop"]
async fn rfc7523_1_an_assertion_about_somebody_is_a_grant() {
    let provider = Provider::start(LIFETIME).await;
    let assertion =
        |subject: &str| Assertion::new(key(&provider, ALGORITHMS[1]), "signed", &provider.issuer).subject(subject);
    let machine = || provider.client("machine", ClientAuth::basic);
    let cell = cell(&provider, machine(), JwtBearer::signed(assertion("bob")).scope("api:read"));
    assert_eq!(cell.get().await.unwrap().scope(), Some("api:read"));
    cell.refresh().await.unwrap();

    let foreign = Assertion::new(key(&provider, ALGORITHMS[1]), "signed", "https://other.example");
    let error = self::cell(&provider, machine(), JwtBearer::signed(foreign)).get().await.unwrap_err();
    assert!(error.to_string().contains("audience"), "{error}");
}

#[tokio::test]
#[ignore = "needs Node.js: run scripts/interop"]
async fn rfc8693_a_token_is_exchanged_for_one_of_another_audience() {
    let provider = Provider::start(LIFETIME).await;
    let own = cell(&provider, provider.client("machine", ClientAuth::basic), ClientCredentials::new());
    let subject = own.get().await.unwrap();
    let server = AuthorizationServer::issuer(&provider.issuer);
    let client = Client::new(http_client(), server, provider.client("machine", ClientAuth::basic)).unwrap();
    let exchange = async |token: &str, audience: &str| -> Result<_, Error> {
        let grant = TokenExchange::new(token, token_type::ACCESS_TOKEN).audience(audience);
        client.exchange(&grant, None).await
    };
    let set = exchange(subject.expose(), "urn:orders").await.unwrap();
    assert_ne!(set.access_token.unwrap().expose(), subject.expose());
    let error = exchange(subject.expose(), "https://unknown.example").await.unwrap_err();
    assert!(error.is_misconfigured() && error.code() == Some("invalid_target"), "{error:?}");
    let error = exchange("no-such-token", "urn:orders").await.unwrap_err();
    assert!(error.is_reauth_required() && !error.to_string().contains("no-such-token"), "{error:?}");
}

#[tokio::test]
#[ignore = "needs Node.js: run scripts/interop"]
async fn the_examples_for_services_do_it_from_their_environment() {
    let provider = Provider::start(LIFETIME).await;
    let home = Home::new("services");
    let pem = home.path().join("key.pem");
    std::fs::write(&pem, provider.private_key("ES256")).unwrap();
    let mut service = example("service_account", &provider, &home);
    service.env("KEY_FILE", &pem).env("KEY_ALG", "ES256").env("KEY_ID", "ES256").env("OAUTH_SCOPES", "api:read");
    let (id, secret) = provider.credentials("machine");
    service.env("ASSERTION_ISSUER", "signed").env("ASSERTION_SUBJECT", "carol").env("OAUTH_CLIENT_AUTH", "basic");
    let answer = Program::start(service.env("OAUTH_CLIENT_ID", &id).env("OAUTH_CLIENT_SECRET", &secret)).answer().await;
    assert_eq!(answer["token"]["account"], "carol");

    let answer = Program::start(service.arg("--client-credentials").env("OAUTH_CLIENT_ID", "signed")).answer().await;
    assert_eq!((&answer["token"]["client_id"], &answer["token"]["account"]), (&"signed".into(), &Value::Null));

    let minted = provider.control("mint", r#"{"client_id":"web","account":"dave"}"#).await;
    let mut on_behalf = example("on_behalf_of", &provider, &home);
    on_behalf.env("OAUTH_CLIENT_ID", id).env("OAUTH_CLIENT_SECRET", secret).env("OAUTH_CLIENT_AUTH", "basic");
    on_behalf.env("OAUTH_SCOPES", "api:read").env("AUDIENCE", "urn:orders");
    let token = minted["access_token"].as_str().unwrap();
    let answer = Program::start(on_behalf.env("SUBJECT_TOKEN", token)).answer().await;
    assert_eq!((&answer["token"]["account"], &answer["token"]["audience"]), (&"dave".into(), &"urn:orders".into()));
    let ended = Program::start(on_behalf.env("SUBJECT_TOKEN", "nobodys-token")).end().await;
    assert!(!ended.succeeded && ended.stderr.lines().count() == 1 && !ended.stderr.contains("nobodys"), "{ended:?}");

    let mut server = Program::start(on_behalf.env_remove("SUBJECT_TOKEN"));
    let url = server.line("listening: ").await;
    for (token, status) in [(token, 200), ("nobodys-token", 401), ("", 401)] {
        let request = http::Request::get(&url).header("authorization", format!("Bearer {token}"));
        let request = request.body(http_body_util::Full::<bytes::Bytes>::default()).unwrap();
        assert_eq!(http_client().request(request).await.unwrap().status(), status);
    }
}
