//! Where somebody goes after signing in: to a page of this site and nowhere else (6749-26, 9700-1).

use http::Uri;

/// Longer ones do not fit into a cookie.
const LONGEST: usize = 1500;

/// Whether a text is the path of a page of this site, with a query or fragment perhaps, however a browser reads it.
///
/// Browsers take a backslash for a slash, drop tabs and line ends, and read `//host` and `/\host` as another host. So
/// nothing is let through that would have to be interpreted.
pub(crate) fn is_local(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('/') else { return false };
    let lower = rest.to_ascii_lowercase();
    // Decoded once more on the way, these would be the second slash.
    let is_elsewhere = ["/", "\\", "%2f", "%5c"].iter().any(|second| lower.starts_with(second));
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\\"<>^`{|}".contains(&byte));
    // `/./` and `/x/../` are taken out by the browser, and what is left may begin with two slashes.
    let path = text.split(['?', '#']).next().unwrap_or_default();
    let is_straight = !path.split('/').any(is_dots);
    text.len() <= LONGEST && !is_elsewhere && is_plain && is_straight
}

/// `.` and `..`, in every spelling.
fn is_dots(part: &str) -> bool {
    let part = part.to_ascii_lowercase().replace("%2e", ".");
    part == "." || part == ".."
}

/// What is in the query `return_to=…`, if it is local.
pub(crate) fn asked_for(query: Option<&str>) -> Option<String> {
    let query = query?;
    let (_, path) = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "return_to")?;
    is_local(&path).then(|| path.into_owned())
}

/// The address of a page, as it can be returned to. Browsers send some characters as they are that are none of a URL's.
pub(crate) fn of(uri: &Uri) -> Option<String> {
    let mut path = String::new();
    for c in uri.path_and_query()?.as_str().chars() {
        match c {
            '"' | '<' | '>' | '^' | '`' | '{' | '|' | '}' => path += &format!("%{:02X}", u32::from(c)),
            c => path.push(c),
        }
    }
    is_local(&path).then_some(path)
}

/// `/login?return_to=%2Forders`
pub(crate) fn login_at(login: &str, return_to: Option<&str>) -> String {
    match return_to {
        Some(path) if path != "/" => {
            let query = form_urlencoded::Serializer::new(String::new()).append_pair("return_to", path).finish();
            format!("{login}?{query}")
        }
        _ => login.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rfc6749_26_a_page_of_this_site_may_be_returned_to() {
        for good in
            ["/", "/orders", "/orders?page=2&next=http://x", "/a/b%20c#top", "/.well-known/x", "/a/..b", "/?x=//y"]
        {
            assert!(is_local(good), "{good}");
        }
    }

    #[test]
    fn rfc6749_26_no_spelling_leads_to_another_site() {
        for bad in [
            "",
            "evil.example",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\\/evil",
            "https://evil.example",
            "https:evil.example",
            "https:/evil.example",
            "javascript:alert(1)",
            "/\t/evil.example",
            "/\n/evil.example",
            "\t//evil.example",
            " //evil.example",
            "/ /evil",
            "/%2fevil.example",
            "/%2Fevil.example",
            "/%5cevil.example",
            "/%5C/evil",
            "/.//evil.example",
            "/x/..//evil.example",
            "/%2e%2e//evil",
            "/./\\evil",
            "/a\\b",
            "/%2e/",
            "/..",
            "@evil.example",
            ".evil.example",
            "/\u{2f}/evil",
            "/é",
            "/\u{0}",
            "/a\r\nLocation: //evil",
            "/\u{ff0f}evil",
            "http:///evil",
            "data:text/html,x",
        ] {
            assert!(!is_local(bad), "{bad:?}");
        }
        assert!(!is_local(&format!("/{}", "a".repeat(LONGEST))));
    }

    #[test]
    fn what_browsers_send_as_it_is_can_be_returned_to() {
        let of = |uri: &str| of(&uri.parse().unwrap());
        assert_eq!(of("/orders?q=a|b&r={x}^`").as_deref(), Some("/orders?q=a%7Cb&r=%7Bx%7D%5E%60"));
        assert_eq!(of("/a//b?c").as_deref(), Some("/a//b?c"));
        assert_eq!(of("//evil.example/a"), None);
    }

    #[test]
    fn what_was_asked_for_is_read_from_the_query() {
        assert_eq!(asked_for(Some("x=1&return_to=%2Forders%3Fa%3D1")).as_deref(), Some("/orders?a=1"));
        assert_eq!(asked_for(Some("return_to=%2F%2Fevil.example")), None);
        assert_eq!(asked_for(Some("return_to=%2F%252fevil.example")), None);
        assert_eq!(asked_for(None), None);
        assert_eq!(login_at("/login", Some("/a?b=c d")), "/login?return_to=%2Fa%3Fb%3Dc+d");
        assert_eq!(login_at("/login", Some("/")), "/login");
    }

    proptest! {
        #[test]
        fn whatever_is_let_through_stays_on_the_host(text in "[/\\\\.%2feE5cC@:?#a-z\t]{0,12}") {
            if is_local(&text) {
                let there = format!("https://app.example.com{text}");
                let uri: Uri = there.split('#').next().unwrap().parse().unwrap();
                prop_assert_eq!(uri.host(), Some("app.example.com"));
                prop_assert!(!text[1..].starts_with(['/', '\\']));
            }
        }
    }
}
