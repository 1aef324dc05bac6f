//! Values that must not be seen: tokens, client secrets, refresh tokens.
//!
//! ```
//! use gatepass::Secret;
//!
//! let secret = Secret::new("s3cr3t");
//! assert_eq!(format!("{secret:?}"), "Secret(..)");
//! assert_eq!(secret.expose(), "s3cr3t");
//! ```

use std::fmt;

use zeroize::Zeroizing;

/// A text that is not shown and is wiped from memory when dropped (X5).
///
/// There is no `Display` and no `Serialize`: to read it is a decision, and the decision is called [`expose`](Self::expose).
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
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a text over as a secret.
    pub fn new(value: impl Into<String>) -> Self {
        Self(Zeroizing::new(value.into()))
    }

    /// The text itself. Whoever calls this answers for where it goes.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether the text is empty, which no real secret is.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

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

impl From<&str> for Secret {
    fn from(value: &str) -> Self {
        Self::new(value)
    }
}
