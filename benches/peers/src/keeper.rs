//! What most peers are for the program that uses them: they say what header a request gets.

use std::future::Future;

use http::{HeaderMap, HeaderValue};

pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;

/// Keeps a token. A handle: clones share it.
pub(crate) trait Keeper: Clone + Send + Sync + 'static {
    /// Puts the token into the headers of a request.
    fn authorize(&self, headers: &mut HeaderMap) -> impl Future<Output = Result<(), Error>> + Send;

    /// Hears of a 401. Whether its docs have the request sent again, once.
    fn refused(&self, _headers: &HeaderMap) -> impl Future<Output = bool> + Send {
        async { false }
    }
}

/// As those write it who get the token as text.
pub(crate) fn bearer(token: &str) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::try_from(format!("Bearer {token}"))?;
    value.set_sensitive(true);
    Ok(value)
}
