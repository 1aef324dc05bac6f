//! Spotify's catalogue, which needs nobody to sign in, and the playlists of somebody who does.
//!
//! ```text
//! OAUTH_CLIENT_ID=my-app OAUTH_CLIENT_SECRET=s3cr3t cargo run --example spotify [-- --search TEXT]
//! OAUTH_CLIENT_ID=my-app cargo run --example spotify -- --me
//! ```
//!
//! The first looks for artists, with client credentials. The second opens the browser once (authorization code with PKCE,
//! for which a program on somebody's machine needs no secret); from the next start on it has a token that keeps itself
//! fresh. It prints who signed in and all playlists, page by page as they come, however many there are.
//!
//! | option | |
//! |---|---|
//! | `--search TEXT` | artists of that name, instead of Nina Simone |
//! | `--me` | signs in, and lists that person's playlists |
//! | `--me --no-browser` | opens none: prints `open: URL` and waits for the callback, or for its address on stdin |
//! | `--sign-out` | forgets the tokens |
//!
//! An app is made at <https://developer.spotify.com/dashboard>. For `--me` it needs the redirect URI
//! `http://127.0.0.1/callback`, which stands for any port; where a port is registered, `PORT` names it. As long as the
//! app is in development mode, Spotify wants its owner to have Premium, and each person to be on its list of users.
//!
//! `OAUTH_ISSUER`, or `OAUTH_TOKEN_URL` and `OAUTH_AUTH_URL`, may name another authorization server, and `API_URL` stand
//! instead of `https://api.spotify.com/v1`: https, or http on this machine.
//!
//! A 429 is waited out for up to a minute. Ends non-zero with one line on stderr when Spotify asks for a longer wait
//! (the line says how long), when the sign-in was denied or nobody finished it within five minutes, when a token is
//! refused for good, when a page's link leads to another server, which gets no token, or when pages lead in circles.

mod common;

use std::process::ExitCode;

use common::web_api::{self, Api, printable};
use gatepass::{
    BoxError, TokenCell, TokenEndpoint, endpoint::Client, grant::ClientCredentials, provider::SPOTIFY, retry::Rules,
};
use gatepass_native::{App, Terminal};
use serde_json::Value;

const API: &str = "https://api.spotify.com/v1";
const SCOPES: &str = "playlist-read-private playlist-read-collaborative";

fn main() -> ExitCode {
    common::run(async {
        match Task::from_arguments()? {
            Task::Search { text } => search(&text).await,
            task => me(&task).await,
        }
    })
}

async fn search(text: &str) -> Result<(), BoxError> {
    let auth = SPOTIFY.client(common::required("OAUTH_CLIENT_ID")?, common::required("OAUTH_CLIENT_SECRET")?);
    let client = Client::new(common::http_client(), web_api::server_of(&SPOTIFY)?, auth)?;
    let cell = TokenCell::new(TokenEndpoint::of(client, ClientCredentials::new())?);
    let mut api = Api::new(SPOTIFY.name, API, cell, Rules::new())?;

    // 10 is the most that an app in development mode may ask for.
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("type", "artist")
        .append_pair("limit", "10")
        .append_pair("q", text)
        .finish();
    let found = api.get(&api.url(&format!("/search?{query}"))?).await?;
    let artists = items(&found["artists"])?;
    for artist in artists {
        let link = artist["external_urls"]["spotify"].as_str().unwrap_or_default();
        common::say(format!("{}  {}", name(artist), printable(link)))?;
    }
    if artists.is_empty() {
        common::say("nobody is called so")?;
    }
    Ok(())
}

async fn me(task: &Task) -> Result<(), BoxError> {
    let auth = SPOTIFY.public_client(common::required("OAUTH_CLIENT_ID")?);
    let client = Client::new(common::http_client(), web_api::server_of(&SPOTIFY)?, auth)?;
    let mut app = App::new("gatepass-spotify", client)
        .request(SPOTIFY.authorization_request("").scope(SCOPES))
        .loopback(common::loopback_from_env()?)
        .steps(Terminal::stdout());
    match task {
        Task::SignOut => return web_api::sign_out(&app, "https://www.spotify.com/account/apps").await,
        Task::Me { no_browser: true } => app = app.without_browser().pasted(true),
        _ => {}
    }
    let cell = app.cell()?;
    let mut api = Api::new(SPOTIFY.name, API, cell.clone(), Rules::new())?;
    app.sign_in().await?;
    let result = playlists(&mut api).await;
    // What a renewal under way brings is kept.
    cell.settled().await;
    result
}

async fn playlists(api: &mut Api) -> Result<(), BoxError> {
    let person = api.get(&api.url("/me")?).await?;
    let shown = [&person["display_name"], &person["id"]].into_iter().find_map(Value::as_str).unwrap_or("somebody");
    common::say(format!("{} has these playlists:", printable(shown)))?;

    let mut count = 0;
    let mut pages = api.pages(api.url("/me/playlists?limit=50")?);
    while let Some(url) = pages.next() {
        let page = api.get(&url).await?;
        for playlist in items(&page)? {
            count += 1;
            // What was called `tracks` is called `items` since 2026, for some apps.
            let size = [&playlist["items"]["total"], &playlist["tracks"]["total"]].into_iter().find_map(Value::as_u64);
            let size = size.map(|size| format!("  ({size})")).unwrap_or_default();
            common::say(format!("{count:>5}  {}{size}", name(playlist)))?;
        }
        if let Some(next) = page["next"].as_str() {
            pages.follow(next)?;
        }
    }
    common::say(format!("{count} in all"))?;
    Ok(())
}

/// What a paging object holds.
fn items(page: &Value) -> Result<&Vec<Value>, BoxError> {
    page["items"].as_array().ok_or_else(|| "the API answered with something other than a page".into())
}

fn name(of: &Value) -> String {
    of["name"].as_str().map_or_else(|| "(no name)".to_owned(), printable)
}

enum Task {
    Search { text: String },
    Me { no_browser: bool },
    SignOut,
}

impl Task {
    fn from_arguments() -> Result<Self, BoxError> {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        match *arguments {
            [] => Ok(Self::Search { text: "Nina Simone".to_owned() }),
            ["--search", text] => Ok(Self::Search { text: text.to_owned() }),
            ["--me"] => Ok(Self::Me { no_browser: false }),
            ["--me", "--no-browser"] | ["--no-browser", "--me"] => Ok(Self::Me { no_browser: true }),
            ["--sign-out"] | ["--me", "--sign-out"] | ["--sign-out", "--me"] => Ok(Self::SignOut),
            _ => Err(format!(
                "`{}` is not understood: use --search TEXT, --me, --me --no-browser or --sign-out",
                arguments.join(" ")
            )
            .into()),
        }
    }
}
