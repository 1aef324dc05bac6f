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
use crate::{clock::Tick, error::Error, secret::Secret};

const SCHEME: &str = "Bearer ";

/// An access token, ready to be sent: its header value was built, and marked sensitive, when it came (C1).
///
/// Cheap to clone. A cell keeps a few copies of the value, each on its own cache lines, and hands each thread one of
/// them, so that threads do not meet at one reference count.
#[derive(Clone)]
pub struct Token(Arc<Copy<[u8]>>);

struct Copy<R: ?Sized> {
    header: HeaderValue,
    generation: u64,
    issued: Option<Tick>,
    expires_at: Option<SystemTime>,
    scope: Option<Arc<str>>,
    owner: Option<Weak<dyn Owner>>,
    /// See [`APART`].
    _room: R,
}

/// Behind each of several copies, so that the reference counts of two share neither a cache line nor a prefetched
/// pair. A single copy needs none.
const APART: usize = 128;

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
        Template::new(&set)?.copy::<0>(0, None, None)
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

    /// When its cell got it.
    pub(crate) fn issued_at(&self) -> Option<Tick> {
        self.0.issued
    }

    /// Tells the cell this came from that it was refused.
    pub(crate) fn reject(&self) -> bool {
        self.owner().is_some_and(|owner| owner.reject(self.0.generation))
    }

    pub(crate) fn can_be_replaced(&self) -> bool {
        self.owner().is_some_and(|owner| owner.can_replace(self.0.generation))
    }

    pub(crate) fn is_of(&self, owner: &dyn Owner) -> bool {
        self.0.owner.as_ref().is_some_and(|own| std::ptr::addr_eq(own.as_ptr(), owner))
    }

    /// Whether there are other handles to this copy.
    pub(crate) fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    fn owner(&self) -> Option<Arc<dyn Owner>> {
        self.0.owner.as_ref()?.upgrade()
    }
}

/// The copies of one token.
pub(crate) enum Copies {
    One(Token),
    /// A power of two of them.
    Several(Box<[Token]>),
}

impl Copies {
    /// Checks the token of a set and makes `copies` of it. They and the set share one text from then on.
    ///
    /// # Errors
    /// Misconfigured, when it may not or cannot be sent as a bearer token.
    pub(crate) fn new(
        set: &mut TokenSet,
        generation: u64,
        issued: Tick,
        copies: usize,
        owner: &Weak<dyn Owner>,
    ) -> Result<Self, Error> {
        let template = Template::new(set)?;
        let owner = || Some(owner.clone());
        let made = if copies <= 1 {
            Self::One(template.copy::<0>(generation, Some(issued), owner())?)
        } else {
            let copies =
                (0..copies.next_power_of_two()).map(|_| template.copy::<APART>(generation, Some(issued), owner()));
            Self::Several(copies.collect::<Result<_, _>>()?)
        };
        set.access_token = Some(template.access_token);
        Ok(made)
    }

    /// The one that the calling thread uses.
    #[inline]
    pub(crate) fn pick(&self) -> &Token {
        match self {
            Self::One(token) => token,
            // In range, since there is at least one.
            Self::Several(tokens) => &tokens[stripe() & (tokens.len() - 1)],
        }
    }

    pub(crate) fn as_slice(&self) -> &[Token] {
        match self {
            Self::One(token) => std::slice::from_ref(token),
            Self::Several(tokens) => tokens,
        }
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
    /// With the scheme in front of it.
    access_token: Secret,
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
        let access_token = Secret::with_prefix(SCHEME, token);
        Ok(Self { access_token, expires_at: set.ends_at(), scope: set.scope.clone() })
    }

    fn copy<const ROOM: usize>(
        &self,
        generation: u64,
        issued: Option<Tick>,
        owner: Option<Weak<dyn Owner>>,
    ) -> Result<Token, Error> {
        let text = Bytes::from_owner(Text { text: self.access_token.with_its_prefix(), _room: [0; ROOM] });
        let mut header = HeaderValue::from_maybe_shared(text)
            .map_err(|_| Error::misconfigured("the access token cannot go into a header"))?;
        header.set_sensitive(true);
        let (expires_at, scope) = (self.expires_at, self.scope.clone());
        Ok(Token(Arc::new(Copy { header, generation, issued, expires_at, scope, owner, _room: [0; ROOM] })))
    }
}

/// Keeps what a header value points to. `Bytes` puts its reference count before it.
struct Text<const ROOM: usize> {
    text: Arc<Zeroizing<Box<str>>>,
    /// See [`APART`].
    _room: [u8; ROOM],
}

impl<const ROOM: usize> AsRef<[u8]> for Text<ROOM> {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
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

#[cfg(test)]
mod tests {
    use super::*;

    struct Nobody;

    impl Owner for Nobody {
        fn reject(&self, _generation: u64) -> bool {
            false
        }

        fn can_replace(&self, _generation: u64) -> bool {
            false
        }
    }

    #[test]
    fn the_copies_and_the_set_share_one_text() {
        let nobody: Weak<dyn Owner> = Weak::<Nobody>::new();
        for (copies, made_of) in [(1, 1), (3, 4)] {
            let mut set = TokenSet::new("access");
            let made = Copies::new(&mut set, 1, Tick::START, copies, &nobody).unwrap();
            assert_eq!(made.as_slice().len(), made_of);
            let secret = set.access_token.unwrap();
            assert_eq!(secret.expose(), "access");
            for token in made.as_slice() {
                assert_eq!(token.header_value(), "Bearer access");
                assert_eq!(token.expose().as_ptr(), secret.expose().as_ptr());
            }
        }
    }
}
