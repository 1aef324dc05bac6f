//! Reads `WWW-Authenticate`: what a server said when it refused a request (RFC 9110 §11.6.1).
//!
//! ```
//! use gatepass::challenge::Challenges;
//! use http::{HeaderMap, header::WWW_AUTHENTICATE};
//!
//! let mut headers = HeaderMap::new();
//! headers.append(WWW_AUTHENTICATE, "Basic realm=\"old\", Bearer error=\"insufficient_scope\",scope=\"read write\"".parse()?);
//! headers.append(WWW_AUTHENTICATE, "DPoP algs=\"ES256 EdDSA\"".parse()?);
//!
//! let challenges = Challenges::parse(&headers);
//! assert_eq!(challenges.len(), 3);
//!
//! let bearer = challenges.find("bearer").unwrap();
//! assert_eq!(bearer.error(), Some("insufficient_scope"));
//! assert_eq!(bearer.scope(), Some("read write"));
//! assert!(challenges.find("DPoP").unwrap().algs().eq(["ES256", "EdDSA"]));
//!
//! // More scope is needed, and another token of the same grant would not have it.
//! assert!(!challenges.refuses_token("Bearer"));
//! # Ok::<(), http::header::InvalidHeaderValue>(())
//! ```
//!
//! The parser is total: it never fails and never panics. What follows the grammar is read as the grammar says; of the
//! rest, as much is kept as can be understood:
//!
//! - A word at the start of a line or after a comma opens a challenge; `name=value` belongs to the challenge before
//!   it, also across lines, which RFC 9110 §5.3 allows to be joined. Parameters before any challenge are dropped.
//! - A parameter given twice counts once, with its first value. RFC 6750 §3 forbids the second, so it is more likely
//!   appended by something on the way than meant by the server.
//! - Empty list elements, white space around `=`, missing commas between parameters, `;` in their place and values
//!   without quotes (even of several words) are accepted. An unterminated quoted string runs to the end of its line.
//! - Bytes outside ASCII are read as UTF-8 where the value is valid UTF-8, else as ISO-8859-1.
//! - At most 32 challenges and 64 parameters of one response are kept; what follows is not read. Time and memory are
//!   linear in the length of the header lines.
//!
//! It cannot undo what is truly ambiguous: `Bearer error=` is a token68 by the grammar, and the comma in
//! `error_description=expired, sorry` opens a challenge named `sorry`.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, header::WWW_AUTHENTICATE};

mod parser;

/// All challenges of one response, in the order they were sent. See the [module docs](self).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Challenges {
    list: Vec<Challenge>,
}

impl Challenges {
    /// Reads every `WWW-Authenticate` line. `Proxy-Authenticate` is not looked at: a proxy's challenge is never about
    /// our token (RFC 9110 §11.7).
    pub fn parse(headers: &HeaderMap) -> Self {
        let lines = headers.get_all(WWW_AUTHENTICATE).iter();
        parser::read(lines.map(HeaderValue::as_bytes))
    }

    /// Reads the value of one `WWW-Authenticate` line.
    pub fn parse_value(value: &[u8]) -> Self {
        parser::read([value])
    }

    /// The first challenge of this scheme, compared without case (RFC 9110 §11.1).
    pub fn find(&self, scheme: &str) -> Option<&Challenge> {
        self.iter().find(|challenge| challenge.is_scheme(scheme))
    }

    /// The first `resource_metadata` of any scheme (RFC 9728 §5.1).
    pub fn resource_metadata(&self) -> Option<&str> {
        self.iter().find_map(Challenge::resource_metadata)
    }

    /// Whether the 401 that carried these challenges refuses the token that was sent under `scheme`, so that another
    /// token may help (RFC 6750 §3.1).
    ///
    /// - No challenge at all, or none that can be read: yes, the status is all that was said.
    /// - Only challenges for other schemes: no.
    /// - A challenge for `scheme` without an `error`, or with an empty one, or `invalid_token`: yes.
    /// - `insufficient_scope`, `insufficient_user_authentication` (RFC 9470) and whatever else starts with
    ///   `insufficient_`: no. The token is good, the grant behind it is not enough, and a refresh would not change
    ///   that.
    /// - Any other code, such as `invalid_request` or `use_dpop_nonce`: no.
    ///
    /// Of several challenges for `scheme`, an `insufficient_` decides first, for its contents are for the caller to
    /// see and a replay would cost an exchange to be told the same; then an `invalid_token`, then any other code.
    /// Silence decides last: it only says that the scheme is accepted. Codes are compared without case.
    pub fn refuses_token(&self, scheme: &str) -> bool {
        if self.is_empty() {
            return true;
        }
        let ours = self.iter().filter(|challenge| challenge.is_scheme(scheme));
        matches!(ours.map(Verdict::of).max(), Some(Verdict::Silent | Verdict::InvalidToken))
    }

    /// The challenges in the order they were sent.
    pub fn iter(&self) -> std::slice::Iter<'_, Challenge> {
        self.list.iter()
    }

    /// How many challenges there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether no challenge was sent, or none that can be read.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

impl<'a> IntoIterator for &'a Challenges {
    type Item = &'a Challenge;
    type IntoIter = std::slice::Iter<'a, Challenge>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// One challenge: a scheme with parameters or, rarely, a token68. See the [module docs](self).
///
/// Whatever it says comes from the server that was called. A link or a text in it is to be shown or followed with
/// care, and none of it may start a sign-in by itself (RFC 9470 §9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    scheme: String,
    token68: Option<String>,
    params: Vec<(String, String)>,
}

impl Challenge {
    /// The scheme as it was written, such as `Bearer`. To compare it, use [`is_scheme`](Self::is_scheme).
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Whether this challenge is for `scheme`, compared without case (RFC 9110 §11.1).
    pub fn is_scheme(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }

    /// The blob that some schemes, such as `Negotiate`, carry in place of parameters (RFC 9110 §11.2).
    pub fn token68(&self) -> Option<&str> {
        self.token68.as_deref()
    }

    /// The value of a parameter, unescaped; its name is compared without case (RFC 9110 §11.2).
    pub fn param(&self, name: &str) -> Option<&str> {
        let mut params = self.params();
        params.find_map(|(given, value)| given.eq_ignore_ascii_case(name).then_some(value))
    }

    /// The parameters as name and value, names as they were written, in the order they were sent.
    pub fn params(&self) -> impl Iterator<Item = (&str, &str)> {
        self.params.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// `error`: why the request was refused (RFC 6750 §3). None when the server saw no credentials, or says nothing.
    pub fn error(&self) -> Option<&str> {
        self.param("error")
    }

    /// `error_description`: for developers, not for whoever is signed in (RFC 6750 §3).
    pub fn error_description(&self) -> Option<&str> {
        self.param("error_description")
    }

    /// `scope`: what the request needs, separated by spaces (RFC 6750 §3).
    pub fn scope(&self) -> Option<&str> {
        self.param("scope")
    }

    /// `realm`: the server's name for what it protects (RFC 9110 §11.5).
    pub fn realm(&self) -> Option<&str> {
        self.param("realm")
    }

    /// `acr_values`: the authentication the server wants to see, separated by spaces, the preferred first (RFC 9470
    /// §3).
    pub fn acr_values(&self) -> Option<&str> {
        self.param("acr_values")
    }

    /// `max_age`: how long ago the person may have signed in, to the second (RFC 9470 §3). None when it is no number,
    /// or one beyond [`u32::MAX`], which demands nothing.
    pub fn max_age(&self) -> Option<Duration> {
        let digits = self.param("max_age")?;
        let seconds: u32 = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())??;
        Some(Duration::from_secs(seconds.into()))
    }

    /// `resource_metadata`: where this resource describes itself (RFC 9728 §5.1).
    pub fn resource_metadata(&self) -> Option<&str> {
        self.param("resource_metadata")
    }

    /// `algs`: the algorithms that a DPoP proof may be signed with (RFC 9449 §7.1). Nothing when the server names none.
    pub fn algs(&self) -> impl Iterator<Item = &str> {
        self.param("algs").unwrap_or_default().split_ascii_whitespace()
    }
}

/// What one challenge says about the token, the least telling first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Silent,
    OtherError,
    InvalidToken,
    Insufficient,
}

impl Verdict {
    fn of(challenge: &Challenge) -> Self {
        let error = challenge.error().unwrap_or_default().to_ascii_lowercase();
        match error.as_str() {
            "" => Self::Silent,
            "invalid_token" => Self::InvalidToken,
            _ if error.starts_with("insufficient_") => Self::Insufficient,
            _ => Self::OtherError,
        }
    }
}

#[cfg(test)]
mod tests;
