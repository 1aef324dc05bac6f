use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use gatepass::BoxError;
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;

pin_project! {
    /// The body of a response: the API's as it comes, or a short one of [`Forward`](super::Forward)'s own.
    pub struct Body<R> {
        #[pin]
        kind: Kind<R>,
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<R> {
        Passed { #[pin] body: R },
        Own { text: Bytes },
    }
}

impl<R> Body<R> {
    pub(super) fn passed(body: R) -> Self {
        Self { kind: Kind::Passed { body } }
    }

    pub(super) fn own(text: impl Into<Bytes>) -> Self {
        Self { kind: Kind::Own { text: text.into() } }
    }
}

/// What a site's layer writes in place of an answer.
impl<R> From<String> for Body<R> {
    fn from(text: String) -> Self {
        Self::own(text)
    }
}

impl<R> Default for Body<R> {
    fn default() -> Self {
        Self::own("")
    }
}

impl<R> http_body::Body for Body<R>
where
    R: http_body::Body<Data = Bytes>,
    R::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.project().kind.project() {
            KindProj::Passed { body } => body.poll_frame(cx).map_err(Into::into),
            KindProj::Own { text } => {
                let text = std::mem::take(text);
                Poll::Ready((!text.is_empty()).then(|| Ok(Frame::data(text))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Passed { body } => body.is_end_stream(),
            Kind::Own { text } => text.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Passed { body } => body.size_hint(),
            Kind::Own { text } => SizeHint::with_exact(text.len() as u64),
        }
    }
}

impl<R> fmt::Debug for Body<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            Kind::Passed { .. } => "Body(the API's)",
            Kind::Own { .. } => "Body(of its own)",
        })
    }
}
