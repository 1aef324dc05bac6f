use std::{fmt, sync::Arc};

/// Under which a set is kept: whose it is (C13, X6).
///
/// A cell makes it of the issuer, the client and the kind of grant that its source names, and of the name it was
/// given. It is shown in errors and is no place for a secret.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(Arc<str>);

impl Key {
    /// A key of several parts, which are told apart whatever they contain.
    ///
    /// ```
    /// # use gatepass::store::Key;
    /// let key = Key::new(["https://auth.example.com", "my-client", "alice"]);
    /// assert_eq!(key.as_str(), "https%3A%2F%2Fauth.example.com/my-client/alice");
    /// ```
    pub fn new<'a>(parts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut text = String::new();
        for part in parts {
            if !text.is_empty() {
                text.push('/');
            }
            text.extend(form_urlencoded::byte_serialize(part.as_bytes()));
            // Else two keys with empty parts in different places could be the same.
            if part.is_empty() {
                text.push('-');
            } else if part == "-" {
                text.truncate(text.len() - 1);
                text.push_str("%2D");
            }
        }
        Self(text.into())
    }

    /// As a text of visible ASCII without quotes, spaces and braces.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c13_parts_are_told_apart_whatever_they_contain() {
        let keys = [
            Key::new(["a", "b", "c"]),
            Key::new(["a/b", "c"]),
            Key::new(["a", "b/c"]),
            Key::new(["", "a"]),
            Key::new(["a", ""]),
            Key::new(["-", "a"]),
            Key::new(["a", "%2D"]),
            Key::new(["a"]),
            Key::new(["a b"]),
            Key::new(["a+b"]),
        ];
        for (at, one) in keys.iter().enumerate() {
            assert!(keys[at + 1..].iter().all(|other| one != other), "{one}");
        }
    }
}
