//! How a body is cloned before it is sent (A6).

use http_body::Body;

/// Clones request bodies, or says that it cannot.
#[diagnostic::on_unimplemented(
    message = "a request body of type `{B}` cannot be cloned by `{Self}`",
    note = "RetryPolicy::new() takes bodies that are Clone; for others there are RetryPolicy::clone_body(function), \
            RetryPolicy::empty_bodies() and RetryPolicy::never()"
)]
pub trait CloneBody<B> {
    /// A body equal to this one; `None` when there cannot be one, and so no second try.
    fn clone_body(&self, body: &B) -> Option<B>;
}

/// By `Clone`: bytes, strings, `Full`.
#[derive(Clone, Copy, Debug, Default)]
pub struct ByClone;

/// Only bodies that are empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct IfEmpty;

/// By a function.
#[derive(Clone, Copy, Debug)]
pub struct ByFunction<F>(pub(super) F);

/// Never: no request is sent twice. Compiles for every body.
#[derive(Clone, Copy, Debug, Default)]
pub struct Never;

impl<B: Clone> CloneBody<B> for ByClone {
    fn clone_body(&self, body: &B) -> Option<B> {
        Some(body.clone())
    }
}

impl<B: Body + Default> CloneBody<B> for IfEmpty {
    fn clone_body(&self, body: &B) -> Option<B> {
        body.is_end_stream().then(B::default)
    }
}

impl<B, F: Fn(&B) -> Option<B>> CloneBody<B> for ByFunction<F> {
    fn clone_body(&self, body: &B) -> Option<B> {
        (self.0)(body)
    }
}

impl<B> CloneBody<B> for Never {
    fn clone_body(&self, _body: &B) -> Option<B> {
        None
    }
}
