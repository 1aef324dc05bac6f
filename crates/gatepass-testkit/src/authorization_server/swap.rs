//! A server that holds the client secret for an app (token swap), as the mobile SDKs of Spotify want one. No I/O.

use super::{
    code::Code,
    expires_in::ExpiresIn,
    form::{Form, Refusal},
    grants::Book,
    issue::{Issue, Issued},
    tokens::FamilyId,
};

impl Book {
    /// `/swap`: the code of any client for its tokens.
    pub(super) fn swap(&mut self, form: &Form) -> Result<Issued, Refusal> {
        let code = form.required("code")?;
        let Code { request, who, .. } = self.good_code(code, None, form.get("code_verifier"))?;
        if form.get("redirect_uri").is_some_and(|sent| sent != request.back.redirect_uri) {
            return Err(Refusal::invalid_grant("not the redirect_uri that the code was given for"));
        }
        let scope = self.granted(request.scope.as_deref());
        let family = self.tokens.new_family(&request.client, scope.clone(), Some(who));
        self.is_redeemed(code, family);
        let refresh_token = self.new_refresh_token(family);
        Ok(self.issue_swapped(&request.client, family, scope, Some(&refresh_token)))
    }

    /// `/refresh`: the refresh token stays good.
    pub(super) fn swap_refresh(&mut self, form: &Form) -> Result<Issued, Refusal> {
        let token = form.required("refresh_token")?;
        let client = self.tokens.client_of(token).unwrap_or_default().to_owned();
        let family = self.redeem(token, &client, false)?;
        let scope = self.tokens.scope_of(family).map(str::to_owned);
        Ok(self.issue_swapped(&client, family, scope, None))
    }

    fn issue_swapped(
        &mut self,
        client: &str,
        family: FamilyId,
        scope: Option<String>,
        refresh_token: Option<&str>,
    ) -> Issued {
        self.issue(&Issue {
            family: Some(family),
            scope,
            refresh_token,
            token_type: None,
            expires_in: Some(ExpiresIn::Text),
            ..Issue::bearer(client)
        })
    }
}
