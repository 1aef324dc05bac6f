use super::{Form, Grant, Pkce, id_token};
use crate::{error::Error, secret::Secret, token::TokenSet};

/// The code that a callback brought is exchanged for tokens (RFC 6749 section 4.1.3). It is good for one exchange; from
/// then on the refresh token is, in a cell with [`RefreshToken`](super::RefreshToken).
///
/// From [`PendingAuthorization::answer`](super::PendingAuthorization::answer), which has compared the state; or made
/// with a code that came in another way, by who has.
#[derive(Clone, Debug)]
#[must_use]
pub struct AuthorizationCode {
    code: Secret,
    redirect_uri: String,
    pub(super) pkce: Option<Pkce>,
    pub(super) nonce: Option<Secret>,
    pub(super) scope: Option<String>,
    pub(super) resource: Option<String>,
    client_id: Option<String>,
    issuer: Option<String>,
}

impl AuthorizationCode {
    /// With the redirect URI of the authorization request, to the letter.
    pub fn new(code: impl Into<Secret>, redirect_uri: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            redirect_uri: redirect_uri.into(),
            pkce: None,
            nonce: None,
            scope: None,
            resource: None,
            client_id: None,
            issuer: None,
        }
    }

    /// The verifier whose challenge went with the authorization request.
    pub fn pkce(mut self, pkce: Pkce) -> Self {
        self.pkce = Some(pkce);
        self
    }

    /// What an ID token that comes has to repeat; none unless the sign-in asked for the scope `openid`.
    pub fn nonce(&self) -> Option<&Secret> {
        self.nonce.as_ref()
    }

    /// Whose ID token it has to be, if one comes.
    pub(super) fn expecting(mut self, client_id: String, issuer: Option<String>) -> Self {
        self.client_id = Some(client_id);
        self.issuer = issuer;
        self
    }
}

impl Grant for AuthorizationCode {
    fn form(&self, _current: Option<&TokenSet>) -> Result<Form, Error> {
        let mut form = Form::new("authorization_code");
        form.push("code", self.code.clone());
        form.push("redirect_uri", self.redirect_uri.as_str());
        if let Some(pkce) = &self.pkce {
            form.push("code_verifier", pkce.verifier().clone());
        }
        form.push("resource", self.resource.clone().unwrap_or_default());
        Ok(form)
    }

    fn spends_refresh_token(&self) -> bool {
        false
    }

    fn kind(&self) -> &str {
        "authorization_code"
    }

    fn may_go_to(&self, issuer: Option<&str>, client_id: &str) -> bool {
        let Some(own) = self.client_id.as_deref() else { return true };
        own == client_id && self.issuer.as_deref() == issuer
    }

    /// An ID token that comes along has to be from this server, for this client and for this sign-in.
    fn accept(&self, mut answer: TokenSet) -> Result<TokenSet, Error> {
        if let Some(id_token) = &answer.id_token {
            let expected = id_token::Expected {
                issuer: self.issuer.as_deref(),
                client_id: self.client_id.as_deref(),
                nonce: self.nonce.as_ref(),
            };
            expected.check(id_token)?;
        }
        answer.scope = answer.scope.or_else(|| self.scope.as_deref().map(Into::into));
        Ok(answer)
    }

    /// The second is GitHub's.
    fn refusals(&self) -> &'static [&'static str] {
        &["invalid_grant", "bad_verification_code", "access_denied"]
    }

    fn refused(&self, said: &str) -> Error {
        Error::reauth_required(format!("start the sign-in again: its code was refused ({said})"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc6749_14_the_redirect_uri_is_sent_to_the_letter_and_the_verifier_with_the_code() {
        // `url::Url` would have added a slash.
        let pkce = Pkce::from_verifier("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").unwrap();
        let grant = AuthorizationCode::new("SplxlOBeZQQYbYS6WxSbIA", "http://127.0.0.1:5000").pkce(pkce);
        assert_eq!(
            grant.form(None).unwrap().encode().expose(),
            "grant_type=authorization_code&code=SplxlOBeZQQYbYS6WxSbIA&redirect_uri=http%3A%2F%2F127.0.0.1%3A5000&\
             code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        );
        assert!(!format!("{grant:?}").contains("Splx"));
    }

    #[test]
    fn rfc6749_10_without_a_scope_in_the_answer_it_is_the_one_that_was_asked_for() {
        let mut grant = AuthorizationCode::new("c", "http://127.0.0.1:5000");
        grant.scope = Some("read write".to_owned());
        assert_eq!(grant.accept(TokenSet::new("a")).unwrap().scope.as_deref(), Some("read write"));
        assert_eq!(grant.accept(TokenSet::new("a").scope("read")).unwrap().scope.as_deref(), Some("read"));
    }
}
