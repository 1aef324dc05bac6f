use std::{fmt, future::Future, pin::Pin, sync::Arc};

use gatepass::{
    Error, TokenCell, TokenEndpoint, TokenSet, cell,
    discovery::Metadata,
    endpoint::{Client, HttpService},
    grant::{AuthorizationCode, AuthorizationRequest, PendingAuthorization, RefreshToken},
    provider::UserEndpoint,
};

use crate::{
    openid::{FetchKeys, Keys},
    session::{Watch, Watched},
};

/// A place where people sign in: a client at an authorization server, and what it asks for.
///
/// With the scope `openid` an ID token says who signed in (OpenID Connect). A provider without it, such as Spotify or
/// GitHub, needs a [`user`](Self::user) endpoint.
#[must_use]
pub struct Provider {
    pub(crate) name: String,
    pub(crate) title: Option<String>,
    pub(crate) authority: Arc<dyn Authority>,
    pub(crate) request: AuthorizationRequest,
    pub(crate) required: Vec<String>,
    pub(crate) user: Option<UserEndpoint>,
    pub(crate) back_channel: bool,
    pub(crate) end_session: bool,
    pub(crate) post_logout_redirect_uri: Option<String>,
    pub(crate) keys: Keys,
}

impl Provider {
    /// A provider with the name it has on this site: in paths, such as `/login/spotify`, in the session and in the token
    /// store. So it stays the same.
    pub fn new(name: impl Into<String>, client: Client<impl HttpService>) -> Self {
        Self {
            name: name.into(),
            title: None,
            authority: Arc::new(client),
            request: AuthorizationRequest::new(""),
            required: Vec::new(),
            user: None,
            back_channel: false,
            end_session: true,
            post_logout_redirect_uri: None,
            keys: Keys::new(),
        }
    }

    /// What people read where they choose between several: its name unless set.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// Asks for one scope, or several separated by spaces. May be called again.
    pub fn scope(mut self, scope: impl AsRef<str>) -> Self {
        self.request = self.request.scope(scope);
        self
    }

    /// The same, and without them nobody is signed in: a person may leave out at the provider what they do not want to
    /// give. Unless this says otherwise, they are signed in with what they gave.
    pub fn require_scope(mut self, scope: impl AsRef<str>) -> Self {
        self.required.extend(scope.as_ref().split_ascii_whitespace().map(str::to_owned));
        self.scope(scope)
    }

    /// What is asked for, in place of all scopes named before, with everything that an [`AuthorizationRequest`] may have:
    /// a `prompt`, resources, PAR, parameters of the server's own. Its redirect URI does not count: it is the site's.
    pub fn request(mut self, request: AuthorizationRequest) -> Self {
        self.request = request;
        self
    }

    /// Where the provider says who signed in, where that is not OpenID: a
    /// [known provider's](gatepass::provider::Provider::user), or any other.
    pub fn user(mut self, endpoint: impl Into<Option<UserEndpoint>>) -> Self {
        self.user = endpoint.into();
        self
    }

    /// Takes logout tokens from the provider (OpenID Connect Back-Channel Logout), so that who signs out there, or is
    /// signed out by somebody, is signed out here, on all instances that share the session store. Register the address
    /// at the provider: `/backchannel-logout`, or `/backchannel-logout/{provider}` with several. Each request of a
    /// session then looks for such an order in the session store.
    pub fn back_channel_logout(mut self) -> Self {
        self.back_channel = true;
        self
    }

    /// Leaves people signed in at the provider when they sign out here. Unless this is said, they are sent there to end
    /// that session too, where the provider has an address for it (OpenID Connect RP-Initiated Logout).
    pub fn local_sign_out(mut self) -> Self {
        self.end_session = false;
        self
    }

    /// Where the provider sends people after they signed out there: an address that is registered there for it. Without
    /// it they stay at the provider's page.
    pub fn post_logout_redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.post_logout_redirect_uri = Some(uri.into());
        self
    }

    pub(crate) fn is_openid(&self) -> bool {
        self.request.asks_for("openid")
    }

    pub(crate) fn shown_as(&self) -> &str {
        self.title.as_deref().unwrap_or(&self.name)
    }

    /// # Errors
    /// Misconfigured, with what is missing.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if self.name.is_empty() || self.name.len() > 64 || !self.name.bytes().all(fits) {
            return Err(Error::misconfigured(format!(
                "a provider cannot be named `{}`: its name stands in addresses, so write letters, digits, - and _",
                self.name.escape_debug()
            )));
        }
        if !self.is_openid() && self.user.is_none() {
            return Err(Error::misconfigured(format!(
                "nothing says who signs in at `{0}`: ask for the scope openid, or name its user endpoint by Provider::user",
                self.name
            )));
        }
        if let Some(uri) = &self.post_logout_redirect_uri {
            // An address that people's browsers can be sent to is one that a redirect URI can have, too.
            let of_browsers = uri.starts_with("https://") || uri.starts_with("http://");
            if !of_browsers || AuthorizationRequest::new(uri.as_str()).check().is_err() {
                return Err(Error::misconfigured(format!(
                    "people cannot be sent to `{}` when they have signed out at `{}`: write a whole URL that is registered there, \
                     like https://app.example.com/",
                    uri.chars().take(200).collect::<String>().escape_debug(),
                    self.name
                )));
            }
        }
        if self.back_channel && !self.is_openid() {
            return Err(Error::misconfigured(format!(
                "back-channel logout is part of OpenID Connect: `{}` is not asked for the scope openid",
                self.name
            )));
        }
        Ok(())
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider")
            .field("name", &self.name)
            .field("request", &self.request)
            .field("back_channel", &self.back_channel)
            .finish_non_exhaustive()
    }
}

pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A [`Client`] whose transport has no name any more: none of this is on the way of a request.
pub(crate) trait Authority: FetchKeys {
    fn client_id(&self) -> &str;
    fn metadata(&self) -> BoxFuture<'_, Result<Arc<Metadata>, Error>>;
    fn authorize<'a>(&'a self, request: &'a AuthorizationRequest)
    -> BoxFuture<'a, Result<PendingAuthorization, Error>>;
    fn redeem<'a>(&'a self, code: &'a AuthorizationCode) -> BoxFuture<'a, Result<TokenSet, Error>>;
    /// At this address, or at that of the metadata.
    fn user_info<'a>(&'a self, url: Option<&'a str>, set: &'a TokenSet) -> BoxFuture<'a, Result<String, Error>>;
    fn revoke<'a>(&'a self, set: &'a TokenSet) -> BoxFuture<'a, Result<(), Error>>;
    /// Sets up the cells of those who signed in with this request.
    fn cells(&self, request: &AuthorizationRequest, watch: Option<Watch>) -> Result<cell::Builder, Error>;
}

impl<S: HttpService> Authority for Client<S> {
    fn client_id(&self) -> &str {
        self.id()
    }

    fn metadata(&self) -> BoxFuture<'_, Result<Arc<Metadata>, Error>> {
        Box::pin(self.metadata())
    }

    fn authorize<'a>(
        &'a self,
        request: &'a AuthorizationRequest,
    ) -> BoxFuture<'a, Result<PendingAuthorization, Error>> {
        Box::pin(self.authorize(request))
    }

    fn redeem<'a>(&'a self, code: &'a AuthorizationCode) -> BoxFuture<'a, Result<TokenSet, Error>> {
        Box::pin(self.exchange(code, None))
    }

    fn user_info<'a>(&'a self, url: Option<&'a str>, set: &'a TokenSet) -> BoxFuture<'a, Result<String, Error>> {
        match url {
            Some(url) => Box::pin(self.user_info_at(url, set)),
            None => Box::pin(self.user_info(set)),
        }
    }

    fn revoke<'a>(&'a self, set: &'a TokenSet) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(self.revoke(set))
    }

    fn cells(&self, request: &AuthorizationRequest, watch: Option<Watch>) -> Result<cell::Builder, Error> {
        let endpoint = TokenEndpoint::of(self.clone(), RefreshToken::from(request))?;
        let cells = match watch {
            Some(watch) => TokenCell::builder(Watched::new(endpoint, watch)),
            None => TokenCell::builder(endpoint),
        };
        // One person's requests need no more.
        Ok(cells.copies(1))
    }
}

impl<S: HttpService> FetchKeys for Client<S> {
    fn fetch(&self) -> BoxFuture<'_, Result<String, Error>> {
        Box::pin(self.jwks())
    }
}
