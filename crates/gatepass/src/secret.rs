//! Values that must not be seen: tokens, client secrets, refresh tokens.
//!
//! ```
//! use gatepass::Secret;
//!
//! let secret = Secret::new("s3cr3t");
//! assert_eq!(format!("{secret:?}"), "Secret(..)");
//! assert_eq!(secret.expose(), "s3cr3t");
//! ```

use std::{fmt, sync::Arc};

use zeroize::Zeroizing;

/// A text that is not shown and is wiped from memory when the last of its clones is dropped (X5).
///
/// There is no `Display` and no `Serialize`: to read it is a decision, and the decision is called
/// [`expose`](Self::expose).
///
/// ```compile_fail
/// let secret = gatepass::Secret::new("s3cr3t");
/// println!("{}", secret);
/// ```
///
/// The same with the value asked for by name compiles:
///
/// ```
/// let secret = gatepass::Secret::new("s3cr3t");
/// println!("{}", secret.expose());
/// ```
#[derive(Clone)]
pub struct Secret {
    /// Shared with its clones, so that no copies of it lie about.
    text: Arc<Zeroizing<Box<str>>>,
    /// Where in the text the secret begins: a token's is within its header value.
    start: u32,
}

impl Secret {
    /// Takes a text over as a secret.
    pub fn new(value: impl Into<String>) -> Self {
        let value = Zeroizing::new(value.into());
        // Copied: one that is cut to its size may leave behind what it was.
        Self::starting_at(0, &value)
    }

    /// A secret behind a word that says what it is.
    pub(crate) fn with_prefix(prefix: &'static str, secret: &Self) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(prefix.len() + secret.expose().len()));
        text.push_str(prefix);
        text.push_str(secret.expose());
        Self::starting_at(prefix.len() as u32, &text)
    }

    fn starting_at(start: u32, text: &str) -> Self {
        Self { text: Arc::new(Zeroizing::new(text.into())), start }
    }

    /// The text itself. Whoever calls this answers for where it goes.
    pub fn expose(&self) -> &str {
        &self.text[self.start as usize..]
    }

    /// The text with the word in front of it, if it was made with one. Wiped when nobody has it any more.
    pub(crate) fn with_its_prefix(&self) -> Arc<Zeroizing<Box<str>>> {
        self.text.clone()
    }

    /// Whether the text is empty, which no real secret is.
    pub fn is_empty(&self) -> bool {
        self.expose().is_empty()
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self::new(value)
    }
}

impl From<&String> for Secret {
    fn from(value: &String) -> Self {
        Self::new(value.as_str())
    }
}

impl From<&str> for Secret {
    fn from(value: &str) -> Self {
        Self::new(value)
    }
}
