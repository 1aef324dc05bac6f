use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use gatepass::{Error, Secret, TokenSet};
use http::{Response, header, request::Parts};

use super::{
    cookie::{self, Begun, LIFETIME},
    identity::{Identity, identify},
    trouble::Trouble,
};
use crate::{
    builder::Arrival,
    pages,
    provider::Provider,
    session::{SignedIn, unreachable},
    sign_out::revoke,
    site::Site,
    visit::{Visit, forget_tokens},
};

/// All that is asked of the provider at the end of a sign-in: tokens, keys, the person's name.
const DEADLINE: Duration = Duration::from_secs(30);

/// The provider sends somebody back. Nothing of what it says counts before it is known to be the answer to what this
/// browser began; nobody is signed in before everything else has succeeded.
pub(crate) async fn callback(visit: &Visit, provider: &Provider, parts: &Parts) -> Response<String> {
    let site = visit.site();
    let query = parts.uri.query().unwrap_or_default();
    let state = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "state");
    let state = Secret::new(state.map_or_else(String::new, |(_, state)| state.into_owned()));
    let begun = Begun::find(site, &parts.headers, &state)
        // Each provider has an address of its own: what was begun with another one is not answered here (9700-3).
        .filter(|begun| begun.provider == provider.name && begun.pending.is_answered_by(query));
    let Some(begun) = begun else {
        return Trouble::Foreign.page(site, None);
    };
    let return_to = begun.return_to.clone();
    let mut response = match finish(visit, provider, begun, query, &state).await {
        Ok(()) => pages::redirect(&return_to),
        Err(trouble) => trouble.page(site, Some(&return_to)),
    };
    if let Some(removed) = cookie::removed(site, &state) {
        response.headers_mut().append(header::SET_COOKIE, removed);
    }
    response
}

async fn finish(visit: &Visit, provider: &Provider, begun: Begun, query: &str, state: &Secret) -> Result<(), Trouble> {
    let site = visit.site();
    // Whoever comes second, at the same moment or later, here or on another instance, redeems nothing (6749-12).
    let remembered = Duration::from_secs(2 * LIFETIME);
    if !site.shared.marks.take(&["state", state.expose()], remembered).await.map_err(Trouble::Kept)? {
        return Err(Trouble::Used);
    }
    let code = begun.pending.answer(query).map_err(Trouble::Failed)?;
    let arrive = async {
        let set = provider.authority.redeem(&code).await?;
        let identity = identify(site, provider, &set, code.nonce()).await?;
        Ok::<_, Error>((set, identity))
    };
    let late = || Error::transient(format!("`{}` did not answer within {DEADLINE:?}", provider.name));
    let arrived = tokio::time::timeout(DEADLINE, arrive).await.unwrap_or_else(|_| Err(late()));
    let (set, identity) = arrived.map_err(Trouble::Failed)?;
    check_scopes(provider, &set)?;
    let Identity { user, sid, issued_at } = identity;
    let user = match &site.shared.hook {
        Some(hook) => match hook(Arrival { user, tokens: set.clone() }).await {
            Ok(user) => user,
            Err(refused) => {
                // Who is not wanted leaves nothing behind.
                if refused.is_for_good() {
                    drop(revoke(provider, set));
                }
                return Err(refused.into());
            }
        },
        None => user,
    };
    let signed_in = SignedIn {
        id: new_id(provider)?,
        realm: site.realm(provider),
        user,
        sid,
        issued_at,
        since: site.now(),
        replaces: None,
    };
    let signed_in_at = signed_in.id.clone();
    if let Err(error) = sign_in(visit, signed_in, set).await {
        if let Err(error) = forget_tokens(site, &signed_in_at).await {
            tracing::warn!(%error, "a sign-in failed, and its tokens are still in the store");
        }
        return Err(Trouble::Kept(error));
    }
    visit.signs_in(signed_in_at);
    Ok(())
}

fn check_scopes(provider: &Provider, set: &TokenSet) -> Result<(), Trouble> {
    // A provider that says nothing granted all (6749-10).
    let Some(granted) = set.scope.as_deref() else { return Ok(()) };
    let is_granted = |scope: &str| granted.split([' ', ',']).any(|granted| granted == scope);
    let missing: Vec<_> = provider.required.iter().filter(|scope| !is_granted(scope)).cloned().collect();
    if missing.is_empty() { Ok(()) } else { Err(Trouble::Missing(missing)) }
}

/// The tokens first, then the session: it is what makes somebody signed in.
async fn sign_in(visit: &Visit, mut signed_in: SignedIn, set: TokenSet) -> Result<(), Error> {
    let (site, session) = (visit.site(), visit.session());
    let before = SignedIn::of(session).await?;
    let is_theirs = match &before {
        Some(before) => before.is_same_person(&signed_in),
        None => SignedIn::is_absent(session).await?,
    };
    signed_in.replaces = before.as_ref().map(|before| before.since);
    site.cell(&signed_in.id).put(set).await?;
    if !is_theirs {
        // What the one left in the session is not for the other.
        session.flush().await.map_err(unreachable)?;
    }
    // Whoever knew the identifier before knows nothing now.
    session.cycle_id().await.map_err(unreachable)?;
    signed_in.put_into(session).await?;
    session.save().await.map_err(unreachable)?;
    if let Some(before) = before
        && let Err(error) = end(site, &before, is_theirs).await
    {
        tracing::warn!(%error, "something of the sign-in before is still in the stores");
    }
    tracing::info!(provider = signed_in.user.provider(), "somebody signed in");
    Ok(())
}

/// The sign-in that another one has replaced: a request under way may write its session back.
async fn end(site: &Site, before: &SignedIn, is_theirs: bool) -> Result<(), Error> {
    let marked = site.shared.marks.end(&before.id).await;
    if is_theirs && site.shared.jobs_outlive_sessions {
        return marked;
    }
    // Another person's grant is one of its own; ending the same person's could end the new one, too.
    if !is_theirs
        && let Some(provider) = site.provider_in(before)
        && let Ok(Some(set)) = site.cell(&before.id).token_set().await
    {
        drop(revoke(provider, set));
    }
    forget_tokens(site, &before.id).await.and(marked)
}

/// 128 bits that nobody can guess, behind the provider's name.
fn new_id(provider: &Provider) -> Result<String, Trouble> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| Trouble::Failed(Error::transient(format!("the system has no random numbers: {error}"))))?;
    Ok(format!("{}.{}", provider.name, URL_SAFE_NO_PAD.encode(bytes)))
}
