//! Which headers pass, either way. Pure.

use gatepass::challenge::Challenges;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use super::destination::Destination;
use crate::same_origin::lists;

/// Of the connection, not of the message (RFC 9110 section 7.6.1); `proxy-…` are, too. `Trailer` is not: without it
/// trailers would get lost.
const OF_THE_CONNECTION: [&str; 6] =
    ["connection", "keep-alive", "te", "transfer-encoding", "upgrade", "http2-settings"];

/// What is between the browser and this site, and none of the API's business: who is signed in and by what
/// (`Authorization` is the visitor's own), which page asks (the API would take it for a browser's request and might
/// refuse the page's origin, and a page's address may hold what is not for it), and what was agreed with this server.
const OF_THE_SITE: [&str; 6] = ["authorization", "cookie", "expect", "host", "origin", "referer"];

/// What proxies say and whoever comes from outside must not: whose request it is, and which path it was for. Some APIs
/// go by the latter, and would be led out of the destination.
const OF_PROXIES: [&str; 4] = ["forwarded", "x-original-url", "x-real-ip", "x-rewrite-url"];

/// Begin the names of others of these three kinds.
const NOT_FORWARDED: [&str; 4] = ["access-control-", "proxy-", "sec-fetch-", "x-forwarded-"];

/// What an API says of its own origin and the browser would take as said of this site: cookies, who may read its
/// answers, how it is connected to, where its failures are reported.
const NOT_OF_THIS_SITE: [&str; 10] = [
    "alt-svc",
    "clear-site-data",
    "nel",
    "report-to",
    "reporting-endpoints",
    "service-worker-allowed",
    "set-cookie",
    "set-cookie2",
    "set-login",
    "strict-transport-security",
];

/// By which an API may be told another method than the request's.
const METHOD_OVERRIDES: [&str; 3] = ["x-http-method", "x-http-method-override", "x-method-override"];

/// Leaves of a visitor's headers what goes to the API. `csrf` is the header that this site requires.
pub(super) fn clean_request(headers: &mut HeaderMap, csrf: &HeaderName, is_websocket: bool) {
    let takes_trailers = lists(headers, &header::TE, "trailers");
    retain(headers, |name| {
        let name = name.as_str();
        name != csrf.as_str()
            && !OF_THE_SITE.contains(&name)
            && !OF_PROXIES.contains(&name)
            && !NOT_FORWARDED.iter().any(|start| name.starts_with(start))
    });
    if takes_trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    if is_websocket {
        upgrade(headers);
    }
}

/// Leaves of an API's headers what goes to the browser, and says that the answer is one person's.
pub(super) fn clean_response(headers: &mut HeaderMap, destination: &Destination, is_websocket: bool) {
    let challenges = Challenges::parse(headers);
    // A browser would ask for a password, in the name of this site.
    let asks_browser = challenges.iter().any(|challenge| !matches_token(challenge.scheme()));
    retain(headers, |name| {
        let name = name.as_str();
        let is_for_us = name == "www-authenticate" && asks_browser;
        let is_of_a_kind = name.starts_with("access-control-") || name.starts_with("proxy-");
        !(is_for_us || is_of_a_kind || NOT_OF_THIS_SITE.contains(&name))
    });
    if is_websocket {
        upgrade(headers);
        return;
    }
    for name in [header::LOCATION, header::CONTENT_LOCATION] {
        let here = headers.get(&name).and_then(|at| destination.back(at.to_str().ok()?));
        if let Some(here) = here.and_then(|here| HeaderValue::try_from(here).ok()) {
            headers.insert(name, here);
        }
    }
    let says_something = [header::CACHE_CONTROL, header::EXPIRES, header::PRAGMA];
    if !says_something.iter().any(|name| headers.contains_key(name)) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    // Whose answer it is depends on the session.
    if !lists(headers, &header::VARY, "cookie") && !lists(headers, &header::VARY, "*") {
        headers.append(header::VARY, HeaderValue::from_static("Cookie"));
    }
}

/// The methods that a request may have at the API: its own, and what it is told to take it for.
pub(super) fn overriding_methods(headers: &HeaderMap) -> impl Iterator<Item = Option<Method>> {
    let values = METHOD_OVERRIDES.iter().flat_map(|name| headers.get_all(*name));
    values.map(|value| Method::from_bytes(&value.as_bytes().to_ascii_uppercase()).ok())
}

/// A header that a page can only set with leave, on requests to this site.
pub(super) fn is_set_by_leave(name: &HeaderName) -> bool {
    // Safelisted for CORS, or set by browsers themselves.
    const NOT: [&str; 21] = [
        "accept",
        "accept-charset",
        "accept-encoding",
        "accept-language",
        "connection",
        "content-language",
        "content-length",
        "content-type",
        "cookie",
        "date",
        "dnt",
        "expect",
        "host",
        "keep-alive",
        "origin",
        "range",
        "referer",
        "te",
        "upgrade",
        "user-agent",
        "via",
    ];
    let name = name.as_str();
    !NOT.contains(&name)
        && !OF_THE_CONNECTION.contains(&name)
        && !name.starts_with("sec-")
        && !name.starts_with("proxy-")
}

/// Keeps those wanted, without those of the connection and those that it names.
fn retain(headers: &mut HeaderMap, is_wanted: impl Fn(&HeaderName) -> bool) {
    let is_named = |name: &HeaderName| lists(headers, &header::CONNECTION, name.as_str());
    let unwanted: Vec<HeaderName> = headers
        .keys()
        .filter(|name| OF_THE_CONNECTION.contains(&name.as_str()) || is_named(name) || !is_wanted(name))
        .cloned()
        .collect();
    for name in unwanted {
        headers.remove(name);
    }
}

fn upgrade(headers: &mut HeaderMap) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
}

fn matches_token(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("dpop")
}

#[cfg(test)]
#[path = "headers/tests.rs"]
mod tests;
