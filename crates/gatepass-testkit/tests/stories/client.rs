//! The smallest client that can tell what a server did.

use bytes::Bytes;
use gatepass_testkit::AuthorizationServer;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;

#[derive(Clone)]
pub(crate) struct Http(Client<HttpConnector, Full<Bytes>>);

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// `None`: the connection broke before the body ended.
    pub(crate) body: Option<Bytes>,
}

impl Http {
    pub(crate) fn new() -> Self {
        let mut builder = Client::builder(TokioExecutor::new());
        Self(builder.retry_canceled_requests(false).build_http())
    }

    /// `None`: the connection broke before there was an answer.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Option<Answer> {
        let (parts, body) = self.0.request(request).await.ok()?.into_parts();
        let body = body.collect().await.ok().map(http_body_util::Collected::to_bytes);
        Some(Answer { status: parts.status, headers: parts.headers, body })
    }

    pub(crate) async fn get(&self, url: &str, token: &str) -> Option<Answer> {
        let authorization = format!("Bearer {token}");
        let request = Request::get(url).header("authorization", authorization);
        self.send(request.body(Full::default()).unwrap()).await
    }

    /// As a browser does that follows no redirects.
    pub(crate) async fn open(&self, url: &str) -> Answer {
        self.send(Request::get(url).body(Full::default()).unwrap()).await.unwrap()
    }

    pub(crate) async fn post(&self, url: &str, form: &str) -> Option<Answer> {
        let form = Full::from(form.to_owned());
        let request = Request::post(url).header("content-type", FORM).body(form).unwrap();
        self.send(request).await
    }

    /// Client credentials.
    pub(crate) async fn token(&self, server: &AuthorizationServer) -> Answer {
        let form = format!("grant_type=client_credentials&{CLIENT}");
        self.post(&server.token_url(), &form).await.unwrap()
    }

    pub(crate) async fn refresh(&self, server: &AuthorizationServer, token: &str) -> Answer {
        self.try_refresh(server, token).await.unwrap()
    }

    pub(crate) async fn try_refresh(&self, server: &AuthorizationServer, token: &str) -> Option<Answer> {
        let form = format!("grant_type=refresh_token&refresh_token={token}&{CLIENT}");
        self.post(&server.token_url(), &form).await
    }
}

pub(crate) const FORM: &str = "application/x-www-form-urlencoded";
pub(crate) const CLIENT: &str = "client_id=client&client_secret=secret";

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(self.body.as_ref().unwrap()).unwrap()
    }

    pub(crate) fn text(&self, member: &str) -> String {
        self.json()[member].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn access_token(&self) -> String {
        self.text("access_token")
    }

    pub(crate) fn refresh_token(&self) -> String {
        self.text("refresh_token")
    }

    pub(crate) fn page(&self) -> String {
        String::from_utf8(self.body.as_ref().unwrap().to_vec()).unwrap()
    }

    /// A parameter of the place that it redirects to.
    pub(crate) fn sent_back(&self, name: &str) -> Option<String> {
        let (_, query) = self.header("location").split_once('?')?;
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}
