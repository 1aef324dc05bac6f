//! Stories about an endpoint over a server that answers by a function, in paused time.

#[cfg(feature = "jwt")]
mod assertions;
mod discovery;
mod documents;
mod limits;
mod presenting;
mod sign_in;

use std::{
    future::{pending, ready},
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body::Frame;
use http_body_util::BodyExt;
use tower_service::Service;

use super::*;
use crate::{
    AuthorizationServer, ClientAuth, Error, TokenCell, TokenSet, TokenSource,
    clock::TestClock,
    error::BoxError,
    grant::{ClientCredentials, Grant, RefreshToken},
};

const ISSUER: &str = "https://auth.example.com/tenant";
const TOKEN_URL: &str = "https://auth.example.com/token";
const OAUTH_METADATA: &str = "https://auth.example.com/.well-known/oauth-authorization-server/tenant";
const OPENID_METADATA: &str = "https://auth.example.com/tenant/.well-known/openid-configuration";
const OTHER_METADATA: &str = "https://auth.example.com/.well-known/openid-configuration/tenant";

/// A request that came, read whole.
#[derive(Clone, Debug)]
struct Seen {
    method: Method,
    url: String,
    headers: HeaderMap,
    body: String,
}

type Answer = dyn Fn(&Seen) -> Result<Response<String>, BoxError> + Send + Sync;

/// A server that answers by a function and writes down what came.
#[derive(Clone)]
struct Server {
    answer: Arc<Answer>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    fn new<F>(answer: F) -> Self
    where
        F: Fn(&Seen) -> Result<Response<String>, BoxError> + Send + Sync + 'static,
    {
        Self { answer: Arc::new(answer), seen: Arc::default() }
    }

    /// Answers token requests with this, and anything else with the metadata of the issuer.
    fn tokens(status: u16, body: &'static str) -> Self {
        Self::new(move |seen| {
            Ok(match seen.url.split('?').next() {
                Some(TOKEN_URL) => answer(status, body),
                _ => answer(200, &metadata(ISSUER)),
            })
        })
    }

    fn transport(
        &self,
    ) -> impl Service<Request<Body>, Response = Response<String>, Error = BoxError, Future: Send>
    + Clone
    + Send
    + 'static
    + use<> {
        let server = self.clone();
        tower::service_fn(move |request: Request<Body>| {
            let server = server.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect().await?.to_bytes();
                let seen = Seen {
                    method: parts.method,
                    url: parts.uri.to_string(),
                    headers: parts.headers,
                    body: String::from_utf8(body.to_vec())?,
                };
                server.seen.lock().unwrap().push(seen.clone());
                (server.answer)(&seen)
            }
        })
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    fn urls(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.url).collect()
    }
}

fn answer(status: u16, body: &str) -> Response<String> {
    let mut response = Response::new(body.to_owned());
    *response.status_mut() = status.try_into().unwrap();
    response
}

fn metadata(issuer: &str) -> String {
    format!(r#"{{"issuer":"{issuer}","token_endpoint":"{TOKEN_URL}"}}"#)
}

const GOOD: &str = r#"{"access_token":"a-token","token_type":"Bearer","expires_in":3600}"#;

fn found() -> AuthorizationServer {
    AuthorizationServer::issuer(ISSUER)
}

fn told() -> AuthorizationServer {
    AuthorizationServer::token_endpoint(TOKEN_URL)
}

fn client() -> ClientAuth {
    ClientAuth::basic("my-client", "cl1ent-s3cret")
}

fn endpoint<G: Grant>(server: &Server, at: AuthorizationServer, grant: G) -> impl TokenSource + use<G> {
    TokenEndpoint::new(server.transport(), at, client(), grant).unwrap()
}

/// One exchange of client credentials.
async fn exchange(server: &Server, at: AuthorizationServer) -> Result<TokenSet, Error> {
    endpoint(server, at, ClientCredentials::new()).exchange(None).await
}

fn refresh_set() -> TokenSet {
    TokenSet::from_refresh_token("r3fresh-t0ken")
}

fn access_token(set: &TokenSet) -> &str {
    set.access_token.as_ref().unwrap().expose()
}

#[tokio::test(start_paused = true)]
async fn the_token_request_is_a_form_with_the_client_in_the_header() {
    let server = Server::tokens(200, GOOD);
    let grant = ClientCredentials::new().scope("read write").parameter("tenant", "a&b");
    let set = endpoint(&server, told(), grant).exchange(None).await.unwrap();
    assert_eq!(access_token(&set), "a-token");
    assert_eq!(set.scope.as_deref(), Some("read write"), "what was asked for was granted");
    assert_eq!(set.client_id.as_deref(), Some("my-client"));
    let [seen] = &server.seen()[..] else { panic!() };
    assert_eq!((&seen.method, seen.url.as_str()), (&Method::POST, TOKEN_URL));
    assert_eq!(seen.body, "grant_type=client_credentials&scope=read+write&tenant=a%26b");
    assert_eq!(seen.headers["content-type"], "application/x-www-form-urlencoded");
    assert_eq!(seen.headers["accept"], "application/json");
    assert_eq!(seen.headers["authorization"], "Basic bXktY2xpZW50OmNsMWVudC1zM2NyZXQ=");
    assert!(seen.headers["authorization"].is_sensitive());
}

#[tokio::test(start_paused = true)]
async fn a_refresh_presents_the_refresh_token_in_the_body() {
    let server = Server::tokens(200, GOOD);
    let endpoint = endpoint(&server, told(), RefreshToken::new());
    assert!(endpoint.exchange(Some(&refresh_set())).await.is_ok());
    assert_eq!(server.seen()[0].body, "grant_type=refresh_token&refresh_token=r3fresh-t0ken");
}

#[tokio::test(start_paused = true)]
async fn f1_without_a_refresh_token_nothing_is_sent() {
    let server = Server::tokens(200, GOOD);
    let endpoint = endpoint(&server, found(), RefreshToken::new());
    for current in [None, Some(&TokenSet::new("only-access"))] {
        let error = endpoint.exchange(current).await.unwrap_err();
        assert!(error.is_reauth_required(), "{error}");
    }
    assert!(server.seen().is_empty());
    assert!(!endpoint.can_renew(&TokenSet::new("only-access")));
    assert!(endpoint.can_renew(&refresh_set()));
}

#[tokio::test(start_paused = true)]
async fn client_credentials_neither_present_nor_keep_a_refresh_token() {
    let server = Server::tokens(200, r#"{"access_token":"a","refresh_token":"should-not-be"}"#);
    let endpoint = endpoint(&server, told(), ClientCredentials::new());
    let set = endpoint.exchange(Some(&refresh_set())).await.unwrap();
    assert!(set.refresh_token.is_none());
    assert!(!server.seen()[0].body.contains("refresh"));
    assert!(endpoint.can_renew(&TokenSet::new("a")), "the grant is run again");
}

#[tokio::test(start_paused = true)]
async fn a_query_in_the_token_url_is_kept() {
    let server = Server::tokens(200, GOOD);
    let at = AuthorizationServer::token_endpoint(format!("{TOKEN_URL}?tenant=x&p=1"));
    assert!(exchange(&server, at).await.is_ok());
    assert_eq!(server.urls(), [format!("{TOKEN_URL}?tenant=x&p=1")]);
}

#[tokio::test(start_paused = true)]
async fn x5_a_token_that_cannot_be_sent_is_refused_when_it_arrives() {
    for (body, says) in [
        (r#"{"access_token":"a\r\nx-evil: 1","token_type":"Bearer"}"#, "visible ASCII"),
        (r#"{"access_token":"a b","token_type":"Bearer"}"#, "visible ASCII"),
        (r#"{"access_token":"ä","token_type":"Bearer"}"#, "visible ASCII"),
        (r#"{"access_token":"a","token_type":"mac"}"#, "`mac`"),
        (r#"{"access_token":"a","token_type":"N_A"}"#, "`N_A`"),
    ] {
        let server = Server::tokens(200, body);
        let cell = TokenCell::builder(endpoint(&server, told(), ClientCredentials::new()))
            .clock(TestClock::new().clock())
            .build();
        let error = cell.get().await.unwrap_err();
        assert!(error.is_misconfigured() && error.to_string().contains(says), "{error}");
        assert!(cell.peek().is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn tokens_of_64_kib_and_of_any_case_of_bearer_are_fine() {
    let long: &'static str = Box::leak("t".repeat(65_536).into_boxed_str());
    for (token, kind) in [(long, "Bearer"), ("00D!AQ0.x~/+=", "bearer"), ("t", "BEARER")] {
        let body = format!(r#"{{"access_token":"{token}","token_type":"{kind}"}}"#);
        let server = Server::tokens(200, Box::leak(body.into_boxed_str()));
        let cell = TokenCell::new(endpoint(&server, told(), ClientCredentials::new()));
        assert_eq!(cell.get().await.unwrap().expose(), token);
    }
}

#[tokio::test(start_paused = true)]
async fn c8_the_endpoints_retry_after_reaches_the_error() {
    let server = Server::new(|_| {
        let mut busy = answer(429, "");
        busy.headers_mut().insert("retry-after", "17".parse()?);
        Ok(busy)
    });
    let error = exchange(&server, told()).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(17)));
}

#[tokio::test(start_paused = true)]
async fn f1_a_rotating_refresh_token_is_spent_once_and_the_next_one_after_it() {
    let server = Server::new(|seen| {
        let number: usize = seen.body.rsplit('-').next().unwrap().parse().unwrap();
        Ok(answer(
            200,
            &format!(
                r#"{{"access_token":"access-{number}","expires_in":3600,"refresh_token":"refresh-{}"}}"#,
                number + 1
            ),
        ))
    });
    let cell =
        TokenCell::builder(endpoint(&server, told(), RefreshToken::new())).clock(TestClock::new().clock()).build();
    cell.put(TokenSet::from_refresh_token("refresh-1")).await.unwrap();
    for number in 1..=3 {
        let token = cell.get().await.unwrap();
        assert_eq!(token.expose(), format!("access-{number}"));
        cell.reject(&token);
    }
}

#[tokio::test(start_paused = true)]
async fn x5_what_an_endpoint_shows_and_says_has_no_secret() {
    let echo = r#"{"error":"invalid_grant","error_description":"r3fresh-t0ken of cl1ent-s3cret is old"}"#;
    let server = Server::tokens(400, echo);
    let endpoint = TokenEndpoint::new(server.transport(), told(), client(), RefreshToken::new());
    let endpoint = endpoint.unwrap();
    let error = endpoint.exchange(Some(&refresh_set())).await.unwrap_err();
    assert!(error.is_reauth_required());
    let body = Body::new("s3cret=1".into());
    let shown = format!("{endpoint:?} {error:?} {error} {body:?}");
    assert!(!shown.contains("s3cret") && !shown.contains("t0ken"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn settings_are_checked_before_the_first_request() {
    let server = Server::tokens(200, GOOD);
    let make = |at, client, grant| TokenEndpoint::new(server.transport(), at, client, grant).err();
    let plain = AuthorizationServer::token_endpoint("http://auth.example.com/token");
    let taken = ClientCredentials::new().parameter("grant_type", "password");
    for error in [
        make(plain, client(), ClientCredentials::new()),
        make(told(), ClientAuth::none(""), ClientCredentials::new()),
        make(told(), client(), taken),
    ] {
        assert!(error.unwrap().is_misconfigured());
    }
    assert!(server.seen().is_empty());
}
