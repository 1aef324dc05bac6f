use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

const REDIRECT: &str = "http://127.0.0.1:4180/callback";
const ISSUER: &str = "https://auth.example.com";

fn metadata() -> Metadata {
    Metadata { issuer: Some(ISSUER.to_owned()), ..Metadata::default() }
}

fn server(metadata: &Metadata) -> Server<'_> {
    Server { metadata, separator: ' ', swaps: false }
}

fn begin(request: &AuthorizationRequest, metadata: &Metadata) -> (HashMap<String, String>, PendingAuthorization) {
    let (form, pending) = request.begin("my-app", server(metadata)).unwrap();
    let form = form_urlencoded::parse(form.encode().expose().as_bytes()).into_owned().collect();
    (form, pending)
}

/// A request, and the query of its callback with these parameters and the right state.
fn answered_by(metadata: &Metadata, parameters: &str) -> (PendingAuthorization, String) {
    let (form, pending) = begin(&AuthorizationRequest::new(REDIRECT), metadata);
    let query = format!("{parameters}&state={}", form["state"]);
    (pending, query)
}

#[test]
fn rfc6749_11_each_request_has_a_state_and_a_challenge_of_its_own() {
    let request = AuthorizationRequest::new(REDIRECT).scope("read write").parameter("show_dialog", "true");
    let ((one, _), (two, _)) = (begin(&request, &metadata()), begin(&request, &metadata()));
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "my-app"),
        ("redirect_uri", REDIRECT),
        ("scope", "read write"),
        ("code_challenge_method", "S256"),
        ("show_dialog", "true"),
    ] {
        assert_eq!(one[name], value);
    }
    for name in ["state", "code_challenge"] {
        assert_eq!(one[name].len(), 43, "256 bits (8252-6)");
        assert_ne!(one[name], two[name], "transaction-specific (9700-4)");
    }
    assert!(!one.contains_key("nonce") && !one.contains_key("code_verifier"));
    let (with_openid, _) = begin(&request.scope("openid"), &metadata());
    assert_eq!(with_openid["nonce"].len(), 43);
}

#[test]
fn the_right_answer_becomes_a_grant_that_has_the_verifier() {
    let (pending, query) =
        answered_by(&metadata(), "code=SplxlOBeZQQYbYS6WxSbIA&iss=https%3A%2F%2Fauth.example.com&x=y");
    assert!(pending.is_answered_by(&query));
    let form = crate::grant::Grant::form(&pending.answer(&query).unwrap(), None).unwrap();
    let form: HashMap<String, String> =
        form_urlencoded::parse(form.encode().expose().as_bytes()).into_owned().collect();
    assert_eq!((&*form["code"], &*form["redirect_uri"]), ("SplxlOBeZQQYbYS6WxSbIA", REDIRECT));
    assert_eq!(form["code_verifier"].len(), 43);
}

#[test]
fn rfc6749_11_a_foreign_or_missing_state_is_no_answer_whatever_it_says() {
    for query in ["", "code=x", "code=x&state=", "code=x&state=another", "error=access_denied&state=another", "%%%&&&="]
    {
        let (pending, _) = answered_by(&metadata(), "");
        assert!(!pending.is_answered_by(query), "{query}");
        let error = pending.answer(query).unwrap_err();
        assert!(error.is_reauth_required() && !error.is_denied(), "{query}: {error:?}");
        assert_eq!(error.code(), None, "what a stranger says is not passed on");
    }
}

#[test]
fn a_parameter_that_comes_twice_makes_the_callback_void() {
    for twice in ["code=a&code=b", "code=a&state=x", "code=a&iss=x&iss=x", "error=a&error="] {
        let (pending, query) = answered_by(&metadata(), twice);
        assert!(!pending.is_answered_by(&query), "{query}");
        assert!(pending.answer(&query).unwrap_err().to_string().contains("twice"));
    }
}

#[test]
fn denied_is_not_failed() {
    let fails = |parameters: &str| {
        let (pending, query) = answered_by(&metadata(), parameters);
        pending.answer(&query).unwrap_err()
    };
    let denied = fails("error=access_denied&error_description=the+person+said+no");
    assert!(denied.is_denied() && denied.is_reauth_required(), "{denied:?}");
    assert!(denied.to_string().contains("the person said no"));
    for code in ["server_error", "temporarily_unavailable"] {
        assert!(fails(&format!("error={code}")).is_transient());
    }
    for code in
        ["invalid_scope", "unauthorized_client", "unsupported_response_type", "invalid_request", "invalid_target"]
    {
        assert!(fails(&format!("error={code}")).is_misconfigured());
    }
    for code in ["login_required", "consent_required", "interaction_required", "something_of_its_own"] {
        let error = fails(&format!("error={code}"));
        assert!(error.is_reauth_required() && !error.is_denied(), "{error:?}");
        assert_eq!(error.code(), Some(code));
    }
    assert!(fails("x=y").to_string().contains("neither"));
    assert!(fails("error=access_denied&code=x").is_denied(), "an error is an error, whatever else is there");
}

#[test]
fn rfc6749_25_what_a_callback_says_has_no_control_characters_and_an_end() {
    let (pending, query) =
        answered_by(&metadata(), &format!("error=odd%1b[31m&error_description=a%0d%0ab{}", "x".repeat(100_000)));
    let error = pending.answer(&query).unwrap_err();
    assert!(!error.to_string().chars().any(char::is_control) && error.to_string().len() < 1000);
}

#[test]
fn rfc9207_1_another_issuer_is_refused_also_when_it_reports_an_error() {
    for parameters in ["code=x&iss=https%3A%2F%2Fevil.example", "error=access_denied&iss=https%3A%2F%2Fevil.example"] {
        let (pending, query) = answered_by(&metadata(), parameters);
        let error = pending.answer(&query).unwrap_err();
        assert!(error.is_reauth_required() && !error.is_denied() && error.code().is_none(), "{error:?}");
    }
    let (pending, query) = answered_by(&metadata(), "code=x&iss=https%3A%2F%2Fauth.example.com%2F");
    assert!(pending.answer(&query).is_err(), "compared to the letter");
}

#[test]
fn rfc9207_2_a_missing_issuer_is_refused_where_one_is_promised() {
    let promising = Metadata { authorization_response_iss_parameter_supported: true, ..metadata() };
    for parameters in ["code=x", "error=access_denied"] {
        let (pending, query) = answered_by(&promising, parameters);
        assert!(pending.answer(&query).unwrap_err().to_string().contains("iss"));
        let (pending, query) = answered_by(&metadata(), parameters);
        assert!(pending.answer(&query).err().is_none_or(|error| error.is_denied()));
    }
    let (pending, query) = answered_by(&Metadata::default(), "code=x&iss=https%3A%2F%2Fa");
    assert!(pending.answer(&query).is_ok(), "without a known issuer there is nothing to compare");
}

#[test]
fn rfc6749_7_the_redirect_uri_is_absolute_safe_and_stays_as_it_is_written() {
    for good in [
        "http://127.0.0.1:5000",
        "http://[::1]:5000/callback?x=y",
        "http://localhost:1/",
        "https://app.example.com/cb",
        "com.example.app:/oauth2redirect",
        "spotify-sdk-quick-start://spotify-login-callback",
    ] {
        let request = AuthorizationRequest::new(good);
        assert!(request.check().is_ok(), "{good}: {:?}", request.check());
        assert_eq!(begin(&request, &metadata()).0["redirect_uri"], good);
    }
    for (bad, hint) in [
        ("/callback", "registered"),
        ("", "registered"),
        ("http://127.0.0.1/callback#x", "fragment"),
        ("http://app.example.com/cb", "loopback"),
        ("https://", "whole"),
        ("http://127.0.0.1/a b", "registered"),
        ("javascript:alert(1)", "safe"),
        ("JavaScript:alert(1)", "safe"),
        ("HTTP://app.example.com/callback", "https"),
    ] {
        let error = AuthorizationRequest::new(bad).check().unwrap_err();
        assert!(error.is_misconfigured() && error.to_string().contains(hint), "{bad}: {error}");
    }
}

#[test]
fn rfc6749_5_what_the_request_sends_itself_cannot_be_given_twice() {
    for name in ["state", "redirect_uri", "code_challenge", "nonce", "client_id", "response_type", "request_uri"] {
        let error = AuthorizationRequest::new(REDIRECT).parameter(name, "x").check().unwrap_err();
        assert!(error.is_misconfigured() && error.to_string().contains(name), "{error}");
    }
    assert!(AuthorizationRequest::new(REDIRECT).prompt("login").prompt("consent").check().is_err());
}

#[test]
fn scopes_are_separated_as_the_server_wants_them() {
    let request = AuthorizationRequest::new(REDIRECT).scope("a b").scope("c");
    let metadata = metadata();
    let (form, _) = request.begin("my-app", Server { separator: ',', ..server(&metadata) }).unwrap();
    assert!(form.encode().expose().contains("scope=a%2Cb%2Cc"));
}

#[test]
fn what_refreshes_and_what_asks_without_a_browser_is_about_the_same() {
    let request = AuthorizationRequest::new(REDIRECT).scope("read").resource("urn:api").prompt("consent");
    let refresh = RefreshToken::from(&request);
    let had = crate::TokenSet::from_refresh_token("r");
    let form = crate::grant::Grant::form(&refresh, Some(&had)).unwrap();
    assert_eq!(form.encode().expose(), "grant_type=refresh_token&refresh_token=r&resource=urn%3Aapi");
    let device = DeviceAuthorization::from(&request);
    assert_eq!(device.form(' ').encode().expose(), "scope=read&resource=urn%3Aapi");
}

#[test]
fn a_token_swap_gets_no_challenge_unless_told() {
    let metadata = metadata();
    let with = |request: AuthorizationRequest| {
        let (form, _) = request.begin("my-app", Server { swaps: true, ..server(&metadata) }).unwrap();
        form.encode().expose().contains("code_challenge")
    };
    assert!(!with(AuthorizationRequest::new(REDIRECT)));
    assert!(with(AuthorizationRequest::new(REDIRECT).pkce(true)));
}

#[test]
fn x5_a_pending_sign_in_shows_none_of_its_secrets() {
    let (form, mut pending) = begin(&AuthorizationRequest::new(REDIRECT).scope("openid"), &metadata());
    pending.url = format!("{ISSUER}?state={}", form["state"]);
    let shown = format!("{pending:?}");
    assert!(!shown.contains(&form["state"]) && !shown.contains(&form["nonce"]), "{shown}");
}

#[test]
fn a_sign_in_that_a_browser_kept_is_answered_as_if_it_had_never_left() {
    let (form, pending) =
        begin(&AuthorizationRequest::new(REDIRECT).scope("openid read").resource("urn:api"), &metadata());
    assert_eq!(pending.state().expose(), form["state"]);
    let kept = pending.to_secret();
    let again = PendingAuthorization::from_secret(&kept).unwrap();
    assert_eq!(again.to_secret(), kept);
    let query = format!("code=c&state={}", form["state"]);
    let (one, two) = (pending.answer(&query).unwrap(), again.answer(&query).unwrap());
    let sent = |grant: &AuthorizationCode| crate::grant::Grant::form(grant, None).unwrap().encode();
    assert_eq!(sent(&one), sent(&two));
    for odd in
        ["", "{}", "[]", r#"{"state":"s","names_issuer":false,"redirect_uri":"u","client_id":"c","verifier":"short"}"#]
    {
        assert!(PendingAuthorization::from_secret(&Secret::new(odd)).unwrap_err().is_reauth_required(), "{odd}");
    }
}

proptest! {
    #[test]
    fn any_query_is_read_without_panic(query in ".{0,300}") {
        let (pending, _) = answered_by(&metadata(), "");
        let _ = pending.is_answered_by(&query);
        prop_assert!(pending.answer(&query).is_err());
    }
}
