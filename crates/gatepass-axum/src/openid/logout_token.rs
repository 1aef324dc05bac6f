//! The provider says that somebody signed out there (OpenID Connect Back-Channel Logout sections 2.4 and 2.6).

use std::{fmt, time::SystemTime};

use gatepass::Error;
use serde_json::Value;

use super::{
    keys::{FetchKeys, Keys},
    signed::{self, Kind, LEEWAY, Signed, by_the_clock, since_1970},
};

/// What makes a token a logout token, among its `events`.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// In seconds. A logout is told at once; and no provider has to be trusted to end a token that somebody caught.
const OLDEST: u64 = 10 * 60;

/// Whose sessions end: the one that `sid` names, or all of the subject. One of them is there. Its Debug shows neither.
#[derive(Clone)]
pub(crate) struct LogoutToken {
    pub(crate) subject: Option<String>,
    pub(crate) sid: Option<String>,
    /// `jti`: who sees it a second time before [`ends_at`](Self::ends_at) sees a replay.
    pub(crate) id: String,
    /// Seconds since 1970.
    pub(crate) issued_at: u64,
    /// From then on it is refused for its age, leeway and all: no replay has to be remembered longer. Seconds since
    /// 1970.
    pub(crate) ends_at: u64,
}

/// Takes a logout token for what it says only if the provider signed it, for this client and lately (OIDC-3). Replays
/// are for the caller to notice.
///
/// The final specification asks for `exp`, its drafts did not, and servers in use leave it out. Without one, the token
/// ends by its age alone.
///
/// # Errors
/// Reauthentication required, with the claim that is wrong. When the provider's keys cannot be had: transient, or what
/// [`FetchKeys`] says.
///
/// # Cancel safety
/// Nothing is lost; see [`Keys`].
pub(crate) async fn verify_logout_token(
    keys: &Keys,
    fetch: &dyn FetchKeys,
    token: &str,
    issuer: &str,
    client_id: &str,
    now: SystemTime,
) -> Result<LogoutToken, Error> {
    let signed = signed::verify(Kind::LogoutToken, keys, fetch, token).await?;
    check(signed, issuer, client_id, since_1970(now)).map_err(|why| Kind::LogoutToken.refuse(&why))
}

/// By what it says, once its signature is right.
pub(super) fn check(signed: Signed, issuer: &str, client_id: &str, now: u64) -> Result<LogoutToken, String> {
    let Signed { typ, claims, .. } = signed;
    if !matches!(typ.as_deref(), None | Some("logout+jwt" | "jwt")) {
        return Err("is another kind of token (typ)".to_owned());
    }
    // Else an ID token could be passed off as one (section 2.4).
    if claims.has("nonce") {
        return Err("is an ID token (nonce)".to_owned());
    }
    if !claims.get("events").and_then(|events| events.get(EVENT)).is_some_and(Value::is_object) {
        return Err("reports no logout (events)".to_owned());
    }
    claims.check_issuer(issuer)?;
    claims.check_audience(client_id)?;
    let issued_at = claims.issued_at(now)?;
    let too_old = issued_at.saturating_add(OLDEST + LEEWAY);
    if now >= too_old {
        return Err(by_the_clock("was issued more than 10 min ago", "iat"));
    }
    let expires_at = claims.expires_at(now)?;
    claims.check_not_before(now)?;
    let text = |name| claims.text(name).map(|text| text.map(str::to_owned));
    let (subject, sid) = (claims.subject()?.map(str::to_owned), text("sid")?);
    if subject.is_none() && sid.is_none() {
        return Err("does not say who signed out (sub, sid)".to_owned());
    }
    let id = text("jti")?.ok_or("has no identifier (jti)")?;
    let ends_at = expires_at.map_or(too_old, |at| at.saturating_add(LEEWAY).min(too_old));
    Ok(LogoutToken { subject, sid, id, issued_at, ends_at })
}

impl fmt::Debug for LogoutToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogoutToken")
            .field("issued_at", &self.issued_at)
            .field("ends_at", &self.ends_at)
            .finish_non_exhaustive()
    }
}
