use super::{
    Form, Grant,
    parameters::{Parameters, parameter_setters},
};
use crate::{error::Error, token::TokenSet};

/// A refresh token is exchanged for the next access token (RFC 6749 section 6).
///
/// It starts from a set obtained elsewhere, by a sign-in for example, that the cell is given:
///
/// ```
/// use gatepass::{TokenCell, TokenSet, TokenSource};
/// # fn cell(endpoint: impl TokenSource) -> TokenCell {
/// let had = TokenSet::from_refresh_token("tGzv3JOkF0XG5Qx2TlKWIA");
/// let cell = TokenCell::builder(endpoint).start_from(had).build(); // a TokenEndpoint with RefreshToken::new()
/// # cell }
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct RefreshToken {
    parameters: Parameters,
}

impl RefreshToken {
    /// With the scopes of the original grant. Others can be asked for, but not more (section 6).
    pub fn new() -> Self {
        Self::default()
    }

    parameter_setters!();
}

impl Grant for RefreshToken {
    fn form(&self, current: Option<&TokenSet>) -> Result<Form, Error> {
        let Some(refresh_token) = current.and_then(|set| set.refresh_token.as_ref()) else {
            return Err(Error::reauth_required(match current {
                Some(_) => {
                    "sign in again: the token has ended or was refused, and there is no refresh token to renew it with"
                }
                None => "sign in first, or put a token set into the cell: there is no refresh token to exchange",
            }));
        };
        let mut form = Form::new("refresh_token");
        form.push("refresh_token", refresh_token.clone());
        self.parameters.fill(&mut form);
        Ok(form)
    }

    fn spends_refresh_token(&self) -> bool {
        true
    }

    fn kind(&self) -> &str {
        "refresh_token"
    }

    fn variant(&self) -> String {
        self.parameters.variant()
    }

    fn check(&self) -> Result<(), Error> {
        self.parameters.check()
    }

    fn accept(&self, answer: TokenSet) -> Result<TokenSet, Error> {
        Ok(self.parameters.granted(answer))
    }

    fn refused(&self, said: &str) -> Error {
        Error::reauth_required(format!("run the sign-in again: the refresh token was refused ({said})"))
    }
}
