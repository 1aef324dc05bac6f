//! People sign in, in a browser.

use std::{collections::HashMap, time::Duration};

use axum::{Router, routing::get};
use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use tokio::{net::TcpListener, sync::mpsc};

use super::{
    browser::Browser,
    provider::{Provider, http_client},
};

const LIFETIME: Duration = Duration::from_secs(60);
const STATE: &str = "a state that nobody guesses";
// The pair of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

type Parameters = HashMap<String, String>;

fn encode(parameters: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish()
}

async fn post(url: &str, form: &[(&str, &str)]) -> (StatusCode, Value) {
    let request = Request::post(url)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Full::<Bytes>::from(encode(form)))
        .unwrap();
    let response = http_client().request(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

/// Where the browser comes back to.
struct Callback {
    uri: String,
    queries: mpsc::UnboundedReceiver<Parameters>,
}

impl Callback {
    async fn listen(host: &str) -> Self {
        let listener = TcpListener::bind((host.trim_matches(['[', ']']), 0)).await.unwrap();
        let uri = format!("http://{host}:{}/callback", listener.local_addr().unwrap().port());
        let (sender, queries) = mpsc::unbounded_channel();
        let answer = async move |uri: Uri| {
            let query = uri.query().unwrap_or_default();
            sender.send(form_urlencoded::parse(query.as_bytes()).into_owned().collect()).unwrap();
            "back in the program"
        };
        tokio::spawn(async { axum::serve(listener, Router::new().route("/callback", get(answer))).await });
        Self { uri, queries }
    }

    async fn query(&mut self) -> Parameters {
        tokio::time::timeout(Duration::from_secs(20), self.queries.recv()).await.unwrap().unwrap()
    }

    fn request<'a>(&'a self, client: &'a str) -> [(&'a str, &'a str); 7] {
        [
            ("response_type", "code"),
            ("client_id", client),
            ("redirect_uri", &self.uri),
            ("scope", "openid offline_access api:read"),
            ("state", STATE),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ]
    }
}

async fn redeem(provider: &Provider, client: &str, redirect_uri: &str, code: &str) -> (StatusCode, Value) {
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", client),
        ("code", code),
        ("redirect_uri", redirect_uri),
        ("code_verifier", VERIFIER),
    ];
    post(&provider.token_endpoint, &form).await
}

#[tokio::test]
#[ignore = "needs Node.js and Chromium: run scripts/interop"]
async fn a_code_comes_back_to_each_kind_of_loopback_address() {
    let provider = Provider::start(LIFETIME).await;
    let browser = Browser::start().await;
    for (host, size) in [("127.0.0.1", (390, 844)), ("[::1]", (1280, 800)), ("localhost", (1280, 800))] {
        let mut callback = Callback::listen(host).await;
        browser.resize(size.0, size.1).await;
        browser.goto(&format!("{}/auth?{}", provider.issuer, encode(&callback.request("native")))).await;
        if host == "127.0.0.1" {
            browser.screenshot("provider-login").await;
            browser.sign_in("alice").await;
        }
        browser.consent().await;
        browser.wait_for_text("back in the program").await;
        assert!(browser.url().await.starts_with(&callback.uri));

        let query = callback.query().await;
        assert_eq!((query["state"].as_str(), &query["iss"]), (STATE, &provider.issuer));
        assert_eq!(query.len(), 3, "{query:?}");
        let (status, answer) = redeem(&provider, "native", &callback.uri, &query["code"]).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        assert!(answer["refresh_token"].is_string() && answer["id_token"].is_string(), "{answer}");
    }
}

#[tokio::test]
#[ignore = "needs Node.js and Chromium: run scripts/interop"]
async fn a_person_may_say_no() {
    let provider = Provider::start(LIFETIME).await;
    let browser = Browser::start().await;
    for signed_in in [false, true] {
        let mut callback = Callback::listen("127.0.0.1").await;
        browser.goto(&format!("{}/auth?{}", provider.issuer, encode(&callback.request("native")))).await;
        if signed_in {
            browser.sign_in("alice").await;
        }
        browser.deny().await;
        let query = callback.query().await;
        assert_eq!((query["error"].as_str(), query["state"].as_str()), ("access_denied", STATE));
        assert_eq!(query["iss"], provider.issuer);
    }
}

#[tokio::test]
#[ignore = "needs Node.js and Chromium: run scripts/interop"]
async fn rfc9126_5_a_client_that_has_to_push_its_request_signs_in_only_so() {
    let provider = Provider::start(LIFETIME).await;
    let browser = Browser::start().await;
    let mut callback = Callback::listen("127.0.0.1").await;
    let request = callback.request("pushed");
    browser.goto(&format!("{}/auth?{}", provider.issuer, encode(&request))).await;
    let (status, pushed) = post(&format!("{}/request", provider.issuer), &request).await;
    assert_eq!(status, StatusCode::CREATED, "{pushed}");
    assert_eq!(callback.query().await["error"], "invalid_request");

    let short = [("client_id", "pushed"), ("request_uri", pushed["request_uri"].as_str().unwrap())];
    browser.goto(&format!("{}/auth?{}", provider.issuer, encode(&short))).await;
    browser.sign_in("alice").await;
    browser.consent().await;
    let query = callback.query().await;
    let (status, answer) = redeem(&provider, "pushed", &callback.uri, &query["code"]).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
}

#[tokio::test]
#[ignore = "needs Node.js and Chromium: run scripts/interop"]
async fn a_device_waits_for_its_code_to_be_approved() {
    let provider = Provider::start(LIFETIME).await;
    let browser = Browser::start().await;
    let grant_type = "urn:ietf:params:oauth:grant-type:device_code";
    for (approved, outcome) in [(true, Value::Null), (false, "access_denied".into())] {
        let request = [("client_id", "native"), ("scope", "openid api:read")];
        let (status, device) = post(&format!("{}/device/auth", provider.issuer), &request).await;
        assert_eq!(status, StatusCode::OK, "{device}");
        let text = |name: &str| device[name].as_str().unwrap();
        let poll = [("grant_type", grant_type), ("client_id", "native"), ("device_code", text("device_code"))];
        assert_eq!(post(&provider.token_endpoint, &poll).await.1["error"], "authorization_pending");

        if approved {
            browser.approve_device(text("verification_uri"), text("user_code")).await;
        } else {
            browser.confirm_device(text("verification_uri_complete"), text("user_code")).await;
            browser.deny().await;
            browser.wait_for_text("interrupted").await;
        }
        let (status, answer) = post(&provider.token_endpoint, &poll).await;
        assert_eq!((status.is_success(), &answer["error"]), (approved, &outcome), "{answer}");
    }
}
