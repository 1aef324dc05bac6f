use super::{
    Form, Grant,
    parameters::{Parameters, parameter_setters},
};
use crate::{error::Error, token::TokenSet};

/// The client acts for itself (RFC 6749 section 4.4). See the [module docs](crate::grant).
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct ClientCredentials {
    parameters: Parameters,
}

impl ClientCredentials {
    /// With what the server grants by default.
    pub fn new() -> Self {
        Self::default()
    }

    parameter_setters!();
}

impl Grant for ClientCredentials {
    fn form(&self, _current: Option<&TokenSet>) -> Result<Form, Error> {
        let mut form = Form::new("client_credentials");
        self.parameters.fill(&mut form);
        Ok(form)
    }

    fn spends_refresh_token(&self) -> bool {
        false
    }

    fn kind(&self) -> &str {
        "client_credentials"
    }

    fn variant(&self) -> String {
        self.parameters.variant()
    }

    fn check(&self) -> Result<(), Error> {
        self.parameters.check()
    }

    /// A refresh token should not be in the answer (section 4.4.3); the grant is run again instead.
    fn accept(&self, mut answer: TokenSet) -> Result<TokenSet, Error> {
        answer.refresh_token = None;
        Ok(self.parameters.granted(answer))
    }
}
