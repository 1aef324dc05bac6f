//! The pages that a person sees. They need nothing from elsewhere, and fit a phone.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

use super::{authorization_request::AuthorizationRequest, form};

const BUTTONS: &str = "<p><button name=decision value=approve>Approve</button> \
                       <button name=decision value=deny>Deny</button></p>";

const STYLE: &str = "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:2rem auto;padding:0 1rem;\
                     overflow-wrap:anywhere}\
                     button,input{font:inherit;padding:.6rem 1.2rem;margin:.2rem 0;box-sizing:border-box}\
                     input{width:100%}";

/// Asks who signs in, and whether a client may have what it asks for.
pub(super) fn consent(request: &AuthorizationRequest, login: &str, ticket: &str) -> Response<Bytes> {
    let asks = asks(&request.client, request.scope.as_deref());
    let (login, ticket, back) = (escaped(login), escaped(ticket), escaped(&request.back.redirect_uri));
    let body = format!(
        "{asks}<p>Then this browser goes back to {back}.</p>\
         <form method=post action=/consent><input type=hidden name=ticket value=\"{ticket}\">\
         <label>Login <input name=login value=\"{login}\" autocomplete=username autocapitalize=none></label>\
         {BUTTONS}</form>"
    );
    page(StatusCode::OK, "Sign in", &body)
}

/// Asks for the code that a device shows, and whether it may have what it asks for.
pub(super) fn device(user_code: &str, asking: Option<(&str, Option<&str>)>) -> Response<Bytes> {
    let asks = match asking {
        Some((client, scope)) => asks(client, scope),
        None => "<p>Enter the code that your device shows.</p>".to_owned(),
    };
    let code = escaped(user_code);
    let body = format!(
        "{asks}<form method=post action=/device><label>Code <input name=user_code value=\"{code}\" required \
         autocomplete=off autocapitalize=characters></label>{BUTTONS}</form>"
    );
    page(StatusCode::OK, "Sign in on a device", &body)
}

/// Says what happened.
pub(super) fn told(text: &str) -> Response<Bytes> {
    page(StatusCode::OK, "Done", &format!("<p>{}</p>", escaped(text)))
}

/// 400, and why.
pub(super) fn refused(why: &str) -> Response<Bytes> {
    page(StatusCode::BAD_REQUEST, "This does not work", &format!("<p>{}</p>", escaped(why)))
}

fn asks(client: &str, scope: Option<&str>) -> String {
    let scope = match scope {
        Some(scope) => format!(" It asks for: {}.", escaped(scope)),
        None => String::new(),
    };
    format!("<p><b>{}</b> wants to sign in.{scope}</p>", escaped(client))
}

fn page(status: StatusCode, title: &str, body: &str) -> Response<Bytes> {
    let page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8>\
         <meta name=viewport content=\"width=device-width,initial-scale=1\"><title>{title}</title>\
         <style>{STYLE}</style><h1>{title}</h1>{body}"
    );
    let mut response = form::empty(status).map(|_| page.into());
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stranger_sent_is_text_and_no_markup() {
        let page = device("\"><script>", Some(("<b>", Some("'&"))));
        let text = String::from_utf8(page.body().to_vec()).unwrap();
        assert!(!text.contains("<script>") && text.contains("&quot;&gt;&lt;script&gt;"), "{text}");
        assert!(text.contains("&lt;b&gt;") && text.contains("&#39;&amp;"), "{text}");
    }
}
