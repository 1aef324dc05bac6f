use super::Form;
use crate::token::TokenSet;

/// The token whose end ends what a sign-in brought (RFC 7009 section 2.1): the refresh token, where there is one; the
/// server ends what it issued for it along with it. `None` when there is no token.
pub(crate) fn form(set: &TokenSet) -> Option<Form> {
    let (token, hint) = match (&set.refresh_token, &set.access_token) {
        (Some(token), _) => (token, "refresh_token"),
        (None, Some(token)) => (token, "access_token"),
        (None, None) => return None,
    };
    let mut form = Form::default();
    form.push("token", token.clone());
    form.push("token_type_hint", hint);
    Some(form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc7009_5_the_refresh_token_is_revoked_where_there_is_one() {
        let text = |set: &TokenSet| form(set).map(|form| form.encode().expose().to_owned());
        let both = TokenSet::new("a").refresh_token("r");
        assert_eq!(text(&both).as_deref(), Some("token=r&token_type_hint=refresh_token"));
        assert_eq!(text(&TokenSet::new("a")).as_deref(), Some("token=a&token_type_hint=access_token"));
        assert_eq!(text(&TokenSet::without_tokens()), None);
    }
}
