use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use gatepass::BoxError;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use tower_service::Service;

use crate::{failed::Failed, flow, pages::Page as Html, paths::Page, sign_out, site::Site, visit::Visit};

/// A logout token is a few kilobytes.
const LARGEST: usize = 64 * 1024;

/// The pages for signing in and out, for any framework. From [`Site::service`].
#[derive(Clone, Debug)]
pub struct SignInService {
    site: Site,
}

impl SignInService {
    pub(crate) fn new(site: Site) -> Self {
        Self { site }
    }

    async fn answer<B>(self, request: Request<B>) -> Response<String>
    where
        B: http_body::Body<Data: Send, Error: Into<BoxError>> + Send,
    {
        let (parts, body) = request.into_parts();
        let site = &self.site;
        let providers = &site.shared.providers;
        let Some(page) = site.shared.paths.find(parts.uri.path(), providers) else {
            return not_found();
        };
        let Some(visit) = parts.extensions.get::<Visit>().cloned() else {
            return Failed::no_layer().response();
        };
        match (page, &parts.method) {
            (Page::Choose, &Method::GET) => flow::choose(site, &parts),
            (Page::Login(at), &Method::GET) => flow::begin(site, &providers[at], &parts).await,
            (Page::Callback(at), &Method::GET) => flow::callback(&visit, &providers[at], &parts).await,
            (Page::Logout, &Method::GET) => sign_out::confirm(site),
            (Page::Logout, &Method::POST) => sign_out::sign_out(&visit, &parts.headers).await,
            (Page::BackChannel(at), &Method::POST) => match read(body).await {
                Some(body) => sign_out::back_channel(site, &providers[at], body).await,
                None => Html::new("Too large").answer(StatusCode::PAYLOAD_TOO_LARGE),
            },
            (page, _) => not_allowed(page),
        }
    }
}

async fn read<B>(body: B) -> Option<bytes::Bytes>
where
    B: http_body::Body<Data: Send, Error: Into<BoxError>> + Send,
{
    Some(Limited::new(body, LARGEST).collect().await.ok()?.to_bytes())
}

fn not_found() -> Response<String> {
    Html::new("There is no such page").answer(StatusCode::NOT_FOUND)
}

fn not_allowed(page: Page) -> Response<String> {
    let allowed = match page {
        Page::Logout => "GET, POST",
        Page::BackChannel(_) => "POST",
        Page::Choose | Page::Login(_) | Page::Callback(_) => "GET",
    };
    let mut response = Html::new("That cannot be done here").answer(StatusCode::METHOD_NOT_ALLOWED);
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}

impl<B> Service<Request<B>> for SignInService
where
    B: http_body::Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<String>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(service.answer(request).await) })
    }
}
