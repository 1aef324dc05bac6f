//! The few pages a site has of its own, and answers for scripts. Nothing in them is from another site, and nothing is
//! written into them unescaped (6749-15).

use http::{HeaderName, HeaderValue, Response, StatusCode, header};

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:1.05rem/1.5 system-ui,sans-serif;max-width:34rem;margin:12vh auto 4rem;padding:0 1.25rem}\
h1{font-size:1.5rem;line-height:1.25;margin:0 0 1rem}\
p{margin:0 0 1rem;overflow-wrap:anywhere}\
a.button,button{display:inline-block;font:inherit;padding:.55rem 1.1rem;margin:.4rem .5rem 0 0;border-radius:.5rem;\
border:1px solid #2456c8;background:#2456c8;color:#fff;text-decoration:none;cursor:pointer}\
a.quiet{background:none;color:inherit;border-color:#8888}";

/// A page for a person.
#[derive(Debug)]
pub(crate) struct Page {
    title: String,
    body: String,
}

impl Page {
    pub(crate) fn new(title: &str) -> Self {
        Self { title: escaped(title), body: String::new() }
    }

    pub(crate) fn text(mut self, text: &str) -> Self {
        self.body += &format!("<p>{}</p>\n", escaped(text));
        self
    }

    pub(crate) fn link(mut self, to: &str, text: &str) -> Self {
        self.body += &format!("<a class=\"button\" href=\"{}\">{}</a>\n", escaped(to), escaped(text));
        self
    }

    pub(crate) fn quiet_link(mut self, to: &str, text: &str) -> Self {
        self.body += &format!("<a class=\"button quiet\" href=\"{}\">{}</a>\n", escaped(to), escaped(text));
        self
    }

    /// A button that posts, without anything else, to a page of this site.
    pub(crate) fn button(mut self, to: &str, text: &str) -> Self {
        let (to, text) = (escaped(to), escaped(text));
        self.body += &format!("<form method=\"post\" action=\"{to}\"><button>{text}</button></form>\n");
        self
    }

    pub(crate) fn answer(self, status: StatusCode) -> Response<String> {
        let Self { title, body } = self;
        let html = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <title>{title}</title><style>{STYLE}</style></head>\n<body><h1>{title}</h1>\n{body}</body></html>\n"
        );
        let mut response = Response::new(html);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        // No form-action: after the sign-out the form's answer leads to the provider.
        headers.insert(
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(
                "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
            ),
        );
        private(&mut response);
        response
    }
}

/// What goes to nobody else: not into caches, and no address of it into the next request (9700-11).
pub(crate) fn private<B>(response: &mut Response<B>) {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Not no-referrer: a form would come from the origin `null` then.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin"));
}

/// 303: whatever the method was, the next is GET. A location that no header can hold leads to the start page.
pub(crate) fn redirect(to: &str) -> Response<String> {
    let mut response = Response::new(String::new());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let to = HeaderValue::try_from(to).unwrap_or(HeaderValue::from_static("/"));
    response.headers_mut().insert(header::LOCATION, to);
    private(&mut response);
    response
}

pub(crate) fn json(status: StatusCode, body: &serde_json::Value) -> Response<String> {
    let mut response = Response::new(body.to_string());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    private(&mut response);
    response
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc6749_15_nothing_that_others_wrote_is_html() {
        let evil = "\"><script>alert('1')</script>&";
        let page = Page::new(evil).text(evil).link(evil, evil).button(evil, evil).answer(StatusCode::BAD_REQUEST);
        assert!(!page.body().contains("<script") && !page.body().contains("alert('"), "{}", page.body());
        assert_eq!(page.headers()["cache-control"], "no-store");
        assert!(page.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
    }

    #[test]
    fn rfc6749_25_a_location_with_line_ends_is_none() {
        assert_eq!(redirect("/a\r\nset-cookie: x").headers()["location"], "/");
    }
}
