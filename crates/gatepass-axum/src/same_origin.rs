//! Whether a request comes from this site's own pages (RFC 10017-4). Pure.
//!
//! A browser sends the session cookie with requests that other sites had it make, too. What it says about where a
//! request comes from no page can change: `Sec-Fetch-Site`, and in browsers from before 2023 `Origin`.

use http::{HeaderMap, HeaderName, HeaderValue, Method, header, request::Parts};

/// Whether a request comes from a page of `origin`, such as `https://app.example.com`.
///
/// `Sec-Fetch-Site` decides where it is sent, else `Origin`. A request with neither was not sent by a page of another
/// site: browsers that leave out the one name the other, and a request that is no page's has no cookies of ours, which
/// are `SameSite`.
pub(crate) fn is_same_origin(headers: &HeaderMap, origin: &str) -> bool {
    if headers.contains_key(&SEC_FETCH_SITE) {
        return only(headers, &SEC_FETCH_SITE).is_some_and(|site| site == "same-origin");
    }
    !headers.contains_key(header::ORIGIN) || has_origin(headers, origin)
}

/// Whether a request may be forwarded with the person's token: it comes from a page of `origin` and has the header
/// that `required` names, whatever its value.
///
/// A page of another site cannot set the header without asking first (a CORS preflight), which is never granted. Two
/// kinds of requests are exempt, since a page cannot set it on them, ours neither: a WebSocket's, for which `Origin`
/// alone decides, and an `EventSource`'s, for which `Sec-Fetch-Site` does.
pub(crate) fn may_be_forwarded(request: &Parts, origin: &str, required: &HeaderName) -> bool {
    let headers = &request.headers;
    if is_websocket(request) {
        return has_origin(headers, origin);
    }
    is_same_origin(headers, origin)
        && (headers.contains_key(required) || is_event_source(request) && headers.contains_key(&SEC_FETCH_SITE))
}

/// Whether it asks for a WebSocket (RFC 6455 section 4.1). A page can set neither of these headers itself.
pub(crate) fn is_websocket(request: &Parts) -> bool {
    request.method == Method::GET
        && lists(&request.headers, &header::CONNECTION, "upgrade")
        && only(&request.headers, &header::UPGRADE).is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Whether a header names `word` among others.
pub(crate) fn lists(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).iter();
    values.flat_map(|value| value.as_bytes().split(|&byte| byte == b',')).any(|listed| {
        let listed = listed.trim_ascii();
        listed.eq_ignore_ascii_case(word.as_bytes())
    })
}

static SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

fn is_event_source(request: &Parts) -> bool {
    request.method == Method::GET
        && only(&request.headers, &header::ACCEPT).is_some_and(|accept| accept == "text/event-stream")
}

/// Whether `Origin` is there and this one; `null` is nobody's.
fn has_origin(headers: &HeaderMap, origin: &str) -> bool {
    only(headers, &header::ORIGIN).is_some_and(|sent| sent.as_bytes().eq_ignore_ascii_case(origin.as_bytes()))
}

/// The value of a header that was sent once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    const APP: &str = "https://app.example.com";

    fn request(method: &str, headers: &[(&str, &str)]) -> Parts {
        let request = headers
            .iter()
            .fold(Request::builder().method(method), |request, (name, value)| request.header(*name, *value));
        request.body(()).unwrap().into_parts().0
    }

    fn is_own(headers: &[(&str, &str)]) -> bool {
        is_same_origin(&request("POST", headers).headers, APP)
    }

    fn may(method: &str, headers: &[(&str, &str)]) -> bool {
        may_be_forwarded(&request(method, headers), APP, &HeaderName::from_static("x-csrf"))
    }

    #[test]
    fn rfc10017_4_what_the_browser_says_about_the_site_decides() {
        assert!(is_own(&[("sec-fetch-site", "same-origin")]));
        for site in ["same-site", "cross-site", "none", "", "Same-Origin", "same-origin, cross-site"] {
            assert!(!is_own(&[("sec-fetch-site", site), ("origin", APP)]), "{site}");
        }
        assert!(!is_own(&[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "same-origin")]));
        assert!(is_own(&[("sec-fetch-site", "same-origin"), ("origin", "null")]), "it decides where it is sent");
    }

    #[test]
    fn rfc10017_4_older_browsers_name_the_origin() {
        assert!(is_own(&[("origin", APP)]));
        assert!(is_own(&[("origin", "https://APP.example.com")]));
        for origin in [
            "null",
            "",
            "http://app.example.com",
            "https://app.example.com:8443",
            "https://app.example.com.evil.example",
            "https://evil.example",
            "https://app.example.com/",
        ] {
            assert!(!is_own(&[("origin", origin)]), "{origin}");
        }
        assert!(!is_own(&[("origin", APP), ("origin", "https://evil.example")]));
    }

    #[test]
    fn rfc10017_4_what_says_neither_is_no_browser() {
        assert!(is_own(&[]) && is_own(&[("referer", "https://evil.example/")]));
    }

    #[test]
    fn rfc10017_4_the_header_is_required_on_every_request() {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            assert!(may(method, &[("x-csrf", "1"), ("sec-fetch-site", "same-origin")]), "{method}");
            assert!(may(method, &[("x-csrf", ""), ("origin", APP)]), "{method}");
            assert!(may(method, &[("x-csrf", "1")]), "{method}");
            assert!(!may(method, &[("sec-fetch-site", "same-origin")]), "{method}");
            assert!(!may(method, &[("origin", APP)]) && !may(method, &[]), "{method}");
            assert!(!may(method, &[("x-csrf", "1"), ("sec-fetch-site", "same-site")]), "{method}");
        }
    }

    #[test]
    fn rfc10017_4_a_websocket_needs_its_origin_whatever_else_is_sent() {
        let websocket = [("upgrade", "WebSocket"), ("connection", "keep-alive, Upgrade")];
        let with = |more: &[(&str, &str)]| may("GET", &[&websocket, more].concat());
        assert!(with(&[("origin", APP)]));
        assert!(!with(&[]) && !with(&[("x-csrf", "1")]) && !with(&[("origin", "null"), ("x-csrf", "1")]));
        assert!(!with(&[("x-csrf", "1"), ("sec-fetch-site", "same-origin")]));
        assert!(!with(&[("origin", "https://evil.example"), ("x-csrf", "1"), ("sec-fetch-site", "same-origin")]));
        // Not one without the other, nor by another method, nor to something else besides.
        assert!(!may("GET", &[("upgrade", "websocket"), ("origin", APP)]));
        assert!(!may("POST", &[&websocket[..], &[("origin", APP)]].concat()));
        assert!(!may("GET", &[("upgrade", "h2c, websocket"), ("connection", "upgrade"), ("origin", APP)]));
    }

    #[test]
    fn rfc10017_4_an_event_source_needs_the_site() {
        let accept = ("accept", "text/event-stream");
        assert!(may("GET", &[accept, ("sec-fetch-site", "same-origin")]));
        assert!(!may("GET", &[accept, ("sec-fetch-site", "cross-site")]));
        assert!(!may("GET", &[accept]) && !may("GET", &[accept, ("origin", APP)]));
        assert!(!may("POST", &[accept, ("sec-fetch-site", "same-origin")]));
        assert!(!may("GET", &[("accept", "text/event-stream, */*"), ("sec-fetch-site", "same-origin")]));
    }
}
