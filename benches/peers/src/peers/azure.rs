//! azure_core: its bearer token policy, with a credential of our own, as the docs of `TokenCredential` have it, and a
//! callback that authorizes again after a 401, as the docs of `OnChallenge` have it.
//!
//! The policy sends tokens over https only. So the URL says https, and what stands at the end of the pipeline, which
//! is the program's own, goes over loopback.

use std::sync::Arc;

use async_trait::async_trait;
use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    error::ErrorKind,
    http::{
        Context, Request,
        headers::Headers,
        policies::{
            Policy,
            auth::{Authorizer, BearerTokenAuthorizationPolicy, OnChallenge},
        },
    },
    time::OffsetDateTime,
};
use http::HeaderMap;

use crate::post::post;

const SCOPES: &[&str] = &["read"];

/// The policies, the one that answers or sends last.
pub(crate) fn policies(token_url: &str, last: Arc<dyn Policy>) -> [Arc<dyn Policy>; 2] {
    let credential = Arc::new(Credential(token_url.to_owned()));
    let policy = BearerTokenAuthorizationPolicy::new(credential, SCOPES.iter().copied());
    [Arc::new(policy.with_on_challenge(Arc::new(Again))), last]
}

/// What a transport has to do with them.
pub(crate) fn headers(map: &HeaderMap) -> Headers {
    let mut headers = Headers::new();
    for (name, value) in map {
        headers.insert(name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned());
    }
    headers
}

#[derive(Debug)]
struct Credential(String);

#[async_trait]
impl TokenCredential for Credential {
    async fn get_token(
        &self,
        _scopes: &[&str],
        _options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        match post(&self.0).await {
            Ok((token, lifetime)) => Ok(AccessToken::new(token, OffsetDateTime::now_utc() + lifetime)),
            Err(error) => Err(azure_core::Error::new(ErrorKind::Credential, error)),
        }
    }
}

#[derive(Debug)]
struct Again;

#[async_trait]
impl OnChallenge for Again {
    async fn on_challenge(
        &self,
        context: &Context,
        request: &mut Request,
        authorizer: &dyn Authorizer,
        _headers: &Headers,
    ) -> azure_core::Result<()> {
        let method_options = azure_core::http::ClientMethodOptions { context: context.clone() };
        authorizer.authorize(request, SCOPES, TokenRequestOptions { method_options }).await
    }
}
