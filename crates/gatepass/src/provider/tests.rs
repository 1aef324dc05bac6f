use proptest::prelude::*;

use super::*;
use crate::{discovery::Metadata, endpoint::Body, endpoint::Client, error::Error};

const TENANT: &str = "9F1e2d3c-4b5a-6789-abcd-ef0123456789";

fn all() -> Vec<Provider> {
    vec![
        SPOTIFY,
        GITHUB,
        GOOGLE,
        GITLAB,
        DISCORD,
        TWITCH,
        microsoft("common").unwrap(),
        microsoft(TENANT).unwrap(),
        gitlab("gitlab.example.com").unwrap(),
        okta("example.okta.com", None).unwrap(),
        okta("example.okta.com", Some("default")).unwrap(),
        auth0("example.eu.auth0.com").unwrap(),
        keycloak("https://sso.example.com", "people").unwrap(),
    ]
}

fn urls(provider: &Provider) -> Vec<String> {
    let mut urls = vec![provider.docs.to_owned()];
    urls.extend(provider.device_authorization_endpoint.as_deref().map(str::to_owned));
    urls.extend(provider.revocation_endpoint.as_deref().map(str::to_owned));
    urls.extend(provider.user.as_ref().map(|user| user.url.to_string()));
    match &provider.location {
        Location::Issuer(issuer) => urls.push(issuer.to_string()),
        Location::Endpoints { authorization, token } => urls.extend([authorization.to_string(), token.to_string()]),
    }
    urls
}

fn issuer(provider: Result<Provider, Error>) -> String {
    match provider.unwrap().location {
        Location::Issuer(issuer) => issuer.into_owned(),
        Location::Endpoints { token, .. } => panic!("{token}"),
    }
}

/// Where a sign-in sends the browser, at a provider that needs no metadata for it.
async fn sign_in_url(provider: &Provider, request: AuthorizationRequest) -> String {
    let server = match &provider.location {
        Location::Issuer(_) => AuthorizationServer::token_endpoint("https://a.example/token")
            .authorization_endpoint("https://a.example/authorize"),
        Location::Endpoints { .. } => provider.server(),
    };
    let nobody = tower::service_fn(|_: http::Request<Body>| async {
        Err::<http::Response<String>, _>(std::io::Error::other("nothing is sent"))
    });
    let client = Client::new(nobody, server, provider.public_client("me")).unwrap();
    client.authorize(&request).await.unwrap().url().to_owned()
}

#[test]
fn every_provider_makes_a_server_that_may_be_used_and_is_reached_by_tls() {
    for provider in all() {
        assert!(provider.server().check().is_ok(), "{provider:?}");
        assert!(!provider.name.is_empty());
        for url in urls(&provider) {
            assert!(url.starts_with("https://") && url.parse::<http::Uri>().is_ok(), "{url}");
        }
        assert!(provider.client("id", "secret").check().is_ok());
        assert!(provider.public_client("id").check().is_ok());
        assert!(provider.authorization_request("http://127.0.0.1:4180/callback").check().is_ok());
    }
}

#[test]
fn a_client_authenticates_as_the_provider_wants() {
    assert!(format!("{:?}", SPOTIFY.client("id", "s")).contains("basic"));
    assert!(format!("{:?}", GITHUB.client("id", "s")).contains("post"));
    assert!(format!("{:?}", SPOTIFY.public_client("id")).contains("none"));
}

#[tokio::test(start_paused = true)]
async fn a_sign_in_asks_for_a_refresh_token_in_the_providers_way() {
    let microsoft = microsoft("common").unwrap();
    for (provider, has, has_not) in [
        (&GOOGLE, &["access_type=offline", "prompt=consent", "code_challenge="][..], &["offline_access"][..]),
        (&microsoft, &["scope=offline_access+read", "code_challenge="], &["access_type"]),
        (&SPOTIFY, &["scope=read&", "code_challenge="], &["offline"]),
        (&TWITCH, &["scope=read"], &["code_challenge", "offline"]),
    ] {
        let request = provider.authorization_request("http://127.0.0.1:4180/callback").scope("read");
        let url = sign_in_url(provider, request).await;
        assert!(has.iter().all(|part| url.contains(part)), "{url}");
        assert!(!has_not.iter().any(|part| url.contains(part)), "{url}");
    }
}

#[test]
fn a_name_is_filled_in_where_it_belongs() {
    assert_eq!(
        issuer(microsoft(TENANT)),
        "https://login.microsoftonline.com/9f1e2d3c-4b5a-6789-abcd-ef0123456789/v2.0",
        "as the metadata writes it"
    );
    assert_eq!(issuer(gitlab("gitlab.example.com:8443")), "https://gitlab.example.com:8443");
    assert_eq!(issuer(okta("example.okta.com", None)), "https://example.okta.com");
    assert_eq!(issuer(okta("example.okta.com", Some("default"))), "https://example.okta.com/oauth2/default");
    assert_eq!(issuer(auth0("example.eu.auth0.com")), "https://example.eu.auth0.com/");
    assert_eq!(
        issuer(keycloak("https://sso.example.com/auth/", "people")),
        "https://sso.example.com/auth/realms/people"
    );
    assert_eq!(issuer(keycloak("http://127.0.0.1:8080", "people")), "http://127.0.0.1:8080/realms/people");
}

#[test]
fn microsofts_issuer_is_known_for_an_identifier_only() {
    for tenant in
        ["common", "organizations", "consumers", "contoso.onmicrosoft.com", "9f1e2d3c-4b5a-6789-abcd-ef012345678"]
    {
        let provider = microsoft(tenant).unwrap();
        let Metadata { issuer, token_endpoint, .. } = provider.server().known().unwrap();
        assert_eq!(issuer, None);
        assert_eq!(token_endpoint.unwrap(), format!("https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token"));
    }
    assert!(microsoft(TENANT).unwrap().server().known().is_none(), "it is read from metadata");
}

#[test]
fn what_means_something_in_a_url_is_no_name() {
    for bad in [
        "", ".", "..", "a/b", "a?b", "a#b", "a@b", "a b", "a%2fb", "a\\b", "a\nb", "ä", "a:b", "a&b", "a;b", "//a",
        "{tenant}",
    ] {
        for made in [microsoft(bad), okta("example.okta.com", Some(bad)), keycloak("https://sso.example.com", bad)] {
            assert!(made.unwrap_err().is_misconfigured(), "{bad}");
        }
        for made in [gitlab(bad), okta(bad, None), auth0(bad)] {
            assert!(made.unwrap_err().is_misconfigured(), "{bad}");
        }
    }
    for bad in ["https://a.example", "a.example/x", "a..example", ".a", "a:", "a:+80", "a:99999", "a:1@b", "[::1]"] {
        assert!(gitlab(bad).is_err() && auth0(bad).is_err(), "{bad}");
    }
    let error = gitlab("https://user:hunter2@gitlab.example.com?key=hunter2").unwrap_err();
    assert!(error.to_string().contains("gitlab.example.com") && !error.to_string().contains("hunter2"), "{error}");
    for bad in [
        "",
        "sso.example.com",
        "http://sso.example.com",
        "https://a@b",
        "https://a?x=1",
        "https://a/?x",
        "https://a#x",
        "ftp://a",
    ] {
        assert!(keycloak(bad, "people").unwrap_err().is_misconfigured(), "{bad}");
    }
}

proptest! {
    #[test]
    fn any_name_is_refused_or_leads_to_its_own_host(text in ".{0,40}") {
        for made in [microsoft(&text), okta("o.example", Some(&text)), keycloak("https://k.example", &text)] {
            let Ok(provider) = made else { continue };
            for url in urls(&provider).into_iter().skip(1) {
                let url: http::Uri = url.parse().unwrap();
                prop_assert!(["login.microsoftonline.com", "o.example", "k.example"].contains(&url.host().unwrap()));
                prop_assert!(url.query().is_none() && url.path().contains(&*text));
            }
        }
        for made in [gitlab(&text), okta(&text, None), auth0(&text)] {
            let Ok(provider) = made else { continue };
            prop_assert!(provider.server().check().is_ok());
        }
    }
}
