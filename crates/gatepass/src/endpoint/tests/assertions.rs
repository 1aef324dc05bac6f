//! Assertions: one for each attempt, for this server, and nowhere else.

use std::collections::HashSet;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

use super::*;
use crate::{
    grant::{AuthorizationRequest, JwtBearer},
    jwt::{Algorithm, Assertion, SigningKey},
};

const P256: &str = include_str!("../../jwt/tests/ec-p256.pem");
const REVOKE_URL: &str = "https://auth.example.com/revoke";

fn key() -> SigningKey {
    SigningKey::from_pem(Algorithm::ES256, P256).unwrap()
}

fn signing() -> ClientAuth {
    ClientAuth::private_key_jwt("my-client", key())
}

fn endpoint_of(server: &Server, at: AuthorizationServer, client: ClientAuth) -> impl TokenSource + use<> {
    TokenEndpoint::new(server.transport(), at, client, ClientCredentials::new()).unwrap()
}

/// What a form has under a name, each time.
fn values(body: &str, name: &str) -> Vec<String> {
    form_urlencoded::parse(body.as_bytes())
        .filter(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
        .collect()
}

fn claims(jwt: &str) -> Value {
    let claims = jwt.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

/// What the client said of itself in a request.
fn claimed(seen: &Seen) -> Value {
    let [assertion] = &values(&seen.body, "client_assertion")[..] else { panic!("{}", seen.body) };
    claims(assertion)
}

/// A server that takes each assertion once, after `failures` requests that get no answer.
fn once_each(failures: usize) -> Server {
    let (known, failed) = (Mutex::new(HashSet::new()), Mutex::new(0));
    Server::new(move |seen| {
        let assertion = [values(&seen.body, "client_assertion"), values(&seen.body, "assertion")].concat();
        let id = claims(&assertion[0])["jti"].as_str().unwrap().to_owned();
        let is_new = known.lock().unwrap().insert(id);
        let mut failed = failed.lock().unwrap();
        if *failed < failures {
            *failed += 1;
            return Err("the connection was reset".into());
        }
        Ok(if is_new { answer(200, GOOD) } else { answer(401, r#"{"error":"invalid_client"}"#) })
    })
}

#[tokio::test(start_paused = true)]
async fn rfc7523_1_one_assertion_says_who_the_client_is_and_nothing_else_does() {
    for client in [signing(), ClientAuth::client_secret_jwt("my-client", "cl1ent-s3cret")] {
        let server = Server::tokens(200, GOOD);
        assert!(endpoint_of(&server, told(), client).exchange(None).await.is_ok());
        let seen = &server.seen()[0];
        let assertion_type = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        assert_eq!(values(&seen.body, "client_assertion_type"), [assertion_type]);
        let claims = claimed(seen);
        assert_eq!((claims["iss"].as_str(), claims["sub"].as_str()), (Some("my-client"), Some("my-client")));
        assert_eq!(values(&seen.body, "client_id"), ["my-client"]);
        assert!(values(&seen.body, "client_secret").is_empty() && !seen.headers.contains_key("authorization"));
    }
}

#[tokio::test(start_paused = true)]
async fn rfc7523_3_every_attempt_has_an_assertion_of_its_own() {
    let server = once_each(2);
    let time = TestClock::new();
    let cell = TokenCell::builder(endpoint_of(&server, told(), signing())).clock(time.clock()).build();
    for _ in 0..2 {
        assert!(cell.get().await.unwrap_err().is_transient());
        tokio::time::advance(Duration::from_secs(60)).await;
    }
    assert_eq!(cell.get().await.unwrap().expose(), "a-token");
    let ids: HashSet<_> = server.seen().iter().map(|seen| claimed(seen)["jti"].to_string()).collect();
    assert_eq!(ids.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn rfc7523_3_so_has_every_request_of_the_grant() {
    let server = once_each(1);
    let assertion = Assertion::new(key(), "robot@example.com", TOKEN_URL).without_subject().claim("scope", "read");
    let client = ClientAuth::unidentified("robot@example.com");
    let endpoint = TokenEndpoint::new(server.transport(), told(), client, JwtBearer::signed(assertion)).unwrap();
    assert!(endpoint.exchange(None).await.unwrap_err().is_transient());
    let set = endpoint.exchange(None).await.unwrap();
    assert_eq!(set.client_id.as_deref(), Some("robot@example.com"), "what is kept says whose it is");
    assert!(endpoint.exchange(Some(&set)).await.is_ok(), "it is run again");
    for seen in server.seen() {
        let names: Vec<_> = form_urlencoded::parse(seen.body.as_bytes()).map(|(name, _)| name.into_owned()).collect();
        assert_eq!(names, ["grant_type", "assertion"], "nothing else names the client");
        assert!(!seen.headers.contains_key("authorization"));
    }
}

#[tokio::test(start_paused = true)]
async fn rfc7523_4_it_is_for_the_issuer_or_the_token_endpoint_or_whom_one_says() {
    for (at, client, audience) in [
        (found(), signing(), ISSUER),
        (told(), signing(), TOKEN_URL),
        (told().named(ISSUER), signing(), ISSUER),
        (found(), signing().audience("https://other.example"), "https://other.example"),
    ] {
        let server = Server::tokens(200, GOOD);
        assert!(endpoint_of(&server, at, client).exchange(None).await.is_ok());
        let seen = server.seen();
        assert_eq!(claimed(seen.last().unwrap())["aud"], audience, "one text, no list");
    }
}

#[tokio::test(start_paused = true)]
async fn other_requests_of_the_client_are_authenticated_in_the_same_way() {
    let server = Server::new(|seen| {
        Ok(match &*seen.url {
            REVOKE_URL => answer(200, ""),
            _ => answer(201, r#"{"request_uri":"urn:x","expires_in":60}"#),
        })
    });
    let at = told()
        .named(ISSUER)
        .revocation_endpoint(REVOKE_URL)
        .authorization_endpoint("https://auth.example.com/authorize")
        .pushed_authorization_request_endpoint("https://auth.example.com/par");
    let client = Client::new(server.transport(), at, signing()).unwrap();
    client.revoke(&refresh_set()).await.unwrap();
    client.authorize(&AuthorizationRequest::new("http://127.0.0.1:4180/callback").pushed()).await.unwrap();
    for seen in server.seen() {
        assert_eq!(claimed(&seen)["aud"], ISSUER, "{}", seen.url);
        assert_eq!(values(&seen.body, "client_id"), ["my-client"], "(6749-5)");
    }
}

#[tokio::test(start_paused = true)]
async fn x5_neither_assertion_nor_key_is_shown() {
    let server = Server::new(|seen| {
        let assertion = values(&seen.body, "client_assertion").concat();
        let description = format!("{assertion} of cl1ent-s3cret was refused");
        Ok(answer(401, &format!(r#"{{"error":"invalid_client","error_description":"{description}"}}"#)))
    });
    for client in [signing(), ClientAuth::client_secret_jwt("my-client", "cl1ent-s3cret")] {
        let endpoint = TokenEndpoint::new(server.transport(), told(), client.clone(), ClientCredentials::new());
        let endpoint = endpoint.unwrap();
        let error = endpoint.exchange(None).await.unwrap_err();
        assert!(error.is_misconfigured() && error.to_string().contains("key"), "{error}");
        let shown = format!("{endpoint:?} {client:?} {error:?} {error}");
        assert!(!shown.contains("eyJ") && !shown.contains("PRIVATE"), "{shown}");
        // The secret of the one is no secret of the other.
        assert!(format!("{client:?}").contains("private_key_jwt") || !shown.contains("s3cret"), "{shown}");
    }
}

#[test]
fn settings_of_assertions_are_checked_before_the_first_request() {
    for (client, says) in [
        (ClientAuth::private_key_jwt("", key()), "identifier"),
        (ClientAuth::client_secret_jwt("my-client", ""), "secret"),
        (signing().audience(""), "audience"),
        (ClientAuth::private_key_jwt("my-client", key().header("typ", "x")), "`typ`"),
        (ClientAuth::basic("my-client", "secret").audience("https://a"), "private_key_jwt"),
    ] {
        let server = Server::tokens(200, GOOD);
        let error = Client::new(server.transport(), told(), client).unwrap_err();
        assert!(error.is_misconfigured() && error.to_string().contains(says), "{error}");
    }
    let server = Server::tokens(200, GOOD);
    let grant = JwtBearer::signed(Assertion::new(key(), "me", ""));
    assert!(TokenEndpoint::new(server.transport(), told(), client(), grant).unwrap_err().is_misconfigured());
}
