//! Which headers pass.

use super::*;

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&str, &str)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    let mut headers = HeaderMap::new();
    for (name, value) in pairs.iter().map(pair) {
        let _: bool = headers.append(name, value);
    }
    headers
}

fn sent(pairs: &[(&str, &str)], is_websocket: bool) -> HeaderMap {
    let mut headers = headers(pairs);
    clean_request(&mut headers, &HeaderName::from_static("x-csrf"), is_websocket);
    headers
}

fn given_back(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut headers = headers(pairs);
    let destination = Destination::new("/api", "https://api.example.com/v1", false).unwrap();
    clean_response(&mut headers, &destination, false);
    headers
}

#[test]
fn rfc10017_5_what_is_the_sites_stays_with_the_site() {
    for name in [
        "Cookie",
        "Authorization",
        "Host",
        "Origin",
        "Referer",
        "Expect",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "Forwarded",
        "X-Real-IP",
        "X-Original-URL",
        "X-Rewrite-URL",
        "Sec-Fetch-Site",
        "Access-Control-Request-Method",
        "X-CSRF",
        "Proxy-Authorization",
        "Proxy-Connection",
        "Keep-Alive",
        "Transfer-Encoding",
        "Upgrade",
        "HTTP2-Settings",
        "Connection",
    ] {
        assert!(sent(&[(name, "x")], false).is_empty(), "{name}");
    }
    let passes = [
        ("accept", "a"),
        ("accept", "b"),
        ("content-length", "3"),
        ("if-match", "x"),
        ("x-own", "1"),
        ("trailer", "x-sum"),
    ];
    assert_eq!(sent(&passes, false), headers(&passes));
}

#[test]
fn rfc9110_7_6_1_what_connection_names_goes_no_further() {
    let left = sent(
        &[("connection", "close, X-One"), ("connection", "x-two"), ("x-one", "1"), ("x-two", "2"), ("x-three", "3")],
        false,
    );
    assert_eq!(left, headers(&[("x-three", "3")]));
    let left = given_back(&[("connection", "x-one"), ("x-one", "1"), ("cache-control", "no-cache"), ("vary", "*")]);
    assert_eq!(left, headers(&[("cache-control", "no-cache"), ("vary", "*")]));
}

#[test]
fn rfc9110_10_1_4_of_te_only_trailers_pass() {
    assert_eq!(sent(&[("te", "gzip, Trailers"), ("connection", "te")], false), headers(&[("te", "trailers")]));
    assert!(sent(&[("te", "gzip")], false).is_empty());
}

#[test]
fn a_websocket_keeps_its_upgrade() {
    let left = sent(
        &[("connection", "keep-alive, Upgrade"), ("upgrade", "websocket"), ("sec-websocket-key", "k"), ("cookie", "s")],
        true,
    );
    assert_eq!(left, headers(&[("connection", "upgrade"), ("upgrade", "websocket"), ("sec-websocket-key", "k")]));
}

#[test]
fn what_an_api_says_of_its_origin_is_not_said_of_this_one() {
    for name in [
        "Set-Cookie",
        "Clear-Site-Data",
        "Access-Control-Allow-Origin",
        "Alt-Svc",
        "Strict-Transport-Security",
        "NEL",
        "Report-To",
        "Service-Worker-Allowed",
        "Set-Login",
        "Proxy-Authenticate",
        "Keep-Alive",
        "Transfer-Encoding",
        "Upgrade",
    ] {
        assert!(!given_back(&[(name, "x")]).contains_key(name), "{name}");
    }
    let passes = [
        ("content-type", "text/plain"),
        ("etag", "x"),
        ("retry-after", "1"),
        ("cache-control", "private"),
        ("vary", "accept, cookie"),
    ];
    assert_eq!(given_back(&passes), headers(&passes));
}

#[test]
fn an_answer_is_one_persons_and_is_kept_by_nobody_unless_the_api_says_so() {
    assert_eq!(given_back(&[]), headers(&[("cache-control", "no-store"), ("vary", "Cookie")]));
    let left = given_back(&[("cache-control", "public"), ("vary", "accept")]);
    assert_eq!(left, headers(&[("cache-control", "public"), ("vary", "accept"), ("vary", "Cookie")]));
    assert!(!given_back(&[("expires", "0")]).contains_key("cache-control"));
}

#[test]
fn a_challenge_that_browsers_answer_by_asking_for_a_password_is_dropped() {
    let bearer = r#"Bearer error="insufficient_scope", scope="write", DPoP algs="ES256""#;
    assert_eq!(given_back(&[("www-authenticate", bearer)])["www-authenticate"], bearer);
    for asks in ["Basic realm=\"x\"", "Negotiate", "Bearer, Basic realm=x"] {
        assert!(!given_back(&[("www-authenticate", asks)]).contains_key("www-authenticate"), "{asks}");
    }
    assert!(
        !given_back(&[("www-authenticate", "Bearer"), ("www-authenticate", "digest")]).contains_key("www-authenticate")
    );
}

#[test]
fn places_within_the_destination_are_named_as_they_are_here() {
    let left = given_back(&[("location", "https://api.example.com/v1/a"), ("content-location", "/v1/b?c")]);
    assert_eq!(
        (&left["location"], &left["content-location"]),
        (&"/api/a".parse().unwrap(), &"/api/b?c".parse().unwrap())
    );
    assert_eq!(given_back(&[("location", "https://other.example/")])["location"], "https://other.example/");
}

#[test]
fn rfc10017_4_a_header_that_any_page_may_set_protects_nothing() {
    for name in ["x-csrf", "x-requested-with", "x-any"] {
        assert!(is_set_by_leave(&name.parse().unwrap()), "{name}");
    }
    for name in
        ["accept", "content-type", "range", "cookie", "origin", "sec-fetch-site", "proxy-x", "te", "http2-settings"]
    {
        assert!(!is_set_by_leave(&name.parse().unwrap()), "{name}");
    }
}
