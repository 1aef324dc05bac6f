//! An ID token that came straight from the token endpoint (OpenID Connect Core section 3.1.3.7): is it an answer to
//! this request? Who it came from is known by TLS; its signature is for who passes it on.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use crate::{error::Error, secret::Secret, token::TokenSet};

/// What it has to say, as far as that is known.
pub(super) struct Expected<'a> {
    pub(super) issuer: Option<&'a str>,
    pub(super) client_id: Option<&'a str>,
    pub(super) nonce: Option<&'a Secret>,
}

impl Expected<'_> {
    /// # Errors
    /// Reauthentication required, when it is for another sign-in, another client or from another server.
    pub(super) fn check(&self, id_token: &Secret) -> Result<(), Error> {
        let wrong = |why: &str| {
            Err(Error::reauth_required(format!(
                "the ID token that came with the tokens {why}: none of them was used; start the sign-in again"
            )))
        };
        let Some(claims) = claims(id_token) else {
            return wrong("cannot be read");
        };
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        if self.nonce.is_some_and(|nonce| text("nonce") != Some(nonce.expose())) {
            return wrong("is for another sign-in (nonce)");
        }
        if self.issuer.is_some_and(|issuer| text("iss") != Some(issuer)) {
            return wrong("is from another authorization server (iss)");
        }
        let is_for = |client: &str| match claims.get("aud") {
            Some(Value::String(one)) => one == client,
            Some(Value::Array(several)) => several.iter().any(|one| one == client),
            _ => false,
        };
        if self.client_id.is_some_and(|client| !is_for(client)) {
            return wrong("is for another client (aud)");
        }
        Ok(())
    }
}

/// A new ID token that a refresh brought has to be for the same person, from the same server and to the same client as
/// the one before (OpenID Connect Core section 12.2, OIDC-2). Who signs in is not changed by a refresh.
///
/// # Errors
/// Reauthentication required.
pub(crate) fn check_refreshed(before: &TokenSet, after: &TokenSet) -> Result<(), Error> {
    let (Some(before), Some(after)) = (&before.id_token, &after.id_token) else { return Ok(()) };
    if before == after {
        return Ok(());
    }
    let wrong = |why: &str| {
        Err(Error::reauth_required(format!(
            "the ID token that the refresh brought {why}: none of its tokens was used; run the sign-in again"
        )))
    };
    // What was kept was accepted once.
    let Some(before) = claims(before) else { return Ok(()) };
    let Some(after) = claims(after) else { return wrong("cannot be read") };
    for (name, what) in [("sub", "is for another person (sub)"), ("iss", "is from another server (iss)")] {
        if before.get(name) != after.get(name) {
            return wrong(what);
        }
    }
    for (name, what) in
        [("auth_time", "is from another sign-in (auth_time)"), ("nonce", "is for another sign-in (nonce)")]
    {
        if after.contains_key(name) && before.contains_key(name) && before.get(name) != after.get(name) {
            return wrong(what);
        }
    }
    let audiences = |claims: &Map<String, Value>| match claims.get("aud") {
        Some(Value::Array(several)) => several.clone(),
        Some(one) => vec![one.clone()],
        None => Vec::new(),
    };
    let after = audiences(&after);
    if !audiences(&before).iter().all(|audience| after.contains(audience)) {
        return wrong("is for another client (aud)");
    }
    Ok(())
}

/// The claims of a JWT, unverified.
fn claims(jwt: &Secret) -> Option<Map<String, Value>> {
    let mut parts = jwt.expose().split('.');
    let (_header, claims) = (parts.next()?, parts.next()?);
    let claims = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&claims).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id_token(claims: &str) -> Secret {
        Secret::new(format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims)))
    }

    #[test]
    fn oidc_1_nonce_issuer_and_audience_have_to_be_right() {
        let nonce = Secret::new("n-0S6_WzA2Mj");
        let expected = Expected { issuer: Some("https://a"), client_id: Some("me"), nonce: Some(&nonce) };
        for good in [
            r#"{"iss":"https://a","aud":"me","nonce":"n-0S6_WzA2Mj"}"#,
            r#"{"iss":"https://a","aud":["you","me"],"nonce":"n-0S6_WzA2Mj","x":1}"#,
        ] {
            assert!(expected.check(&id_token(good)).is_ok(), "{good}");
        }
        for (bad, why) in [
            (r#"{"iss":"https://a","aud":"me"}"#, "nonce"),
            (r#"{"iss":"https://a","aud":"me","nonce":"another"}"#, "nonce"),
            (r#"{"iss":"https://b","aud":"me","nonce":"n-0S6_WzA2Mj"}"#, "iss"),
            (r#"{"iss":"https://a","aud":"you","nonce":"n-0S6_WzA2Mj"}"#, "aud"),
            (r#"{"iss":"https://a","aud":{"me":1},"nonce":"n-0S6_WzA2Mj"}"#, "aud"),
            ("[]", "read"),
        ] {
            let error = expected.check(&id_token(bad)).unwrap_err();
            assert!(error.is_reauth_required() && error.to_string().contains(why), "{bad}: {error}");
            assert!(!error.to_string().contains("another\""), "{error}");
        }
        let unknown = Expected { issuer: None, client_id: None, nonce: None };
        assert!(unknown.check(&id_token("{}")).is_ok());
    }

    #[test]
    fn oidc_2_a_refresh_does_not_change_who_signed_in() {
        let before = r#"{"iss":"https://a","aud":["me"],"sub":"ann","auth_time":5,"nonce":"n"}"#;
        let after = |claims: &str| {
            let set = |claims| TokenSet::new("a").id_token(id_token(claims));
            check_refreshed(&set(before), &set(claims))
        };
        for good in [
            before,
            r#"{"iss":"https://a","aud":"me","sub":"ann","exp":9}"#,
            r#"{"iss":"https://a","aud":["you","me"],"sub":"ann","auth_time":5}"#,
        ] {
            assert!(after(good).is_ok(), "{good}");
        }
        for (bad, why) in [
            (r#"{"iss":"https://a","aud":"me","sub":"bob"}"#, "sub"),
            (r#"{"iss":"https://a","aud":"me"}"#, "sub"),
            (r#"{"iss":"https://b","aud":"me","sub":"ann"}"#, "iss"),
            (r#"{"iss":"https://a","aud":"you","sub":"ann"}"#, "aud"),
            (r#"{"iss":"https://a","aud":"me","sub":"ann","auth_time":6}"#, "auth_time"),
            (r#"{"iss":"https://a","aud":"me","sub":"ann","nonce":"m"}"#, "nonce"),
            ("7", "read"),
        ] {
            let error = after(bad).unwrap_err();
            assert!(error.is_reauth_required() && error.to_string().contains(why), "{bad}: {error}");
        }
        assert!(check_refreshed(&TokenSet::new("a"), &TokenSet::new("b").id_token(id_token("{}"))).is_ok());
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in ".{0,200}") {
            let expected = Expected { issuer: None, client_id: None, nonce: None };
            let _ = expected.check(&Secret::new(text));
        }
    }
}
