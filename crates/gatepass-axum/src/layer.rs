use std::{
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
};

use http::{HeaderMap, Request, Response, StatusCode, header};
use tower_layer::Layer;
use tower_service::Service;
use tower_sessions::{Session, SessionManagerLayer};

use crate::{
    asked::Asked, cookies, failed::Kind, retry_after::retry_after, session::Sessions, sign_in_needed::SignInNeeded,
    site::Site, visit::Visit,
};

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
        let cookie = self.site.cookie_name("session").into();
        let is_secure = self.site.shared.is_secure;
        InSite { sessions: self.sessions.layer(Visited { inner, site: self.site.clone() }), cookie, is_secure }
    }
}

/// A service within a [`Site`]. From [`SiteLayer`].
#[derive(Clone, Debug)]
pub struct InSite<S> {
    sessions: <SessionManagerLayer<Sessions> as Layer<Visited<S>>>::Service,
    cookie: Arc<str>,
    is_secure: bool,
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

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        cookies::without_impostors(request.headers_mut(), &self.cookie);
        let answered = Answered::default();
        request.extensions_mut().insert(answered.clone());
        let (answer, cookie, is_secure) = (self.sessions.call(request), self.cookie.clone(), self.is_secure);
        Box::pin(async move {
            let mut response = answer.await?;
            if let Some((visit, asked)) = answered.lost(response.status()) {
                visit.lost().await;
                response = Kind::Unavailable.answer(asked).map(R::from);
                response.headers_mut().insert(header::RETRY_AFTER, retry_after(None));
            }
            if is_secure {
                cookies::secure_removal(response.headers_mut(), &cookie);
            }
            Ok(response)
        })
    }
}

/// How a request was answered beneath the session.
#[derive(Clone, Default)]
struct Answered(Arc<OnceLock<(Visit, Asked, StatusCode)>>);

impl Answered {
    fn told(self, visit: Visit, asked: Asked, status: StatusCode) {
        let _ = self.0.set((visit, asked, status));
    }

    /// Where the session cannot be written back, tower-sessions answers with an empty 500 in place of what there was.
    fn lost(&self, status: StatusCode) -> Option<(&Visit, &Asked)> {
        let (visit, asked, own) = self.0.get()?;
        (status == StatusCode::INTERNAL_SERVER_ERROR && *own != status).then_some((visit, asked))
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
    R: Default + From<String> + Send,
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
        let answered = request.extensions_mut().remove::<Answered>().unwrap_or_default();
        let answer = self.inner.call(request);
        Box::pin(async move {
            let response = answer.await?;
            let needed = response.extensions().get::<SignInNeeded>().copied();
            let kind = response.extensions().get::<Kind>().copied();
            let (head, mut answer) = match (needed, kind) {
                (None, None) => {
                    answered.told(visit, asked, response.status());
                    return Ok(response);
                }
                (None, Some(kind)) => (response.into_parts().0, kind.answer(&asked)),
                (Some(needed), _) => {
                    let (head, _) = response.into_parts();
                    (head, needed.answer(&visit, &asked).await)
                }
            };
            keep(&head.headers, answer.headers_mut());
            answered.told(visit, asked, answer.status());
            Ok(answer.map(R::from))
        })
    }
}

/// What a handler or a layer beneath has put there (cookies, CORS, when to come again), as far as it is not about a body
/// that is another one now.
fn keep(before: &HeaderMap, headers: &mut HeaderMap) {
    for name in before.keys() {
        let is_about_body = name.as_str().starts_with("content-") || *name == header::TRANSFER_ENCODING;
        if is_about_body || headers.contains_key(name) {
            continue;
        }
        for value in before.get_all(name) {
            headers.append(name, value.clone());
        }
    }
}
