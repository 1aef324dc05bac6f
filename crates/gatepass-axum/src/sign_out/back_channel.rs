use std::time::Duration;

use gatepass::Error;
use http::{Response, StatusCode};
use serde_json::json;

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
pub(crate) async fn back_channel(site: &Site, provider: &Provider, body: &[u8]) -> Response<String> {
    match order(site, provider, body).await {
        Ok(()) => {
            let mut response = Response::new(String::new());
            pages::private(&mut response);
            response
        }
        Err(error) => {
            tracing::warn!(error = %Chain(&error), provider = provider.name, "an order to sign somebody out was not followed");
            let (status, code) = match error.is_transient() {
                true => (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable"),
                false => (StatusCode::BAD_REQUEST, "invalid_request"),
            };
            pages::json(status, &json!({"error": code, "error_description": error.to_string()}))
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
    let whom = match (&sid, &subject) {
        (Some(sid), _) => Order::Session(sid),
        (None, Some(subject)) => Order::Person(subject),
        (None, None) => return Err(Error::reauth_required("the logout token names nobody")),
    };
    // Followed before it is remembered: one that is lost in between does harm, one that is followed twice does none.
    site.shared.marks.sign_out(&provider.name, whom, issued_at).await?;
    let left = Duration::from_secs(ends_at.saturating_sub(site.now()).min(24 * 3600));
    if !site.shared.marks.take(&["jti", &provider.name, &id], left + Duration::from_secs(120)).await? {
        return Err(Error::reauth_required("the logout token came before"));
    }
    tracing::info!(provider = provider.name, "the provider signed somebody out");
    Ok(())
}
