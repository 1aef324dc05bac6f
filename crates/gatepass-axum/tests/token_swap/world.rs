//! A server with `/swap` and `/refresh`, before the testkit's authorization server; and what an app does.

use bytes::Bytes;
use gatepass::{
    AuthorizationServer as Server, ClientAuth,
    endpoint::{Body, Client as OAuthClient},
};
use gatepass_axum::token_swap::TokenSwap;
use gatepass_testkit::AuthorizationServer;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;
use tokio::net::TcpListener;

pub(crate) const REDIRECT_URI: &str = "http://127.0.0.1:49152/callback";
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub(crate) type Http = Client<HttpConnector, Body>;
pub(crate) type Answer = Response<Bytes>;

pub(crate) struct World {
    pub(crate) server: AuthorizationServer,
    /// Of the server that swaps.
    pub(crate) origin: String,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::start_with("secret", |swap| swap).await
    }

    pub(crate) async fn start_with(secret: &str, change: impl FnOnce(TokenSwap<Http>) -> TokenSwap<Http>) -> Self {
        let server = AuthorizationServer::start().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let routes = change(TokenSwap::new(client(&server, secret), REDIRECT_URI)).routes();
        tokio::spawn(async { axum::serve(listener, routes).await });
        Self { server, origin }
    }

    /// The code of a person's sign-in, with a challenge or without.
    pub(crate) async fn code(&self, pkce: bool) -> String {
        let challenge = format!("&code_challenge={CHALLENGE}&code_challenge_method=S256");
        let url = format!(
            "{}?response_type=code&client_id=client&scope=read&redirect_uri={REDIRECT_URI}{}",
            self.server.authorization_url(),
            if pkce { &challenge } else { "" },
        );
        let answer = send(Request::get(url).body(Full::default()).unwrap()).await;
        let (_, query) = answer.headers()["location"].to_str().unwrap().split_once('?').unwrap();
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find(|(name, _)| name == "code").unwrap().1.into_owned()
    }

    pub(crate) async fn post(&self, path: &str, form: &str) -> Answer {
        send(request(&format!("{}{path}", self.origin), form)).await
    }

    pub(crate) async fn refresh(&self, token: &str) -> Answer {
        let form: String = form_urlencoded::Serializer::new(String::new()).append_pair("refresh_token", token).finish();
        self.post("/refresh", &form).await
    }
}

pub(crate) fn http() -> Http {
    Client::builder(TokioExecutor::new()).build_http()
}

pub(crate) fn client(server: &AuthorizationServer, secret: &str) -> OAuthClient<Http> {
    let server = Server::token_endpoint(server.token_url());
    OAuthClient::new(http(), server, ClientAuth::basic("client", secret)).unwrap()
}

pub(crate) fn request(url: &str, form: &str) -> Request<Full<Bytes>> {
    let form = Full::from(form.to_owned());
    Request::post(url).header("content-type", "application/x-www-form-urlencoded").body(form).unwrap()
}

pub(crate) async fn send(request: Request<Full<Bytes>>) -> Answer {
    let http = Client::builder(TokioExecutor::new()).build_http();
    let (parts, body) = http.request(request).await.unwrap().into_parts();
    Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
}

/// Any answer is JSON that nobody keeps.
pub(crate) fn json(answer: &Answer) -> Value {
    assert_eq!(answer.headers()["content-type"], "application/json");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    serde_json::from_slice(answer.body()).unwrap()
}

pub(crate) fn text(answer: &Answer, member: &str) -> String {
    json(answer)[member].as_str().unwrap_or_default().to_owned()
}

/// The status, and the error that is told; it has to come with what to do, and be short.
pub(crate) fn refusal(answer: &Answer) -> (u16, String) {
    assert!(!text(answer, "error_description").is_empty() && answer.body().len() < 300);
    (answer.status().as_u16(), text(answer, "error"))
}
