//! Servers of which there is one.

use std::borrow::Cow;

use super::{Authentication, Location, Loopback, Provider, UserEndpoint};

/// Spotify. It takes no `localhost` since November 2025: write `http://127.0.0.1`.
pub const SPOTIFY: Provider = Provider {
    name: "Spotify",
    docs: "https://developer.spotify.com/documentation/web-api/concepts/authorization",
    location: endpoints("https://accounts.spotify.com/authorize", "https://accounts.spotify.com/api/token"),
    device_authorization_endpoint: None,
    revocation_endpoint: None,
    authentication: Authentication::Basic,
    scope_separator: ' ',
    pkce: true,
    offline_scope: None,
    offline_parameters: &[],
    loopback: Loopback::Address,
    user: Some(UserEndpoint {
        url: Cow::Borrowed("https://api.spotify.com/v1/me"),
        subject: Cow::Borrowed("/id"),
        names: Cow::Borrowed(&[Cow::Borrowed("/display_name")]),
        email: Some(Cow::Borrowed("/email")),
        picture: Some(Cow::Borrowed("/images/0/url")),
    }),
};

/// GitHub. Tokens of an OAuth app do not end and have no refresh token; those of a GitHub app do, and have one. It has no
/// revocation endpoint of RFC 7009: an API of its own ends tokens.
pub const GITHUB: Provider = Provider {
    name: "GitHub",
    docs: "https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps",
    location: endpoints("https://github.com/login/oauth/authorize", "https://github.com/login/oauth/access_token"),
    device_authorization_endpoint: Some(Cow::Borrowed("https://github.com/login/device/code")),
    revocation_endpoint: None,
    authentication: Authentication::Post,
    scope_separator: ' ',
    pkce: true,
    offline_scope: None,
    offline_parameters: &[],
    loopback: Loopback::Address,
    user: Some(UserEndpoint {
        url: Cow::Borrowed("https://api.github.com/user"),
        subject: Cow::Borrowed("/id"),
        names: Cow::Borrowed(&[Cow::Borrowed("/name"), Cow::Borrowed("/login")]),
        email: Some(Cow::Borrowed("/email")),
        picture: Some(Cow::Borrowed("/avatar_url")),
    }),
};

/// Google. Programs on somebody's machine have a secret there, which is none: use [`Provider::client`] all the same. A
/// service account is no sign-in: see `gatepass::jwt`.
pub const GOOGLE: Provider = Provider {
    name: "Google",
    docs: "https://developers.google.com/identity/protocols/oauth2",
    location: Location::Issuer(Cow::Borrowed("https://accounts.google.com")),
    device_authorization_endpoint: None,
    revocation_endpoint: None,
    authentication: Authentication::Post,
    scope_separator: ' ',
    pkce: true,
    offline_scope: None,
    offline_parameters: &[("access_type", "offline"), ("prompt", "consent")],
    loopback: Loopback::Address,
    user: None,
};

/// GitLab.com. For an instance of one's own: [`gitlab`](super::gitlab).
pub const GITLAB: Provider = Provider {
    name: "GitLab",
    docs: "https://docs.gitlab.com/api/oauth2/",
    location: Location::Issuer(Cow::Borrowed("https://gitlab.com")),
    device_authorization_endpoint: Some(Cow::Borrowed("https://gitlab.com/oauth/authorize_device")),
    revocation_endpoint: Some(Cow::Borrowed("https://gitlab.com/oauth/revoke")),
    authentication: Authentication::Post,
    scope_separator: ' ',
    pkce: true,
    offline_scope: None,
    offline_parameters: &[],
    loopback: Loopback::Address,
    user: None,
};

/// Discord. Revoking one token ends all that the person gave to the client.
pub const DISCORD: Provider = Provider {
    name: "Discord",
    docs: "https://docs.discord.com/developers/topics/oauth2",
    location: endpoints("https://discord.com/oauth2/authorize", "https://discord.com/api/oauth2/token"),
    device_authorization_endpoint: None,
    revocation_endpoint: Some(Cow::Borrowed("https://discord.com/api/oauth2/token/revoke")),
    authentication: Authentication::Basic,
    scope_separator: ' ',
    pkce: true,
    offline_scope: None,
    offline_parameters: &[],
    loopback: Loopback::Exact,
    user: Some(UserEndpoint {
        url: Cow::Borrowed("https://discord.com/api/users/@me"),
        subject: Cow::Borrowed("/id"),
        names: Cow::Borrowed(&[Cow::Borrowed("/global_name"), Cow::Borrowed("/username")]),
        email: Some(Cow::Borrowed("/email")),
        picture: None,
    }),
};

/// Twitch. Its device flow is not that of RFC 8628 (it calls the scopes `scopes`), so it is left out.
pub const TWITCH: Provider = Provider {
    name: "Twitch",
    docs: "https://dev.twitch.tv/docs/authentication/",
    location: Location::Issuer(Cow::Borrowed("https://id.twitch.tv/oauth2")),
    device_authorization_endpoint: None,
    revocation_endpoint: Some(Cow::Borrowed("https://id.twitch.tv/oauth2/revoke")),
    authentication: Authentication::Post,
    scope_separator: ' ',
    pkce: false,
    offline_scope: None,
    offline_parameters: &[],
    loopback: Loopback::Exact,
    user: None,
};

const fn endpoints(authorization: &'static str, token: &'static str) -> Location {
    Location::Endpoints { authorization: Cow::Borrowed(authorization), token: Cow::Borrowed(token) }
}
