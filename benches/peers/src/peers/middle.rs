//! middle, as in its README: an authorizer that refreshes in the background. It does nothing about a 401.

use http::{HeaderMap, header::AUTHORIZATION};
use middle::{Authorizer, BasicClientCredentialAuthorizer};
use std::sync::Arc;

use crate::keeper::{Error, Keeper};

#[derive(Clone)]
pub(crate) struct Middle(Arc<BasicClientCredentialAuthorizer>);

impl Middle {
    pub(crate) async fn new(token_url: &str) -> Self {
        let builder = BasicClientCredentialAuthorizer::basic_builder("client", "secret", token_url.parse().unwrap());
        Self(Arc::new(builder.build().await.unwrap()))
    }
}

impl Keeper for Middle {
    /// As its `HttpClient` does.
    async fn authorize(&self, headers: &mut HeaderMap) -> Result<(), Error> {
        headers.insert(AUTHORIZATION, Arc::unwrap_or_clone(self.0.authorization_header()?));
        Ok(())
    }
}
