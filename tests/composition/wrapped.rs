//! Over stacks that hold permits, want to be made ready, or are boxed; and under one with an error of its own.

use std::{
    convert::Infallible,
    task::{Context, Poll},
    time::Duration,
};

use gatepass::{BearerLayer, BoxError, Error, Origins, RetryPolicy, TokenCell};
use http::{Request, Response};
use tower::{
    Service, ServiceBuilder, ServiceExt,
    buffer::BufferLayer,
    limit::ConcurrencyLimitLayer,
    service_fn,
    util::{BoxCloneService, BoxCloneSyncService, BoxService},
};

use crate::support::{ORIGIN, Upstream, bearer, cell, elsewhere, gated_cell, items};

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_a_token_holds_no_permit() {
    let (cell, gate) = gated_cell();
    let client =
        ServiceBuilder::new().layer(bearer(&cell)).layer(ConcurrencyLimitLayer::new(1)).service(Upstream::default());

    let waiting = tokio::spawn(client.clone().oneshot(items()));
    gate.until_somebody_waits().await;
    let other = client.clone().oneshot(elsewhere());
    let other = tokio::time::timeout(Duration::from_secs(1), other).await;
    assert_eq!(other.expect("the permit is free").unwrap().status(), 200);

    gate.let_one_through();
    assert_eq!(waiting.await.unwrap().unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_kept_holds_no_permit_while_its_call_waits() {
    let (cell, gate) = gated_cell();
    let mut kept =
        ServiceBuilder::new().layer(bearer(&cell)).layer(ConcurrencyLimitLayer::new(1)).service(Upstream::default());

    let waiting = tokio::spawn(ready(&mut kept).await.call(items()));
    gate.until_somebody_waits().await;
    let other = kept.clone().oneshot(elsewhere());
    let other = tokio::time::timeout(Duration::from_secs(1), other).await;
    assert_eq!(other.expect("the permit is free").unwrap().status(), 200);

    gate.let_one_through();
    assert_eq!(waiting.await.unwrap().unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_kept_holds_no_permit_after_a_call_without_a_token_failed() {
    let origins = Origins::new([ORIGIN]).unwrap();
    let mut kept = ServiceBuilder::new()
        .layer(BearerLayer::choose(|_| None, origins))
        .layer(ConcurrencyLimitLayer::new(1))
        .service(Upstream::default());

    let error = ready(&mut kept).await.call(items()).await.unwrap_err();
    assert!(error.is::<Error>(), "{error}");
    let other = kept.clone().oneshot(elsewhere());
    let other = tokio::time::timeout(Duration::from_secs(1), other).await;
    assert_eq!(other.expect("the permit is free").unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_replay_over_a_single_permit_goes_through() {
    let upstream = Upstream::default();
    upstream.revoke("token-1");
    let client = ServiceBuilder::new()
        .layer(bearer(&cell()).retry(RetryPolicy::new()))
        .layer(ConcurrencyLimitLayer::new(1))
        .service(upstream.clone());

    let replayed = tokio::time::timeout(Duration::from_secs(1), client.oneshot(items())).await;
    assert_eq!(replayed.expect("no deadlock").unwrap().status(), 200);
    assert_eq!(upstream.tokens(), ["token-1", "token-2"]);
}

#[tokio::test]
async fn every_call_goes_to_the_instance_that_was_made_ready() {
    let upstream = Upstream::default();
    let mut client =
        ServiceBuilder::new().layer(bearer(&cell()).retry(RetryPolicy::new())).service(Probe::new(upstream.clone()));

    // Without a token, with one, without needing one, with one that is refused; the same instance each time.
    for request in [items(), items(), elsewhere(), items()] {
        if upstream.tokens().len() == 3 {
            upstream.revoke("token-1");
        }
        let response = ready(&mut client).await.call(request).await.unwrap();
        assert_eq!(response.status(), 200);
    }
    assert_eq!(upstream.tokens(), ["token-1", "token-1", "-", "token-1", "token-2"]);

    // And with a clone that was taken from a ready one.
    ready(&mut client).await;
    let response = client.clone().oneshot(items()).await.unwrap();
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn a_boxed_service_that_is_not_clone_goes_under_a_buffer() {
    let upstream = Upstream::default();
    upstream.revoke("token-1");
    let boxed: BoxService<Request<String>, Response<String>, Infallible> = BoxService::new(upstream.clone());
    let client = ServiceBuilder::new()
        .layer(bearer(&cell()).retry(RetryPolicy::new()))
        .layer(BufferLayer::new(8))
        .service(boxed);
    assert_eq!(client.oneshot(items()).await.unwrap().status(), 200);
    assert_eq!(upstream.tokens(), ["token-1", "token-2"]);
}

#[tokio::test]
async fn boxes_that_are_clone_go_beneath_and_around_as_they_are() {
    let upstream = Upstream::default();
    upstream.revoke("token-1");
    let beneath: BoxCloneService<Request<String>, Response<String>, Infallible> =
        BoxCloneService::new(Probe::new(upstream.clone()));
    let around: BoxCloneService<Request<String>, Response<String>, BoxError> =
        ServiceBuilder::new().boxed_clone().layer(bearer(&cell()).retry(RetryPolicy::new())).service(beneath);
    assert_eq!(around.oneshot(items()).await.unwrap().status(), 200);

    // axum's state has to be Sync.
    let beneath: BoxCloneSyncService<Request<String>, Response<String>, Infallible> =
        BoxCloneSyncService::new(upstream);
    let stack = ServiceBuilder::new().layer(bearer(&cell())).service(beneath);
    let around: BoxCloneSyncService<Request<String>, Response<String>, BoxError> = BoxCloneSyncService::new(stack);
    assert_eq!(around.oneshot(items()).await.unwrap().status(), 401);
}

#[tokio::test]
async fn a_client_with_an_error_type_of_its_own_maps_ours_into_it() {
    #[derive(Debug)]
    enum ClientError {
        Token(Error),
        Transport(BoxError),
    }

    impl From<BoxError> for ClientError {
        fn from(error: BoxError) -> Self {
            match error.downcast() {
                Ok(error) => Self::Token(*error),
                Err(error) => Self::Transport(error),
            }
        }
    }

    let broken = service_fn(|_: Request<String>| async {
        Err::<Response<String>, _>(std::io::Error::other("the cable is out"))
    });
    let over = |cell: &TokenCell| {
        ServiceBuilder::new().map_err(ClientError::from).layer(bearer(cell).retry(RetryPolicy::new())).service(broken)
    };

    let signed_out = TokenCell::new(|_| async { Err(Error::reauth_required("sign in again")) });
    match over(&signed_out).oneshot(items()).await.unwrap_err() {
        ClientError::Token(error) => assert!(error.is_reauth_required()),
        ClientError::Transport(error) => panic!("nothing was to be sent: {error}"),
    }
    match over(&cell()).oneshot(items()).await.unwrap_err() {
        ClientError::Token(error) => panic!("there was a token: {error}"),
        ClientError::Transport(error) => assert!(error.is::<std::io::Error>()),
    }
}

async fn ready<S>(service: &mut S) -> &mut S
where
    S: Service<Request<String>, Error: std::fmt::Debug>,
{
    service.ready().await.unwrap()
}

/// Panics when it is called without having been made ready: this very instance, for this very call.
struct Probe<S> {
    inner: S,
    ready: bool,
}

impl<S> Probe<S> {
    fn new(inner: S) -> Self {
        Self { inner, ready: false }
    }
}

impl<S: Clone> Clone for Probe<S> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone())
    }
}

impl<S: Service<R>, R> Service<R> for Probe<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let polled = self.inner.poll_ready(cx);
        self.ready = matches!(polled, Poll::Ready(Ok(())));
        polled
    }

    fn call(&mut self, request: R) -> Self::Future {
        assert!(self.ready, "called without having been made ready");
        self.ready = false;
        self.inner.call(request)
    }
}
