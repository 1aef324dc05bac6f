//! A web server where somebody starts a job that goes on calling an API on their behalf, without any request of theirs,
//! and after a restart of this program too. It listens on 127.0.0.1 only.
//!
//! ```text
//! OAUTH_ISSUER=https://auth.example.com OAUTH_CLIENT_ID=my-site OAUTH_CLIENT_SECRET=s3cr3t \
//!     OAUTH_SCOPES='openid profile offline_access' API_URL=https://api.example.com/me \
//!     TOKENS_FILE=tokens.json JOBS_FILE=jobs.json COOKIE_KEY=$(openssl rand -base64 32) \
//!     cargo run --example background_jobs
//! ```
//!
//! Register `http://127.0.0.1:4180/callback` as redirect URI at the provider, open the address that is printed, sign in, and
//! start the job. To go on after a restart it needs the same `COOKIE_KEY`, so keep that.
//!
//! | variable | |
//! |---|---|
//! | `EVERY` | seconds between two calls of a job: 5 unless set |
//! | `JOBS_FILE` | where it stands who has a job, to go on after a restart; no token is in it |
//! | `TOKENS_FILE` | where tokens are kept, sealed with `COOKIE_KEY`; unless set, in memory |
//!
//! The other settings are those of `web_login`: `OAUTH_SCOPES`, `OAUTH_USER_URL`, `PORT`, `PUBLIC_URL` and so on.
//!
//! A job ends when the person stops it or signs out or in anew, or when the provider ends the grant. What passes by, such as an API
//! that is away, is written into its log and tried again. Ctrl-C and SIGTERM end the program, not the jobs in `JOBS_FILE`.
//! Ends non-zero with one line on stderr when a setting is wrong or the port is taken.

mod common;
#[path = "background_jobs/jobs.rs"]
mod jobs;

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
    web_person::{Calls, Visitor},
};
use gatepass::{
    BoxError,
    store::{FileStore, Sealed},
};
use gatepass_axum::{Builder, OnBehalf, Site, User};
use http::{HeaderMap, StatusCode};
use jobs::{Jobs, Stands};
use serde_json::json;

const NAME: &str = "background_jobs";
/// Replaces the log by what it is now.
const FOLLOW: &str = include_str!("background_jobs/follow.js");
/// A job goes on for no longer than its sign-in, so that is a long one.
const SIGNED_IN_FOR: Duration = Duration::from_secs(30 * 24 * 3600);

fn main() -> ExitCode {
    common::run(async {
        let (url, origins) = common::api_from_env()?;
        let every = every()?;
        let listening = Listening::start(4180).await?;
        let site = tokens(listening.site()?)?.idle(SIGNED_IN_FOR).ceiling(SIGNED_IN_FOR).build()?;
        let jobs = Jobs::start(site.clone(), url, origins, every, common::optional("JOBS_FILE").map(Into::into))?;
        let app = Router::new()
            .route("/", get(home))
            .route("/start", post(start))
            .route("/stop", post(stop))
            .route("/status.json", get(status))
            .merge(site.routes())
            .layer(site.layer())
            .with_state(App { site, jobs: jobs.clone() });
        let served = listening.serve(app).await;
        // A token that is being renewed for a job is kept, however this ends.
        jobs.end().await;
        served
    })
}

#[derive(Clone)]
struct App {
    site: Site,
    jobs: Jobs,
}

fn every() -> Result<Duration, BoxError> {
    let Some(text) = common::optional("EVERY") else { return Ok(Duration::from_secs(5)) };
    let every = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    every
        .filter(|every| (Duration::from_millis(10)..Duration::from_secs(24 * 3600)).contains(every))
        .ok_or_else(|| format!("EVERY is `{text}`: write seconds, such as 5").into())
}

/// In a file that is of no use without the key, if one is named.
fn tokens(site: Builder) -> Result<Builder, BoxError> {
    let Some(path) = common::optional("TOKENS_FILE") else { return Ok(site) };
    let key = web::cookie_key()?
        .ok_or("TOKENS_FILE needs COOKIE_KEY: make one with `openssl rand -base64 32`, and keep it")?;
    Ok(site.tokens(Sealed::new(FileStore::new(path), key)))
}

async fn home(State(app): State<App>, Visitor(person): Visitor) -> Result<Response, NotKept> {
    let Some((user, calls)) = person else { return Ok(nobody()) };
    let who = web_pages::session(Some(&user));
    if let Calls::As(person) = &calls {
        app.jobs.takes_over(&who, person).await?;
    }
    let (stands, log) = app.jobs.of(&who);
    let page = Page::new(NAME, &format!("Hello, {}", web_pages::shown(&user))).of(&user).script(FOLLOW);
    let page = page.facts([("Job", stands.to_string()), ("API", app.jobs.api())]);
    let page = match (&calls, stands) {
        (Calls::As(_), Stands::Runs) => page.actions(&[Action::Post("/stop", "Stop the job")]),
        (Calls::As(_), Stands::None) => page
            .text("A job calls the API on your behalf every few seconds, also when this page is closed.")
            .actions(&[Action::Post("/start", "Start a job")]),
        (Calls::As(_), Stands::Stopped | Stands::Ended) => page.actions(&[Action::Post("/start", "Start it again")]),
        (Calls::Ended, _) => page
            .notice("The provider has ended what you gave this site: a job needs a new sign-in.")
            .actions(&[Action::Go("/login", "Sign in again")]),
        (Calls::NotNow(_), Stands::Runs) => page
            .notice("The provider gives no token at the moment. The job tries it again.")
            .actions(&[Action::Post("/stop", "Stop the job")]),
        (Calls::NotNow(_), _) => page
            .notice("The provider gives no token at the moment: a job can be started when it does.")
            .actions(&[Action::Link("/", "Look again")]),
    };
    let page = match stands {
        Stands::None => page,
        _ => page.heading("Its log, newest first").lines("log", log.iter().map(String::as_str)),
    };
    Ok(page.answer())
}

fn nobody() -> Response {
    Page::new(NAME, "Nobody is signed in")
        .text(
            "Who signs in can start a job that goes on calling an API on their behalf, until they stop it or sign out.",
        )
        .actions(&[Action::Go("/login", "Sign in")])
        .answer()
}

async fn start(State(app): State<App>, headers: HeaderMap, user: User, person: OnBehalf) -> Result<Response, NotKept> {
    if app.site.is_same_origin(&headers) {
        app.jobs.run(&web_pages::session(Some(&user)), &person)?;
    }
    Ok(web_pages::private(Redirect::to("/").into_response()))
}

async fn stop(State(app): State<App>, headers: HeaderMap, user: User) -> Result<Response, NotKept> {
    if app.site.is_same_origin(&headers) {
        app.jobs.stop(&web_pages::session(Some(&user)))?;
    }
    Ok(web_pages::private(Redirect::to("/").into_response()))
}

/// For the scripts of the page. It asks for no token: a page that is left open keeps none alive.
async fn status(State(app): State<App>, user: Option<User>) -> Response {
    let session = web_pages::session(user.as_ref());
    let (stands, log) = app.jobs.of(&session);
    let known = json!({"signed_in": user.is_some(), "session": session, "job": stands.to_string(), "log": log});
    web_pages::json(StatusCode::OK, &known)
}

/// The file of the jobs cannot be written, or their tokens cannot be forgotten.
struct NotKept(BoxError);

impl<E: Into<BoxError>> From<E> for NotKept {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for NotKept {
    fn into_response(self) -> Response {
        tracing::warn!(error = common::one_line(&*self.0), "a job could not be kept");
        Page::new(NAME, "That did not work")
            .text("Jobs cannot be kept at the moment; the log of this program says why. Try it again.")
            .actions(&[Action::Link("/", "Back")])
            .status(StatusCode::INTERNAL_SERVER_ERROR)
            .answer()
    }
}
