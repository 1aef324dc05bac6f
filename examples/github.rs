//! The repositories of somebody who signs in to GitHub, all pages of them.
//!
//! ```text
//! OAUTH_CLIENT_ID=my-app cargo run --example github [-- OPTIONS]
//! ```
//!
//! It shows a code to enter at GitHub, on any device: that takes no secret, so the program can be given away. From the
//! next start on it has a token. That of an OAuth app does not end and cannot be renewed, so it is used until GitHub
//! refuses it; that of a GitHub app is renewed.
//!
//! | option | |
//! |---|---|
//! | `--browser` | signs in in the browser instead, for which GitHub wants `OAUTH_CLIENT_SECRET` too |
//! | `--browser --no-browser` | opens none: prints `open: URL` and waits for the callback, or for its address on stdin |
//! | `--sign-out` | forgets the token |
//!
//! An app is made at <https://github.com/settings/developers>; check "Enable Device Flow" there. For `--browser` its
//! callback URL is `http://127.0.0.1/callback`, which stands for any port; where another one is registered, `PORT` names
//! it. Without `OAUTH_SCOPES` the public repositories are listed; `OAUTH_SCOPES=repo` lists private ones too, and lets the
//! token change them: GitHub has no scope to read only.
//!
//! `OAUTH_ISSUER`, or `OAUTH_TOKEN_URL` with `OAUTH_DEVICE_URL` and `OAUTH_AUTH_URL`, may name another authorization
//! server, and `API_URL` stand instead of `https://api.github.com`: https, or http on this machine.
//!
//! Ends non-zero with one line on stderr when GitHub's limits are reached (the line says when to come back), when the
//! sign-in was denied or nobody finished it in time, when the token is refused (the next start signs in again), when a
//! page's link leads to another server, which gets no token, or when pages lead in circles.

mod common;

use std::{
    process::ExitCode,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use common::web_api::{self, Api, printable};
use gatepass::{BoxError, RetryAfter, endpoint::Client, provider::GITHUB, retry::Rules};
use gatepass_native::{App, Terminal};
use http::{HeaderMap, HeaderName, Response, StatusCode, Uri, header};
use serde_json::Value;

const API: &str = "https://api.github.com";

fn main() -> ExitCode {
    common::run(async {
        let options = Options::from_arguments()?;
        let id = common::required("OAUTH_CLIENT_ID")?;
        let auth = match options.browser {
            true => GITHUB.client(id, common::required("OAUTH_CLIENT_SECRET")?),
            false => GITHUB.public_client(id),
        };
        let client = Client::new(common::http_client(), web_api::server_of(&GITHUB)?, auth)?;
        let scopes = common::optional("OAUTH_SCOPES").unwrap_or_default();
        let mut app = App::new("gatepass-github", client)
            .request(GITHUB.authorization_request("").scope(scopes))
            .loopback(common::loopback_from_env()?)
            .steps(Terminal::stdout());
        app = match options {
            Options { browser: false, .. } => app.device(),
            Options { no_browser: true, .. } => app.without_browser().pasted(true),
            _ => app,
        };
        if options.sign_out {
            return web_api::sign_out(&app, "https://github.com/settings/applications").await;
        }

        let cell = app.cell()?;
        // To send again while a limit holds makes it longer: its answers are handed on, to be shown.
        let api = Api::new(GITHUB.name, API, cell.clone(), Rules::new().max_retries(0))?;
        let mut api = api
            // GitHub answers nobody who does not say who they are.
            .header(header::USER_AGENT, "gatepass-example")
            .header(header::ACCEPT, "application/vnd.github+json")
            .header(HeaderName::from_static("x-github-api-version"), "2022-11-28");
        app.sign_in().await?;
        let result = repositories(&mut api).await;
        // What a renewal under way brings is kept.
        cell.settled().await;
        result
    })
}

async fn repositories(api: &mut Api) -> Result<(), BoxError> {
    let (person, _) = get(api, &api.url("/user")?).await?;
    common::say(format!("{} has these repositories:", text(&person["login"])))?;

    let mut count = 0;
    let mut pages = api.pages(api.url("/user/repos?per_page=100&sort=full_name")?);
    while let Some(url) = pages.next() {
        let (page, headers) = get(api, &url).await?;
        let Some(repositories) = page.as_array() else {
            return Err("GitHub's API answered with something other than a list".into());
        };
        for repository in repositories {
            count += 1;
            let mark = if repository["private"] == true { "  (private)" } else { "" };
            common::say(format!("{count:>5}  {}{mark}", text(&repository["full_name"])))?;
        }
        if let Some(next) = next_page(&headers) {
            pages.follow(&next)?;
        }
    }
    common::say(format!("{count} in all"))?;
    Ok(())
}

async fn get(api: &mut Api, url: &Uri) -> Result<(Value, HeaderMap), BoxError> {
    let response = api.send(url).await?;
    if let Some(limit) = limit(&response, SystemTime::now()) {
        return Err(limit);
    }
    let value = api.read(url, &response)?;
    Ok((value, response.into_parts().0.headers))
}

/// What GitHub says when there were too many requests: 403 or 429, and when to come back in one of three ways.
fn limit(response: &Response<Bytes>, now: SystemTime) -> Option<BoxError> {
    if !matches!(response.status(), StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS) {
        return None;
    }
    let number = |name: &str| response.headers().get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    if let Some(asked) = RetryAfter::parse(response.headers(), now) {
        return Some(web_api::too_many(GITHUB.name, asked.wait()));
    }
    if number("x-ratelimit-remaining") == Some(0) {
        let Some(reset) = number("x-ratelimit-reset") else {
            return Some("GitHub's limit of requests is used up: run this again in an hour".into());
        };
        let wait = Duration::from_secs(reset).saturating_sub(now.duration_since(UNIX_EPOCH).unwrap_or_default());
        let (hour, minute) = (reset / 3600 % 24, reset / 60 % 60);
        let wait = web_api::in_words(wait);
        return Some(
            format!(
                "GitHub's limit of requests is used up: run this again in {wait}, from {hour:02}:{minute:02} UTC on"
            )
            .into(),
        );
    }
    // A secondary limit that names no time: a minute at least, its documentation says.
    let says_so = web_api::message(response).is_some_and(|said| said.to_lowercase().contains("rate limit"));
    (says_so || response.status() == StatusCode::TOO_MANY_REQUESTS)
        .then(|| web_api::too_many(GITHUB.name, Duration::from_secs(60)))
}

/// The target of `rel="next"` in `Link` (RFC 8288 section 3).
fn next_page(headers: &HeaderMap) -> Option<String> {
    headers.get_all(header::LINK).iter().filter_map(|line| line.to_str().ok()).find_map(|line| {
        // `<` and `>` stand in no URL, while commas and semicolons may.
        line.split('<').skip(1).find_map(|link| {
            let (target, parameters) = link.split_once('>')?;
            let is_next = parameters.split([';', ',']).any(|parameter| {
                parameter.split_once('=').is_some_and(|(name, value)| {
                    let mut relations = value.trim().trim_matches('"').split_ascii_whitespace();
                    name.trim().eq_ignore_ascii_case("rel") && relations.any(|it| it.eq_ignore_ascii_case("next"))
                })
            });
            is_next.then(|| target.to_owned())
        })
    })
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| "(no name)".to_owned(), printable)
}

#[derive(Default)]
struct Options {
    browser: bool,
    no_browser: bool,
    sign_out: bool,
}

impl Options {
    fn from_arguments() -> Result<Self, BoxError> {
        let mut options = Self::default();
        for argument in std::env::args().skip(1) {
            match argument.as_str() {
                "--browser" => options.browser = true,
                "--no-browser" => options.no_browser = true,
                "--sign-out" => options.sign_out = true,
                _ => {
                    return Err(
                        format!("`{argument}` is not understood: use --browser, --no-browser or --sign-out").into()
                    );
                }
            }
        }
        if options.no_browser && !options.browser {
            return Err("--no-browser goes with --browser: without it, no browser is opened anyway".into());
        }
        Ok(options)
    }
}
