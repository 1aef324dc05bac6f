use std::error::Error as StdError;

use reqwest_middleware::Error;

/// Why there was no token, if that is why a request failed; also out of an error that other middlewares, or you, have
/// wrapped.
///
/// ```
/// # use gatepass::{Error, Origins, TokenCell, TokenSet};
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), gatepass::BoxError> {
/// # let _ = rustls::crypto::ring::default_provider().install_default();
/// # let cell = TokenCell::new(|_current| async { Err::<TokenSet, _>(Error::reauth_required("run the sign-in again")) });
/// # let bearer = gatepass_reqwest::BearerMiddleware::new(cell, Origins::new(["https://api.example.com"])?);
/// # let http = bearer.client(reqwest::Client::builder())?;
/// let error = http.get("https://api.example.com/me").send().await.unwrap_err();
/// match gatepass_reqwest::token_error(&error) {
///     Some(error) if error.is_reauth_required() => println!("please sign in again"),
///     Some(error) => println!("no token: {error}; again in {:?}", error.retry_after()),
///     None => println!("not sent, or no answer: {error}"),
/// }
/// # assert!(gatepass_reqwest::token_error(&error).unwrap().is_reauth_required());
/// # Ok(()) }
/// ```
pub fn token_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a gatepass::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // It is transparent: its source would skip what it holds.
        next = match error.downcast_ref() {
            Some(Error::Middleware(held)) => Some(held.as_ref()),
            _ => error.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    #[derive(Debug)]
    struct Wrapped(Error);

    impl fmt::Display for Wrapped {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("after 3 tries")
        }
    }

    impl StdError for Wrapped {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn f5_the_error_is_found_beneath_what_wraps_it() {
        let error = Error::middleware(gatepass::Error::misconfigured("no client"));
        let error = Error::middleware(Wrapped(Error::middleware(Wrapped(error))));
        assert!(token_error(&error).unwrap().is_misconfigured());
    }

    #[test]
    fn another_error_is_none_of_ours() {
        let error = Error::middleware(std::io::Error::other("elsewhere"));
        assert!(token_error(&error).is_none());
    }
}
