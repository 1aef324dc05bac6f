//! Stories about the layer over a service that insists on being used as tower says.

mod gate;
pub(crate) mod probe;
mod readiness;
mod refusals;
mod turns;

use std::{
    future::{Future, pending},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use http::{Request, Response, header};
use tower::{ServiceBuilder, ServiceExt, limit::ConcurrencyLimit};
use tower_layer::Layer;
use tower_service::Service;

use self::probe::{Probe, response, status};
use super::*;
use crate::{
    Origins, TokenCell, TokenMap, TokenSet,
    cell::State,
    clock::TestClock,
    error::{BoxError, Error},
};

const API: &str = "https://api.example.com";

/// A cell whose exchanges take a second each and give `token-1`, `token-2`, ... for an hour; and how many there were.
pub(crate) fn cell() -> (TokenCell, Arc<AtomicUsize>) {
    let issued = Arc::new(AtomicUsize::new(0));
    let count = issued.clone();
    let source = move |_current| {
        let number = count.fetch_add(1, SeqCst) + 1;
        async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let set = TokenSet::new(format!("token-{number}"));
            Ok(set.expires_in(Duration::from_secs(3600)))
        }
    };
    let cell = TokenCell::builder(source).clock(TestClock::new().clock());
    (cell.build(), issued)
}

/// A cell that has no token and gets none.
fn broken() -> TokenCell {
    let source = |_| async { Err(Error::misconfigured("wrong secret")) };
    TokenCell::builder(source).clock(TestClock::new().clock()).build()
}

pub(crate) fn api() -> Origins {
    Origins::new([API]).unwrap()
}

fn layer(cell: &TokenCell) -> BearerLayer {
    BearerLayer::new(cell.clone(), api())
}

pub(crate) fn request(uri: &str) -> Request<String> {
    Request::get(uri).body(String::new()).unwrap()
}

fn of_ours(error: BoxError) -> Error {
    *error.downcast::<Error>().expect("gatepass's own error")
}

fn ok(probe_answers: &str) -> Probe {
    let answer = probe_answers.to_owned();
    Probe::new(move |_| Ok(Response::new(answer.clone())))
}

/// Refuses the tokens of this list with a plain 401.
fn refusing(refused: &'static [&'static str]) -> Probe {
    Probe::new(|seen| {
        let bad = seen.token().is_some_and(|token| refused.contains(&token));
        Ok(status(if bad { 401 } else { 200 }))
    })
}

fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    std::pin::Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test(start_paused = true)]
async fn x1_a_request_to_a_listed_origin_gets_the_token_marked_sensitive() {
    let (cell, issued) = cell();
    let probe = ok("hello");
    let service = layer(&cell).layer(probe.clone());
    for _ in 0..3 {
        let response = service.clone().oneshot(request("https://API.example.com:443/v1")).await;
        assert_eq!(response.unwrap().body(), "hello");
    }
    for seen in probe.seen() {
        assert_eq!(seen.authorization(), Some("Bearer token-1"));
        assert!(seen.headers[header::AUTHORIZATION].is_sensitive());
    }
    assert_eq!((probe.count(), issued.load(SeqCst)), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn x1_a_request_elsewhere_passes_untouched_and_starts_nothing() {
    let (cell, issued) = cell();
    let probe = Probe::new(|_| Ok(status(401)));
    let service = layer(&cell).layer(probe.clone());
    for elsewhere in [
        "https://api.example.com.evil.example/",
        "http://api.example.com/",
        "https://api.example.com:8443/",
        "/v1/relative",
    ] {
        let response = service.clone().oneshot(request(elsewhere)).await.unwrap();
        assert_eq!(response.status(), 401);
        assert!(response.extensions().get::<Refused>().is_none(), "{elsewhere}");
    }
    assert_eq!(probe.tokens(), ["none"; 4]);
    assert_eq!(issued.load(SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn x1_inner_is_names_the_origin_of_requests_that_do_not() {
    let (cell, _) = cell();
    let probe = ok("");
    let service = layer(&cell).inner_is(API).unwrap().layer(probe.clone());
    service.clone().oneshot(request("/v1")).await.unwrap();
    service.clone().oneshot(request("https://evil.example/")).await.unwrap();
    assert_eq!(probe.tokens(), ["token-1", "none"]);
    for bad in ["https://other.example.com", "https://api.example.com/v1", "api.example.com", ""] {
        let error = layer(&cell).inner_is(bad).unwrap_err();
        assert!(error.is_misconfigured(), "{bad}");
    }
}

#[tokio::test(start_paused = true)]
async fn a5_the_callers_own_authorization_stays_and_its_401_is_not_ours() {
    let (cell, issued) = cell();
    let probe = Probe::new(|_| Ok(status(401)));
    let service = layer(&cell).layer(probe.clone());
    let mut own = request(API);
    own.headers_mut().insert(header::AUTHORIZATION, "Basic b3du".parse().unwrap());
    let response = service.oneshot(own).await.unwrap();
    assert!(response.extensions().get::<Refused>().is_none());
    assert_eq!(probe.seen()[0].authorization(), Some("Basic b3du"));
    assert_eq!(issued.load(SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a5_the_callers_own_authorization_stays_whole_where_a_token_is_at_hand() {
    let (cell, _) = cell();
    cell.get().await.unwrap();
    let probe = Probe::new(|_| Ok(status(401)));
    let mut own = request(API);
    for value in ["Basic b3du", "Digest b3du"] {
        own.headers_mut().append(header::AUTHORIZATION, value.parse().unwrap());
        let response = layer(&cell).layer(probe.clone()).oneshot(own.clone()).await.unwrap();
        assert!(response.extensions().get::<Refused>().is_none());
        let (sent, own) = (probe.seen().pop().unwrap().headers, own.headers());
        assert!(sent.get_all(header::AUTHORIZATION).iter().eq(own.get_all(header::AUTHORIZATION)));
    }
    assert_eq!(cell.status().generation, 1);
    assert!(cell.peek().is_some());
}

#[tokio::test(start_paused = true)]
async fn c1_a_service_that_has_the_token_in_hand_sees_at_once_that_another_one_is_current() {
    let (cell, _) = cell();
    let probe = ok("");
    let mut service = layer(&cell).layer(probe.clone());
    for expected in 1..=3 {
        for _ in 0..4 {
            service.ready().await.unwrap().call(request(API)).await.unwrap();
            assert_eq!(cell.status().generation, expected);
        }
        let sent: Vec<_> = probe.seen().iter().rev().take(4).map(|seen| seen.token().unwrap().to_owned()).collect();
        assert!(sent.iter().all(|token| *token == cell.peek().unwrap().expose()), "{sent:?}");
        assert!(cell.reject(&cell.peek().unwrap()));
    }
}

#[tokio::test(start_paused = true)]
async fn f5_without_a_token_nothing_is_sent_and_the_error_says_why() {
    let probe = ok("");
    let service = layer(&broken()).layer(probe.clone());
    // The first waits for the exchange that fails; the second gets the remembered error.
    for _ in 0..2 {
        let error = of_ours(service.clone().oneshot(request(API)).await.unwrap_err());
        assert!(error.is_misconfigured() && error.to_string() == "wrong secret", "{error}");
    }
    assert_eq!(probe.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn f5_a_chooser_that_names_no_cell_for_a_listed_origin_is_an_error() {
    #[derive(Clone)]
    struct Tenant(TokenCell);
    let probe = ok("");
    let choose = |parts: &http::request::Parts| Some(parts.extensions.get::<Tenant>()?.0.clone());
    let service = BearerLayer::choose(choose, api()).layer(probe.clone());

    let error = of_ours(service.clone().oneshot(request(API)).await.unwrap_err());
    assert!(error.is_misconfigured() && error.to_string().contains("choose"), "{error}");
    assert_eq!(probe.count(), 0);

    for _ in 0..2 {
        let mut with_tenant = request(API);
        with_tenant.extensions_mut().insert(Tenant(cell().0));
        service.clone().oneshot(with_tenant).await.unwrap();
    }
    service.clone().oneshot(request("https://elsewhere.example/")).await.unwrap();
    assert_eq!(probe.tokens(), ["token-1", "token-1", "none"]);
}

#[tokio::test(start_paused = true)]
async fn f5_the_key_of_each_request_names_the_cell_and_none_is_an_error() {
    #[derive(Clone, PartialEq, Eq, Hash)]
    struct User(&'static str);
    let probe = ok("");
    let users = TokenMap::new(8, |user: &User| {
        let user = user.0;
        TokenCell::new(move |_| async move { Ok(TokenSet::new(user)) })
    });
    let service = BearerLayer::keyed(users.clone(), api()).layer(probe.clone());

    let error = of_ours(service.clone().oneshot(request(API)).await.unwrap_err());
    assert!(error.is_misconfigured() && error.to_string().contains("User"), "{error}");
    assert_eq!(probe.count(), 0);

    for user in ["ann", "bob", "ann"] {
        let mut of_user = request(API);
        of_user.extensions_mut().insert(User(user));
        service.clone().oneshot(of_user).await.unwrap();
    }
    assert_eq!(probe.tokens(), ["ann", "bob", "ann"]);
    assert_eq!(users.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a2_a_request_under_way_keeps_its_cell_in_the_map() {
    let issued = Arc::new(AtomicUsize::new(0));
    let users = TokenMap::new(1, move |_: &u64| {
        let issued = issued.clone();
        TokenCell::new(move |_| {
            let number = issued.fetch_add(1, SeqCst) + 1;
            async move { Ok(TokenSet::new(format!("token-{number}"))) }
        })
    });
    let probe =
        Probe::slow(Duration::from_secs(1), |seen| Ok(status(if seen.token() == Some("token-1") { 401 } else { 200 })));
    let layer = BearerLayer::keyed(users.clone(), api()).retry(crate::RetryPolicy::new());
    let mut of_seven = request(API);
    of_seven.extensions_mut().insert(7_u64);
    let sent = tokio::spawn(layer.layer(probe.clone()).oneshot(of_seven));
    tokio::time::sleep(Duration::from_millis(500)).await;
    for other in 100..150 {
        users.get(&other);
    }
    assert_eq!(sent.await.unwrap().unwrap().status(), 200, "its refusal was healed");
    assert_eq!(probe.tokens(), ["token-1", "token-2"]);
    users.get(&200);
    users.get(&201);
    assert!(users.peek(&7).is_none());
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_inner_service_passes_as_it_is() {
    let (cell, _) = cell();
    let probe = Probe::new(|_| Err(std::io::Error::other("connection reset").into()));
    let error = layer(&cell).layer(probe).oneshot(request(API)).await.unwrap_err();
    assert!(error.is::<std::io::Error>());
    assert!(cell.peek().is_some());
}

#[tokio::test(start_paused = true)]
async fn x5_the_layer_and_its_marks_show_no_secret() {
    let cell = TokenCell::new(|_| async { Ok(TokenSet::new("s3cret")) });
    let service = layer(&cell).layer(Probe::new(|_| Ok(status(401))));
    let response = service.clone().oneshot(request(API)).await.unwrap();
    let choose = BearerLayer::choose(move |_| Some(cell.clone()), api());
    let shown = format!("{service:?} {choose:?} {:?}", response.extensions().get::<Refused>());
    assert!(!shown.contains("s3cret"), "{shown}");
}
