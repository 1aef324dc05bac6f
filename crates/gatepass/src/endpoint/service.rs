use http::{Request, Response};
use tower_service::Service;

use super::Body;
use crate::error::BoxError;

/// What can carry a request to an authorization server: every [`Service`] that takes a [`Request`] with a [`Body`] and
/// can be cloned and sent. Nothing else implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot carry requests to an authorization server",
    note = "it has to be a `tower_service::Service<http::Request<gatepass::endpoint::Body>>` that is `Clone + Send + 'static`, with a \
            response body and errors that are `Send`: hyper-util's `Client<_, gatepass::endpoint::Body>`, `gatepass_reqwest::Transport`"
)]
pub trait HttpService: sealed::HttpService {}

impl<S: sealed::HttpService> HttpService for S {}

pub(super) mod sealed {
    use super::*;

    /// The bounds in one place, and the names of what they are about.
    pub trait HttpService:
        Service<Request<Body>, Response = Response<Self::ResponseBody>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + 'static
    {
        type ResponseBody: http_body::Body<Data: Send, Error: Into<BoxError>> + Send;
    }

    impl<S, B> HttpService for S
    where
        S: Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
        B: http_body::Body + Send,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        type ResponseBody = B;
    }
}
