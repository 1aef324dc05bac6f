use http::{HeaderMap, HeaderValue, Method, header};

use super::{Client, HttpService, client::request, transport::Received};
use crate::{clock, error::Error, retry_after::RetryAfter, secret::Secret, token::TokenSet};

impl<S: HttpService> Client<S> {
    /// The keys that sign the server's ID tokens: a JWK set (RFC 7517 section 5), as it came.
    ///
    /// # Errors
    /// Misconfigured, when the server does not say where they are, or there is nothing there. Transient, when they cannot
    /// be read now.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn jwks(&self) -> Result<String, Error> {
        let metadata = self.metadata().await?;
        self.document("URL of the keys", metadata.jwks_uri()?, HeaderMap::new()).await
    }

    /// Whose access token this is: the JSON that the server's user endpoint answers, as it came (OpenID Connect Core
    /// section 5.3, or an API of the server's own).
    ///
    /// # Errors
    /// Misconfigured, when the server has no such endpoint, it does not take the token, or the token is another server's
    /// (X6). Transient, when it cannot be asked now.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn user_info(&self, set: &TokenSet) -> Result<String, Error> {
        self.user_info_at(self.metadata().await?.userinfo_endpoint()?, set).await
    }

    /// The same at another address: that of an API of the server's own. The token is sent there.
    ///
    /// # Errors
    /// As for [`user_info`](Self::user_info).
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn user_info_at(&self, url: &str, set: &TokenSet) -> Result<String, Error> {
        let metadata = self.metadata().await?;
        self.check_owner(Some(set), metadata.issuer.as_deref())?;
        let token = set
            .access_token
            .as_ref()
            .ok_or_else(|| Error::misconfigured("the token set has no access token to show to the user endpoint"))?;
        let bearer = Secret::with_prefix("Bearer ", token).with_its_prefix();
        let mut bearer = HeaderValue::from_str(&bearer)
            .map_err(|_| Error::misconfigured("the access token cannot be sent in a header"))?;
        bearer.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, bearer);
        self.document("user endpoint", url, headers).await
    }

    async fn document(&self, whom: &str, url: &str, mut headers: HeaderMap) -> Result<String, Error> {
        self.server.safe(whom, url)?;
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        // GitHub answers nobody without one.
        headers.insert(header::USER_AGENT, HeaderValue::from_static(concat!("gatepass/", env!("CARGO_PKG_VERSION"))));
        let request = request(Method::GET, url, headers, super::Body::default())?;
        let Received { status, headers, body } =
            self.transport.call(request, whom).await.map_err(|failed| failed.error)?;
        if status.is_success() {
            return String::from_utf8(body.into())
                .map_err(|_| Error::transient(format!("the {whom} answered what is no text")));
        }
        let status = status.as_u16();
        if status >= 500 || status == 429 || status == 408 {
            let error = Error::transient(format!("the {whom} cannot be read now (HTTP {status}): try again later"));
            return Err(match RetryAfter::parse(&headers, clock::wall()) {
                Some(asked) => error.with_retry_after(asked.wait()),
                None => error,
            });
        }
        Err(Error::misconfigured(format!(
            "the {whom} gives no answer to use (HTTP {status}): see whether its address is right and the scopes suffice"
        )))
    }
}
