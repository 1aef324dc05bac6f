use std::sync::Arc;

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
}

impl Visit {
    pub(crate) fn new(site: Site, session: Session) -> Self {
        Self(Arc::new(Inner { site, session, signed_in: OnceCell::new() }))
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

    /// What was found out, if anybody wanted to know.
    pub(crate) fn known(&self) -> Option<&Arc<SignedIn>> {
        self.0.signed_in.get()?.as_ref()
    }

    async fn find(&self) -> Result<Option<Arc<SignedIn>>, Error> {
        let (site, session) = (&self.0.site, &self.0.session);
        if session.id().is_none() {
            return Ok(None);
        }
        let Some(signed_in) = SignedIn::of(session).await? else { return Ok(None) };
        // A provider that is gone from the settings signs nobody in any more.
        let Some(provider) = site.provider_of(&signed_in.id) else { return Ok(None) };
        let (now, seen) = (site.now(), seen(session).await?);
        let is_over = signed_in.is_over(seen, now, &site.shared.limits)
            || site.shared.marks.is_ended(&signed_in, provider.back_channel).await?;
        if is_over {
            // Its tokens stay: a job may go on with them. Who signs out takes them along.
            session.flush().await.map_err(unreachable)?;
            return Ok(None);
        }
        self.touch(seen, now).await?;
        Ok(Some(Arc::new(signed_in)))
    }

    /// Remembers that they were here, now and then, in the record as it is at this moment. Not in the session of this
    /// request: it is written back at the end, over what others have changed until then.
    async fn touch(&self, seen: u64, now: u64) -> Result<(), Error> {
        let every = (self.0.site.shared.limits.idle.as_secs() / 10).clamp(1, 300);
        let Some(id) = self.0.session.id() else { return Ok(()) };
        if now.saturating_sub(seen) < every {
            return Ok(());
        }
        let sessions = &self.0.site.shared.sessions;
        if let Some(mut record) = sessions.load(&id).await.map_err(unreachable)? {
            record.data.insert(SEEN.to_owned(), now.into());
            sessions.save(&record).await.map_err(unreachable)?;
        }
        Ok(())
    }
}

/// Takes somebody's tokens out of this instance and the store.
///
/// # Errors
/// Of the token store.
pub(crate) async fn forget_tokens(site: &Site, id: &str) -> Result<(), Error> {
    let removed = site.cell(id).remove().await;
    site.shared.tokens.remove(id);
    removed
}
