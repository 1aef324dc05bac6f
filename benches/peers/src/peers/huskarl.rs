//! huskarl, as in its `examples/cached_client.rs`: a grant, a cache, an authorizer that hears of each response.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, Method, Uri};
use huskarl::{
    authorizer::{HttpAuthorizer, parse_challenges},
    cache::{GrantTokenSource, InMemoryRefreshTokenStore, InMemoryTokenCache},
    core::{
        OAuthErrorCode,
        client_auth::ClientSecret,
        secrets::{ProvidedSecret, SecretString},
    },
    grant::client_credentials::{ClientCredentialsGrant, ClientCredentialsGrantParameters},
};
use huskarl_reqwest::ReqwestClient;

use crate::keeper::{Error, Keeper};

#[derive(Clone)]
pub(crate) struct Huskarl {
    authorizer: Arc<HttpAuthorizer>,
    uri: Uri,
}

impl Huskarl {
    pub(crate) fn new(token_url: &str) -> Self {
        Self::with_margin(token_url, Duration::from_secs(30))
    }

    /// For tokens of a few seconds: by default they are old 30 s before their end, or at half of their lifetime.
    pub(crate) fn short_lived(token_url: &str) -> Self {
        Self::with_margin(token_url, Duration::from_secs(1))
    }

    fn with_margin(token_url: &str, margin: Duration) -> Self {
        let grant = ClientCredentialsGrant::builder()
            .token_endpoint(token_url.parse().unwrap())
            .client_id("client")
            .http_client(ReqwestClient::from(reqwest::Client::new()))
            .client_auth(ClientSecret::new(ProvidedSecret::new(SecretString::new("secret"))))
            .build();
        let source = GrantTokenSource::builder()
            .grant(grant)
            .grant_parameters(ClientCredentialsGrantParameters::builder().build())
            .refresh_store(InMemoryRefreshTokenStore::default())
            .build();
        let cache = InMemoryTokenCache::builder().source(source).expires_margin(margin).build();
        let authorizer = HttpAuthorizer::builder().cache(cache).build();
        Self { authorizer: Arc::new(authorizer), uri: Uri::from_static("https://api.example.com/") }
    }
}

impl Keeper for Huskarl {
    async fn authorize(&self, headers: &mut HeaderMap) -> Result<(), Error> {
        headers.extend(self.authorizer.get_headers(&Method::GET, &self.uri).await?);
        Ok(())
    }

    async fn refused(&self, headers: &HeaderMap) -> bool {
        self.authorizer.process_response(&self.uri, headers);
        parse_challenges(headers).iter().any(|challenge| challenge.error() == Some(OAuthErrorCode::InvalidToken))
    }
}
