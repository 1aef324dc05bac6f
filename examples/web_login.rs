//! A web server that people sign in to: a page for who is signed in, and a call to an API on their behalf. It listens on
//! 127.0.0.1 only.
//!
//! ```text
//! OAUTH_ISSUER=https://auth.example.com OAUTH_CLIENT_ID=my-site OAUTH_CLIENT_SECRET=s3cr3t \
//!     API_URL=https://api.example.com/me cargo run --example web_login
//! ```
//!
//! Register `http://127.0.0.1:4180/callback` as redirect URI at the provider, then open the address that is printed.
//!
//! | page | |
//! |---|---|
//! | `/` | who is signed in, and how their token stands; "renew now" |
//! | `/api-call` | what `API_URL` says to them |
//! | `/status.json` | the first page for scripts |
//! | `/login`, `/callback`, `/logout`, `/backchannel-logout` | the site's own |
//!
//! With an issuer people sign in by OpenID Connect, with the scopes `openid profile email` or those of `OAUTH_SCOPES`
//! (many servers give a refresh token only for `offline_access`). A provider without it is named by `OAUTH_AUTH_URL`,
//! `OAUTH_TOKEN_URL` and `OAUTH_USER_URL`, which answers JSON about whose token it is: `sub` at an address that ends in
//! `/userinfo`, else `id`, or what `OAUTH_USER_ID` says tells people apart. A client without a secret sets
//! `OAUTH_CLIENT_AUTH=none`.
//!
//! | variable | |
//! |---|---|
//! | `PORT` | 4180 unless set; it is part of the redirect URI |
//! | `COOKIE_KEY` | 32 bytes in base64 that seal what browsers keep; unless set, a key of this process |
//! | `PUBLIC_URL` | where people see it when a proxy is in front, such as `https://app.example.com`; needs `COOKIE_KEY` |
//! | `OAUTH_POST_LOGOUT_URL` | where the provider sends people after they signed out; it has to be registered there |
//!
//! Ctrl-C and SIGTERM end it when the requests under way are answered. Ends non-zero with one line on stderr when a setting
//! is wrong or the port is taken; a provider that is away is told on the page, when somebody signs in.

mod common;

use std::{process::ExitCode, time::Duration};

use axum::{
    Router,
    extract::State,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use common::{
    web::{self, Listening},
    web_pages::{self, Action, Page},
    web_person::{Calls, TokenFacts, Visitor},
};
use gatepass::{BoxError, RetryAfter, retry::Deadline};
use gatepass_axum::{Failed, OnBehalf, SignInNeeded, Site, User};
use gatepass_reqwest::token_error;
use http::{HeaderMap, StatusCode, Uri, header};
use reqwest_middleware::ClientWithMiddleware;
use serde_json::{Value, json};

const NAME: &str = "web_login";
/// How long the API may take, all tries together.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);
/// So much of an answer is shown, in bytes.
const SHOWN: usize = 64 << 10;

fn main() -> ExitCode {
    common::run(async {
        let api = web::api_if_any()?;
        let listening = Listening::start(4180).await?;
        let site = listening.site()?.build()?;
        let api = match api {
            Some((url, origins)) => {
                let http = reqwest::Client::builder().timeout(ANSWERS_WITHIN);
                Some(Api { url, client: site.reqwest(origins, http)? })
            }
            None => None,
        };
        let app = Router::new()
            .route("/api-call", get(call_api))
            .route_layer(site.require_login())
            .route("/", get(home))
            .route("/status.json", get(status))
            .route("/renew", post(renew))
            .merge(site.routes())
            .fallback(not_found)
            .layer(site.layer())
            .with_state(App { site, api });
        listening.serve(app).await
    })
}

#[derive(Clone)]
struct App {
    site: Site,
    api: Option<Api>,
}

/// The API, and a client that calls it with the token of whoever asks.
#[derive(Clone)]
struct Api {
    url: Uri,
    client: ClientWithMiddleware,
}

async fn home(Visitor(person): Visitor) -> Result<Response, Failed> {
    let Some((user, calls)) = person else { return Ok(nobody()) };
    let page = Page::new(NAME, &format!("Hello, {}", web_pages::shown(&user))).of(&user).person(&user);
    let about = [("Subject", user.subject().to_owned()), ("Provider", user.provider().to_owned())];
    let page = match calls {
        Calls::As(person) => {
            let facts = TokenFacts::of(&person).await?;
            page.facts(about.into_iter().chain(facts.rows()))
                .actions(&[Action::Go("/api-call", "Call the API"), Action::Post("/renew", "Renew now")])
        }
        Calls::Ended => page
            .facts(about)
            .notice("The provider has ended what you gave this site: calls on your behalf need a new sign-in.")
            .actions(&[Action::Go("/login", "Sign in again")]),
        Calls::NotNow(_) => page
            .facts(about)
            .notice("The provider gives no token at the moment. You stay signed in, and it is tried again.")
            .actions(&[Action::Link("/", "Look again")]),
    };
    Ok(page.answer())
}

fn nobody() -> Response {
    Page::new(NAME, "Nobody is signed in")
        .text(
            "This page shows who is signed in, how the token stands that the provider gave for them, and what an API \
             answers to it. The token stays on this server: the browser has a cookie and nothing else.",
        )
        .actions(&[Action::Go("/login", "Sign in")])
        .answer()
}

async fn status(Visitor(person): Visitor) -> Result<Response, Failed> {
    let Some((user, calls)) = person else {
        let nobody = json!({"signed_in": false, "session": web_pages::session(None)});
        return Ok(web_pages::json(StatusCode::OK, &nobody));
    };
    let token = match calls {
        Calls::As(person) => TokenFacts::of(&person).await?.json(),
        Calls::Ended => json!({"state": "ended"}),
        Calls::NotNow(_) => json!({"state": "not now"}),
    };
    Ok(web_pages::json(
        StatusCode::OK,
        &json!({
            "signed_in": true,
            "session": web_pages::session(Some(&user)),
            "provider": user.provider(),
            "subject": user.subject(),
            "name": user.name(),
            "email": user.email(),
            "token": token,
        }),
    ))
}

async fn renew(State(app): State<App>, headers: HeaderMap, visitor: Visitor) -> Response {
    if !app.site.is_same_origin(&headers) {
        return Page::new(NAME, "Nothing was renewed")
            .text("Another site asked for this.")
            .actions(&[Action::Link("/", "To the start page")])
            .status(StatusCode::FORBIDDEN)
            .answer();
    }
    let (user, person) = match calling(visitor) {
        Ok(both) => both,
        Err(response) => return *response,
    };
    let error = match person.cell().refresh().await {
        Ok(_) => return web_pages::private(Redirect::to("/").into_response()),
        Err(error) => error,
    };
    if error.is_reauth_required() {
        return Failed::from(error).into_response();
    }
    tracing::warn!(error = common::one_line(&error), "a renewal that somebody asked for failed");
    let again = error.retry_after().map(|wait| format!(" The next try is possible in {} s.", wait.as_secs() + 1));
    Page::new(NAME, "The token was not renewed")
        .of(&user)
        .text(&format!(
            "The provider gives no new one at the moment, or it was asked for too often. The one there is stays in \
             use.{}",
            again.unwrap_or_default()
        ))
        .actions(&[Action::Link("/", "Back")])
        .status(StatusCode::SERVICE_UNAVAILABLE)
        .answer()
}

async fn call_api(State(app): State<App>, visitor: Visitor) -> Response {
    let (user, person) = match calling(visitor) {
        Ok(both) => both,
        Err(response) => return *response,
    };
    let Some(api) = app.api else {
        return Page::new(NAME, "No API is set")
            .of(&user)
            .text("Set API_URL to the address of one that takes the provider's tokens, and start this program again:")
            .verbatim("how to set it", "API_URL=https://api.example.com/me cargo run --example web_login")
            .actions(&[Action::Link("/", "Back")])
            .answer();
    };
    let error = match api.call(&person).await {
        Ok(called) if called.status == StatusCode::UNAUTHORIZED => match person.cell().get().await {
            // Nor is there another one to be had.
            Err(error) if error.is_reauth_required() => return Failed::from(error).into_response(),
            _ => return called.page(&user, &api.url),
        },
        Ok(called) => return called.page(&user, &api.url),
        Err(error) => error,
    };
    let status = match token_error(&*error) {
        Some(error) if error.is_reauth_required() => return Failed::from(error.clone()).into_response(),
        Some(_) => StatusCode::SERVICE_UNAVAILABLE,
        None => StatusCode::BAD_GATEWAY,
    };
    tracing::warn!(error = common::one_line(&*error), "a call to the API failed");
    Page::new(NAME, "The API gave no answer")
        .of(&user)
        .text("Either it is away, or no token could be had for it. The log of this program says which.")
        .actions(&[Action::Go("/api-call", "Try again"), Action::Link("/", "Back")])
        .status(status)
        .answer()
}

/// Whom to call for, or what they are answered in place of that.
fn calling(Visitor(person): Visitor) -> Result<(User, OnBehalf), Box<Response>> {
    match person {
        None => Err(SignInNeeded::SignedOut.into_response().into()),
        Some((user, Calls::As(person))) => Ok((user, person)),
        Some((_, Calls::Ended)) => Err(SignInNeeded::TokensEnded.into_response().into()),
        Some((user, Calls::NotNow(told))) => {
            let mut response = Page::new(NAME, "There is no token at the moment")
                .of(&user)
                .text("The provider does not give one. You stay signed in: try it again in a moment.")
                .actions(&[Action::Link("/", "Back")])
                .status(told.status())
                .answer();
            if let Some(wait) = told.headers().get(header::RETRY_AFTER) {
                response.headers_mut().insert(header::RETRY_AFTER, wait.clone());
            }
            Err(response.into())
        }
    }
}

impl Api {
    async fn call(&self, person: &OnBehalf) -> Result<Called, BoxError> {
        let api = person.reqwest(&self.client);
        let request = api.get(self.url.to_string()).with_extension(Deadline::after(ANSWERS_WITHIN));
        let mut response = request.send().await?;
        let content_type = response.headers().get(header::CONTENT_TYPE);
        let content_type = content_type.map(|it| String::from_utf8_lossy(it.as_bytes()).into_owned());
        let (status, asked_to_wait) = (response.status(), response.extensions().get().map(RetryAfter::wait));
        let mut body = Vec::new();
        while body.len() <= 2 * SHOWN
            && let Some(chunk) = response.chunk().await?
        {
            body.extend_from_slice(&chunk);
        }
        let mut text = String::from_utf8_lossy(&body).replace('\0', "\u{fffd}");
        // Some say what they were sent, and the token is not for the browser. Then what is too long is cut, so that no
        // piece of it is left.
        if let Some(token) = person.cell().peek() {
            text = text.replace(token.expose(), "(the token)");
        }
        let is_cut = text.len() > SHOWN;
        if is_cut {
            text.truncate((0..=SHOWN).rfind(|&at| text.is_char_boundary(at)).unwrap_or_default());
        }
        Ok(Called { status, content_type, asked_to_wait, text, is_cut })
    }
}

/// What an API answered, as far as it is shown.
struct Called {
    status: StatusCode,
    content_type: Option<String>,
    /// Longer than a request may take.
    asked_to_wait: Option<Duration>,
    text: String,
    is_cut: bool,
}

impl Called {
    fn page(&self, user: &User, url: &Uri) -> Response {
        let mut page = Page::new(NAME, "What the API said").of(user).facts([
            ("Address", url.to_string()),
            ("Status", self.status.to_string()),
            ("Type", self.content_type.clone().unwrap_or_else(|| "not said".to_owned())),
        ]);
        if self.status == StatusCode::UNAUTHORIZED {
            page = page.notice(
                "The API refused the token, and a new one too: see whether it takes tokens of this provider, and for \
                 these scopes.",
            );
        }
        if let Some(wait) = self.asked_to_wait {
            page = page.notice(&format!("It wants no more requests for {} s.", wait.as_secs()));
        }
        let readable = if self.is_cut { None } else { indented(&self.text) };
        page = page.verbatim("what the API said", readable.as_ref().unwrap_or(&self.text));
        if self.is_cut {
            page = page.text(&format!("These are the first {} KiB; there is more.", SHOWN >> 10));
        }
        page.actions(&[Action::Go("/api-call", "Call it again"), Action::Link("/", "Back")]).answer()
    }
}

/// JSON on many lines.
fn indented(text: &str) -> Option<String> {
    let json: Value = serde_json::from_str(text).ok()?;
    serde_json::to_string_pretty(&json).ok()
}

async fn not_found() -> Response {
    Page::new(NAME, "There is no such page")
        .actions(&[Action::Link("/", "To the start page")])
        .status(StatusCode::NOT_FOUND)
        .answer()
}
