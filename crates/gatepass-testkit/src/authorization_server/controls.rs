//! What a test tells the server: clients, tokens, settings, failures.

use std::time::Duration;

use super::{
    builder::Endpoint,
    discovery::Metadata,
    expires_in::ExpiresIn,
    handle::AuthorizationServer,
    revocation::RevokedBy,
    settings::{Rotation, Settings},
};
use crate::{failure::Failure, lock::lock, script::Failures};

/// Clients and tokens.
impl AuthorizationServer {
    /// Adds a confidential client, or gives a known one another secret.
    pub fn add_client(&self, id: &str, secret: &str) -> &Self {
        self.state().book().clients.add(id, Some(secret));
        self
    }

    /// Adds a client without a secret.
    pub fn add_public_client(&self, id: &str) -> &Self {
        self.state().book().clients.add(id, None);
        self
    }

    /// A new sign-in of the client `client`, without a scope: its refresh token, "had elsewhere".
    pub fn issue_refresh_token(&self) -> String {
        self.issue_refresh_token_to("client", None)
    }

    /// A new sign-in: its refresh token. The scope is a list with spaces between.
    pub fn issue_refresh_token_to(&self, client: &str, scope: Option<&str>) -> String {
        let mut book = self.state().book();
        let who = book.sign_in_of(None);
        let family = book.tokens.new_family(client, scope.map(str::to_owned), Some(who));
        book.new_refresh_token(family)
    }

    /// Whether the access token would be accepted now.
    pub fn is_active(&self, access_token: &str) -> bool {
        self.state().holder_of(access_token).is_some()
    }

    /// Whether the refresh token would be accepted now, a grace after its reuse apart.
    pub fn is_refreshable(&self, refresh_token: &str) -> bool {
        self.state().book().tokens.active_refresh(refresh_token).is_some()
    }

    /// Every access token issued so far is no longer good; refresh tokens live on.
    pub fn revoke_access_tokens(&self) -> &Self {
        self.state().book().tokens.revoke_access_tokens();
        self
    }

    /// Ends the sign-in that a token, access or refresh, descends from: none of its tokens is good any more.
    pub fn revoke_family(&self, token: &str) -> &Self {
        let mut book = self.state().book();
        if let Some(family) = book.tokens.family_of(token) {
            book.tokens.revoke_family(family, RevokedBy::Test);
        }
        self
    }

    /// No token issued so far is good any more.
    pub fn revoke_everything(&self) -> &Self {
        self.state().book().tokens.revoke_everything(RevokedBy::Test);
        self
    }

    /// Moves the clock by which tokens expire forward, so that a test need not wait for them to.
    pub fn advance(&self, time: Duration) -> &Self {
        let mut book = self.state().book();
        book.ahead = book.ahead.saturating_add(time);
        drop(book);
        self
    }
}

/// What is answered when all goes well. Each setting holds for what is issued from then on.
impl AuthorizationServer {
    /// How long access tokens live, to the nanosecond; by default an hour.
    pub fn token_lifetime(&self, lifetime: Duration) -> &Self {
        self.set(|settings| settings.lifetime = lifetime)
    }

    /// How `expires_in` is written; the lifetime stays what it is.
    pub fn expires_in(&self, form: ExpiresIn) -> &Self {
        self.set(|settings| settings.expires_in = form)
    }

    /// What becomes of a refresh token that is used; by default it is superseded.
    pub fn rotation(&self, rotation: Rotation) -> &Self {
        self.set(|settings| settings.rotation = rotation)
    }

    /// Whether a superseded refresh token that comes again ends its family; by default it does. Refused it is anyhow.
    pub fn detect_reuse(&self, detect: bool) -> &Self {
        self.set(|settings| settings.detect_reuse = detect)
    }

    /// For how long a superseded refresh token is still good, and gets a pair of its own; by default not at all.
    pub fn reuse_grace(&self, grace: Duration) -> &Self {
        self.set(|settings| settings.reuse_grace = grace)
    }

    /// Whether a refresh revokes the access token issued before, at once.
    pub fn refresh_retires_access_token(&self, retires: bool) -> &Self {
        self.set(|settings| settings.refresh_retires_access_token = retires)
    }

    /// Whether the same access token is answered again until it has expired, even when it was revoked.
    pub fn repeat_access_token(&self, repeat: bool) -> &Self {
        self.set(|settings| settings.repeat_access_token = repeat)
    }

    /// Whether client credentials, too, are answered with a refresh token.
    pub fn refresh_token_for_every_grant(&self, issue: bool) -> &Self {
        self.set(|settings| settings.refresh_token_for_every_grant = issue)
    }

    /// Exactly this access token in the next answer that issues one; several are handed out in order.
    ///
    /// It is good like any other, if a header can carry it.
    pub fn next_access_token(&self, token: &str) -> &Self {
        self.set(|settings| settings.next_access_tokens.push_back(token.to_owned()))
    }

    /// How long tokens and codes are, in bytes; 35 at least.
    pub fn token_length(&self, bytes: usize) -> &Self {
        self.set(|settings| settings.token_length = bytes)
    }

    /// `token_type`; by default `Bearer`.
    pub fn token_type(&self, token_type: &str) -> &Self {
        let json = serde_json::Value::from(token_type).to_string();
        self.member("token_type", Some(&json))
    }

    /// Puts a member into every token answer as this JSON, sent as it is, or with `None` leaves the member out.
    pub fn member(&self, name: &str, json: Option<&str>) -> &Self {
        self.set(|settings| {
            settings.members.insert(name.to_owned(), json.map(str::to_owned));
        })
    }

    /// Takes back every [`member`](Self::member) and [`token_type`](Self::token_type).
    pub fn reset_members(&self) -> &Self {
        self.set(|settings| settings.members.clear())
    }

    /// The scope that is granted whatever was asked for; by default what was asked for.
    pub fn granted_scope(&self, scope: Option<&str>) -> &Self {
        self.set(|settings| settings.granted_scope = scope.map(str::to_owned))
    }

    /// Accepts one more grant type, from every client it knows, and looks at none of its parameters.
    pub fn accept_grant(&self, grant_type: &str) -> &Self {
        self.set(|settings| {
            settings.more_grants.insert(grant_type.to_owned());
        })
    }

    /// Whether the parts of Basic are form-decoded, as RFC 6749 wants; by default they are. Many servers do not know.
    pub fn decode_basic(&self, decode: bool) -> &Self {
        self.set(|settings| settings.decode_basic = decode)
    }

    /// What is served at `/.well-known/oauth-authorization-server` (RFC 8414).
    pub fn oauth_metadata(&self, metadata: Metadata) -> &Self {
        self.set(|settings| settings.oauth_metadata = metadata)
    }

    /// What is served at `/.well-known/openid-configuration`.
    pub fn openid_configuration(&self, metadata: Metadata) -> &Self {
        self.set(|settings| settings.openid_configuration = metadata)
    }

    fn set(&self, change: impl FnOnce(&mut Settings)) -> &Self {
        change(&mut self.state().book().settings);
        self
    }
}

/// Failures of the token endpoint, on command.
impl AuthorizationServer {
    /// The next requests fail so. Orders queue up: `fail_next(2, a)` and `fail_next(1, b)` is a, a, b.
    pub fn fail_next(&self, times: usize, failure: Failure) -> &Self {
        self.state().script.fail_next(times, failure);
        self
    }

    /// Once nothing is queued, every request fails so, until [`recover`](Self::recover).
    pub fn fail_until_told(&self, failure: Failure) -> &Self {
        self.state().script.fail_until_told(failure);
        self
    }

    /// Takes back every failure that was ordered, those [of other endpoints](Self::fail_next_at) included.
    pub fn recover(&self) -> &Self {
        self.state().script.recover();
        lock(&self.state().elsewhere).clear();
        self
    }

    /// Every answer comes this much later; the request is processed when it arrives.
    pub fn delay(&self, delay: Duration) -> &Self {
        self.state().script.delay(delay);
        self
    }

    /// Holds every answer back, of requests that are processed nevertheless, until [`release`](Self::release).
    ///
    /// With [`until_token_requests`](Self::until_token_requests) a test has callers wait for one another without a
    /// sleep.
    pub fn hold(&self) -> &Self {
        self.state().script.hold(true);
        self
    }

    /// Sends what was held.
    pub fn release(&self) -> &Self {
        self.state().script.hold(false);
        self
    }

    /// How wrong the clock is that `Date` and the dates of [`RetryAfter`](crate::RetryAfter) are told by.
    pub fn clock_skew(&self, seconds: i64) -> &Self {
        self.state().script.skew(seconds);
        self
    }

    /// Whether answers come without a `Date`.
    pub fn omit_date(&self, omit: bool) -> &Self {
        self.state().script.omit_date(omit);
        self
    }
}

/// Failures of the other endpoints, on command: `/revoke`, `/par`, `/authorize`, `/jwks`, …
///
/// [`recover`](AuthorizationServer::recover) takes them back too.
impl AuthorizationServer {
    /// The next requests to this path fail so. Orders queue up.
    ///
    /// # Panics
    ///
    /// When no endpoint is at this path.
    pub fn fail_next_at(&self, path: &str, times: usize, failure: Failure) -> &Self {
        match self.endpoint(path) {
            Endpoint::Token => self.fail_next(times, failure),
            _ => self.order_at(path, |failures| failures.fail_next(times, failure)),
        }
    }

    /// Once nothing is queued, every request to this path fails so, until [`recover`](Self::recover).
    ///
    /// # Panics
    ///
    /// When no endpoint is at this path.
    pub fn fail_until_told_at(&self, path: &str, failure: Failure) -> &Self {
        match self.endpoint(path) {
            Endpoint::Token => self.fail_until_told(failure),
            _ => self.order_at(path, |failures| failures.fail_until_told(failure)),
        }
    }

    fn endpoint(&self, path: &str) -> Endpoint {
        self.state().address.endpoint(path).expect("an endpoint is at this path")
    }

    fn order_at(&self, path: &str, order: impl FnOnce(&mut Failures)) -> &Self {
        order(lock(&self.state().elsewhere).entry(path.to_owned()).or_default());
        self
    }
}
