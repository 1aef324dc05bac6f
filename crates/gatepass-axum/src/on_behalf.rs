use std::{fmt, sync::Arc};

use gatepass::{BearerLayer, Error, Origins, TokenCell};

use crate::{
    sign_in_needed::SignInNeeded,
    site::Site,
    visit::{Visit, forget_tokens},
};

/// Calls APIs for somebody who signed in. In a handler it is an extractor: it has a token, or the handler is not called
/// and the answer is that of [`SignInNeeded`].
///
/// All requests of one person share one cell: a hundred that meet an ended token cost one exchange.
///
/// A handle: it can be kept, and goes on where no request is, in a task or a job. What it can be found by later is its
/// [`id`](Self::id).
#[derive(Clone)]
pub struct OnBehalf {
    id: Arc<str>,
    cell: TokenCell,
}

impl OnBehalf {
    pub(crate) fn new(id: Arc<str>, cell: TokenCell) -> Self {
        Self { id, cell }
    }

    /// Of who makes the request.
    pub(crate) async fn of(visit: &Visit) -> Result<Self, Absent> {
        let signed_in = visit.signed_in().await.map_err(Absent::Failed)?;
        let signed_in = signed_in.ok_or(Absent::SignIn(SignInNeeded::SignedOut))?;
        let cell = visit.site().cell(&signed_in.id);
        match cell.get().await {
            Ok(_) => Ok(Self::new(signed_in.id.as_str().into(), cell)),
            Err(error) if error.is_reauth_required() => {
                tracing::info!(%error, provider = signed_in.user.provider(), "somebody has to sign in again");
                end_tokens(visit.site(), &signed_in.id).await;
                Err(Absent::SignIn(SignInNeeded::TokensEnded))
            }
            Err(error) => Err(Absent::Failed(error)),
        }
    }

    /// What finds the same later, after a restart too: [`Site::on_behalf_of`]. No secret, and of no use elsewhere.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The cell of their token: its age, its generation, its events.
    pub fn cell(&self) -> &TokenCell {
        &self.cell
    }

    /// A layer that puts their token on the requests to `origins`. For a stack that is made once and serves everybody
    /// there is [`Site::bearer`].
    pub fn bearer(&self, origins: Origins) -> BearerLayer {
        BearerLayer::new(self.cell.clone(), origins)
    }

    /// The client of [`Site::reqwest`] for this person.
    ///
    /// ```
    /// # use gatepass_axum::{Failed, OnBehalf, Site};
    /// # use gatepass_reqwest::reqwest_middleware::ClientWithMiddleware;
    /// # type State<T> = T;
    /// // At the start: site.reqwest(Origins::new(["https://api.example.com"])?, reqwest::Client::builder())?
    /// async fn orders(http: State<ClientWithMiddleware>, person: OnBehalf) -> Result<String, Failed> {
    ///     let response = person.reqwest(&http).get("https://api.example.com/orders").send().await?;
    ///     Ok(response.error_for_status()?.text().await?)
    /// }
    /// ```
    #[cfg(feature = "reqwest")]
    pub fn reqwest(
        &self,
        client: &gatepass_reqwest::reqwest_middleware::ClientWithMiddleware,
    ) -> gatepass_reqwest::reqwest_middleware::ClientWithMiddleware {
        use gatepass_reqwest::reqwest_middleware::{ClientBuilder, Extension};
        ClientBuilder::from_client(client.clone()).with_init(Extension(self.clone())).build()
    }
}

impl fmt::Debug for OnBehalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnBehalf").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Why there is nobody to call for.
#[derive(Debug)]
pub(crate) enum Absent {
    SignIn(SignInNeeded),
    Failed(Error),
}

/// The grant is dead, or there is none: what is left of it is of no use. Other errors of it do not matter, since the next
/// request meets them.
async fn end_tokens(site: &Site, id: &str) {
    if let Err(error) = forget_tokens(site, id).await {
        tracing::warn!(%error, "tokens that are of no use are still in the store");
    }
}
