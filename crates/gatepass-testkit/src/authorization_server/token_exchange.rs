//! Token exchange (RFC 8693). No I/O.

use super::{
    clients::Client,
    form::{Form, Refusal},
    grants::Book,
    issue::{Issue, Issued},
};

pub(super) const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

impl Book {
    /// The new token ends with the sign-in of the old one, and has its scope unless another is asked for.
    pub(super) fn exchange(&mut self, client: &Client, form: &Form) -> Result<Issued, Refusal> {
        self.check_actor(form)?;
        let token = form.required("subject_token")?;
        if form.required("subject_token_type")? != ACCESS_TOKEN {
            return Err(Refusal::invalid_request("subject_token_type is not that of an access token"));
        }
        let subject = self.tokens.active(token, self.now());
        let subject =
            subject.ok_or_else(|| Refusal::invalid_request("the subject token is not, or no longer, good"))?;
        let (family, subject_scope) = (subject.family, subject.scope.clone());
        let scope = self.granted(form.get("scope").or(subject_scope.as_deref()));
        let token_type = self.settings.sign_in.exchanged_token_type.clone();
        Ok(self.issue(&Issue {
            family,
            scope,
            stands_alone: true,
            token_type: Some(&token_type),
            issued_token_type: Some(form.get("requested_token_type").unwrap_or(ACCESS_TOKEN)),
            ..Issue::bearer(&client.id)
        }))
    }

    fn check_actor(&self, form: &Form) -> Result<(), Refusal> {
        match (form.get("actor_token"), form.get("actor_token_type")) {
            (None, None) => Ok(()),
            (Some(actor), Some(ACCESS_TOKEN)) if self.tokens.active(actor, self.now()).is_some() => Ok(()),
            _ => Err(Refusal::invalid_request("the actor token is not good, or its type is not said")),
        }
    }
}
