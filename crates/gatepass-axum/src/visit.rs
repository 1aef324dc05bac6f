use std::sync::{Arc, OnceLock};

use gatepass::Error;
use tokio::sync::OnceCell;
use tower_sessions::{Session, SessionStore};

use crate::{
    session::{SEEN, SignedIn, seen, unreachable},
    site::Site,
};

/// One request to a site: who makes it, found out when somebody wants to know, and then once.
#[derive(Clone, Debug)]
pub(crate) struct Visit(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    site: Site,
    session: Session,
    signed_in: OnceCell<Option<Arc<SignedIn>>>,
    /// The id of the sign-in that this request ended in.
    new: OnceLock<String>,
}

impl Visit {
    pub(crate) fn new(site: Site, session: Session) -> Self {
        Self(Arc::new(Inner { site, session, signed_in: OnceCell::new(), new: OnceLock::new() }))
    }

    pub(crate) fn site(&self) -> &Site {
        &self.0.site
    }

    pub(crate) fn session(&self) -> &Session {
        &self.0.session
    }

    /// Who is signed in: within idle time and ceiling, and not signed out anywhere.
    ///
    /// # Errors
    /// Transient, of the session store.
    pub(crate) async fn signed_in(&self) -> Result<Option<Arc<SignedIn>>, Error> {
        self.0.signed_in.get_or_try_init(|| self.find()).await.cloned()
    }

    /// This request has signed somebody in.
    pub(crate) fn signs_in(&self, id: String) {
        let _ = self.0.new.set(id);
    }

    /// The session could not be written back: whoever would have got in by it did not.
    pub(crate) async fn lost(&self) {
        if let Some(id) = self.0.new.get()
            && let Err(error) = forget_tokens(&self.0.site, id).await
        {
            tracing::warn!(%error, "a sign-in failed, and its tokens are still in the store");
        }
    }

    async fn find(&self) -> Result<Option<Arc<SignedIn>>, Error> {
        let (site, session) = (&self.0.site, &self.0.session);
        // Not whether it has an identifier: a layer may have changed it just now.
        let Some(signed_in) = SignedIn::of(session).await? else { return Ok(None) };
        // A provider that is gone from the settings signs nobody in any more.
        let Some(provider) = site.provider_in(&signed_in) else { return Ok(None) };
        let (now, seen) = (site.now(), seen(session).await?);
        let is_signed_out = site.shared.marks.is_ended(&signed_in, provider.back_channel).await?;
        if is_signed_out || signed_in.is_over(seen, now, &site.shared.limits) {
            session.flush().await.map_err(unreachable)?;
            let has_ended = is_signed_out || !site.shared.jobs_outlive_sessions;
            if has_ended && let Err(error) = forget_tokens(site, &signed_in.id).await {
                tracing::warn!(%error, "a session has ended, and its tokens are still in the store");
            }
            return Ok(None);
        }
        self.touch(seen, now).await?;
        Ok(Some(Arc::new(signed_in)))
    }

    /// Remembers that they were here, now and then, in the record as it is at this moment. In the session of this request
    /// that is no change: it would be written back at the end, over what others have changed until then. But where it is
    /// written back anyway, the time has to be in it, else who is always busy would seem to be idle.
    async fn touch(&self, seen: u64, now: u64) -> Result<(), Error> {
        let every = (self.0.site.shared.limits.idle.as_secs() / 10).clamp(1, 300);
        if now.saturating_sub(seen) < every {
            return Ok(());
        }
        let session = &self.0.session;
        if session.is_modified() {
            return session.insert(SEEN, now).await.map_err(unreachable);
        }
        let Some(id) = session.id() else { return Ok(()) };
        let sessions = &self.0.site.shared.sessions;
        if let Some(mut record) = sessions.load(&id).await.map_err(unreachable)? {
            record.data.insert(SEEN.to_owned(), now.into());
            sessions.save(&record).await.map_err(unreachable)?;
            session.load().await.map_err(unreachable)?;
        }
        Ok(())
    }
}

/// Takes somebody's tokens out of this instance and the store. Those of a provider that is gone from the settings cannot
/// be found there: they stay until the store forgets them.
///
/// # Errors
/// Of the token store.
pub(crate) async fn forget_tokens(site: &Site, id: &str) -> Result<(), Error> {
    if site.provider_of(id).is_none() {
        return Ok(());
    }
    let removed = site.cell(id).remove().await;
    site.shared.tokens.remove(id);
    removed
}
