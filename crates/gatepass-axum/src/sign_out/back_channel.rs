use std::time::Duration;

use bytes::Bytes;
use gatepass::Error;
use http::{Response, StatusCode};
use serde_json::json;
use tracing::Instrument;

use crate::{
    failed::Chain,
    openid::{LogoutToken, verify_logout_token},
    pages,
    provider::Provider,
    session::Order,
    site::Site,
};

/// The provider signs somebody out (OpenID Connect Back-Channel Logout section 2.5). What it orders stands in the session
/// store, for all instances: sessions that began before it are over, and their tokens are renewed no more.
///
/// In a task of its own: what came is followed whether or not its bringer waits, and strangers who hang up while the
/// provider is asked for its keys do not count against those who sign in.
pub(crate) async fn back_channel(site: &Site, provider: &Provider, body: Bytes) -> Response<String> {
    let (on, name) = (site.clone(), provider.name.clone());
    let followed = async move {
        let provider = on.provider(&name).ok_or_else(|| Error::misconfigured("there is no such provider"))?;
        order(&on, provider, &body).await
    };
    let followed = tokio::spawn(followed.in_current_span()).await;
    match followed.unwrap_or_else(|_| Err(Error::transient("the order was dropped"))) {
        Ok(()) => {
            let mut response = Response::new(String::new());
            pages::private(&mut response);
            response
        }
        Err(error) => {
            tracing::warn!(error = %Chain(&error), provider = provider.name, "an order to sign somebody out was not followed");
            // Anybody may ask: what is not about the token is in the log (W11).
            let (status, answer) = if error.is_transient() {
                (StatusCode::SERVICE_UNAVAILABLE, json!({"error": "temporarily_unavailable"}))
            } else if error.is_misconfigured() {
                (StatusCode::INTERNAL_SERVER_ERROR, json!({"error": "server_error"}))
            } else {
                let said = error.to_string();
                (StatusCode::BAD_REQUEST, json!({"error": "invalid_request", "error_description": said}))
            };
            pages::json(status, &answer)
        }
    }
}

async fn order(site: &Site, provider: &Provider, body: &[u8]) -> Result<(), Error> {
    let mut tokens = form_urlencoded::parse(body).filter(|(name, _)| name == "logout_token");
    let (Some((_, token)), None) = (tokens.next(), tokens.next()) else {
        return Err(Error::reauth_required("there is no logout_token in the form, or there are several"));
    };
    let metadata = provider.authority.metadata().await?;
    let issuer = metadata.issuer.as_deref().unwrap_or_default();
    let client_id = provider.authority.client_id();
    let now = site.shared.clock.wall();
    let order = verify_logout_token(&provider.keys, &*provider.authority, &token, issuer, client_id, now).await?;
    let LogoutToken { subject, sid, id, issued_at, ends_at } = order;
    let (whom, also) = match (&sid, &subject) {
        (Some(sid), subject) => (Order::Session(sid), subject.as_deref().map(Order::Nameless)),
        (None, Some(subject)) => (Order::Person(subject), None),
        (None, None) => return Err(Error::reauth_required("the logout token names nobody")),
    };
    // Followed before it is remembered: one that is lost in between does harm, one that is followed twice does none.
    for whom in std::iter::once(whom).chain(also) {
        site.shared.marks.sign_out(&provider.name, whom, issued_at).await?;
    }
    let left = Duration::from_secs(ends_at.saturating_sub(site.now()).min(24 * 3600));
    if !site.shared.marks.take(&["jti", &provider.name, &id], left + Duration::from_secs(120)).await? {
        return Err(Error::reauth_required("the logout token came before"));
    }
    tracing::info!(provider = provider.name, "the provider signed somebody out");
    Ok(())
}
