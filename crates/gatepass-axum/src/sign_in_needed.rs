use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde_json::json;

use crate::{
    asked::Asked,
    pages::{self, Page},
    return_to,
    site::Site,
    visit::Visit,
};

/// "Sign in first", as an answer: where a handler gives it back, the [site's layer](crate::Site::layer) makes a redirect
/// of it for who opens a page, and for a script a 401 with a body that says where to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignInNeeded {
    /// Nobody is signed in.
    SignedOut,
    /// Somebody is, and the tokens for calls on their behalf are no good any more.
    TokensEnded,
}

impl SignInNeeded {
    /// An answer without a body that the layer will take for what it is.
    pub(crate) fn response<B: Default>(self) -> http::Response<B> {
        let mut response = http::Response::new(B::default());
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        response.extensions_mut().insert(self);
        response
    }

    /// The answer itself.
    pub(crate) async fn answer(self, visit: &Visit, asked: &Asked) -> http::Response<String> {
        let site = visit.site();
        let login = &site.shared.paths.login;
        let here = asked.return_to(site.origin());
        if !asked.is_navigation() {
            return script(login, here.as_deref());
        }
        // Two sign-ins in a row were no good: another one would end here again. Who answers so need not have asked who it
        // is.
        let signed_in = visit.signed_in().await.ok().flatten();
        if signed_in.is_some_and(|signed_in| signed_in.is_repeated(site.now())) {
            return useless(site);
        }
        pages::redirect(&return_to::login_at(login, here.as_deref()))
    }
}

impl IntoResponse for SignInNeeded {
    fn into_response(self) -> Response {
        self.response()
    }
}

fn script(login: &str, here: Option<&str>) -> http::Response<String> {
    let body = json!({
        "error": "sign_in_required",
        "message": "nobody is signed in, or the sign-in has ended: open the page at `sign_in`",
        "sign_in": return_to::login_at(login, here),
    });
    let mut response = pages::json(StatusCode::UNAUTHORIZED, &body);
    // RFC 9110 section 15.5.2 wants one; browsers ignore schemes they do not know.
    let challenge = http::HeaderValue::try_from(format!("Cookie sign-in=\"{login}\""));
    if let Ok(challenge) = challenge {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

fn useless(site: &Site) -> http::Response<String> {
    let page = Page::new("Signed in, but of no use")
        .text(
            "You have just signed in twice, and this page does not take it: perhaps what the provider gives for it is \
             refused or over already. Signing in again would end here again: tell whoever runs this site.",
        )
        .link(&site.shared.after_sign_out, "To the start page");
    page.answer(StatusCode::BAD_GATEWAY)
}
