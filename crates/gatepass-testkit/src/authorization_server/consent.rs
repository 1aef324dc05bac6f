/// What becomes of a sign-in.
///
/// [`AuthorizationServer::consent`](crate::AuthorizationServer::consent) says it for `/authorize`,
/// [`AuthorizationServer::device_consent`](crate::AuthorizationServer::device_consent) for devices.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Consent {
    /// It is approved at once.
    #[default]
    Approve,
    /// It is denied at once: `access_denied`.
    Deny,
    /// It ends with this error: `server_error`, `login_required`, …
    Error(String),
    /// A page asks a person; a device waits until [`approve`](crate::AuthorizationServer::approve) or
    /// [`deny`](crate::AuthorizationServer::deny), or the page, decides.
    Ask,
}

/// The parameter `iss` in what comes back from `/authorize` (RFC 9207).
///
/// The metadata go on promising it; a server that does not is
/// `Metadata::Member("authorization_response_iss_parameter_supported".into(), "false".into())` besides.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Iss {
    /// The issuer.
    #[default]
    Correct,
    /// Left out.
    Missing,
    /// This issuer.
    Wrong(String),
}
