use gatepass::{Error, Secret, TokenSet};
use serde_json::{Map, Value};

use crate::{
    openid::{Claims, Expected, verify_id_token},
    provider::Provider,
    site::Site,
    user::User,
};

/// Who signed in, and in which session at the provider.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) user: User,
    pub(super) sid: Option<String>,
    pub(super) issued_at: Option<u64>,
}

/// # Errors
/// Why it is not known for sure. Nobody is signed in then.
pub(super) async fn identify(
    site: &Site,
    provider: &Provider,
    set: &TokenSet,
    nonce: Option<&Secret>,
) -> Result<Identity, Error> {
    if provider.is_openid() {
        return openid(site, provider, set, nonce).await;
    }
    let endpoint = provider.user.as_ref().ok_or_else(|| Error::misconfigured("nothing says who signed in"))?;
    let answer = provider.authority.user_info(Some(&endpoint.url), set).await?;
    let answer = serde_json::from_str(&answer).map_err(|error| {
        Error::transient(format!("the user endpoint of `{}` did not answer with JSON", provider.name))
            .with_source(error)
    })?;
    Ok(Identity { user: User::from_endpoint(&provider.name, endpoint, answer)?, sid: None, issued_at: None })
}

async fn openid(site: &Site, provider: &Provider, set: &TokenSet, nonce: Option<&Secret>) -> Result<Identity, Error> {
    let id_token = set.id_token.as_ref().ok_or_else(|| {
        Error::misconfigured(format!(
            "`{}` gave no ID token, although it was asked for the scope openid: see whether it does OpenID Connect; else leave \
             the scope out and name its user endpoint by Provider::user",
            provider.name
        ))
    })?;
    let metadata = provider.authority.metadata().await?;
    let issuer = metadata.issuer.as_deref().ok_or_else(|| {
        Error::misconfigured(format!(
            "whose ID tokens `{}` gives is not known: configure its issuer, or name it by AuthorizationServer::named",
            provider.name
        ))
    })?;
    let expected = Expected {
        issuer,
        client_id: provider.authority.client_id(),
        nonce,
        access_token: set.access_token.as_ref(),
        now: site.shared.clock.wall(),
    };
    let Claims { subject, sid, issued_at, all: mut claims, .. } =
        verify_id_token(&provider.keys, &*provider.authority, id_token, &expected).await?;
    let says_a_name = ["name", "preferred_username", "email"].iter().any(|name| claims.contains_key(*name));
    if !says_a_name && metadata.userinfo_endpoint.is_some() {
        add_user_info(provider, set, &subject, &mut claims).await;
    }
    Ok(Identity { user: User::from_claims(&provider.name, subject, claims), sid, issued_at: Some(issued_at) })
}

/// Many providers leave names out of the ID token, and say them at their user endpoint. Who it is, is known without it:
/// so it may fail.
async fn add_user_info(provider: &Provider, set: &TokenSet, subject: &str, claims: &mut Map<String, Value>) {
    let said = match provider.authority.user_info(None, set).await {
        Ok(said) => said,
        Err(error) => {
            tracing::debug!(%error, provider = provider.name, "who signed in has no name: the user endpoint gave none");
            return;
        }
    };
    let Ok(said) = serde_json::from_str::<Map<String, Value>>(&said) else {
        tracing::debug!(
            provider = provider.name,
            "who signed in has no name: the user endpoint's answer is no JSON object"
        );
        return;
    };
    // Section 5.3.2: else it may be about somebody else.
    if said.get("sub").and_then(Value::as_str) != Some(subject) {
        tracing::warn!(
            provider = provider.name,
            "the user endpoint speaks of another person than the ID token: not used"
        );
        return;
    }
    for (name, value) in said {
        claims.entry(name).or_insert(value);
    }
}
