//! cf-gears-toolkit-auth, as in its README: a provider that refreshes in the background, under the layer that
//! invalidates after a 401 and sends once more.

use std::time::Duration;

use toolkit_auth::{BearerAuthAutoRefreshLayer, OAuthClientConfig, SecretString, TokenProvider};
use toolkit_http::HttpClientConfig;

pub(crate) fn provider(token_url: &str) -> TokenProvider {
    TokenProvider::new(config(token_url)).unwrap()
}

/// For tokens of a few seconds, as in its own tests: by default it refreshes 30 min before the end, and at most every
/// 10 s.
pub(crate) fn short_lived(token_url: &str) -> TokenProvider {
    let config = OAuthClientConfig {
        refresh_offset: Duration::from_secs(2),
        jitter_max: Duration::ZERO,
        min_refresh_period: Duration::from_millis(100),
        ..config(token_url)
    };
    TokenProvider::new(config).unwrap()
}

pub(crate) fn layer(provider: TokenProvider) -> BearerAuthAutoRefreshLayer {
    BearerAuthAutoRefreshLayer::new(provider)
}

fn config(token_url: &str) -> OAuthClientConfig {
    OAuthClientConfig {
        token_endpoint: Some(token_url.parse().unwrap()),
        client_id: "client".to_owned(),
        client_secret: SecretString::new("secret"),
        // The only one that goes over plain http.
        http_config: Some(HttpClientConfig::for_testing()),
        ..OAuthClientConfig::default()
    }
}
