//! Sign-out that a client begins (OpenID Connect RP-Initiated Logout). No I/O.

use std::{fmt, time::Instant};

use bytes::Bytes;
use http::{Method, Response};

use super::{
    assertion::Claims,
    authorization_request::is_trusted,
    form::{self, Form},
    grants::Book,
    pages,
};

/// A request to `/end_session`, as it arrived, whether or not it was in order.
///
/// Its `Debug` shows neither tokens nor `state`; the fields hold all of it.
#[derive(Clone)]
#[non_exhaustive]
pub struct Logout {
    /// When it was answered.
    pub at: Instant,
    /// GET or POST.
    pub method: Method,
    /// `id_token_hint`
    pub id_token_hint: Option<String>,
    /// `sub` of that ID token, if it is one.
    pub sub: Option<String>,
    /// `sid` of that ID token, if it is one.
    pub sid: Option<String>,
    /// `client_id`
    pub client_id: Option<String>,
    /// `post_logout_redirect_uri`
    pub post_logout_redirect_uri: Option<String>,
    /// `state`
    pub state: Option<String>,
}

impl Logout {
    pub(super) fn new(method: &Method, sent: &Form) -> Self {
        let param = |name: &str| sent.get(name).map(str::to_owned);
        let hint = sent.get("id_token_hint").and_then(Claims::read);
        let claim = |name: &str| hint.as_ref()?.text(name).map(str::to_owned);
        Self {
            at: Instant::now(),
            method: method.clone(),
            id_token_hint: param("id_token_hint"),
            sub: claim("sub"),
            sid: claim("sid"),
            client_id: param("client_id"),
            post_logout_redirect_uri: param("post_logout_redirect_uri"),
            state: param("state"),
        }
    }
}

impl fmt::Debug for Logout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logout")
            .field("method", &self.method)
            .field("sub", &self.sub)
            .field("client_id", &self.client_id)
            .field("post_logout_redirect_uri", &self.post_logout_redirect_uri)
            .finish_non_exhaustive()
    }
}

impl Book {
    /// Sends the browser back, or says what happened.
    pub(super) fn end_session(&self, sent: &Form) -> Response<Bytes> {
        match self.post_logout_redirect(sent) {
            Ok(Some(location)) => form::see_other(&location),
            Ok(None) => pages::told("You are signed out. You may close this page."),
            Err(why) => pages::refused(why),
        }
    }

    fn post_logout_redirect(&self, sent: &Form) -> Result<Option<String>, &'static str> {
        if sent.repeated().is_some() {
            return Err("A parameter came more than once.");
        }
        let client = self.client_that_signs_out(sent)?;
        let Some(uri) = sent.get("post_logout_redirect_uri") else { return Ok(None) };
        let client = client.ok_or("Neither id_token_hint nor client_id says who wants to go back.")?;
        let registered = self.settings.open_id.post_logout_redirect_uris.get(&client);
        if !is_trusted(uri, registered.map(Vec::as_slice).unwrap_or_default()) {
            return Err("The post_logout_redirect_uri is not registered, or does not lead to this machine.");
        }
        Ok(Some(match sent.get("state") {
            None => uri.to_owned(),
            Some(state) => form::with_query(uri, &[("state", state)]),
        }))
    }

    /// By `client_id`, or else the one that the ID token is for. An ID token that has expired will do.
    fn client_that_signs_out(&self, sent: &Form) -> Result<Option<String>, &'static str> {
        let named = sent.get("client_id");
        let client = match sent.get("id_token_hint") {
            None => named.map(str::to_owned),
            Some(jwt) => {
                let hint = Claims::read(jwt).filter(|hint| hint.text("iss") == Some(&self.address.issuer()));
                let hint = hint.ok_or("The id_token_hint is not an ID token of this server.")?;
                let audience = hint.audiences().find(|audience| named.is_none_or(|named| named == *audience));
                Some(audience.ok_or("The id_token_hint is not for this client.")?.to_owned())
            }
        };
        match client {
            Some(client) if self.clients.is_public(&client).is_none() => Err("The client is unknown."),
            client => Ok(client),
        }
    }
}
