use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::{HeaderMap, HeaderValue, Method, Request, header};

use super::{
    Body, HttpService,
    transport::{Received, Transport},
};
use crate::{
    client_auth::ClientAuth,
    clock,
    discovery::{AuthorizationServer, Metadata},
    error::Error,
    grant::{Answer, Asked, Form, Grant, REFUSALS, id_token, token_swap},
    retry_after::RetryAfter,
    token::TokenSet,
};

/// A client, in the sense of RFC 6749: this program as an authorization server knows it, and the way to that server.
/// See the [module docs](crate::endpoint).
pub struct Client<S> {
    pub(super) transport: Transport<S>,
    pub(super) server: AuthorizationServer,
    pub(super) auth: ClientAuth,
    /// What discovery brought, for all clones.
    found: Arc<Mutex<Option<Arc<Metadata>>>>,
}

/// Whom a request is for, and what it presents.
pub(super) struct To<'a> {
    /// "token endpoint"
    pub(super) whom: &'static str,
    pub(super) url: &'a str,
    pub(super) server: &'a Metadata,
    pub(super) spends_refresh_token: bool,
    /// What one of `refusals` means.
    pub(super) refused: &'a (dyn Fn(&str) -> Error + Sync),
    /// Codes by which the server refuses what is presented.
    pub(super) refusals: &'static [&'static str],
}

impl<'a> To<'a> {
    /// For a request that spends no refresh token.
    pub(super) fn new(
        whom: &'static str,
        url: &'a str,
        server: &'a Metadata,
        refused: &'a (dyn Fn(&str) -> Error + Sync),
    ) -> Self {
        Self { whom, url, server, spends_refresh_token: false, refused, refusals: REFUSALS }
    }
}

impl<S: HttpService> Client<S> {
    /// `auth` at `server`, over `transport`. Does no I/O yet.
    ///
    /// # Errors
    /// Misconfigured: a URL that is none or not safe, an empty identifier or secret.
    pub fn new(transport: S, server: AuthorizationServer, auth: ClientAuth) -> Result<Self, Error> {
        server.check()?;
        auth.check()?;
        Ok(Self { transport: Transport::new(transport), server, auth, found: Arc::default() })
    }

    /// Runs a grant once and brings the set. What keeps tokens fresh is a [`TokenCell`](crate::TokenCell) over a
    /// [`TokenEndpoint`](super::TokenEndpoint); this is for what happens once, such as the end of a sign-in.
    ///
    /// # Errors
    /// Why there is no set. After one that is [in doubt](Error::is_in_doubt) the request may have arrived.
    ///
    /// # Cancel safety
    /// The request may have arrived, and what it presented be spent.
    pub async fn exchange(&self, grant: &impl Grant, current: Option<&TokenSet>) -> Result<TokenSet, Error> {
        let result = self.run(grant, current).await;
        if result.as_ref().is_err_and(Error::is_misconfigured) {
            self.forget();
        }
        result
    }

    async fn run(&self, grant: &impl Grant, current: Option<&TokenSet>) -> Result<TokenSet, Error> {
        // Before anything is asked for: there may be nothing to present.
        let form = grant.form(current)?;
        let metadata = self.metadata().await?;
        self.run_at(&metadata, grant, form, current).await
    }

    /// The same at a server that is known.
    pub(super) async fn run_at(
        &self,
        metadata: &Metadata,
        grant: &impl Grant,
        mut form: Form,
        current: Option<&TokenSet>,
    ) -> Result<TokenSet, Error> {
        let issuer = metadata.issuer.as_deref();
        if grant.spends_refresh_token() {
            self.check_owner(current, issuer)?;
        }
        if !grant.may_go_to(issuer, self.id()) {
            return Err(Error::misconfigured(
                "what the request presents is for another authorization server or another client: it was not sent; use the \
                 client that the sign-in began with",
            ));
        }
        // Metadata without it is refused when it is read.
        let mut url = metadata.token_endpoint.as_deref().unwrap_or_default();
        if let Some(swap) = self.server.swap() {
            form = token_swap::form(form);
            url = if grant.spends_refresh_token() { url } else { swap };
        }
        let to = To {
            whom: "token endpoint",
            url,
            server: metadata,
            spends_refresh_token: grant.spends_refresh_token(),
            refused: &|said| grant.refused(said),
            refusals: grant.refusals(),
        };
        let began = clock::instant();
        let mut set = self.post(&to, form, |answer, asked| answer.read(asked)).await?;
        set.asked_for(clock::instant() - began);
        let mut set = grant.accept(set)?;
        if grant.spends_refresh_token()
            && let Some(current) = current
        {
            id_token::check_refreshed(current, &set)?;
        }
        set.issuer = issuer.map(Into::into);
        set.client_id = Some(self.auth.id().into());
        Ok(set)
    }

    /// Posts a form as this client and reads the answer.
    pub(super) async fn post<T>(
        &self,
        to: &To<'_>,
        mut form: Form,
        read: impl FnOnce(Answer<'_>, &Asked<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut headers = HeaderMap::new();
        if self.server.swap().is_none() {
            self.auth.apply(&mut form, &mut headers, to.server.name())?;
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        self.server.safe(to.whom, to.url)?;
        let request = request(Method::POST, to.url, headers, Body::new(form.encode()))?;
        let Received { status, headers, body } = match self.transport.call(request, to.whom).await {
            Ok(received) => received,
            Err(failed) => {
                self.forget();
                return Err(if failed.was_sent { failed.error.in_doubt() } else { failed.error });
            }
        };
        let mut secrets = self.auth.secrets();
        secrets.extend(form.secrets());
        let To { whom, spends_refresh_token, refused, refusals, .. } = *to;
        let asked = Asked { whom, spends_refresh_token, refused, refusals, secrets: &secrets };
        read(Answer { status, headers: &headers, body: &body }, &asked)
    }

    /// What is known of the server. Its metadata is read once, and again after an error that may come from it.
    ///
    /// # Errors
    /// Misconfigured, when there is no metadata or it is another issuer's; transient, when it cannot be read now.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn metadata(&self) -> Result<Arc<Metadata>, Error> {
        if let Some(found) = self.lock_found().clone() {
            return Ok(found);
        }
        let metadata = Arc::new(match self.server.known() {
            Some(known) => known,
            None => self.discover().await?,
        });
        *self.lock_found() = Some(metadata.clone());
        Ok(metadata)
    }

    async fn discover(&self) -> Result<Metadata, Error> {
        let urls = self.server.well_known();
        for url in &urls {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
            let request = request(Method::GET, url, headers, Body::default())?;
            let received = self.transport.call(request, "authorization server's metadata endpoint").await;
            let received = received.map_err(|failed| failed.error)?;
            if received.status.is_server_error() || received.status.as_u16() == 429 {
                let error = Error::transient(format!(
                    "the metadata at {url} cannot be read now (HTTP {})",
                    received.status.as_u16()
                ));
                return Err(match RetryAfter::parse(&received.headers, clock::wall()) {
                    Some(asked) => error.with_retry_after(asked.wait()),
                    None => error,
                });
            }
            if !received.status.is_success() {
                continue;
            }
            if let Some(metadata) = self.server.read(&received.body) {
                return metadata;
            }
        }
        Err(Error::misconfigured(format!(
            "no metadata was found at {}: check the issuer, or configure the token endpoint's URL instead",
            urls.join(" or ")
        )))
    }
}

impl<S> Client<S> {
    /// How long one call may take, discovery counted by itself: 10 s unless set. The cell bounds the whole exchange.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.transport.timeout = timeout;
        self
    }

    /// How many bytes an answer may have: 1 MiB unless set.
    #[must_use]
    pub fn max_answer(mut self, bytes: usize) -> Self {
        self.transport.max_answer = bytes;
        self
    }

    /// Its identifier.
    pub fn id(&self) -> &str {
        self.auth.id()
    }

    /// X6: whether a set was issued by this server to this client, as far as that is known without asking.
    pub(super) fn accepts(&self, set: &TokenSet) -> Result<(), Error> {
        let identity = self.server.identity();
        let known = self.server.known();
        let own = match (set.issuer.as_deref(), &known) {
            (Some(issuer), _) if self.server.may_be(issuer) => Some(issuer),
            (_, Some(known)) => known.issuer.as_deref(),
            (_, None) => Some(&*identity),
        };
        self.check_owner(Some(set), own)
    }

    /// X6: a refresh token goes only to who issued it, and only from whom it was issued to.
    pub(super) fn check_owner(&self, current: Option<&TokenSet>, issuer: Option<&str>) -> Result<(), Error> {
        let Some(current) = current else {
            return Ok(());
        };
        match (issuer, current.issuer.as_deref()) {
            (_, None) => {}
            (Some(own), Some(set)) if own == set => {}
            (Some(_), Some(_)) => {
                return Err(Error::misconfigured(
                    "the token set was issued by another authorization server: its refresh token is not sent to this one; \
                     sign in again here, or configure the issuer it came from",
                ));
            }
            (None, Some(set)) => {
                return Err(Error::misconfigured(format!(
                    "the token set was issued by `{set}`: its refresh token is only sent there; if this token endpoint is \
                     its, say so by AuthorizationServer::named"
                )));
            }
        }
        if current.client_id.as_deref().is_some_and(|id| id != self.auth.id()) {
            return Err(Error::misconfigured(
                "the token set was issued to another client: configure that client, or sign in again with this one",
            ));
        }
        Ok(())
    }

    /// The server may have moved: looks again next time.
    pub(super) fn forget(&self) {
        *self.lock_found() = None;
    }

    fn lock_found(&self) -> MutexGuard<'_, Option<Arc<Metadata>>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn request(method: Method, url: &str, headers: HeaderMap, body: Body) -> Result<Request<Body>, Error> {
    let mut request = Request::builder().method(method).uri(url).body(body).map_err(|error| {
        Error::misconfigured("the authorization server's URL cannot be requested").with_source(error)
    })?;
    *request.headers_mut() = headers;
    Ok(request)
}

/// Clones share what discovery brought.
impl<S: Clone> Clone for Client<S> {
    fn clone(&self) -> Self {
        let Self { transport, server, auth, found } = self;
        Self { transport: transport.clone(), server: server.clone(), auth: auth.clone(), found: found.clone() }
    }
}

impl<S> fmt::Debug for Client<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("server", &self.server).field("auth", &self.auth).finish_non_exhaustive()
    }
}
