//! What happens while something else does, at a server made up for one test.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use gatepass::{
    AuthorizationServer, ClientAuth, Error, Secret, TokenSet,
    endpoint::{Body, Client, HttpService},
    store::{Key, MemoryStore, TokenStore, Version, Versioned},
};
use gatepass_native::{App, SignedOut, Step};
use http::{Request, Response};
use http_body_util::BodyExt;
use tokio::sync::mpsc;

use crate::browser::{open, parameter, redirect_uri};

/// Answers each form that is posted to a path.
fn client<F>(answer: F) -> Client<impl HttpService + use<F>>
where
    F: Fn(&str, &str) -> String + Send + Sync + 'static,
{
    let answer = Arc::new(answer);
    let http = tower::service_fn(move |request: Request<Body>| {
        let answer = answer.clone();
        async move {
            let (parts, body) = request.into_parts();
            let form = body.collect().await.unwrap().to_bytes();
            let said = answer(parts.uri.path(), std::str::from_utf8(&form).unwrap());
            // As over a network, others run meanwhile.
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok::<_, std::io::Error>(Response::new(said))
        }
    });
    let server = AuthorizationServer::token_endpoint("https://auth.example.com/token")
        .authorization_endpoint("https://auth.example.com/authorize")
        .device_authorization_endpoint("https://auth.example.com/device")
        .revocation_endpoint("https://auth.example.com/revoke");
    Client::new(http, server, ClientAuth::none("my-app")).unwrap()
}

const GOOD: &str = r#"{"access_token":"a-token","refresh_token":"r-0","expires_in":3600}"#;

/// The addresses that the person was told to open.
fn asked<S: HttpService>(app: App<S>) -> (App<S>, mpsc::UnboundedReceiver<String>) {
    let (asking, asked) = mpsc::unbounded_channel();
    let app = app.without_browser().pasted(false).steps(move |step| match step {
        Step::Open { url, .. } => drop(asking.send(url)),
        Step::Device { verification_uri, .. } => drop(asking.send(verification_uri)),
        _ => {}
    });
    (app, asked)
}

/// Goes where the server would send the browser.
async fn come_back(address: &str, with: &str) {
    let state = parameter(address, "state").unwrap();
    open(&format!("{}?{with}&state={state}", redirect_uri(address))).await;
}

/// A store that takes its time.
#[derive(Clone)]
struct Slow(MemoryStore);

impl TokenStore for Slow {
    type Lease = <MemoryStore as TokenStore>::Lease;

    async fn load(&self, key: &Key) -> Result<Option<Versioned>, Error> {
        self.0.load(key).await
    }

    async fn compare_and_swap(
        &self,
        key: &Key,
        seen: Option<Version>,
        value: &Secret,
    ) -> Result<Option<Version>, Error> {
        tokio::time::sleep(Duration::from_millis(200)).await;
        self.0.compare_and_swap(key, seen, value).await
    }

    async fn lease(&self, key: &Key, seen: Option<Version>) -> Result<Option<Self::Lease>, Error> {
        self.0.lease(key, seen).await
    }

    async fn remove(&self, key: &Key, tombstone: Duration) -> Result<(), Error> {
        self.0.remove(key, tombstone).await
    }
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_while_the_tokens_of_a_device_are_stored_has_them() {
    let (came, mut has_come) = mpsc::unbounded_channel();
    let client = client(move |path, _| match path {
        "/device" => {
            r#"{"device_code":"d","user_code":"u","verification_uri":"https://a.example","interval":1}"#.into()
        }
        _ => {
            let _ = came.send(());
            GOOD.into()
        }
    });
    let (app, _asked) = asked(App::new("P", client).store(Slow(MemoryStore::new())));
    let app = app.device();
    let signing = app.clone();
    let signing = tokio::spawn(async move { signing.sign_in().await });
    has_come.recv().await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    signing.abort();
    tokio::time::sleep(Duration::from_millis(400)).await;
    let set = app.cell().unwrap().token_set().await.unwrap();
    assert!(set.is_some(), "the code is spent, and what it brought is kept");
}

#[tokio::test(start_paused = true)]
async fn a_device_sign_in_that_is_dropped_polls_no_more() {
    let polls = Arc::new(AtomicUsize::new(0));
    let counter = polls.clone();
    let client = client(move |path, _| match path {
        "/device" => {
            r#"{"device_code":"d","user_code":"u","verification_uri":"https://a.example","interval":1}"#.into()
        }
        _ => {
            counter.fetch_add(1, Ordering::Relaxed);
            r#"{"error":"authorization_pending"}"#.into()
        }
    });
    let (app, _asked) = asked(App::new("P", client).store(MemoryStore::new()));
    let given_up = tokio::time::timeout(Duration::from_secs(10), app.device().sign_in()).await;
    assert!(given_up.is_err());
    let before = polls.load(Ordering::Relaxed);
    assert!(before > 1);
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(polls.load(Ordering::Relaxed), before);
}

/// The program goes on while it signs out, and the server rotates.
#[tokio::test(start_paused = true)]
async fn what_a_refresh_brings_during_a_sign_out_is_ended_too() {
    let (at, revoked) = (AtomicUsize::new(0), Arc::new(Mutex::new(Vec::new())));
    let (seen, (revoking, mut is_revoking)) = (revoked.clone(), mpsc::unbounded_channel());
    let client = client(move |path, form| match path {
        "/revoke" => {
            seen.lock().unwrap().push(form.split('&').next().unwrap().to_owned());
            let _ = revoking.send(());
            String::new()
        }
        _ => format!(
            r#"{{"access_token":"a","refresh_token":"r-{}","expires_in":3600}}"#,
            at.fetch_add(1, Ordering::Relaxed)
        ),
    });
    let app = App::new("P", client).store(MemoryStore::new()).steps(|_| {});
    let cell = app.cell().unwrap();
    cell.put(TokenSet::from_refresh_token("r-first")).await.unwrap();
    let refreshing = tokio::spawn(async move {
        is_revoking.recv().await.unwrap();
        let _ = cell.refresh().await;
    });
    assert!(matches!(app.sign_out().await.unwrap(), SignedOut::Revoked));
    refreshing.await.unwrap();
    assert_eq!(*revoked.lock().unwrap(), ["token=r-first", "token=r-0"]);
    assert!(app.cell().unwrap().token_set().await.unwrap().is_none());
}

#[tokio::test]
async fn the_no_of_one_account_is_not_that_of_another() {
    let (app, mut asked) = asked(App::new("P", client(|_, _| GOOD.to_owned())).store(MemoryStore::new()));
    let both = ["alice", "bob"].map(|who| {
        let app = app.clone().subject(who);
        tokio::spawn(async move { app.sign_in().await })
    });
    for with in ["error=access_denied", "code=c0de"] {
        let url = tokio::time::timeout(Duration::from_secs(5), asked.recv()).await.expect("each is asked").unwrap();
        come_back(&url, with).await;
    }
    let mut signed_in = 0;
    for one in both {
        signed_in += usize::from(one.await.unwrap().is_ok());
    }
    assert_eq!(signed_in, 1);
}
