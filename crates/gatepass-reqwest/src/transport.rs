use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use gatepass::{BoxError, Error, endpoint::Body};
use http::{Request, Response};
use reqwest::{Client, ClientBuilder, redirect::Policy};
use tower_service::Service;

/// Time for DNS, TCP and TLS; the whole call has ten seconds.
const CONNECT: Duration = Duration::from_secs(5);

/// A reqwest client as the way to the token endpoint, for [`gatepass::TokenEndpoint`].
///
/// It follows no redirects, which could take the client's secret along, and shares nothing with the client of the API
/// (X4). Clones share its connections. How long a call may take and how large an answer may be, the `TokenEndpoint`
/// says.
///
/// The errors are reqwest's, with neither user info nor query in their URL; or, where the program was built without
/// TLS, a [`gatepass::Error`] that says so.
#[derive(Clone)]
pub struct Transport(Client);

impl Transport {
    /// A client of its own, with reqwest's defaults and 5 s to connect.
    ///
    /// # Errors
    /// Misconfigured, when reqwest cannot build it: no root certificates, for example.
    pub fn new() -> Result<Self, Error> {
        Self::from_builder(Client::builder().connect_timeout(CONNECT))
    }

    /// The client to `builder`, for a proxy, root certificates or a client certificate of your own. Its redirect
    /// policy is replaced by none.
    ///
    /// # Errors
    /// Misconfigured, when reqwest cannot build it.
    pub fn from_builder(builder: ClientBuilder) -> Result<Self, Error> {
        let client = builder.redirect(Policy::none()).build().map_err(|error| {
            Error::misconfigured("the reqwest client for the token endpoint cannot be built").with_source(error)
        })?;
        Ok(Self(client))
    }

    /// An existing client, whose redirect policy cannot be seen.
    ///
    /// Unless it was built with [`Policy::none`], a token endpoint that answers 307 or 308 has the request sent again
    /// to wherever it points: with the client's secret or assertion, the refresh token, the code. And what answers
    /// there is taken for the token endpoint.
    pub fn dangerous_from_client(client: Client) -> Self {
        Self(client)
    }
}

impl Service<Request<Body>> for Transport {
    type Response = Response<reqwest::Body>;
    type Error = BoxError;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> ResponseFuture {
        let request = request.map(Body::into_bytes);
        ResponseFuture(match reqwest::Request::try_from(request) {
            Ok(request) => State::Sent(self.0.call(request)),
            Err(error) => State::Failed(Some(error)),
        })
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // reqwest would show the default headers.
        f.debug_struct("Transport").finish_non_exhaustive()
    }
}

/// The answer to come. From [`Transport`].
///
/// # Cancel safety
/// Dropping it drops the request; the server may have got it.
#[must_use = "futures do nothing unless polled"]
pub struct ResponseFuture(State);

enum State {
    Sent(<Client as Service<reqwest::Request>>::Future),
    Failed(Option<reqwest::Error>),
}

impl Future for ResponseFuture {
    type Output = Result<Response<reqwest::Body>, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            State::Sent(response) => Pin::new(response).poll(cx).map_ok(Into::into).map_err(clean),
            State::Failed(error) => Poll::Ready(Err(match error.take() {
                Some(error) => clean(error),
                None => "polled after it was done".into(),
            })),
        }
    }
}

impl fmt::Debug for ResponseFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

fn clean(mut error: reqwest::Error) -> BoxError {
    if let Some(url) = error.url_mut() {
        // Either may be a secret (X5). They can be taken out of every URL that has a host.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_query(None);
    }
    error.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn x5_an_error_shows_no_secret_of_the_url() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let request = Request::post("http://user:hunter2@127.0.0.1:1/token?key=hunter3").body(Body::default()).unwrap();
        let error = Transport::new().unwrap().call(request).await.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("http://127.0.0.1:1/token"), "{shown}");
        assert!(!shown.contains("hunter"), "{shown}");
    }
}
