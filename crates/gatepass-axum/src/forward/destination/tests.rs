//! What comes out is at the destination, whatever goes in.

use proptest::prelude::*;

use super::*;

fn destination(to: &str) -> Destination {
    Destination::new("/api", to, false).unwrap()
}

fn of(to: &str, asked: &str) -> Result<String, Astray> {
    destination(to).of(&asked.parse().unwrap()).map(|uri| uri.to_string())
}

#[test]
fn rfc10017_5_the_rest_of_the_path_and_the_query_go_to_the_destination() {
    for (to, asked, goes_to) in [
        (
            "https://api.example.com/v1",
            "/api/orders/7?q=a%20b&q=/../x",
            "https://api.example.com/v1/orders/7?q=a%20b&q=/../x",
        ),
        ("https://api.example.com/v1/", "/api/orders", "https://api.example.com/v1/orders"),
        ("https://api.example.com/v1", "/api", "https://api.example.com/v1"),
        ("https://api.example.com/v1", "/api?q", "https://api.example.com/v1?q"),
        ("https://api.example.com/v1", "/api/", "https://api.example.com/v1/"),
        ("https://api.example.com/v1", "/api/a//b/", "https://api.example.com/v1/a//b/"),
        ("https://api.example.com", "/api", "https://api.example.com/"),
        ("https://api.example.com", "/api/x", "https://api.example.com/x"),
        ("http://127.0.0.1:8080", "/api/x", "http://127.0.0.1:8080/x"),
        ("https://api.example.com/v1", "http://evil.example/api/x", "https://api.example.com/v1/x"),
        ("https://api.example.com/v1", "/api/...", "https://api.example.com/v1/..."),
        (
            "https://api.example.com/v1",
            "/api/a;v=1/%E2%82%AC%20;:@!$&'()*+,=",
            "https://api.example.com/v1/a;v=1/%E2%82%AC%20;:@!$&'()*+,=",
        ),
    ] {
        assert_eq!(of(to, asked).as_deref(), Ok(goes_to), "{asked}");
    }
}

#[test]
fn rfc10017_5_the_prefix_is_whole_segments() {
    for asked in ["/apix", "/apix/a", "/ap", "/", "/v1/api/a", "/API/a", "/api%2Fa", "/%61pi/a", "//api/a", "/api;x/a"]
    {
        assert_eq!(of("https://api.example.com", asked), Err(Astray::NotOurs), "{asked}");
    }
}

#[test]
fn rfc10017_5_paths_that_servers_understand_differently_go_nowhere() {
    for rest in [
        "/..",
        "/../admin",
        "/a/../../b",
        "/.",
        "/a/./b",
        "/a/..",
        "/%2e%2e/admin",
        "/%2E%2e",
        "/.%2e/x",
        "/%2e./x",
        "/%2e",
        "/..;/admin",
        "/..;a=b/x",
        "/..%3b/x",
        "/.;/x",
        "/a%2fb",
        "/a%2Fb",
        "/a%5cb",
        "/a%5Cb",
        "/a\\b",
        "/..\\x",
        "//evil.example/x",
        "//",
        "/%00",
        "/a%0d%0ab",
        "/%7f",
        "/%",
        "/%2",
        "/%zz",
        "/%u002e",
        "/%c0%ae%c0%ae/x",
        "/%ff",
        "/%c2%85",
        "/%252e%252E/x",
        "/.%252e",
        "/a%252fb",
        "/a%255Cb",
        "/..%253b",
        "/%20%252f",
    ] {
        assert_eq!(of("https://api.example.com/v1", &format!("/api{rest}")), Err(Astray::Ambiguous), "{rest}");
    }
}

#[test]
fn rfc10017_5_a_destination_is_a_url_that_may_get_a_token() {
    for (to, hint) in [
        ("api.example.com", "scheme"),
        ("/v1", "scheme"),
        ("http://api.example.com", "https"),
        ("ftp://api.example.com/", "https"),
        ("https://user:hunter2@api.example.com/", "user name"),
        ("https://api.example.com/?a=b", "query"),
        ("https://api.example.com/#a", "fragment"),
        ("https://api.example.com/a/../b", "path"),
        ("https://api.example.com//a", "path"),
        ("https://api.example.com/%2fa", "path"),
        ("https:// ", "URL"),
    ] {
        let error = Destination::new("/api", to, false).unwrap_err();
        assert!(error.is_misconfigured() && error.to_string().contains(hint), "{to}: {error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
    assert!(Destination::new("/api", "http://orders:8080/v1", true).is_ok());
    for prefix in ["", "/", "api", "/api/", "/a//b", "/a/../b", "/a%20b", "/{x}", "/a?b", "/a#b", "/.."] {
        let error = Destination::new(prefix, "https://api.example.com", false).unwrap_err();
        assert!(error.is_misconfigured() && error.to_string().contains("like `/api`"), "{prefix}: {error}");
    }
    assert!(Destination::new("/bff/api-v1", "https://api.example.com", false).is_ok());
}

#[test]
fn a_location_within_the_destination_gets_the_name_it_has_here() {
    let back = |location: &str| destination("https://api.example.com/v1").back(location);
    for (location, here) in [
        ("https://api.example.com/v1/orders/7?q#f", "/api/orders/7?q#f"),
        ("https://API.example.com:443/v1", "/api"),
        ("https://api.example.com/v1?q", "/api?q"),
        ("/v1/orders/7", "/api/orders/7"),
        ("/v1", "/api"),
    ] {
        assert_eq!(back(location).as_deref(), Some(here), "{location}");
    }
    for elsewhere in [
        "https://api.example.com/v2/x",
        "https://api.example.com/v1x",
        "https://api.example.com/",
        "https://evil.example/v1/x",
        "https://user@api.example.com/v1/x",
        "http://api.example.com/v1/x",
        "//api.example.com/v1/x",
        "/v1/../v2",
        "/v1//evil.example",
        "/v2",
        "orders/7",
        "?q",
        "",
        "mailto:a@example.com",
    ] {
        assert_eq!(back(elsewhere), None, "{elsewhere}");
    }
    let whole = destination("https://api.example.com");
    assert_eq!(whole.back("/x").as_deref(), Some("/api/x"));
    assert_eq!(whole.back("https://api.example.com").as_deref(), Some("/api"));
    assert_eq!(whole.back("https://api.example.com//evil.example"), None);
}

/// What the most lenient server makes of a path: unescapes twice, turns slashes round, drops what stands behind a
/// semicolon, and goes up at dots.
fn leniently(path: &str) -> Option<Vec<String>> {
    let mut text = path.to_owned();
    for _ in 0..2 {
        text = match unescaped_all(&text) {
            Some(read) => read,
            None => break,
        };
    }
    let mut at = Vec::new();
    for segment in text.replace('\\', "/").split('/') {
        match segment.split(';').next().unwrap_or_default() {
            "" | "." => {}
            ".." => drop(at.pop()?),
            name => at.push(name.to_owned()),
        }
    }
    Some(at)
}

fn unescaped_all(path: &str) -> Option<String> {
    let read: Option<Vec<String>> = path.split('/').map(unescaped).collect();
    Some(read?.join("/"))
}

fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec![
            "/", "//", ".", "..", "%2e", "%2E", "%2f", "%2F", "\\", "%5c", ";", "%3b", "?", "@", ":", "%", "%00", "evil.example", "api", "v1",
            "%25", "%c0%ae", "http:", "a",
        ])
        .prop_map(str::to_owned),
        1 => "[!-~]{0,3}",
    ]
}

proptest! {
    #[test]
    fn rfc10017_5_whatever_is_asked_for_goes_to_the_destination_or_nowhere(
        pieces in prop::collection::vec(piece(), 0..8),
        to in prop::sample::select(vec!["https://api.example.com", "https://api.example.com/v1", "http://127.0.0.1:1/a/b/"]),
    ) {
        let destination = destination(to);
        let base: Uri = to.parse().unwrap();
        for start in ["/api", "/api/", ""] {
            let Ok(asked) = format!("{start}{}", pieces.concat()).parse::<Uri>() else { continue };
            let Ok(uri) = destination.of(&asked) else { continue };
            prop_assert_eq!(uri.scheme(), base.scheme());
            prop_assert_eq!(uri.authority(), base.authority());
            let (path, base) = (uri.path(), base.path().trim_end_matches('/'));
            prop_assert!(path == base || path.starts_with(&format!("{base}/")), "{}", path);
            prop_assert_eq!(uri.query(), asked.query());
            let (at, base) = (leniently(path), leniently(base).unwrap());
            prop_assert!(at.as_ref().is_some_and(|at| at.starts_with(&base)), "{} {:?}", path, at);
            // What another parser reads of it is the same.
            let again: Uri = uri.to_string().parse().unwrap();
            prop_assert_eq!(again, uri);
        }
    }

    #[test]
    fn rfc10017_5_any_path_is_answered(path in "/api[/ -~]{0,40}", location in "\\PC{0,40}") {
        let destination = destination("https://api.example.com/v1");
        if let Ok(asked) = path.parse::<Uri>() {
            let _ = destination.of(&asked);
        }
        if let Some(here) = destination.back(&location) {
            prop_assert!(here.starts_with("/api"), "{}", here);
        }
    }
}
