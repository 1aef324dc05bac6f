use std::{
    pin::Pin,
    task::{Context, Poll},
};

use http::{Request, Response, header};
use tower_layer::Layer;
use tower_service::Service;
use tower_sessions::{Session, SessionManagerLayer};

use crate::{asked::Asked, failed::Kind, session::Sessions, sign_in_needed::SignInNeeded, site::Site, visit::Visit};

/// From [`Site::layer`].
#[derive(Clone, Debug)]
pub struct SiteLayer {
    site: Site,
    sessions: SessionManagerLayer<Sessions>,
}

impl SiteLayer {
    pub(crate) fn new(site: Site) -> Self {
        Self { sessions: site.session_manager(), site }
    }
}

impl<S> Layer<S> for SiteLayer {
    type Service = InSite<S>;

    fn layer(&self, inner: S) -> InSite<S> {
        InSite { sessions: self.sessions.layer(Visited { inner, site: self.site.clone() }) }
    }
}

/// A service within a [`Site`]. From [`SiteLayer`].
#[derive(Clone, Debug)]
pub struct InSite<S> {
    sessions: <SessionManagerLayer<Sessions> as Layer<Visited<S>>>::Service,
}

impl<S, B, R> Service<Request<B>> for InSite<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    B: Send + 'static,
    R: Default + From<String> + Send + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.sessions.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        Box::pin(self.sessions.call(request))
    }
}

/// Beneath the session: knows the visit, and answers what needs a sign-in.
#[derive(Clone, Debug)]
pub(crate) struct Visited<S> {
    inner: S,
    site: Site,
}

impl<S, B, R> Service<Request<B>> for Visited<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    R: Default + From<String>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let Some(session) = request.extensions().get::<Session>().cloned() else {
            unreachable!("the session manager is around this");
        };
        let visit = Visit::new(self.site.clone(), session);
        let asked = Asked::of(request.method(), request.uri(), request.headers());
        request.extensions_mut().insert(visit.clone());
        let answer = self.inner.call(request);
        Box::pin(async move {
            let response = answer.await?;
            if let Some(needed) = response.extensions().get::<SignInNeeded>() {
                return Ok(needed.answer(&visit, &asked).map(R::from));
            }
            let Some(kind) = response.extensions().get::<Kind>() else { return Ok(response) };
            let mut answer = kind.answer(&asked);
            if let Some(wait) = response.headers().get(header::RETRY_AFTER) {
                answer.headers_mut().insert(header::RETRY_AFTER, wait.clone());
            }
            Ok(answer.map(R::from))
        })
    }
}
