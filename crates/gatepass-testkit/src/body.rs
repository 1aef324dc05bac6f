//! The bodies the servers answer with, the broken ones included.

use std::{
    error::Error,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;

/// The connection is closed instead of an answer, or in the middle of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dropped;

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dropped on command")
    }
}

impl Error for Dropped {}

/// What a server sends.
#[derive(Debug)]
pub(crate) enum Body {
    /// All of it.
    Whole(Bytes),
    /// A part of what the head promised, then the connection closes.
    Torn { promised: u64, part: Option<Bytes>, flushed: bool },
    /// So many bytes more of a page, streamed: the head does not say how many.
    Page { left: usize },
}

impl Body {
    pub(crate) fn torn(whole: &Bytes) -> Self {
        Self::Torn { promised: whole.len() as u64, part: Some(whole.slice(..whole.len() / 2)), flushed: false }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Dropped;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Dropped>>> {
        match self.get_mut() {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Torn { part, flushed, .. } => match part.take() {
                Some(part) => Poll::Ready(Some(Ok(Frame::data(part)))),
                // The server flushes when the body is pending. Without that the client would not see the head either.
                None if !*flushed => {
                    *flushed = true;
                    context.waker().wake_by_ref();
                    Poll::Pending
                }
                None => Poll::Ready(Some(Err(Dropped))),
            },
            Self::Page { left: 0 } => Poll::Ready(None),
            Self::Page { left } => {
                let size = PAGE.len().min(*left);
                *left -= size;
                Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&PAGE[..size])))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_empty(),
            Self::Torn { .. } => false,
            Self::Page { left } => *left == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Torn { promised, .. } => SizeHint::with_exact(*promised),
            Self::Page { .. } => SizeHint::default(),
        }
    }
}

/// Reads a request's body, up to `most` bytes; `None` when it is longer or never arrives whole.
pub(crate) async fn read(body: Incoming, most: usize) -> Option<Bytes> {
    if body.size_hint().lower() > most as u64 {
        return None;
    }
    Some(Limited::new(body, most).collect().await.ok()?.to_bytes())
}

/// 413. The connection closes, since the rest of the request is still to come.
pub(crate) fn too_large() -> Response<Body> {
    let mut response = Response::new(Body::Whole(Bytes::new()));
    *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// 8 KiB of a page, repeated for as long as a page shall be.
static PAGE: [u8; 8192] = page();

const fn page() -> [u8; 8192] {
    let text = b"<p>Something went wrong. Please try again later.</p>\n";
    let mut page = [b' '; 8192];
    let mut at = 0;
    while at < page.len() {
        page[at] = text[at % text.len()];
        at += 1;
    }
    page
}
