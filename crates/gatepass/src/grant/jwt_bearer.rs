use std::{fmt, sync::Arc};

use super::{
    Form, Grant,
    parameters::{Parameters, parameter_setters},
};
use crate::{error::Error, secret::Secret, token::TokenSet};
#[cfg(feature = "jwt")]
use crate::{jwt::Assertion, store::fingerprint};

/// An assertion, a signed JWT, is exchanged for tokens (RFC 7523 section 2.1). For each request there is a new one, and
/// the grant is run again instead of a refresh.
///
/// With the feature `jwt` an `Assertion` signs them, by `JwtBearer::signed`; the docs of `gatepass::jwt` have an example.
/// Without it, or where the key is kept elsewhere, anything does that brings one:
///
/// ```
/// use gatepass::{Error, Secret, grant::JwtBearer};
///
/// # fn signed_by_our_key_service() -> Result<String, std::io::Error> { Ok("e30.e30.c2ln".to_owned()) }
/// let grant = JwtBearer::new(|| {
///     let jwt = signed_by_our_key_service().map_err(|error| Error::transient("nothing was signed").with_source(error))?;
///     Ok(Secret::new(jwt))
/// });
/// # use gatepass::grant::Grant;
/// # assert!(grant.form(None)?.encode().expose().ends_with("&assertion=e30.e30.c2ln"));
/// # Ok::<(), Error>(())
/// ```
///
/// # On behalf of a caller, at Microsoft
///
/// There the assertion is the token that the caller sent (elsewhere it is [`TokenExchange`](super::TokenExchange)):
///
/// ```
/// use gatepass::{Error, Secret, TokenSet, endpoint::{Client, HttpService}, grant::JwtBearer};
///
/// async fn on_behalf_of(caller: Secret, client: &Client<impl HttpService>) -> Result<TokenSet, Error> {
///     let grant = JwtBearer::new(move || Ok(caller.clone()))
///         .parameter("requested_token_use", "on_behalf_of")
///         .scope("https://graph.microsoft.com/user.read");
///     client.exchange(&grant, None).await
/// }
/// ```
///
/// In a cell with a store, name each caller's: what a closure brings cannot be told apart.
#[derive(Clone)]
#[must_use]
pub struct JwtBearer {
    source: Source,
    parameters: Parameters,
}

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

#[derive(Clone)]
enum Source {
    Brought(Arc<dyn Fn() -> Result<Secret, Error> + Send + Sync>),
    #[cfg(feature = "jwt")]
    Signed(Box<Assertion>),
}

impl JwtBearer {
    /// With what `assertion` brings. It is called for each request, and should not block.
    pub fn new(assertion: impl Fn() -> Result<Secret, Error> + Send + Sync + 'static) -> Self {
        Self { source: Source::Brought(Arc::new(assertion)), parameters: Parameters::default() }
    }

    /// With what `assertion` signs, anew for each request. With the feature `jwt`.
    #[cfg(feature = "jwt")]
    pub fn signed(assertion: Assertion) -> Self {
        Self { source: Source::Signed(Box::new(assertion)), parameters: Parameters::default() }
    }

    parameter_setters!();
}

impl Grant for JwtBearer {
    fn form(&self, _current: Option<&TokenSet>) -> Result<Form, Error> {
        let assertion = match &self.source {
            Source::Brought(bring) => bring()?,
            #[cfg(feature = "jwt")]
            Source::Signed(assertion) => assertion.sign()?,
        };
        if assertion.is_empty() {
            return Err(Error::misconfigured("the assertion to exchange is empty"));
        }
        let mut form = Form::new(GRANT_TYPE);
        form.push("assertion", assertion);
        self.parameters.fill(&mut form);
        Ok(form)
    }

    fn spends_refresh_token(&self) -> bool {
        false
    }

    fn kind(&self) -> &str {
        GRANT_TYPE
    }

    fn variant(&self) -> String {
        match &self.source {
            Source::Brought(_) => self.parameters.variant(),
            #[cfg(feature = "jwt")]
            Source::Signed(assertion) => {
                fingerprint(format!("{} {}", assertion.fingerprint(), self.parameters.variant()).as_bytes())
            }
        }
    }

    fn check(&self) -> Result<(), Error> {
        #[cfg(feature = "jwt")]
        if let Source::Signed(assertion) = &self.source {
            assertion.check()?;
        }
        self.parameters.check()
    }

    fn accept(&self, answer: TokenSet) -> Result<TokenSet, Error> {
        Ok(self.parameters.granted(answer))
    }

    fn refused(&self, said: &str) -> Error {
        Error::misconfigured(format!(
            "the assertion was refused: check its key, its issuer, subject and audience, and this machine's clock; or get \
             another one, if it is somebody's token ({said})"
        ))
    }
}

impl fmt::Debug for JwtBearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("JwtBearer");
        #[cfg(feature = "jwt")]
        if let Source::Signed(assertion) = &self.source {
            debug.field("assertion", assertion);
        }
        debug.field("parameters", &self.parameters).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn rfc7523_an_assertion_is_brought_for_every_request() {
        let count = AtomicUsize::new(0);
        let grant = JwtBearer::new(move || Ok(Secret::new(format!("a.{}.c", count.fetch_add(1, Ordering::Relaxed)))));
        for number in 0..2 {
            assert_eq!(
                grant.form(None).unwrap().encode().expose(),
                format!("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=a.{number}.c"),
            );
        }
        assert!(!grant.spends_refresh_token(), "it is run again");
    }

    #[test]
    fn microsofts_on_behalf_of_is_a_parameter_more() {
        let grant = JwtBearer::new(|| Ok("caller.s.token".into()))
            .parameter("requested_token_use", "on_behalf_of")
            .scope("https://graph.microsoft.com/user.read");
        assert!(grant.check().is_ok());
        assert_eq!(
            grant.form(None).unwrap().encode().expose(),
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=caller.s.token&\
             scope=https%3A%2F%2Fgraph.microsoft.com%2Fuser.read&requested_token_use=on_behalf_of",
        );
    }

    #[test]
    fn nothing_is_sent_when_there_is_no_assertion() {
        let failing = JwtBearer::new(|| Err(Error::transient("the key service is away")));
        assert!(failing.form(None).unwrap_err().is_transient());
        assert!(JwtBearer::new(|| Ok("".into())).form(None).unwrap_err().is_misconfigured());
    }

    #[test]
    fn a_refused_assertion_says_what_to_check_and_shows_nothing() {
        let grant = JwtBearer::new(|| Ok("head.cl4ims.sig".into())).parameter("x", "p4rameter");
        let error = grant.refused("invalid_grant, HTTP 400");
        for word in ["key", "issuer", "subject", "audience", "clock", "invalid_grant"] {
            assert!(error.is_misconfigured() && error.to_string().contains(word), "{error}");
        }
        let shown = format!("{grant:?}");
        assert!(!shown.contains("cl4ims") && !shown.contains("p4rameter"), "{shown}");
    }
}
