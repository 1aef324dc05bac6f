//! What can go wrong between a request and its token, as questions a caller can ask.
//!
//! ```
//! use gatepass::Error;
//!
//! let error = Error::reauth_required("run the sign-in again: the refresh token was refused").with_code("invalid_grant");
//! assert!(error.is_reauth_required());
//! assert_eq!(error.code(), Some("invalid_grant"));
//! ```

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

/// Any error, as tower services carry it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why there is no token.
///
/// Opaque; ask it: [`is_reauth_required`](Self::is_reauth_required), [`is_misconfigured`](Self::is_misconfigured),
/// [`is_transient`](Self::is_transient), [`retry_after`](Self::retry_after). One of the first three is always true. It
/// is cheap to clone, since everyone who waited for one exchange gets the same error (C2). It never contains a secret
/// (X5).
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    ReauthRequired,
    Misconfigured,
    Transient,
}

#[derive(Clone)]
struct Inner {
    kind: Kind,
    message: Cow<'static, str>,
    code: Option<String>,
    retry_after: Option<Duration>,
    doubts_grant: bool,
    in_doubt: bool,
    denied: bool,
    rate_limited: bool,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// The grant is dead (F1): a person, or whoever issued it, has to sign in again.
    pub fn reauth_required(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::ReauthRequired, message)
    }

    /// Somebody who was asked to sign in said no, or may not: that is an answer and no failure. Somebody has to sign in
    /// all the same before there is a token, so it counts as reauthentication required, too.
    pub fn denied(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::ReauthRequired, message).change(|inner| inner.denied = true)
    }

    /// A setting is wrong, here or at the authorization server (F2): waiting does not help, changing it does.
    pub fn misconfigured(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Misconfigured, message)
    }

    /// Something passed by (F3): network, time-out, 429, 5xx. It recovers by itself.
    pub fn transient(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Transient, message)
    }

    /// The server asked to be left alone for longer than the caller wants to wait (R2, R5): nothing was sent. It passes by,
    /// so it counts as transient, too.
    pub fn rate_limited(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Transient, message).change(|inner| inner.rate_limited = true)
    }

    /// The same error with what caused it.
    #[must_use]
    pub fn with_source(self, source: impl Into<BoxError>) -> Self {
        self.change(|inner| inner.source = Some(source.into().into()))
    }

    /// The same error with the OAuth error code the server gave (RFC 6749 section 5.2).
    #[must_use]
    pub fn with_code(self, code: impl Into<String>) -> Self {
        self.change(|inner| inner.code = Some(code.into()))
    }

    /// The same error with how long the server asked to wait.
    #[must_use]
    pub fn with_retry_after(self, wait: Duration) -> Self {
        self.change(|inner| inner.retry_after = Some(wait))
    }

    /// The same error, of a request that may have arrived: it was sent and no answer came. If it presented a refresh
    /// token that rotates, that may be spent (F4).
    #[must_use]
    pub fn in_doubt(self) -> Self {
        self.change(|inner| inner.in_doubt = true)
    }

    /// Whether a refresh token was sent and no answer came (F4).
    pub fn is_in_doubt(&self) -> bool {
        self.0.in_doubt
    }

    /// Marks a refused refresh that does not say why: when it repeats once, the grant counts as dead (F1).
    pub(crate) fn doubting_the_grant(self) -> Self {
        self.change(|inner| inner.doubts_grant = true)
    }

    /// Whether a refresh was refused in words that do not tell whether the grant is dead: when it repeats once, it is
    /// (F1).
    pub fn doubts_the_grant(&self) -> bool {
        self.0.doubts_grant
    }

    /// Whether somebody has to sign in again; no retry helps.
    pub fn is_reauth_required(&self) -> bool {
        self.0.kind == Kind::ReauthRequired
    }

    /// Whether a person said no to a sign-in, or the server did for them (`access_denied`).
    pub fn is_denied(&self) -> bool {
        self.0.denied
    }

    /// Whether a setting is wrong; the message names it.
    pub fn is_misconfigured(&self) -> bool {
        self.0.kind == Kind::Misconfigured
    }

    /// Whether the same call may succeed later without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        self.0.kind == Kind::Transient
    }

    /// Whether a request was held back because the server had turned it or others away, and would have had to wait too
    /// long. It was not processed; [`retry_after`](Self::retry_after) says when it might be.
    pub fn is_rate_limited(&self) -> bool {
        self.0.rate_limited
    }

    /// How long to wait before the next try, where that is known.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The OAuth error code, such as `invalid_grant`, where a server gave one.
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    fn new(kind: Kind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Arc::new(Inner {
            kind,
            message: message.into(),
            code: None,
            retry_after: None,
            doubts_grant: false,
            in_doubt: false,
            denied: false,
            rate_limited: false,
            source: None,
        }))
    }

    /// Changes a copy where others hold the same error.
    fn change(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Error");
        debug.field("kind", &self.0.kind).field("message", &self.0.message);
        if let Some(code) = &self.0.code {
            debug.field("code", code);
        }
        if let Some(wait) = self.0.retry_after {
            debug.field("retry_after", &wait);
        }
        if let Some(source) = &self.0.source {
            debug.field("source", source);
        }
        debug.finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

/// What somebody else wrote, fit to be shown on one line: no control characters, none that turn or hide text, and an
/// end.
pub(crate) fn printable(text: &str, most: usize) -> String {
    let acts = |c: char| {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
            || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    text.chars().filter(|&c| !acts(c)).take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn rfc6749_25_what_somebody_else_wrote_cannot_act_on_a_terminal() {
        assert_eq!(printable("a\r\n\u{1b}[31mb\u{202e}c\u{200b}d", 100), "a[31mbcd");
        assert_eq!(printable("äöü€", 2), "äö");
    }
}
