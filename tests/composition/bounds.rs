//! What compiles: the stacks are `Clone`, `Send`, and `Sync` where what is beneath them is; their futures are `Send`.

use axum::Router;
use gatepass::{Bearer, BearerLayer, BoxError, RetryPolicy, TokenCell, bearer::ResponseFuture};
use http::{Request, Response};
use tower::{
    Layer, Service,
    retry::Retry,
    util::{BoxCloneService, BoxCloneSyncService},
};

use crate::support::{Http, Upstream, bearer, cell};

fn goes_between_threads<T: Clone + Send + Sync + 'static>(_: &T) {}

fn goes_to_another_thread<T: Clone + Send + 'static>(_: &T) {}

fn sends<S, B, R>(_: &S)
where
    S: Service<Request<B>, Response = Response<R>, Error = BoxError, Future: Send + 'static>,
{
}

#[test]
fn the_parts_go_between_threads() {
    let cell: TokenCell = cell();
    let layer: BearerLayer = bearer(&cell);
    goes_between_threads(&cell);
    goes_between_threads(&layer);
    goes_between_threads(&layer.clone().retry(RetryPolicy::new()));
    goes_between_threads(&RetryPolicy::never());
}

#[test]
fn over_hyper_utils_client_the_stack_is_what_the_client_is() {
    let http: Http = crate::support::http();
    let bearer = bearer(&cell());
    let plain: Bearer<Http> = bearer.layer(http.clone());
    let retried: Retry<RetryPolicy, Bearer<Http>> = bearer.retry(RetryPolicy::new()).layer(http);
    goes_between_threads(&plain);
    goes_between_threads(&retried);
    sends(&plain);
    sends(&retried);
}

#[tokio::test]
async fn over_a_tonic_channel_the_stack_is_what_the_channel_is() {
    let channel = tonic::transport::Endpoint::from_static("http://127.0.0.1:1").connect_lazy();
    let stack = bearer(&cell()).retry(RetryPolicy::never()).layer(channel);
    goes_between_threads(&stack);
    sends::<_, tonic::body::Body, _>(&stack);
}

#[test]
fn over_a_router_the_stack_is_what_the_router_is() {
    let stack = bearer(&cell()).layer(Router::new());
    goes_between_threads(&stack);
    sends::<_, axum::body::Body, _>(&stack);
}

#[test]
fn over_a_box_that_is_not_sync_the_stack_is_not_either_and_compiles() {
    type Body = String;
    let boxed: BoxCloneService<Request<Body>, Response<String>, BoxError> =
        BoxCloneService::new(bearer(&cell()).layer(Upstream::default()));
    let stack = bearer(&cell()).layer(boxed);
    goes_to_another_thread(&stack);
    sends(&stack);

    let boxed: BoxCloneSyncService<Request<Body>, Response<String>, BoxError> =
        BoxCloneSyncService::new(bearer(&cell()).layer(Upstream::default()));
    let stack = bearer(&cell()).layer(boxed);
    goes_between_threads(&stack);
    sends(&stack);
}

/// A service keeps its future in a struct, without a box.
#[test]
fn the_future_can_be_named() {
    #[expect(dead_code, reason = "that it compiles is the point")]
    struct Kept {
        response: ResponseFuture<Http, http_body_util::Full<bytes::Bytes>>,
    }
}
