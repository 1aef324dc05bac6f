//! The UserInfo endpoint (OpenID Connect Core, 5.3), which also does for plain OAuth. No I/O.

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header};
use serde_json::{Map, Value};

use super::{form, grants::Book, hook::Hook, person};
use crate::{bearer::bearer, challenge::Challenge, retry_after::header_value};

/// The claims that are answered, before the test has changed them. That needs no lock.
pub(super) struct UserInfo {
    claims: Map<String, Value>,
    edit: Hook<Map<String, Value>>,
}

impl Book {
    /// The claims about the person for whom an access token is good.
    pub(super) fn user_info(&self, headers: &HeaderMap) -> Result<UserInfo, Challenge> {
        let token = bearer(headers).ok_or(Challenge::Bearer)?;
        let access = self.tokens.active(token, self.now()).ok_or(Challenge::InvalidToken)?;
        let who = access.family.and_then(|family| self.tokens.who(family));
        // Client credentials are nobody's.
        let who = who.ok_or_else(|| Challenge::InsufficientScope("openid".to_owned()))?;
        let scope = access.scope.as_deref();
        let claims = match person::has(scope, "openid") {
            true => person::claims_of_scope(&who.sub, scope),
            // The names of its scopes may mean anything.
            false => person::all_claims(&who.sub),
        };
        Ok(UserInfo { claims, edit: self.settings.open_id.edit_user_info.clone() })
    }
}

impl UserInfo {
    pub(super) fn response(mut self) -> Response<Bytes> {
        self.edit.edit(&mut self.claims);
        form::json(StatusCode::OK, Value::Object(self.claims).to_string())
    }
}

/// A refusal (RFC 6750, 3).
pub(super) fn refused(challenge: &Challenge) -> Response<Bytes> {
    let mut response = form::empty(challenge.status());
    for line in challenge.lines() {
        response.headers_mut().append(header::WWW_AUTHENTICATE, header_value(&line));
    }
    response
}
