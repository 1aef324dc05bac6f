//! The pages of the web servers among the examples: what others wrote is text in them, nothing in them is from another
//! site (a person's picture apart), and nothing of them stays in a cache.

use std::{fmt::Write as _, sync::LazyLock};

use axum::response::{Html, IntoResponse, Response};
use base64::{Engine, engine::general_purpose::STANDARD};
use gatepass_axum::User;
use http::{HeaderName, HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};

pub const STYLE: &str = include_str!("web_pages.css");

/// Has a page look whether somebody signed out, or in, in another tab.
const WATCH: &str = include_str!("web_pages.js");

/// A page for a person.
pub struct Page {
    program: &'static str,
    title: String,
    user: Option<User>,
    body: String,
    script: Option<&'static str>,
    status: StatusCode,
}

/// What a person may do on a page.
pub enum Action<'a> {
    /// The one thing to do first.
    Go(&'a str, &'a str),
    Link(&'a str, &'a str),
    /// A form without fields.
    Post(&'a str, &'a str),
}

impl Page {
    pub fn new(program: &'static str, title: &str) -> Self {
        let (user, body, script, status) = (None, String::new(), None, StatusCode::OK);
        Self { program, title: title.to_owned(), user, body, script, status }
    }

    /// For this person: with their name and a way out.
    pub fn of(mut self, user: &User) -> Self {
        self.user = Some(user.clone());
        self
    }

    pub fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// A script that is part of the program.
    pub fn script(mut self, script: &'static str) -> Self {
        self.script = Some(script);
        self
    }

    pub fn text(self, text: &str) -> Self {
        self.element("p", "", text)
    }

    /// Something went wrong, or has to be done.
    pub fn notice(self, text: &str) -> Self {
        self.element("p", "class=\"notice\" role=\"status\"", text)
    }

    pub fn heading(self, text: &str) -> Self {
        self.element("h2", "", text)
    }

    /// A text in which every sign counts.
    pub fn verbatim(self, label: &str, text: &str) -> Self {
        self.element("pre", &format!("tabindex=\"0\" aria-label=\"{}\"", escaped(label)), text)
    }

    /// Who somebody is.
    pub fn person(mut self, user: &User) -> Self {
        let name = escaped(shown(user));
        self.body += "<div class=\"person\">";
        match user.picture() {
            Some(picture) => {
                let picture = escaped(picture);
                let _ = write!(
                    self.body,
                    "<img class=\"face\" src=\"{picture}\" alt=\"\" width=\"56\" height=\"56\" referrerpolicy=\"no-referrer\">"
                );
            }
            None => {
                let initial = escaped(&shown(user).chars().take(1).collect::<String>().to_uppercase());
                let _ = write!(self.body, "<span class=\"face\" aria-hidden=\"true\">{initial}</span>");
            }
        }
        let _ = write!(self.body, "<div><p class=\"who\">{name}</p>");
        if let Some(email) = user.email() {
            let doubt = if user.email_is_verified() { "" } else { " (not verified)" };
            let _ = write!(self.body, "<p class=\"quiet\">{}{doubt}</p>", escaped(email));
        }
        self.body += "</div></div>\n";
        self
    }

    pub fn facts<'a>(mut self, facts: impl IntoIterator<Item = (&'a str, String)>) -> Self {
        self.body += "<dl>\n";
        for (name, value) in facts {
            let (id, name, value) = (name.to_lowercase().replace(' ', "-"), escaped(name), escaped(&value));
            let _ = writeln!(self.body, "<div><dt>{name}</dt><dd id=\"{id}\">{value}</dd></div>");
        }
        self.body += "</dl>\n";
        self
    }

    pub fn actions(mut self, actions: &[Action<'_>]) -> Self {
        self.body += "<div class=\"actions\">\n";
        for action in actions {
            let _ = match action {
                Action::Go(to, text) => {
                    writeln!(self.body, "<a class=\"button\" href=\"{}\">{}</a>", escaped(to), escaped(text))
                }
                Action::Link(to, text) => {
                    writeln!(self.body, "<a class=\"button plain\" href=\"{}\">{}</a>", escaped(to), escaped(text))
                }
                Action::Post(to, text) => writeln!(
                    self.body,
                    "<form method=\"post\" action=\"{}\"><button class=\"plain\">{}</button></form>",
                    escaped(to),
                    escaped(text)
                ),
            };
        }
        self.body += "</div>\n";
        self
    }

    /// A list of lines, which a script may replace.
    pub fn lines<'a>(mut self, id: &str, lines: impl IntoIterator<Item = &'a str>) -> Self {
        let _ = writeln!(self.body, "<ol class=\"log\" id=\"{}\">", escaped(id));
        for line in lines {
            let _ = writeln!(self.body, "<li>{}</li>", escaped(line));
        }
        self.body += "</ol>\n";
        self
    }

    pub fn answer(self) -> Response {
        let Self { program, title, user, body, script, status } = self;
        let session = escaped(&session(user.as_ref()));
        let title = escaped(&title);
        let bar = match &user {
            Some(user) => format!(
                "<span class=\"quiet\">{}</span>\n<form method=\"post\" action=\"/logout\"><button class=\"plain\">Sign out</button></form>",
                escaped(shown(user))
            ),
            None => "<a class=\"button\" href=\"/login\">Sign in</a>".to_owned(),
        };
        let scripts: String =
            [Some(WATCH), script].into_iter().flatten().map(|text| format!("<script>{text}</script>\n")).collect();
        let html = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{title} - {program}</title>\n<style>{STYLE}</style>\n</head>\n\
             <body data-session=\"{session}\">\n<header><a href=\"/\">{program}</a>\n<nav>{bar}</nav></header>\n\
             <main>\n<h1>{title}</h1>\n{body}</main>\n{scripts}</body>\n</html>\n"
        );
        let mut response = (status, Html(html)).into_response();
        // No form-action: the sign-out's answer leads to the provider.
        let policy = format!(
            "default-src 'none'; style-src {}; script-src {}{}; connect-src 'self'; img-src https:; frame-ancestors 'none'; \
             base-uri 'none'",
            *STYLE_HASH,
            *WATCH_HASH,
            script.map(|script| format!(" {}", hash(script))).unwrap_or_default()
        );
        if let Ok(policy) = HeaderValue::try_from(policy) {
            response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        private(response)
    }

    fn element(mut self, name: &str, attributes: &str, text: &str) -> Self {
        let space = if attributes.is_empty() { "" } else { " " };
        let _ = writeln!(self.body, "<{name}{space}{attributes}>{}</{name}>", escaped(text));
        self
    }
}

/// Tells whom a page was for: it is compared with what `/status.json` says.
pub fn session(user: Option<&User>) -> String {
    user.map(|user| format!("{}/{}", user.provider(), user.subject())).unwrap_or_default()
}

/// What a person is called, or else the identifier that they have at the provider.
pub fn shown(user: &User) -> &str {
    user.name().unwrap_or(user.subject())
}

/// JSON for scripts of this site.
pub fn json(status: StatusCode, body: &serde_json::Value) -> Response {
    private((status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response())
}

/// What goes to nobody else: not into caches, and so not to whoever presses the back button after the sign-out.
pub fn private(mut response: Response) -> Response {
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

static STYLE_HASH: LazyLock<String> = LazyLock::new(|| hash(STYLE));
static WATCH_HASH: LazyLock<String> = LazyLock::new(|| hash(WATCH));

/// By which a page is told what may stand in it.
fn hash(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)))
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
