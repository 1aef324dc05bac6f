use std::{
    cell::Cell,
    fmt,
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::SystemTime,
};

use bytes::Bytes;
use http::HeaderValue;
use zeroize::Zeroizing;

use super::TokenSet;
use crate::{error::Error, secret::Secret};

const SCHEME: &str = "Bearer ";

/// An access token, ready to be sent: its header value was built, and marked sensitive, when it came (C1).
///
/// Cheap to clone. A cell keeps a few copies of the value, each on its own cache lines, and hands each thread one of
/// them, so that threads do not meet at one reference count.
#[derive(Clone)]
pub struct Token(Arc<Copy>);

/// One copy: aligned, so that its reference count shares a cache line (or a prefetched pair) with nothing.
#[repr(align(128))]
struct Copy {
    header: HeaderValue,
    generation: u64,
    expires_at: Option<SystemTime>,
    scope: Option<Arc<str>>,
    owner: Option<Weak<dyn Owner>>,
}

/// Who issued a token and hears that it was refused: a cell.
pub(crate) trait Owner: Send + Sync {
    /// Drops the token of this generation if it is the current one. See `TokenCell::reject`.
    fn reject(&self, generation: u64) -> bool;
    /// Whether another token is current or may be had now.
    fn can_replace(&self, generation: u64) -> bool;
}

impl Token {
    /// A token by itself, of no cell; as a source it is a fixed token.
    ///
    /// # Errors
    /// Misconfigured, when the token is empty or has a byte outside visible ASCII (X5).
    pub fn new(access_token: impl Into<Secret>) -> Result<Self, Error> {
        let set = TokenSet::new(access_token);
        Template::new(&set)?.copy(0, None)
    }

    /// The value for an `Authorization` header: `Bearer` and the token; sensitive.
    #[inline]
    pub fn header_value(&self) -> &HeaderValue {
        &self.0.header
    }

    /// The access token itself. Whoever calls this answers for where it goes.
    pub fn expose(&self) -> &str {
        let value = &self.0.header.as_bytes()[SCHEME.len()..];
        std::str::from_utf8(value).unwrap_or_default()
    }

    /// Counts the tokens of one cell; the token that replaces this one has a higher one.
    pub fn generation(&self) -> u64 {
        self.0.generation
    }

    /// When it ends on the wall clock, where the server said so.
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.0.expires_at
    }

    /// The scopes it was granted, where they are known.
    pub fn scope(&self) -> Option<&str> {
        self.0.scope.as_deref()
    }

    /// Tells the cell this came from that it was refused.
    pub(crate) fn reject(&self) -> bool {
        self.owner().is_some_and(|owner| owner.reject(self.0.generation))
    }

    pub(crate) fn can_be_replaced(&self) -> bool {
        self.owner().is_some_and(|owner| owner.can_replace(self.0.generation))
    }

    pub(crate) fn is_of(&self, owner: &Weak<dyn Owner>) -> bool {
        self.0.owner.as_ref().is_some_and(|own| std::ptr::addr_eq(own.as_ptr(), owner.as_ptr()))
    }

    fn owner(&self) -> Option<Arc<dyn Owner>> {
        self.0.owner.as_ref()?.upgrade()
    }

    /// Checks the token of a set and makes `copies` of it.
    ///
    /// # Errors
    /// Misconfigured, when it may not or cannot be sent as a bearer token.
    pub(crate) fn copies(
        set: &TokenSet,
        generation: u64,
        copies: usize,
        owner: &Weak<dyn Owner>,
    ) -> Result<Box<[Self]>, Error> {
        let template = Template::new(set)?;
        (0..copies.max(1)).map(|_| template.copy(generation, Some(owner.clone()))).collect()
    }

    /// The copy that the calling thread uses.
    #[inline]
    pub(crate) fn pick(copies: &[Self]) -> &Self {
        // Written so that no bounds check can fail: the remainder is in range, and there is at least one copy.
        &copies[stripe() % copies.len()]
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("generation", &self.0.generation)
            .field("expires_at", &self.0.expires_at)
            .field("scope", &self.0.scope)
            .finish_non_exhaustive()
    }
}

/// What all copies of a token have in common, checked.
struct Template {
    text: Zeroizing<String>,
    expires_at: Option<SystemTime>,
    scope: Option<Arc<str>>,
}

impl Template {
    fn new(set: &TokenSet) -> Result<Self, Error> {
        check_type(set.token_type.as_deref())?;
        let Some(token) = &set.access_token else {
            return Err(Error::misconfigured("the token set has no access token"));
        };
        check_text(token)?;
        let mut text = Zeroizing::new(String::with_capacity(SCHEME.len() + token.expose().len()));
        text.push_str(SCHEME);
        text.push_str(token.expose());
        Ok(Self { text, expires_at: set.ends_at(), scope: set.scope.as_deref().map(Arc::from) })
    }

    fn copy(&self, generation: u64, owner: Option<Weak<dyn Owner>>) -> Result<Token, Error> {
        let text = Bytes::from_owner(Line(self.text.clone()));
        let mut header = HeaderValue::from_maybe_shared(text)
            .map_err(|_| Error::misconfigured("the access token cannot go into a header"))?;
        header.set_sensitive(true);
        let (expires_at, scope) = (self.expires_at, self.scope.clone());
        Ok(Token(Arc::new(Copy { header, generation, expires_at, scope, owner })))
    }
}

/// A text on cache lines of its own: `Bytes` puts its reference count before its owner, and this aligns both. Wiped on drop.
#[repr(align(128))]
struct Line(Zeroizing<String>);

impl AsRef<[u8]> for Line {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// RFC 6749 section 7.1: a type that is not understood is not used. An absent one is common and means `Bearer`.
fn check_type(token_type: Option<&str>) -> Result<(), Error> {
    match token_type {
        None => Ok(()),
        Some(token_type) if token_type.is_empty() || token_type.eq_ignore_ascii_case("bearer") => Ok(()),
        Some(other) => {
            let other: String = other.chars().filter(char::is_ascii_graphic).take(40).collect();
            Err(Error::misconfigured(format!(
                "the token has type `{other}`, which cannot be sent as a bearer token: \
                 ask the authorization server for a token of type Bearer"
            )))
        }
    }
}

/// X5. RFC 6750's narrower b64token is not enforced: real tokens exceed it.
fn check_text(token: &Secret) -> Result<(), Error> {
    if token.is_empty() {
        return Err(Error::misconfigured("the access token is empty"));
    }
    match token.expose().bytes().position(|byte| !(0x21..=0x7e).contains(&byte)) {
        None => Ok(()),
        Some(at) => Err(Error::misconfigured(format!(
            "the access token was refused: byte {at} is not visible ASCII (0x21 to 0x7E), so it cannot go into a header; \
             check for line ends or spaces around the token"
        ))),
    }
}

/// A small number for each thread, given out in turn.
#[inline]
fn stripe() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static STRIPE: Cell<usize> = const { Cell::new(usize::MAX) });
    STRIPE.with(|stripe| {
        if stripe.get() == usize::MAX {
            stripe.set(NEXT.fetch_add(1, Ordering::Relaxed) & 0xffff);
        }
        stripe.get()
    })
}
