//! aws-smithy-runtime: the lazy identity cache that the SDK for AWS keeps its identities in, with a resolver for bearer
//! tokens of our own, as the docs of `ResolveIdentity` have it. The header is made as its `BearerAuthScheme` makes it.
//! It does nothing about a 401.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use aws_smithy_async::{rt::sleep::TokioSleep, time::SystemTimeSource};
use aws_smithy_runtime::client::{
    auth::http::BearerAuthScheme, identity::IdentityCache, orchestrator::endpoints::StaticUriEndpointResolver,
    retries::strategy::NeverRetryStrategy,
};
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        auth::{http::HTTP_BEARER_AUTH_SCHEME_ID, static_resolver::StaticAuthSchemeOptionResolver},
        identity::{
            Identity, IdentityFuture, ResolveCachedIdentity, ResolveIdentity, SharedIdentityCache,
            SharedIdentityResolver, http::Token,
        },
        runtime_components::{RuntimeComponents, RuntimeComponentsBuilder},
    },
};
use aws_smithy_types::config_bag::ConfigBag;
use http::{HeaderMap, header::AUTHORIZATION};

use crate::{
    keeper::{Error, Keeper, bearer},
    post::post,
};

#[derive(Clone)]
pub(crate) struct Aws(Arc<Parts>);

struct Parts {
    cache: SharedIdentityCache,
    resolver: SharedIdentityResolver,
    components: RuntimeComponents,
    config: ConfigBag,
}

impl Aws {
    pub(crate) fn new(token_url: &str) -> Self {
        Self::with_cache(IdentityCache::lazy().build(), token_url)
    }

    /// For tokens of a few seconds: by default they are old between 10 s and 5 s before their end, and here between 1 s
    /// and half of that.
    pub(crate) fn short_lived(token_url: &str) -> Self {
        Self::with_cache(IdentityCache::lazy().buffer_time(Duration::from_secs(1)).build(), token_url)
    }

    fn with_cache(cache: SharedIdentityCache, token_url: &str) -> Self {
        let resolver = SharedIdentityResolver::new(Resolver(token_url.to_owned()));
        let components = RuntimeComponentsBuilder::new("peers")
            .with_auth_scheme(BearerAuthScheme::new())
            .with_auth_scheme_option_resolver(Some(StaticAuthSchemeOptionResolver::new(vec![
                HTTP_BEARER_AUTH_SCHEME_ID,
            ])))
            .with_endpoint_resolver(Some(StaticUriEndpointResolver::http_localhost(1)))
            .with_identity_cache(Some(cache.clone()))
            .with_identity_resolver(HTTP_BEARER_AUTH_SCHEME_ID, resolver.clone())
            .with_retry_strategy(Some(NeverRetryStrategy::new()))
            .with_sleep_impl(Some(TokioSleep::new()))
            .with_time_source(Some(SystemTimeSource::new()))
            .build()
            .unwrap();
        Self(Arc::new(Parts { cache, resolver, components, config: ConfigBag::base() }))
    }
}

impl Keeper for Aws {
    async fn authorize(&self, headers: &mut HeaderMap) -> Result<(), Error> {
        let Parts { cache, resolver, components, config } = &*self.0;
        let identity = cache.resolve_cached_identity(resolver.clone(), components, config).await?;
        let token = identity.data::<Token>().ok_or("not a token")?;
        headers.insert(AUTHORIZATION, bearer(token.token())?);
        Ok(())
    }
}

#[derive(Debug)]
struct Resolver(String);

impl ResolveIdentity for Resolver {
    fn resolve_identity<'a>(
        &'a self,
        _components: &'a RuntimeComponents,
        _config: &'a ConfigBag,
    ) -> IdentityFuture<'a> {
        IdentityFuture::new(async {
            let (token, lifetime) = post(&self.0).await?;
            let end = SystemTime::now() + lifetime;
            Ok::<_, BoxError>(Identity::new(Token::new(token, Some(end)), Some(end)))
        })
    }
}
