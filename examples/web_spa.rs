//! A page whose scripts call an API, and a server that has the token: backend for frontend. The browser has a cookie that
//! scripts cannot read, and never a token. It listens on 127.0.0.1 only.
//!
//! ```text
//! OAUTH_ISSUER=https://auth.example.com OAUTH_CLIENT_ID=my-site OAUTH_CLIENT_SECRET=s3cr3t \
//!     API_URL=https://api.example.com/v1 cargo run --example web_spa
//! ```
//!
//! Register `http://127.0.0.1:4180/callback` as redirect URI at the provider, then open the address that is printed.
//!
//! | path | |
//! |---|---|
//! | `/`, `/app.js`, `/style.css` | the page: nothing in it is from another site, and nothing personal |
//! | `/user` | who is signed in, as JSON; else 401 with a body that says where to sign in |
//! | `/api`, `/api/…` | `API_URL` and what is below it, with the person's token; scripts have to send the header `x-csrf: 1` |
//! | `/login`, `/callback`, `/logout`, `/backchannel-logout` | the site's own |
//!
//! The other settings are those of `web_login`: `OAUTH_SCOPES`, `OAUTH_USER_URL`, `PORT`, `COOKIE_KEY`, `PUBLIC_URL` and so on.
//!
//! Ctrl-C and SIGTERM end it. Ends non-zero with one line on stderr when a setting is wrong or the port is taken.

mod common;

use std::process::ExitCode;

use axum::{
    Router,
    response::{IntoResponse, Response},
    routing::get,
};
use common::{
    web::Listening,
    web_pages,
    web_person::{Calls, TokenFacts, Visitor},
};
use gatepass_axum::{Failed, SignInNeeded, forward::Forward};
use http::{StatusCode, header};
use serde_json::json;

fn main() -> ExitCode {
    common::run(async {
        let (url, _) = common::api_from_env()?;
        let listening = Listening::start(4180).await?;
        let site = listening.site()?.build()?;
        let api = Forward::new(&site, "/api", &url.to_string(), common::http_client::<axum::body::Body>())?;
        let app = Router::new()
            .route("/", get(async || file("text/html; charset=utf-8", include_str!("web_spa/index.html"))))
            .route("/app.js", get(async || file("text/javascript; charset=utf-8", include_str!("web_spa/app.js"))))
            .route("/style.css", get(async || file("text/css; charset=utf-8", web_pages::STYLE)))
            .route("/user", get(user))
            .merge(api.routes())
            .merge(site.routes())
            .fallback(not_found)
            .layer(site.layer());
        listening.serve(app).await
    })
}

async fn user(Visitor(person): Visitor) -> Result<Response, Failed> {
    let Some((user, calls)) = person else { return Ok(SignInNeeded::SignedOut.into_response()) };
    let token = match calls {
        Calls::As(person) => TokenFacts::of(&person).await?.json(),
        Calls::Ended => return Ok(SignInNeeded::TokensEnded.into_response()),
        Calls::NotNow(_) => json!({"state": "not now"}),
    };
    let known = json!({
        "session": web_pages::session(Some(&user)),
        "subject": user.subject(),
        "name": web_pages::shown(&user),
        "email": user.email(),
        "token": token,
    });
    Ok(web_pages::json(StatusCode::OK, &known))
}

/// The same for everybody. Scripts and styles come from here only.
fn file(content_type: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CONTENT_SECURITY_POLICY, "default-src 'self'; frame-ancestors 'none'; base-uri 'none'"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        // Asked for again each time: a new version of the program is seen at once.
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, text).into_response()
}

async fn not_found() -> Response {
    web_pages::json(StatusCode::NOT_FOUND, &json!({"error": "not_found", "message": "there is no such page"}))
}
