use gatepass::Origins;
use reqwest::{Url, redirect::Policy};

use crate::bearer::serves;

/// Follows redirects as reqwest does by itself, up to ten, except where the token would go along to another origin
/// (X3).
///
/// reqwest takes `Authorization` out of a request that leaves for another host or port, but remembers it: when *that*
/// host redirects within itself, the next request carries it again. Seen with reqwest 0.13.5 (tower-http 0.6 beneath
/// it). It may also keep it from `https` to `http` on the same port (before 0.13.5). Where either would happen to a
/// request that started at one of `origins`, this policy ends it with an error ([`reqwest::Error::is_redirect`]). One
/// redirect to elsewhere is followed, without the token; chains that start elsewhere are none of its business.
///
/// [`BearerMiddleware::client`](crate::BearerMiddleware::client) sets it; for a client that you build yourself:
///
/// ```
/// # fn main() -> Result<(), gatepass::BoxError> {
/// # let _ = rustls::crypto::ring::default_provider().install_default();
/// # let cell = gatepass::TokenCell::new(gatepass::Token::new("a-token")?);
/// let origins = gatepass::Origins::new(["https://api.example.com"])?;
/// let client = reqwest::Client::builder()
///     .redirect(gatepass_reqwest::redirect_policy(origins.clone()))
///     .build()?;
/// let http = reqwest_middleware::ClientBuilder::new(client)
///     .with(gatepass_reqwest::BearerMiddleware::new(cell, origins))
///     .build();
/// # Ok(()) }
/// ```
pub fn redirect_policy(origins: Origins) -> Policy {
    let usual = Policy::default();
    Policy::custom(move |attempt| {
        if takes_token_along(&origins, attempt.previous(), attempt.url()) {
            return attempt
                .error("not followed: reqwest would send the token to another origin; call the final URL instead");
        }
        usual.redirect(attempt)
    })
}

fn takes_token_along(origins: &Origins, previous: &[Url], next: &Url) -> bool {
    let (Some(first), Some(last)) = (previous.first(), previous.last()) else {
        return false;
    };
    serves(origins, first) && !is_same_origin(first, next) && is_same_host(last, next)
}

fn is_same_origin(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme() && is_same_host(one, other)
}

fn is_same_host(one: &Url, other: &Url) -> bool {
    one.host_str() == other.host_str() && one.port_or_known_default() == other.port_or_known_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaks(chain: &[&str]) -> bool {
        let origins = Origins::new(["https://api.example.com:8443"]).unwrap();
        let mut urls: Vec<Url> = chain.iter().map(|url| url.parse().unwrap()).collect();
        let next = urls.pop().unwrap();
        takes_token_along(&origins, &urls, &next)
    }

    #[test]
    fn x3_the_token_is_stripped_on_the_way_out_and_would_come_back_on_the_hop_after() {
        let api = "https://api.example.com:8443/a";
        assert!(!leaks(&[api, "https://api.example.com:8443/b"]));
        assert!(!leaks(&[api, "https://cdn.example/1"]));
        assert!(leaks(&[api, "https://cdn.example/1", "https://cdn.example/2"]));
        assert!(!leaks(&[api, "https://cdn.example/1", "https://other.example/2"]));
        assert!(!leaks(&[api, "https://cdn.example/1", api]));
        assert!(!leaks(&[api, "https://cdn.example/1", api, api]));
    }

    #[test]
    fn x3_https_to_http_on_the_same_port_is_another_origin() {
        let api = "https://api.example.com:8443/a";
        assert!(leaks(&[api, "http://api.example.com:8443/a"]));
    }

    #[test]
    fn x3_chains_that_start_elsewhere_are_not_judged() {
        assert!(!leaks(&["http://www.example", "https://www.example/", "https://www.example/en"]));
    }
}
