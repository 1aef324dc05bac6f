//! Servers of which there are many: one for each tenant, domain or realm.

use super::{Authentication, Location, Loopback, Provider, known::GITLAB};
use crate::{discovery::AuthorizationServer, error::Error};

/// Microsoft Entra ID, for a tenant: its identifier, one of its domains, or `common`, `organizations` or `consumers`.
///
/// Only for an identifier is the issuer known beforehand, and the metadata read; the others are reached by their URLs.
///
/// ```
/// use gatepass::provider::microsoft;
///
/// let contoso = microsoft("contoso.onmicrosoft.com")?;
/// let request = contoso.authorization_request("http://localhost:4180/").scope("https://graph.microsoft.com/user.read");
/// assert!(microsoft("contoso/../common").is_err());
/// # let _ = request;
/// # Ok::<(), gatepass::Error>(())
/// ```
///
/// # Errors
/// Misconfigured, when `tenant` is no such name.
pub fn microsoft(tenant: &str) -> Result<Provider, Error> {
    let tenant = name("tenant", tenant)?;
    let base = format!("https://login.microsoftonline.com/{tenant}");
    let location = if is_guid(tenant) {
        Location::Issuer(format!("{}/v2.0", base.to_ascii_lowercase()).into())
    } else {
        Location::Endpoints {
            authorization: format!("{base}/oauth2/v2.0/authorize").into(),
            token: format!("{base}/oauth2/v2.0/token").into(),
        }
    };
    Ok(Provider {
        device_authorization_endpoint: Some(format!("{base}/oauth2/v2.0/devicecode").into()),
        loopback: Loopback::Localhost,
        ..enterprise("Microsoft", "https://learn.microsoft.com/en-us/entra/identity-platform/v2-protocols", location)
    })
}

/// GitLab on a host of one's own, such as `gitlab.example.com`, with a port if need be. For GitLab.com there is
/// [`GITLAB`].
///
/// # Errors
/// Misconfigured, when `host` is none.
pub fn gitlab(host: &str) -> Result<Provider, Error> {
    let base = format!("https://{}", self::host("host", host)?);
    Ok(Provider {
        location: Location::Issuer(base.clone().into()),
        device_authorization_endpoint: Some(format!("{base}/oauth/authorize_device").into()),
        revocation_endpoint: Some(format!("{base}/oauth/revoke").into()),
        ..GITLAB
    })
}

/// Okta, for an organization's domain, such as `example.okta.com`, and one of its authorization servers: `None` is the
/// organization's own, `Some("default")` is the one that most have for their APIs.
///
/// # Errors
/// Misconfigured, when `domain` or `server` is none.
pub fn okta(domain: &str, server: Option<&str>) -> Result<Provider, Error> {
    let domain = host("domain", domain)?;
    let issuer = match server {
        Some(server) => format!("https://{domain}/oauth2/{}", name("authorization server", server)?),
        None => format!("https://{domain}"),
    };
    Ok(Provider {
        authentication: Authentication::Basic,
        ..enterprise("Okta", "https://developer.okta.com/docs/concepts/auth-servers/", Location::Issuer(issuer.into()))
    })
}

/// Auth0, for a tenant's domain, such as `example.eu.auth0.com`. For a token that an API takes, ask for its audience:
/// [`audience`](crate::grant::AuthorizationRequest::audience).
///
/// # Errors
/// Misconfigured, when `domain` is none.
pub fn auth0(domain: &str) -> Result<Provider, Error> {
    // With the slash: so the server writes it.
    Ok(enterprise(
        "Auth0",
        "https://auth0.com/docs/api/authentication",
        Location::Issuer(format!("https://{}/", host("domain", domain)?).into()),
    ))
}

/// Keycloak, for its base URL and a realm: `https://sso.example.com`, with `/auth` at the end for an old one.
///
/// # Errors
/// Misconfigured, when `base` is no URL that may be used, or `realm` no name.
pub fn keycloak(base: &str, realm: &str) -> Result<Provider, Error> {
    let base = base.strip_suffix('/').unwrap_or(base);
    if base.contains('?') {
        return Err(Error::misconfigured("the base URL of Keycloak has a query: leave it out"));
    }
    AuthorizationServer::issuer(base).check()?;
    Ok(Provider {
        authentication: Authentication::Basic,
        loopback: Loopback::Address,
        ..enterprise(
            "Keycloak",
            "https://www.keycloak.org/securing-apps/oidc-layers",
            Location::Issuer(format!("{base}/realms/{}", name("realm", realm)?).into()),
        )
    })
}

/// What the servers of organizations have in common.
fn enterprise(name: &'static str, docs: &'static str, location: Location) -> Provider {
    Provider {
        name,
        docs,
        location,
        device_authorization_endpoint: None,
        revocation_endpoint: None,
        authentication: Authentication::Post,
        scope_separator: ' ',
        pkce: true,
        offline_scope: Some("offline_access"),
        offline_parameters: &[],
        loopback: Loopback::Exact,
        user: None,
    }
}

/// One segment of a path, that nothing needs to be escaped in: what has another meaning in a URL is no name.
fn name<'a>(what: &str, text: &'a str) -> Result<&'a str, Error> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if text.is_empty() || text.len() > 253 || !text.bytes().all(known) || text.bytes().all(|byte| byte == b'.') {
        return Err(unusable(what, text, "it with letters, digits, `-`, `_` and `.` alone"));
    }
    Ok(text)
}

/// A host, with a port or without.
fn host<'a>(what: &str, text: &'a str) -> Result<&'a str, Error> {
    let (host, port) = text.split_once(':').unwrap_or((text, "443"));
    let is_port = port.parse::<u16>().is_ok() && port.bytes().all(|byte| byte.is_ascii_digit());
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    if host.len() > 253 || !host.bytes().all(known) || host.split('.').any(str::is_empty) || !is_port {
        return Err(unusable(what, text, "a host name alone, like auth.example.com"));
    }
    Ok(text)
}

fn unusable(what: &str, text: &str, expected: &str) -> Error {
    // Somebody may have written a whole URL, with a password in it.
    let text = text.rsplit('@').next().unwrap_or_default().split('?').next().unwrap_or_default();
    let text: String = text.chars().filter(|c| !c.is_control()).take(100).collect();
    Error::misconfigured(format!("the {what} `{text}` cannot be used: write {expected}"))
}

fn is_guid(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').collect();
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && parts.concat().bytes().all(|byte| byte.is_ascii_hexdigit())
}
