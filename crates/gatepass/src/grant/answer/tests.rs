use proptest::prelude::*;

use super::*;
use crate::{
    grant::{ClientCredentials, Grant, RefreshToken},
    token::Expiry,
};

fn read(status: u16, body: &str, refreshing: bool) -> Result<TokenSet, Error> {
    let secrets = [Secret::new("cl1ent-s3cret"), Secret::new("r3fresh-t0ken")];
    let asked = Asked { secrets: &secrets, ..asked(refreshing) };
    let status = StatusCode::from_u16(status).unwrap();
    Answer { status, headers: &HeaderMap::new(), body: body.as_bytes() }.read(&asked)
}

fn asked(refreshing: bool) -> Asked<'static> {
    let refused: &(dyn Fn(&str) -> Error + Sync) = if refreshing {
        &|said| RefreshToken::new().refused(said)
    } else {
        &|said| ClientCredentials::new().refused(said)
    };
    Asked { whom: "token endpoint", spends_refresh_token: refreshing, refused, refusals: REFUSALS, secrets: &[] }
}

fn expires_in(written: &str) -> Expiry {
    read(200, &format!(r#"{{"access_token":"a","expires_in":{written}}}"#), false).unwrap().expiry
}

#[test]
fn c10_expires_in_is_read_in_every_shape() {
    let lives = |lifetime| Expiry::In { lifetime, passed: Duration::ZERO };
    let seconds = |seconds| lives(Duration::from_secs(seconds));
    for (written, expiry) in [
        ("3600", seconds(3600)),
        (r#""3600""#, seconds(3600)),
        (r#"" 3600 ""#, seconds(3600)),
        ("3600.0", seconds(3600)),
        ("0", seconds(0)),
        ("-1", seconds(0)),
        ("1e18", lives(FAR)),
        (r#""inf""#, lives(FAR)),
        (r#""soon""#, Expiry::Unknown),
        ("null", Expiry::Unknown),
        ("[]", Expiry::Unknown),
        (r#""NaN""#, Expiry::Unknown),
    ] {
        assert_eq!(expires_in(written), expiry, "{written}");
    }
    assert_eq!(read(200, r#"{"access_token":"a"}"#, false).unwrap().expiry, Expiry::Unknown);
}

#[test]
fn f3_torn_or_foreign_answers_are_transient() {
    for (status, body) in [
        (200, r#"{"access_token":"a","expi"#),
        (200, "<html>maintenance</html>"),
        (200, ""),
        (200, "[]"),
        (200, r#"{"access_token":""}"#),
        (200, r#"{"access_token":"a","expires_in":1e999}"#),
        (502, "<html>bad gateway</html>"),
        (503, r#"{"error":"invalid_grant"}"#),
        (429, r#"{"error":"invalid_client"}"#),
        (400, r#"{"error":"temporarily_unavailable"}"#),
    ] {
        let error = read(status, body, true).unwrap_err();
        assert!(error.is_transient() && !error.doubts_the_grant(), "{status} {body}: {error:?}");
    }
}

#[test]
fn f1_a_refused_refresh_token_asks_for_the_sign_in() {
    for (status, code) in
        [(400, "invalid_grant"), (401, "invalid_grant"), (400, "interaction_required"), (200, "bad_refresh_token")]
    {
        let error = read(status, &format!(r#"{{"error":"{code}","error_description":"gone"}}"#), true).unwrap_err();
        assert!(error.is_reauth_required(), "{error:?}");
        assert_eq!(error.code(), Some(code));
        assert!(error.to_string().contains("run the sign-in again") && error.to_string().contains("gone"), "{error}");
    }
}

#[test]
fn rfc7009_3_an_error_is_no_revocation_whatever_its_status() {
    let headers = HeaderMap::new();
    let nothing = |body: &str| {
        Answer { status: StatusCode::OK, headers: &headers, body: body.as_bytes() }.read_nothing(&asked(false))
    };
    assert!(nothing(r#"{"ok":false,"error":"server_error"}"#).unwrap_err().is_transient());
    for done in ["", "{}", r#"{"ok":true,"error":null}"#, "<html>", "null"] {
        assert!(nothing(done).is_ok(), "{done}");
    }
}

#[test]
fn f1_a_refusal_of_a_refresh_without_a_reason_is_doubted() {
    for body in
        ["", "{}", r#"{"error":"invalid_request"}"#, r#"{"title":"Bad Request","status":400}"#, r#"{"error":"odd"}"#]
    {
        let error = read(400, body, true).unwrap_err();
        assert!(error.is_transient() && error.doubts_the_grant(), "{body}: {error:?}");
    }
}

#[test]
fn f2_wrong_settings_say_which() {
    for (status, body, hint) in [
        (401, r#"{"error":"invalid_client"}"#, "secret"),
        (403, "", "secret"),
        (400, r#"{"error":"unauthorized_client"}"#, "grant"),
        (400, r#"{"error":"invalid_scope"}"#, "scope"),
        (400, r#"{"error":"invalid_target"}"#, "resource"),
        (404, "<html>", "URL"),
        (307, "", "redirects"),
        (400, r#"{"error":"invalid_request"}"#, "request"),
        (400, r#"{"error":"invalid_grant"}"#, "request"),
        (400, "", "request"),
    ] {
        let error = read(status, body, false).unwrap_err();
        assert!(error.is_misconfigured() && error.to_string().contains(hint), "{status} {body}: {error:?}");
    }
}

#[test]
fn x5_what_the_server_repeats_of_our_secrets_is_not_shown() {
    let body = r#"{"error":"invalid_grant","error_description":"r3fresh-t0ken of cl1ent-s3cret\r\nis gone"}"#;
    let error = read(400, body, true).unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("r3fresh") && !shown.contains("s3cret") && !shown.contains('\n'), "{shown}");
}

/// Auth0's answer to a service that was not allowed an API yet: no person is there to say no, or to sign in again.
#[test]
fn f2_who_signs_nobody_in_is_told_to_allow_it_when_access_is_denied() {
    let body = r#"{"error":"access_denied","error_description":"Client is not authorized to access it"}"#;
    let error = read(403, body, false).unwrap_err();
    assert!(error.is_misconfigured() && !error.is_denied(), "{error:?}");
    assert!(error.to_string().contains("allow"), "{error}");
}

#[test]
fn what_says_that_there_is_no_error_is_none() {
    for none in ["null", r#""""#] {
        let body = format!(r#"{{"access_token":"a","error":{none}}}"#);
        assert!(read(200, &body, false).is_ok(), "{body}");
    }
}

#[test]
fn c6_an_empty_refresh_token_is_none() {
    let set = read(200, r#"{"access_token":"a","refresh_token":""}"#, true).unwrap();
    assert!(set.refresh_token.is_none());
}

#[test]
fn rfc6749_13_unknown_members_are_ignored_and_long_tokens_taken() {
    let token = "t".repeat(64 * 1024);
    let body = format!(r#"{{"access_token":"{token}","token_type":"bearer","scope":["a","b"],"extra":{{"x":[1]}}}}"#);
    let set = read(200, &body, false).unwrap();
    assert_eq!(set.access_token.unwrap().expose().len(), token.len());
    assert_eq!(set.scope.as_deref(), Some("a b"));
}

proptest! {
    #[test]
    fn reading_never_panics(status in 100u16..=599, body: Vec<u8>, refreshing: bool) {
        let asked = asked(refreshing);
        let status = StatusCode::from_u16(status).unwrap();
        let _ = Answer { status, headers: &HeaderMap::new(), body: &body }.read(&asked);
    }

    #[test]
    fn any_number_of_seconds_is_read(number: f64) {
        let lifetime = seconds(&serde_json::json!(number));
        prop_assert!(lifetime.is_none_or(|lifetime| lifetime <= FAR));
    }
}
