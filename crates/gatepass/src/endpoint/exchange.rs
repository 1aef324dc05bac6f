use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use tower_service::Service;

use super::{Body, transport::Transport};
use crate::{
    client_auth::ClientAuth,
    clock,
    discovery::AuthorizationServer,
    error::{BoxError, Error},
    grant::{Answer, Asked, Grant},
    retry_after::RetryAfter,
    source::{Identity, TokenSource},
    token::TokenSet,
};

/// Gets tokens from an authorization server's token endpoint. See the [module docs](crate::endpoint).
pub struct TokenEndpoint<S, G> {
    transport: Transport<S>,
    server: AuthorizationServer,
    client: ClientAuth,
    grant: G,
    found: Mutex<Option<Found>>,
}

/// What discovery brought.
#[derive(Clone)]
struct Found {
    issuer: String,
    token_endpoint: String,
}

impl<S, G, B> TokenEndpoint<S, G>
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: http_body::Body + Send,
    B::Data: Send,
    B::Error: Into<BoxError>,
    G: Grant,
{
    /// A source that runs `grant` as `client` at `server`, over `transport`. Does no I/O yet.
    ///
    /// # Errors
    /// Misconfigured: a URL that is none or not safe, an empty identifier or secret, a parameter given twice.
    pub fn new(transport: S, server: AuthorizationServer, client: ClientAuth, grant: G) -> Result<Self, Error> {
        server.check()?;
        client.check()?;
        grant.check()?;
        Ok(Self { transport: Transport::new(transport), server, client, grant, found: Mutex::new(None) })
    }

    async fn run(&self, current: Option<&TokenSet>) -> Result<TokenSet, Error> {
        let mut form = self.grant.form(current)?;
        let (url, issuer) = match self.server.told() {
            Some((issuer, url)) => (url.to_owned(), issuer.map(str::to_owned)),
            None => {
                let found = self.discover().await?;
                (found.token_endpoint, Some(found.issuer))
            }
        };
        if self.grant.spends_refresh_token() {
            self.check_owner(current, issuer.as_deref())?;
        }
        let mut headers = HeaderMap::new();
        self.client.apply(&mut form, &mut headers)?;
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let request = request(Method::POST, &url, headers, Body::new(form.encode()))?;
        let received = match self.transport.call(request, "token endpoint").await {
            Ok(received) => received,
            Err(failed) => {
                self.forget();
                return Err(if failed.was_sent { failed.error.in_doubt() } else { failed.error });
            }
        };
        let mut secrets = self.client.secrets();
        secrets.extend(form.secrets().cloned());
        let asked = Asked { spends_refresh_token: self.grant.spends_refresh_token(), secrets: &secrets };
        let answer = Answer { status: received.status, headers: &received.headers, body: &received.body };
        let mut set = self.grant.accept(answer.read(&asked)?);
        set.issuer = issuer.map(Into::into);
        set.client_id = Some(self.client.id().into());
        Ok(set)
    }

    /// X6: a refresh token goes only to who issued it, and only from whom it was issued to.
    fn check_owner(&self, current: Option<&TokenSet>, issuer: Option<&str>) -> Result<(), Error> {
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
        if current.client_id.as_deref().is_some_and(|id| id != self.client.id()) {
            return Err(Error::misconfigured(
                "the token set was issued to another client: configure that client, or sign in again with this one",
            ));
        }
        Ok(())
    }

    async fn discover(&self) -> Result<Found, Error> {
        if let Some(found) = self.lock_found().clone() {
            return Ok(found);
        }
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
                let (issuer, token_endpoint) = metadata?;
                let found = Found { issuer, token_endpoint };
                *self.lock_found() = Some(found.clone());
                return Ok(found);
            }
        }
        Err(Error::misconfigured(format!(
            "no metadata was found at {}: check the issuer, or configure the token endpoint's URL instead",
            urls.join(" or ")
        )))
    }
}

impl<S, G> TokenEndpoint<S, G> {
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
}

impl<S, G, B> TokenSource for TokenEndpoint<S, G>
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: http_body::Body + Send,
    B::Data: Send,
    B::Error: Into<BoxError>,
    G: Grant,
{
    async fn exchange(&self, current: Option<&TokenSet>) -> Result<TokenSet, Error> {
        let result = self.run(current).await;
        if result.as_ref().is_err_and(Error::is_misconfigured) {
            self.forget();
        }
        result
    }

    fn can_renew(&self, current: &TokenSet) -> bool {
        !self.grant.spends_refresh_token() || current.refresh_token.is_some()
    }

    fn spends_refresh_token(&self) -> bool {
        self.grant.spends_refresh_token()
    }

    fn identity(&self) -> Identity {
        Identity::new(self.server.identity(), self.client.id()).grant(self.grant.kind()).variant(self.grant.variant())
    }

    fn accepts(&self, set: &TokenSet) -> Result<(), Error> {
        let identity = self.server.identity();
        let own = match (set.issuer.as_deref(), self.server.told()) {
            (Some(issuer), _) if self.server.may_be(issuer) => Some(issuer),
            (_, Some((named, _))) => named,
            (_, None) => Some(&*identity),
        };
        self.check_owner(Some(set), own)
    }
}

impl<S, G> TokenEndpoint<S, G> {
    /// The server may have moved: looks again next time.
    fn forget(&self) {
        *self.lock_found() = None;
    }

    fn lock_found(&self) -> std::sync::MutexGuard<'_, Option<Found>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn request(method: Method, url: &str, headers: HeaderMap, body: Body) -> Result<Request<Body>, Error> {
    let mut request = Request::builder().method(method).uri(url).body(body).map_err(|error| {
        Error::misconfigured("the authorization server's URL cannot be requested").with_source(error)
    })?;
    *request.headers_mut() = headers;
    Ok(request)
}

impl<S, G: fmt::Debug> fmt::Debug for TokenEndpoint<S, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenEndpoint")
            .field("server", &self.server)
            .field("client", &self.client)
            .field("grant", &self.grant)
            .finish_non_exhaustive()
    }
}
