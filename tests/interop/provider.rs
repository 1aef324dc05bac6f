//! The server process, and its control endpoints.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

use bytes::Bytes;
use gatepass::ClientAuth;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;

pub(crate) type Client<B> = legacy::Client<HttpConnector, B>;

pub(crate) fn http_client<B>() -> Client<B>
where
    B: http_body::Body + Send,
    B::Data: Send,
{
    legacy::Client::builder(TokioExecutor::new()).build_http()
}

pub(crate) struct Provider {
    process: Child,
    http: Client<Full<Bytes>>,
    pub(crate) issuer: String,
    pub(crate) token_endpoint: String,
    pub(crate) api: String,
    pub(crate) other_origin: String,
    clients: Value,
}

impl Provider {
    pub(crate) async fn start(access_token_lifetime: Duration) -> Self {
        // reqwest is built without a default one here, and asks for it even where all is plain http.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut process = Command::new("node")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/server.mjs"))
            .env("INTEROP_ACCESS_TOKEN_TTL", access_token_lifetime.as_secs().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node has to be installed: scripts/interop sees to it");
        let stdout = process.stdout.take().unwrap();
        let line = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            BufReader::new(stdout).read_line(&mut line).map(|_| line)
        });
        let ready: Value = serde_json::from_str(&line.await.unwrap().unwrap()).expect("the server says where it is");
        let text = |name: &str| ready[name].as_str().unwrap().to_owned();
        Self {
            http: http_client(),
            issuer: text("issuer"),
            token_endpoint: text("token_endpoint"),
            api: text("api"),
            other_origin: text("other_origin"),
            clients: ready["clients"].clone(),
            process,
        }
    }

    /// One of the clients the server knows, authenticating as `method` does.
    pub(crate) fn client(&self, name: &str, method: fn(String, String) -> ClientAuth) -> ClientAuth {
        let (id, secret) = self.credentials(name);
        method(id, secret)
    }

    /// The id and the secret of one of them.
    pub(crate) fn credentials(&self, name: &str) -> (String, String) {
        let text = |field: &str| self.clients[name][field].as_str().unwrap().to_owned();
        (text("client_id"), text("client_secret"))
    }

    /// The private key of the client `signed` for this algorithm.
    pub(crate) fn private_key(&self, algorithm: &str) -> &str {
        self.clients["signed"]["private_keys"][algorithm].as_str().unwrap()
    }

    /// A refresh token as a sign-in would have brought it.
    pub(crate) async fn mint(&self, client: &str) -> String {
        let body = format!(r#"{{"client_id":"{client}"}}"#);
        self.control("mint", &body).await["refresh_token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn revoke_access_tokens(&self) {
        self.control("revoke-access", "").await;
    }

    pub(crate) async fn token_requests(&self) -> u64 {
        self.counter("/token/requests").await
    }

    pub(crate) async fn counter(&self, pointer: &str) -> u64 {
        let counters =
            self.ask(Request::get(format!("{}/control/counters", self.api)).body(Full::default()).unwrap()).await;
        counters.pointer(pointer).and_then(Value::as_u64).unwrap_or_default()
    }

    pub(crate) async fn control(&self, what: &str, body: &str) -> Value {
        let request = Request::post(format!("{}/control/{what}", self.api)).body(Full::from(body.to_owned())).unwrap();
        self.ask(request).await
    }

    async fn ask(&self, request: Request<Full<Bytes>>) -> Value {
        let response = self.http.request(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).unwrap()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}
