//! Token swap: a server of the program's own holds the client's secret. It takes a code at one URL and a refresh token
//! at another, with nothing else, and answers like a token endpoint, more or less: without `token_type`, with
//! `expires_in` as a text.

use super::Form;

/// What a token swap is told of a token request: neither how the client authenticates, nor what grant it is.
pub(crate) fn form(mut request: Form) -> Form {
    request.keep(|name| matches!(name, "code" | "redirect_uri" | "code_verifier" | "refresh_token"));
    request
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        grant::{AuthorizationCode, Grant, RefreshToken},
        token::TokenSet,
    };

    #[test]
    fn a_token_swap_gets_the_code_or_the_refresh_token_and_nothing_else_that_matters() {
        let code = AuthorizationCode::new("c", "http://127.0.0.1:5000/callback").form(None).unwrap();
        assert_eq!(form(code).encode().expose(), "code=c&redirect_uri=http%3A%2F%2F127.0.0.1%3A5000%2Fcallback");
        let refresh = RefreshToken::new().scope("a").form(Some(&TokenSet::from_refresh_token("r"))).unwrap();
        assert_eq!(form(refresh).encode().expose(), "refresh_token=r");
    }
}
