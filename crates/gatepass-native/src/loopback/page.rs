//! What the browser shows.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;

use super::admission::Refusal;

pub(super) type Page = Full<Bytes>;

const STYLE: &str = include_str!("page.css");

/// Takes the query, which has the code, out of the address bar and the history.
const SCRIPT: &str = "history.replaceState(null,'',location.pathname)";

/// Nothing is loaded, and no script runs but the one above, by its hash.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; \
     frame-ancestors 'none'; base-uri 'none'; form-action 'none'; \
     script-src 'sha256-UBodp8UhLR9ASBc1PNRKcs3r2CjAFWxCbrUGPN7u1jo='";

/// Characters of a reason.
const MOST_REASON: usize = 300;

/// What the browser shows in the end: the pages of this crate, or your own.
///
/// ```
/// use gatepass_native::Pages;
///
/// let pages = Pages::new("My Program")
///     .success("<!doctype html><html lang=en><title>Signed in</title><h1>Welcome</h1></html>")
///     .failure("<!doctype html><html lang=en><title>Not signed in</title><h1>Sorry</h1><p>{reason}</p></html>");
/// ```
///
/// Your own are sent under the same `Content-Security-Policy`: inline styles work, images and fonts as `data:` URLs;
/// no script does, and nothing is loaded. A script that takes the query out of the address bar is added to them.
#[derive(Clone, Debug)]
pub struct Pages {
    program: Cow<'static, str>,
    success: Option<String>,
    failure: Option<String>,
}

const UNNAMED: &str = "the program";

impl Pages {
    /// Pages that send people back to the program of this name, which is escaped.
    pub fn new(program: impl Into<Cow<'static, str>>) -> Self {
        Self { program: program.into(), ..Self::unnamed() }
    }

    pub(super) const fn unnamed() -> Self {
        Self { program: Cow::Borrowed(UNNAMED), success: None, failure: None }
    }

    /// The same for a program of this name, unless it has one.
    pub(super) fn or_named(self, program: &str) -> Self {
        match &*self.program {
            UNNAMED => Self { program: program.to_owned().into(), ..self },
            _ => self,
        }
    }

    /// Your HTML for a sign-in that succeeded.
    #[must_use]
    pub fn success(mut self, html: impl Into<String>) -> Self {
        self.success = Some(html.into());
        self
    }

    /// Your HTML for a sign-in that failed. Each `{reason}` becomes the reason, escaped for text and for quoted
    /// attributes.
    #[must_use]
    pub fn failure(mut self, html: impl Into<String>) -> Self {
        self.failure = Some(html.into());
        self
    }

    pub(super) fn succeeded(&self) -> Response<Page> {
        let html = match &self.success {
            Some(html) => with_script(html),
            None => self.page(Look::Good, "You are signed in", &[]),
        };
        response(StatusCode::OK, html)
    }

    pub(super) fn failed(&self, denied: bool, message: &str) -> Response<Page> {
        let html = match &self.failure {
            Some(html) => with_script(&html.replace("{reason}", &escaped(&reason(message)))),
            None => {
                let title = if denied { "Access was denied" } else { "The sign-in failed" };
                self.page(Look::Bad, title, &[Part::Reason(&reason(message))])
            }
        };
        response(StatusCode::BAD_REQUEST, html)
    }

    pub(super) fn refused(&self, refusal: Refusal) -> Response<Page> {
        let (status, title, text) = match refusal {
            Refusal::Host => (StatusCode::MISDIRECTED_REQUEST, "Wrong address", "This address leads nowhere."),
            Refusal::Path => (StatusCode::NOT_FOUND, "Not found", "There is nothing at this address."),
            Refusal::Method => (
                StatusCode::METHOD_NOT_ALLOWED,
                "Not allowed",
                "A sign-in comes back by GET, with response_mode=query.",
            ),
            Refusal::TooLong => (StatusCode::URI_TOO_LONG, "Too long", "No sign-in has an answer this long."),
            Refusal::Foreign => (
                StatusCode::BAD_REQUEST,
                "This is another sign-in",
                "It is not the one that is waited for: it was begun earlier, or by someone else. Nothing was changed.",
            ),
            Refusal::Over => (
                StatusCode::GONE,
                "This sign-in is over",
                "It was answered already, or is no longer waited for. Nothing was changed.",
            ),
        };
        let html = match refusal {
            // Whoever asks for another host learns no more than that.
            Refusal::Host => {
                format!("<!doctype html><html lang=\"en\"><title>{title}</title><h1>{title}</h1><p>{text}</p></html>\n")
            }
            _ => self.page(Look::Bad, title, &[Part::Text(text)]),
        };
        let mut response = response(status, html);
        if refusal == Refusal::Method {
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET"));
        }
        response
    }

    fn page(&self, look: Look, title: &str, parts: &[Part<'_>]) -> String {
        let (class, icon) = match look {
            Look::Good => ("good", "<path d=\"M7.5 12.5l3 3 6-6.5\"/>"),
            Look::Bad => ("bad", "<path d=\"M12 7v6m0 3.5v.01\"/>"),
        };
        let parts: String = parts.iter().map(Part::html).collect();
        let program = escaped(&self.program);
        format!(
            "<!doctype html>\n\
             <html lang=\"en\">\n\
             <head>\n\
             <meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{title}</title>\n\
             <link rel=\"icon\" href=\"data:,\">\n\
             <style>{STYLE}</style>\n\
             </head>\n\
             <body>\n\
             <main class=\"{class}\">\n\
             <svg viewBox=\"0 0 24 24\" aria-hidden=\"true\"><circle cx=\"12\" cy=\"12\" r=\"10.5\"/>{icon}</svg>\n\
             <h1>{title}</h1>\n\
             {parts}\
             <p>You can close this tab and go back to {program}.</p>\n\
             </main>\n\
             <script>{SCRIPT}</script>\n\
             </body>\n\
             </html>\n"
        )
    }
}

impl Default for Pages {
    fn default() -> Self {
        Self::unnamed()
    }
}

#[derive(Clone, Copy)]
enum Look {
    Good,
    Bad,
}

enum Part<'a> {
    /// Ours.
    Text(&'a str),
    /// From anywhere.
    Reason(&'a str),
}

impl Part<'_> {
    fn html(&self) -> String {
        match self {
            Self::Text(text) => format!("<p>{text}</p>\n"),
            Self::Reason("") => String::new(),
            Self::Reason(reason) => format!("<p class=\"reason\">{}</p>\n", escaped(reason)),
        }
    }
}

fn with_script(html: &str) -> String {
    // Parsers move what follows </html> into the body.
    format!("{html}<script>{SCRIPT}</script>\n")
}

fn response(status: StatusCode, html: String) -> Response<Page> {
    let mut response = Response::new(Full::new(Bytes::from(html)));
    *response.status_mut() = status;
    let fixed: [(HeaderName, &'static str); 6] = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONNECTION, "close"),
    ];
    response.headers_mut().extend(fixed.map(|(name, value)| (name, HeaderValue::from_static(value))));
    response
}

/// One line of bounded length.
fn reason(message: &str) -> String {
    let mut kept: String = message.chars().filter(|c| !c.is_control()).take(MOST_REASON + 1).collect();
    if let Some((end, _)) = kept.char_indices().nth(MOST_REASON) {
        kept.truncate(end);
        kept.push('…');
    }
    kept
}

fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c => html.push(c),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use base64::{Engine, prelude::BASE64_STANDARD};
    use http_body_util::BodyExt;
    use sha2::{Digest, Sha256};

    use super::*;

    async fn html(response: Response<Page>) -> String {
        let body = response.into_body().collect().await.unwrap();
        String::from_utf8(body.to_bytes().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn the_policy_allows_the_one_script_by_its_hash() {
        let hash = BASE64_STANDARD.encode(Sha256::digest(SCRIPT));
        assert!(POLICY.ends_with(&format!("script-src 'sha256-{hash}'")), "{hash}");

        let own = Pages::new("P").success("<p>hi</p>").failure("<p>no</p>");
        for page in
            [Pages::default().succeeded(), Pages::default().failed(true, "x"), own.succeeded(), own.failed(false, "x")]
        {
            let html = html(page).await;
            assert_eq!(html.matches("<script").count(), 1, "{html}");
            assert!(html.contains(&format!("<script>{SCRIPT}</script>")), "{html}");
        }
    }

    #[tokio::test]
    async fn rfc6749_4_1_2_1_a_description_is_never_html() {
        let hostile = "<script>alert(1)</script>\"'&\u{1b}[31m\n<img src=x onerror=alert(1)>";
        let own = Pages::new("P").failure("<p title=\"{reason}\">{reason}</p>");
        for page in [Pages::default().failed(false, hostile), own.failed(true, hostile)] {
            let html = html(page).await;
            assert!(!html.contains("<script>alert") && !html.contains("<img"), "{html}");
            assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;[31m&lt;img"), "{html}");
        }

        let program = html(Pages::new("<b>Me & You</b>").succeeded()).await;
        assert!(program.contains("go back to &lt;b&gt;Me &amp; You&lt;/b&gt;."), "{program}");
    }

    #[tokio::test]
    async fn a_reason_is_bounded() {
        let html = html(Pages::default().failed(false, &"ä".repeat(100_000))).await;
        assert_eq!(html.matches('ä').count(), MOST_REASON);
        assert!(html.contains('…'));
    }

    #[tokio::test]
    async fn rfc6749_3_1_2_5_pages_load_nothing_and_are_kept_nowhere() {
        let pages = Pages::default();
        let refusals =
            [Refusal::Host, Refusal::Path, Refusal::Method, Refusal::TooLong, Refusal::Foreign, Refusal::Over];
        let mut all = vec![pages.succeeded(), pages.failed(true, "no"), pages.failed(false, "")];
        all.extend(refusals.map(|refusal| pages.refused(refusal)));
        for page in all {
            let headers = page.headers();
            assert_eq!(headers["cache-control"], "no-store");
            assert_eq!(headers["referrer-policy"], "no-referrer");
            assert_eq!(headers["x-content-type-options"], "nosniff");
            assert_eq!(headers["connection"], "close");
            assert!(headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none';"));
            assert_eq!(headers.contains_key("allow"), page.status() == StatusCode::METHOD_NOT_ALLOWED);

            let html = html(page).await;
            assert!(html.contains("<html lang=\"en\">") && html.contains("<title>"), "{html}");
            assert_eq!(html.matches("<h1>").count(), 1, "{html}");
            assert!(!html.contains("http:") && !html.contains("https:") && !html.contains("//"), "{html}");
        }
    }
}
