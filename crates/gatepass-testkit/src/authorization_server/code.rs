//! The grant of an authorization code (RFC 6749, 4.1.3), and what its verifier proves (RFC 7636). No I/O.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use super::{
    authorization_request::AuthorizationRequest,
    clients::Client,
    form::{Form, Refusal},
    grants::Book,
    issue::Issued,
    person::SignIn,
    revocation::RevokedBy,
    tokens::FamilyId,
};

/// A code, and what it was given for.
#[derive(Debug, Clone)]
pub(super) struct Code {
    pub(super) request: AuthorizationRequest,
    pub(super) who: SignIn,
    /// The sign-in that it was redeemed for.
    redeemed: Option<FamilyId>,
}

impl Code {
    pub(super) fn new(request: AuthorizationRequest, who: SignIn) -> Self {
        Self { request, who, redeemed: None }
    }
}

impl Book {
    pub(super) fn code_grant(&mut self, client: &Client, form: &Form) -> Result<Issued, Refusal> {
        let code = form.required("code")?;
        let Code { request, who, .. } = self.good_code(code, Some(&client.id), form.get("code_verifier"))?;
        let sent = form.get("redirect_uri");
        if (request.names_redirect_uri || sent.is_some()) && sent != Some(&request.back.redirect_uri) {
            return Err(Refusal::invalid_grant("not the redirect_uri that the code was given for"));
        }
        let scope = self.granted(request.scope.as_deref());
        let (family, issued) = self.sign_in(&client.id, scope, who, request.nonce.as_deref());
        self.is_redeemed(code, family);
        Ok(issued)
    }

    /// The code, if it is this client's and good.
    pub(super) fn good_code(
        &mut self,
        code: &str,
        client: Option<&str>,
        verifier: Option<&str>,
    ) -> Result<Code, Refusal> {
        let now = self.now();
        let known = self.codes.get_mut(code, now);
        let known = known.filter(|code| client.is_none_or(|client| client == code.request.client));
        let known = known.ok_or_else(|| Refusal::invalid_grant("the code is unknown, expired or another client's"))?;
        if let Some(family) = known.redeemed {
            self.tokens.revoke_family(family, RevokedBy::CodeReuse);
            return Err(Refusal::invalid_grant("the code was used before"));
        }
        match (&known.request.challenge, verifier) {
            (Some(challenge), Some(verifier)) if is_verifier(verifier) && *challenge == s256(verifier) => {}
            (None, None) => {}
            (Some(_), None) => return Err(Refusal::invalid_grant("no code_verifier")),
            (Some(_), Some(_)) => return Err(Refusal::invalid_grant("not the code_verifier of the code_challenge")),
            // Without this a code that was stolen from a flow without PKCE could be redeemed in one with it.
            (None, Some(_)) => return Err(Refusal::invalid_grant("there was no code_challenge")),
        }
        Ok(known.clone())
    }

    /// From now on the code ends that sign-in when it comes again.
    pub(super) fn is_redeemed(&mut self, code: &str, family: FamilyId) {
        let now = self.now();
        if let Some(code) = self.codes.get_mut(code, now) {
            code.redeemed = Some(family);
        }
    }
}

fn s256(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

fn is_verifier(text: &str) -> bool {
    (43..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc7636_b_the_challenge_is_the_hash_of_the_verifier() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert!(is_verifier(verifier));
        assert_eq!(s256(verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn rfc7636_4_1_a_verifier_has_43_to_128_unreserved_characters() {
        assert!(!is_verifier(&"a".repeat(42)) && is_verifier(&"a".repeat(43)));
        assert!(is_verifier(&"~".repeat(128)) && !is_verifier(&"a".repeat(129)));
        assert!(!is_verifier(&"+".repeat(43)));
    }
}
