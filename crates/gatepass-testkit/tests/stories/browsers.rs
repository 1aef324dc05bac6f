//! Sign-in with a browser: `/authorize` and its page.

use gatepass_testkit::{AuthorizationServer, Consent, Iss};

use crate::client::{Answer, Http};

pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const PKCE: &str = "code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";
pub(crate) const REDIRECT_URI: &str = "http://127.0.0.1:49152/callback";

/// The public client `app`, with everything that it should send, and these parameters besides.
pub(crate) async fn sign_in(http: &Http, server: &AuthorizationServer, more: &str) -> Answer {
    server.add_public_client("app");
    let url = server.authorization_url();
    let form = format!("response_type=code&client_id=app&redirect_uri={REDIRECT_URI}&state=s1&{PKCE}{more}");
    http.open(&format!("{url}?{form}")).await
}

async fn start() -> (AuthorizationServer, Http) {
    (AuthorizationServer::start().await, Http::new())
}

#[tokio::test]
async fn a_sign_in_is_approved_at_once_and_goes_back_with_code_state_and_issuer() {
    let (server, http) = start().await;
    let answer = sign_in(&http, &server, "&scope=a+b&nonce=n&prompt=login&resource=https://api.example").await;
    assert_eq!(answer.status, 303);
    assert!(answer.header("location").starts_with(&format!("{REDIRECT_URI}?code=")));
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.sent_back("state").as_deref(), Some("s1"));
    assert_eq!(answer.sent_back("iss"), Some(server.issuer()));
    let again = sign_in(&http, &server, "").await;
    assert_ne!(again.sent_back("code"), answer.sent_back("code"));
}

#[tokio::test]
async fn rfc6749_4_1_2_1_without_a_redirect_uri_to_trust_there_is_a_page() {
    let (server, http) = start().await;
    server.add_public_client("app");
    let url = server.authorization_url();
    for (query, hint) in [
        (format!("response_type=code&redirect_uri={REDIRECT_URI}"), "client_id"),
        (format!("response_type=code&client_id=stranger&redirect_uri={REDIRECT_URI}"), "unknown"),
        (format!("response_type=code&client_id=app&{PKCE}"), "redirect_uri"),
        (format!("response_type=code&client_id=app&redirect_uri=https://evil.example/&{PKCE}"), "redirect_uri"),
        (format!("response_type=code&client_id=app&redirect_uri={REDIRECT_URI}%23part&{PKCE}"), "redirect_uri"),
        (format!("scope=a&scope=b&client_id=app&redirect_uri={REDIRECT_URI}&redirect_uri=http://[::1]/"), "more than"),
        ("client_id=app&request_uri=urn:ietf:params:oauth:request_uri:made-up".to_owned(), "request_uri"),
    ] {
        let answer = http.open(&format!("{url}?{query}")).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (400, ""), "{query}");
        assert!(answer.page().contains(hint), "{}", answer.page());
    }
}

#[tokio::test]
async fn rfc6749_4_1_2_1_every_other_error_goes_back_with_state_and_issuer() {
    let (server, http) = start().await;
    server.add_public_client("app");
    for (query, error) in [
        (PKCE.to_owned(), "invalid_request"),
        (format!("response_type=token&{PKCE}"), "unsupported_response_type"),
        (format!("response_type=code&scope=a&scope=b&{PKCE}"), "invalid_request"),
        (format!("response_type=code&response_mode=fragment&{PKCE}"), "invalid_request"),
        (format!("response_type=code&request=eyJ&{PKCE}"), "request_not_supported"),
        (format!("response_type=code&prompt=none+login&{PKCE}"), "invalid_request"),
        (format!("response_type=code&resource=api&{PKCE}"), "invalid_target"),
    ] {
        let (url, issuer) = (server.authorization_url(), server.issuer());
        let back = format!("client_id=app&redirect_uri={REDIRECT_URI}&state=s1");
        let answer = http.open(&format!("{url}?{back}&{query}")).await;
        let sent_back = |name| answer.sent_back(name).unwrap_or_default();
        assert_eq!((answer.status.as_u16(), sent_back("error").as_str()), (303, error), "{query}");
        assert_eq!((sent_back("state"), sent_back("iss")), ("s1".to_owned(), issuer));
        assert!(!sent_back("error_description").is_empty() && answer.sent_back("code").is_none());
    }
}

#[tokio::test]
async fn rfc7636_4_4_1_a_public_client_needs_s256_and_plain_is_refused_to_all() {
    let (server, http) = start().await;
    server.add_public_client("app");
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    for (client, pkce, error) in [
        ("app", String::new(), Some("invalid_request")),
        ("app", format!("code_challenge={challenge}"), Some("invalid_request")),
        ("app", format!("code_challenge={challenge}&code_challenge_method=plain"), Some("invalid_request")),
        ("client", format!("code_challenge={challenge}&code_challenge_method=plain"), Some("invalid_request")),
        ("app", "code_challenge=short&code_challenge_method=S256".to_owned(), Some("invalid_request")),
        ("client", String::new(), None),
        ("app", PKCE.to_owned(), None),
    ] {
        let query = format!("response_type=code&client_id={client}&redirect_uri={REDIRECT_URI}&{pkce}");
        let answer = http.open(&format!("{}?{query}", server.authorization_url())).await;
        assert_eq!(answer.sent_back("error").as_deref(), error, "{query}");
        assert_eq!(answer.sent_back("code").is_some(), error.is_none());
    }
}

#[tokio::test]
async fn registered_redirect_uris_are_the_only_ones_and_are_compared_byte_by_byte() {
    let (server, http) = start().await;
    server.add_public_client("app").register_redirect_uri("app", "com.example.app:/callback?a=b");
    let url = format!("{}?response_type=code&client_id=app&{PKCE}", server.authorization_url());
    let answer = http.open(&format!("{url}&redirect_uri=com.example.app:/callback?a%3Db")).await;
    assert!(answer.header("location").starts_with("com.example.app:/callback?a=b&code="));
    // With one registered there is no need to name it.
    assert_eq!(http.open(&url).await.status, 303);
    for uri in [REDIRECT_URI, "com.example.app:/callback", "com.example.app:/callback?a%3DB"] {
        assert_eq!(http.open(&format!("{url}&redirect_uri={uri}")).await.status, 400, "{uri}");
    }
}

#[tokio::test]
async fn a_sign_in_may_be_denied_or_end_with_any_error() {
    let (server, http) = start().await;
    server.consent(Consent::Deny);
    assert_eq!(sign_in(&http, &server, "").await.sent_back("error").as_deref(), Some("access_denied"));
    server.consent(Consent::Error("temporarily_unavailable".into()));
    let answer = sign_in(&http, &server, "").await;
    assert_eq!(answer.sent_back("error").as_deref(), Some("temporarily_unavailable"));
    assert_eq!((answer.sent_back("state"), answer.sent_back("iss")), (Some("s1".into()), Some(server.issuer())));
    server.consent(Consent::Approve);
    assert!(sign_in(&http, &server, "").await.sent_back("code").is_some());
}

#[tokio::test]
async fn rfc9207_2_the_issuer_that_comes_back_may_be_missing_or_wrong() {
    let (server, http) = start().await;
    server.iss(Iss::Missing);
    let answer = sign_in(&http, &server, "").await;
    assert!(answer.sent_back("iss").is_none() && answer.sent_back("code").is_some());
    server.iss(Iss::Wrong("https://evil.example".into())).consent(Consent::Deny);
    let answer = sign_in(&http, &server, "").await;
    assert_eq!(answer.sent_back("iss").as_deref(), Some("https://evil.example"));
}

#[tokio::test]
async fn a_person_is_asked_and_decides_once() {
    let (server, http) = start().await;
    server.ask(true);
    for (decision, comes_back) in [("approve", "code"), ("deny", "error")] {
        let page = sign_in(&http, &server, "&scope=%3Cb%3E").await;
        assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"));
        let text = page.page();
        assert!(text.contains("<b>app</b>") && text.contains("&lt;b&gt;") && text.contains("viewport"), "{text}");
        assert!(!text.contains("//cdn") && !text.contains("<script"), "{text}");

        let form = format!("ticket={}&decision={decision}", ticket(&text));
        let answer = http.post(&server.url("/consent"), &form).await.unwrap();
        assert_eq!(answer.status, 303);
        assert!(answer.sent_back(comes_back).is_some() && answer.sent_back("state").as_deref() == Some("s1"));
        assert_eq!(http.post(&server.url("/consent"), &form).await.unwrap().status, 400);
    }
}

#[tokio::test]
async fn nobody_is_asked_when_the_prompt_is_none() {
    let (server, http) = start().await;
    server.ask(true);
    let answer = sign_in(&http, &server, "&prompt=none").await;
    assert_eq!(answer.sent_back("error").as_deref(), Some("interaction_required"));
    server.ask(false);
    assert!(sign_in(&http, &server, "&prompt=none").await.sent_back("code").is_some());
}

pub(crate) fn ticket(page: &str) -> &str {
    let (_, rest) = page.split_once("name=ticket value=\"").unwrap();
    rest.split_once('"').unwrap().0
}
