use std::{borrow::Cow, fmt};

use http::Uri;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::{
    AuthorizationCode, DeviceAuthorization, Form, Pkce, RefreshToken,
    callback::Callback,
    parameters::{Parameters, parameter_setters},
    random,
};
use crate::{
    discovery::Metadata,
    error::{Error, printable},
    origins::is_loopback,
    secret::Secret,
};

/// Asks a person, at the authorization server, to let the client in (RFC 6749 section 4.1.1). See the
/// [module docs](crate::grant#people-sign-in).
///
/// Always with a `state`, with PKCE (RFC 7636, `S256`), and with a `nonce` when the scope `openid` is asked for.
#[derive(Clone, Debug)]
#[must_use]
pub struct AuthorizationRequest {
    redirect_uri: String,
    parameters: Parameters,
    pushed: bool,
    pkce: Option<bool>,
}

impl AuthorizationRequest {
    /// With what the server grants by default, and the answer to `redirect_uri`, which is sent as it is written here:
    /// servers compare it to the letter (section 3.1.2).
    pub fn new(redirect_uri: impl Into<String>) -> Self {
        Self { redirect_uri: redirect_uri.into(), parameters: Parameters::default(), pushed: false, pkce: None }
    }

    /// The same request, answered elsewhere: at a port that is known only now.
    pub fn redirect_uri(mut self, redirect_uri: impl Into<String>) -> Self {
        self.redirect_uri = redirect_uri.into();
        self
    }

    parameter_setters!();

    /// What the server is to ask the person, whatever it remembers: `login`, `consent`, `select_account`, or `none`
    /// (OpenID Connect). Some servers have a parameter of their own instead, such as Spotify's `show_dialog`: see
    /// [`parameter`](Self::parameter).
    pub fn prompt(self, prompt: impl Into<String>) -> Self {
        self.parameter("prompt", prompt.into())
    }

    /// Leaves the request at the server beforehand and takes only a reference to it through the browser (RFC 9126). So
    /// it is done by itself where the server's metadata requires it.
    pub fn pushed(mut self) -> Self {
        self.pushed = true;
        self
    }

    /// Whether to use PKCE. It is used unless this says otherwise, or the code goes to a token swap: not all of those
    /// pass the verifier on. To leave it out is for servers that refuse parameters they do not know, and then for
    /// confidential clients only (RFC 9700 section 2.1.1).
    pub fn pkce(mut self, pkce: bool) -> Self {
        self.pkce = Some(pkce);
        self
    }

    /// Whether it asks for this scope. With `openid` the answer says who signed in.
    pub fn asks_for(&self, scope: &str) -> bool {
        self.parameters.has_scope(scope)
    }

    /// Looks at the settings, as it is done before somebody is sent anywhere.
    ///
    /// # Errors
    /// Misconfigured, with the setting that is wrong.
    pub fn check(&self) -> Result<(), Error> {
        let wrong = |why: &str| {
            let uri = printable(&self.redirect_uri, 200);
            Err(Error::misconfigured(format!("the redirect URI `{uri}` cannot be used: {why}")))
        };
        let Some((scheme, rest)) = self.redirect_uri.split_once(':') else {
            return wrong("write it as it is registered, like http://127.0.0.1:4180/callback");
        };
        if self.redirect_uri.contains('#') {
            return wrong("it has a fragment (#)");
        }
        if self.redirect_uri.bytes().any(|byte| !byte.is_ascii_graphic()) || rest.is_empty() {
            return wrong("write it as it is registered, like http://127.0.0.1:4180/callback");
        }
        let scheme = scheme.to_ascii_lowercase();
        match &*scheme {
            "https" | "http" => match self.redirect_uri.parse::<Uri>() {
                Ok(uri) if scheme == "https" && uri.host().is_some() => {}
                Ok(uri) if uri.host().is_some_and(is_loopback) => {}
                Ok(uri) if uri.host().is_some() => {
                    return wrong("plain http is for loopback addresses only; use https");
                }
                _ => return wrong("write a whole URL"),
            },
            "javascript" | "data" | "file" | "about" | "blob" => return wrong("its scheme leads nowhere safe"),
            // A private-use scheme, which the system gives to the program (RFC 8252 section 7.1).
            _ => {}
        }
        self.parameters.check()
    }

    /// Whether it is to be left at the server first.
    pub(crate) fn is_pushed(&self, metadata: &Metadata) -> bool {
        self.pushed || metadata.require_pushed_authorization_requests
    }

    /// The parameters with their secrets for one sign-in, new each time.
    ///
    /// # Errors
    /// Transient, when the system has no random numbers.
    pub(crate) fn begin(&self, client_id: &str, server: Server<'_>) -> Result<(Form, PendingAuthorization), Error> {
        let pkce = if self.pkce.unwrap_or(!server.swaps) { Some(Pkce::new()?) } else { None };
        let state = random()?;
        let nonce = if self.parameters.has_scope("openid") { Some(random()?) } else { None };
        let mut form = Form::default();
        form.push("response_type", "code");
        form.push("client_id", client_id);
        form.push("redirect_uri", self.redirect_uri.as_str());
        form.push("state", state.clone());
        self.parameters.fill_separated(&mut form, server.separator);
        if let Some(pkce) = &pkce {
            form.push("code_challenge", pkce.challenge());
            form.push("code_challenge_method", "S256");
        }
        if let Some(nonce) = &nonce {
            form.push("nonce", nonce.clone());
        }
        let pending = PendingAuthorization {
            url: String::new(),
            state,
            pkce,
            nonce,
            redirect_uri: self.redirect_uri.clone(),
            client_id: client_id.to_owned(),
            issuer: server.metadata.issuer.clone(),
            names_issuer: server.metadata.authorization_response_iss_parameter_supported,
            scope: self.parameters.scope(),
            resource: self.parameters.only_resource().map(str::to_owned),
        };
        Ok((form, pending))
    }
}

/// What refreshes the tokens that such a request brought, for the same resource.
impl From<&AuthorizationRequest> for RefreshToken {
    fn from(request: &AuthorizationRequest) -> Self {
        match request.parameters.only_resource() {
            Some(resource) => Self::new().resource(resource),
            None => Self::new(),
        }
    }
}

/// Asks for the same on a machine without a browser: the same scopes, audiences and resources. Other parameters are
/// about the browser.
impl From<&AuthorizationRequest> for DeviceAuthorization {
    fn from(request: &AuthorizationRequest) -> Self {
        Self::with(request.parameters.without_others())
    }
}

/// What a request has to know of the server it is made to.
#[derive(Clone, Copy)]
pub(crate) struct Server<'a> {
    pub(crate) metadata: &'a Metadata,
    pub(crate) separator: char,
    /// Whether the code goes to a token swap.
    pub(crate) swaps: bool,
}

/// A sign-in that somebody was sent to and has not come back from. One for each time somebody is sent there: it holds
/// the secrets of that one time. From [`Client::authorize`](crate::endpoint::Client::authorize).
///
/// Keep it where only that person's browser or program has it: who has it can finish the sign-in.
pub struct PendingAuthorization {
    pub(crate) url: String,
    state: Secret,
    pkce: Option<Pkce>,
    nonce: Option<Secret>,
    redirect_uri: String,
    client_id: String,
    issuer: Option<String>,
    names_issuer: bool,
    scope: Option<String>,
    resource: Option<String>,
}

impl PendingAuthorization {
    /// Where to send the person's browser. Not to be logged: it names this sign-in.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where the answer will come.
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// What the answer will bring along: it tells this sign-in from others that the same person has begun, in another
    /// tab. A secret between the server and this person's browser.
    pub fn state(&self) -> &Secret {
        &self.state
    }

    /// The whole as one text, to be kept by the person's browser while it is at the server: sealed, since who can read
    /// it can finish the sign-in. [`from_secret`](Self::from_secret) brings it back.
    pub fn to_secret(&self) -> Secret {
        let kept = Kept {
            state: self.state.expose().into(),
            verifier: self.pkce.as_ref().map(|pkce| pkce.verifier().expose().into()),
            nonce: self.nonce.as_ref().map(|nonce| nonce.expose().into()),
            redirect_uri: Cow::Borrowed(&self.redirect_uri),
            client_id: Cow::Borrowed(&self.client_id),
            issuer: self.issuer.as_deref().map(Cow::Borrowed),
            names_issuer: self.names_issuer,
            scope: self.scope.as_deref().map(Cow::Borrowed),
            resource: self.resource.as_deref().map(Cow::Borrowed),
        };
        Secret::new(serde_json::to_string(&kept).expect("texts are JSON"))
    }

    /// What [`to_secret`](Self::to_secret) made. Its [`url`](Self::url) is empty: the person has been sent there.
    ///
    /// # Errors
    /// Reauthentication required, when it is something else.
    pub fn from_secret(kept: &Secret) -> Result<Self, Error> {
        let wrong = || Error::reauth_required("what was kept of the sign-in cannot be read: start it again");
        let kept: Kept<'_> = serde_json::from_str(kept.expose()).map_err(|_| wrong())?;
        let secret = |text: Cow<'_, str>| Secret::new(text.into_owned());
        Ok(Self {
            url: String::new(),
            state: secret(kept.state),
            pkce: kept
                .verifier
                .map(|verifier| Pkce::from_verifier(secret(verifier)))
                .transpose()
                .map_err(|_| wrong())?,
            nonce: kept.nonce.map(secret),
            redirect_uri: kept.redirect_uri.into_owned(),
            client_id: kept.client_id.into_owned(),
            issuer: kept.issuer.map(Cow::into_owned),
            names_issuer: kept.names_issuer,
            scope: kept.scope.map(Cow::into_owned),
            resource: kept.resource.map(Cow::into_owned),
        })
    }

    /// Whether a callback is the answer to this very request: whether it brings its `state`, compared in constant
    /// time. What is not, came from elsewhere and says nothing about the sign-in (RFC 6749 section 10.12).
    ///
    /// `query` is what follows the `?` of the callback's URL.
    pub fn is_answered_by(&self, query: &str) -> bool {
        Callback::parse(query).is_ok_and(|callback| self.has_state(&callback))
    }

    /// Reads the answer. It takes the request along, so that one answer at most counts.
    ///
    /// # Errors
    /// [Denied](Error::is_denied), when the person said no. Reauthentication required, when the callback belongs to
    /// another sign-in or another server (RFC 9207), or somebody has to do something at the server first. Transient,
    /// when the server says that it cannot now; misconfigured, when it does not take the request. Nothing of the
    /// callback counts unless its state and issuer are right, an error neither.
    pub fn answer(self, query: &str) -> Result<AuthorizationCode, Error> {
        let callback = Callback::parse(query)?;
        if !self.has_state(&callback) {
            return Err(Error::reauth_required(
                "this callback does not belong to the sign-in that was started (its state is another one): start the sign-in \
                 again and go on in the page that opens then",
            ));
        }
        self.check_issuer(callback.issuer.as_deref())?;
        let code = callback.code()?;
        let mut grant = AuthorizationCode::new(code, self.redirect_uri).expecting(self.client_id, self.issuer);
        grant.pkce = self.pkce;
        grant.nonce = self.nonce;
        grant.scope = self.scope;
        grant.resource = self.resource;
        Ok(grant)
    }

    fn has_state(&self, callback: &Callback) -> bool {
        let own = self.state.expose().as_bytes();
        callback.state.as_ref().is_some_and(|state| state.expose().as_bytes().ct_eq(own).into())
    }

    /// RFC 9207 section 2.4. A server whose issuer is not known cannot be told from another.
    fn check_issuer(&self, named: Option<&str>) -> Result<(), Error> {
        let Some(issuer) = self.issuer.as_deref() else {
            return Ok(());
        };
        match named {
            Some(named) if named == issuer => Ok(()),
            None if !self.names_issuer => Ok(()),
            Some(_) => Err(Error::reauth_required(format!(
                "the callback names another authorization server than `{issuer}`, where the sign-in was started: it was not \
                 used; start the sign-in again"
            ))),
            None => Err(Error::reauth_required(format!(
                "the callback does not say that it is from `{issuer}` (no iss), as that server promises: it was not used; start \
                 the sign-in again"
            ))),
        }
    }
}

/// How a sign-in is written down while the person is at the server.
#[derive(Deserialize, Serialize)]
struct Kept<'a> {
    state: Cow<'a, str>,
    verifier: Option<Cow<'a, str>>,
    nonce: Option<Cow<'a, str>>,
    redirect_uri: Cow<'a, str>,
    client_id: Cow<'a, str>,
    issuer: Option<Cow<'a, str>>,
    names_issuer: bool,
    scope: Option<Cow<'a, str>>,
    resource: Option<Cow<'a, str>>,
}

impl fmt::Debug for PendingAuthorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingAuthorization")
            .field("redirect_uri", &self.redirect_uri)
            .field("client_id", &self.client_id)
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "authorization_request/tests.rs"]
mod tests;
