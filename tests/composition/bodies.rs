//! Bodies that are not `Clone`.

use gatepass::RetryPolicy;
use http::Request;
use tower::{ServiceBuilder, ServiceExt};

use crate::support::{Upstream, bearer, cell};

/// As kube and octocrab have them: not `Clone`, but with a `try_clone` that succeeds unless the body is a stream.
enum StandIn {
    Bytes(&'static str),
    Stream,
}

impl StandIn {
    fn try_clone(&self) -> Option<Self> {
        match self {
            Self::Bytes(bytes) => Some(Self::Bytes(bytes)),
            Self::Stream => None,
        }
    }
}

#[tokio::test]
async fn a_body_with_try_clone_is_sent_again_where_it_can_be() {
    let upstream = Upstream::default();
    upstream.revoke("token-1");
    upstream.revoke("token-2");
    let cell = cell();
    let client = ServiceBuilder::new()
        .layer(bearer(&cell).retry(RetryPolicy::clone_body(|body: &StandIn| body.try_clone())))
        .service(upstream.clone());
    let post = |body| Request::post("https://api.example.com/pods").body(body).unwrap();

    let response = client.clone().oneshot(post(StandIn::Stream)).await.unwrap();
    assert_eq!(response.status(), 401, "handed back as it is (A6)");
    assert!(cell.peek().is_none(), "the token is dropped all the same");

    let sent = post(StandIn::Bytes("apiVersion: v1"));
    let response = client.oneshot(sent).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(upstream.tokens(), ["token-1", "token-2", "token-3"]);
}

#[tokio::test]
async fn a_policy_that_never_replays_takes_any_body_at_all() {
    struct NotEvenABody;
    let client = ServiceBuilder::new().layer(bearer(&cell()).retry(RetryPolicy::never())).service(Upstream::default());
    let request = Request::get("https://api.example.com/").body(NotEvenABody).unwrap();
    assert_eq!(client.oneshot(request).await.unwrap().status(), 200);
}
