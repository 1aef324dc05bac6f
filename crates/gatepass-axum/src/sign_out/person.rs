use gatepass::{Error, Origins, TokenSet};
use http::{HeaderMap, Response, StatusCode, Uri};
use tokio::task::JoinHandle;
use tracing::Instrument;

use crate::{
    failed::Failed,
    pages::{self, Page},
    provider::Provider,
    same_origin::is_same_origin,
    session::{SignedIn, unreachable},
    site::Site,
    visit::{Visit, forget_tokens},
};

/// A link cannot sign anybody out: another site could have it followed. It leads to a button.
pub(crate) fn confirm(site: &Site) -> Response<String> {
    let paths = &site.shared.paths;
    let page = Page::new("Sign out?").button(&paths.logout, "Sign out").quiet_link(&site.shared.after_sign_out, "Stay");
    page.answer(StatusCode::OK)
}

/// Here first, then at the provider: whatever becomes of that, nobody is signed in here any more (7009-5).
pub(crate) async fn sign_out(visit: &Visit, headers: &HeaderMap) -> Response<String> {
    let site = visit.site();
    if !is_same_origin(headers, site.origin()) {
        let page = Page::new("Sign out?")
            .text("Another site asked for this, so nothing was done.")
            .button(&site.shared.paths.logout, "Sign out");
        return page.answer(StatusCode::FORBIDDEN);
    }
    // In a task of its own: who closes the window now is signed out, too.
    let signed_out = tokio::spawn({
        let visit = visit.clone();
        let signed_out = async move {
            match here(&visit).await? {
                Some((signed_in, set)) => Ok(at_provider(visit.site(), &signed_in, set).await),
                None => Ok(None),
            }
        };
        signed_out.in_current_span()
    });
    let to = match signed_out.await.unwrap_or_else(|_| Err(Error::transient("the sign-out was dropped"))) {
        Ok(to) => to,
        Err(error) => {
            let answer = Failed::new(error).response::<String>();
            let page = Page::new("You are still signed in")
                .text("This site cannot reach where it keeps sessions. Try again in a moment.")
                .button(&site.shared.paths.logout, "Sign out");
            return page.answer(answer.status());
        }
    };
    pages::redirect(to.as_deref().unwrap_or(&site.shared.after_sign_out))
}

/// Ends the session, and takes the tokens. An exchange that is under way, here or on another instance, brings neither
/// back.
async fn here(visit: &Visit) -> Result<Option<(SignedIn, Option<TokenSet>)>, Error> {
    let (site, session) = (visit.site(), visit.session());
    // Not whether it still holds: what has ended is taken away, too.
    let signed_in = SignedIn::of(session).await?;
    let Some(signed_in) = signed_in.filter(|signed_in| site.provider_in(signed_in).is_some()) else {
        if session.id().is_some() {
            session.flush().await.map_err(unreachable)?;
        }
        return Ok(None);
    };
    // Requests that began before this one write the session back when they end. The mark stands.
    site.shared.marks.end(&signed_in.id).await?;
    if let Err(error) = session.flush().await {
        tracing::warn!(%error, "somebody signed out, and their session is still in the store, where nobody can use it");
    }
    let set = site.cell(&signed_in.id).token_set().await.unwrap_or_else(|error| {
        tracing::warn!(%error, "the tokens of somebody who signs out cannot be read, and so not ended at the provider");
        None
    });
    if let Err(error) = forget_tokens(site, &signed_in.id).await {
        tracing::warn!(%error, "somebody signed out, and their tokens are still in the store");
    }
    tracing::info!(provider = signed_in.user.provider(), "somebody signed out");
    Ok(Some((signed_in, set)))
}

/// Ends the tokens, for so long as that may take; and says where the person's session there is ended.
async fn at_provider(site: &Site, signed_in: &SignedIn, set: Option<TokenSet>) -> Option<String> {
    let provider = site.provider_of(&signed_in.id)?;
    if let Some(set) = set.clone() {
        // When that is over, it goes on alone.
        let _ = tokio::time::timeout(site.shared.revocation_deadline, revoke(provider, set)).await;
    }
    let metadata = tokio::time::timeout(site.shared.revocation_deadline, provider.authority.metadata()).await;
    let endpoint = metadata.ok()?.ok()?.end_session_endpoint.clone().filter(|_| provider.end_session)?;
    if !is_safe(&endpoint) {
        tracing::warn!(provider = provider.name, "the end session endpoint has no TLS: nobody is sent there");
        return None;
    }
    Some(end_session(provider, &endpoint, set.as_ref()))
}

/// Ends tokens at the provider, in a task of its own, if it can end any.
pub(crate) fn revoke(provider: &Provider, set: TokenSet) -> JoinHandle<()> {
    let (authority, name) = (provider.authority.clone(), provider.name.clone());
    tokio::spawn(async move {
        let metadata = authority.metadata().await;
        if metadata.is_ok_and(|metadata| metadata.revocation_endpoint.is_none()) {
            return;
        }
        if let Err(error) = authority.revoke(&set).await {
            tracing::warn!(%error, provider = name, "tokens that nobody has any more live on at the provider");
        }
    })
}

/// The ID token goes there (6749-23).
fn is_safe(endpoint: &str) -> bool {
    let Ok(uri) = endpoint.parse::<Uri>() else { return false };
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return false };
    Origins::new([format!("{scheme}://{authority}")]).is_ok()
}

/// OpenID Connect RP-Initiated Logout, section 2. Without an ID token the provider asks the person.
fn end_session(provider: &Provider, endpoint: &str, set: Option<&TokenSet>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("client_id", provider.authority.client_id());
    if let Some(id_token) = set.and_then(|set| set.id_token.as_ref()) {
        query.append_pair("id_token_hint", id_token.expose());
    }
    if let Some(uri) = &provider.post_logout_redirect_uri {
        query.append_pair("post_logout_redirect_uri", uri);
    }
    let separator = if endpoint.contains('?') { '&' } else { '?' };
    format!("{endpoint}{separator}{}", query.finish())
}
