//! One call to an authorization server: bounded in time and size, whatever it answers (X4).

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tower::ServiceExt;

use super::{Body, HttpService};
use crate::error::{BoxError, Error};

pub(super) struct Transport<S> {
    /// Cloned for each call. Behind a lock, since boxed services are not `Sync`.
    service: Mutex<S>,
    pub(super) timeout: Duration,
    pub(super) max_answer: usize,
}

/// Why there is no answer.
pub(super) struct Failed {
    pub(super) error: Error,
    /// Whether the request may have arrived (F4).
    pub(super) was_sent: bool,
}

/// An answer, read whole.
pub(super) struct Received {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl<S: Clone> Clone for Transport<S> {
    fn clone(&self) -> Self {
        Self { service: Mutex::new(self.lock().clone()), timeout: self.timeout, max_answer: self.max_answer }
    }
}

impl<S> Transport<S> {
    fn lock(&self) -> MutexGuard<'_, S> {
        self.service.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn new(service: S) -> Self {
        Self { service: Mutex::new(service), timeout: Duration::from_secs(10), max_answer: 1024 * 1024 }
    }

    /// # Errors
    /// Transient: no answer, one that is too large, or none in time. An [`Error`] of the transport stays what it is.
    pub(super) async fn call(&self, request: Request<Body>, what: &str) -> Result<Received, Failed>
    where
        S: HttpService,
    {
        let service = self.lock().clone();
        let host = request.uri().authority().map_or_else(String::new, ToString::to_string);
        let answer = async {
            let response = service.oneshot(request).await.map_err(Into::into)?;
            let (parts, body) = response.into_parts();
            // What redirects is not read: it is an error whatever it says.
            let body = if parts.status.is_redirection() {
                Bytes::new()
            } else {
                Limited::new(body, self.max_answer).collect().await?.to_bytes()
            };
            Ok::<_, BoxError>(Received { status: parts.status, headers: parts.headers, body })
        };
        let sent = |error| Failed { error, was_sent: true };
        match tokio::time::timeout(self.timeout, answer).await {
            Ok(Ok(received)) => Ok(received),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(sent(Error::transient(format!(
                "the answer of the {what} is larger than {} bytes",
                self.max_answer
            )))),
            // A transport may say itself what went wrong.
            Ok(Err(error)) => Err(match error.downcast::<Error>() {
                Ok(error) => Failed { was_sent: error.is_in_doubt(), error: *error },
                Err(error) if lacks_tls(&*error) => {
                    let error = Error::misconfigured(
                        "the transport cannot do https: give it a connector with TLS, such as hyper-rustls', or turn on a TLS \
                         feature of reqwest",
                    )
                    .with_source(error);
                    Failed { error, was_sent: false }
                }
                Err(error) => Failed {
                    was_sent: !never_connected(&*error),
                    error: Error::transient(format!(
                        "no answer from the {what} at {host}: see whether the address is right and the network is there"
                    ))
                    .with_source(error),
                },
            }),
            Err(_) => {
                Err(sent(Error::transient(format!("no answer from the {what} at {host} within {:?}", self.timeout))))
            }
        }
    }
}

/// Whether there was no connection to send anything on. What clients tell of it is an I/O error of the system, or a
/// text.
fn never_connected(error: &(dyn std::error::Error + 'static)) -> bool {
    use std::io::ErrorKind::{
        AddrNotAvailable, ConnectionRefused, HostUnreachable, NetworkDown, NetworkUnreachable, NotConnected,
    };
    chain(error).any(|error| {
        let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        let refused =
            [AddrNotAvailable, ConnectionRefused, HostUnreachable, NetworkDown, NetworkUnreachable, NotConnected];
        // hyper-util's, and so reqwest's: names that were not found, and handshakes that failed, have no kind of their
        // own.
        kind.is_some_and(|kind| refused.contains(&kind)) || error.to_string().contains("client error (Connect)")
    })
}

fn chain<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}

/// Whether an https URL came to a connector that knows http only. Its error has no public type, only a text.
fn lacks_tls(error: &(dyn std::error::Error + 'static)) -> bool {
    chain(error).any(|error| error.to_string().contains("scheme is not http"))
}
