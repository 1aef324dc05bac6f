use std::{
    pin::Pin,
    task::{Context, Poll},
};

use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use crate::{failed::Failed, sign_in_needed::SignInNeeded, visit::Visit};

/// From [`Site::require_login`](crate::Site::require_login).
#[derive(Clone, Copy, Debug)]
pub struct RequireLoginLayer(());

impl RequireLoginLayer {
    pub(crate) fn new() -> Self {
        Self(())
    }
}

impl<S> Layer<S> for RequireLoginLayer {
    type Service = RequireLogin<S>;

    fn layer(&self, inner: S) -> RequireLogin<S> {
        RequireLogin { inner }
    }
}

/// A service for those who are signed in. From [`RequireLoginLayer`].
#[derive(Clone, Debug)]
pub struct RequireLogin<S> {
    inner: S,
}

impl<S, B, R> Service<Request<B>> for RequireLogin<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    R: Default + From<String>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let clone = self.inner.clone();
        // The one that is ready.
        let mut inner = std::mem::replace(&mut self.inner, clone);
        Box::pin(async move {
            let Some(visit) = request.extensions().get::<Visit>().cloned() else {
                return Ok(Failed::no_layer().response());
            };
            match visit.signed_in().await {
                Ok(Some(_)) => inner.call(request).await,
                Ok(None) => Ok(SignInNeeded::SignedOut.response()),
                Err(error) => Ok(Failed::new(error).response()),
            }
        })
    }
}
