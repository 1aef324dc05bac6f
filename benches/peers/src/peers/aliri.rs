//! aliri_reqwest over aliri_tokens, as in the docs of both: a watcher that refreshes in the background, and a
//! middleware for reqwest 0.12 that takes its token. It does nothing about a 401.

use aliri_reqwest::{AccessTokenMiddleware, ExactHostMatch};
use aliri_tokens::{
    ClientId, ClientSecret, TokenLifetimeConfig, TokenWatcher,
    backoff::ErrorBackoffConfig,
    jitter::NullJitter,
    sources::oauth2::{
        ClientCredentialsTokenSource,
        dto::{ClientCredentials, ClientCredentialsWithAudience},
    },
};

/// For requests to one host; the default one is for https only.
///
/// By default a token is stale after three quarters of its lifetime, and after 30 s at the earliest: tokens of a few
/// seconds would end before, or while the next one comes. No jitter: that
/// of the docs, a minute, has such tokens fetched without a pause.
pub(crate) async fn middleware(token_url: &str, host: &str) -> AccessTokenMiddleware<ExactHostMatch> {
    let credentials = ClientCredentials {
        client_id: ClientId::from_static("client"),
        client_secret: ClientSecret::from_static("secret"),
    };
    let credentials = ClientCredentialsWithAudience {
        credentials: credentials.into(),
        audience: aliri::jwt::Audience::from_static("api"),
    };
    let lifetime = TokenLifetimeConfig::new(0.5, aliri_clock::DurationSecs(0));
    let client = reqwest_012::Client::new();
    let source = ClientCredentialsTokenSource::new(client, token_url.parse().unwrap(), credentials, lifetime);
    let source = source.using_form_data();
    let watcher = TokenWatcher::spawn_from_token_source(source, NullJitter, ErrorBackoffConfig::default()).await;
    AccessTokenMiddleware::new(watcher.unwrap()).with_predicate(ExactHostMatch::new(host))
}
