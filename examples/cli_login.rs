//! A command-line program that somebody signs in to once: the browser opens, and from the next start on the program has
//! a token that keeps itself fresh.
//!
//! ```text
//! OAUTH_ISSUER=https://auth.example.com OAUTH_CLIENT_ID=my-app OAUTH_CLIENT_AUTH=none \
//!     API_URL=https://api.example.com/me cargo run --example cli_login [-- OPTIONS]
//! ```
//!
//! | option | |
//! |---|---|
//! | `--no-browser` | opens none: prints `open: URL` and waits for the callback, or for its address on stdin |
//! | `--device` | prints a code to enter on another device |
//! | `--push` | leaves the request at the server first (RFC 9126), for a client that has to |
//! | `--keyring` | keeps the tokens encrypted, with a key in the operating system's keyring |
//! | `--sign-out` | ends the tokens at the server and forgets them |
//!
//! `OAUTH_TOKEN_URL` with `OAUTH_AUTH_URL` and `OAUTH_DEVICE_URL` may stand instead of `OAUTH_ISSUER`; a client that has a
//! secret gives it by `OAUTH_CLIENT_SECRET` and `OAUTH_CLIENT_AUTH=basic` or `post`; `OAUTH_SCOPES` are separated by spaces
//! (many servers give a refresh token only for `offline_access`). `PORT` is for servers that want the redirect URI's port
//! registered: `http://127.0.0.1:PORT/callback`; unless it is set, any free one is used. Without `API_URL` it says who
//! signed in where, and ends.
//!
//! Ends non-zero with one line on stderr when the sign-in was denied, nobody finished it within five minutes, or a
//! setting is wrong.

mod common;

use std::process::ExitCode;

use gatepass::{BoxError, grant::AuthorizationRequest};
use gatepass_native::{App, SignedOut, Terminal};

fn main() -> ExitCode {
    common::run(async {
        let options = Options::from_arguments()?;
        let client = common::client_from_env(common::http_client())?;
        let mut request = AuthorizationRequest::new("").scope(common::optional("OAUTH_SCOPES").unwrap_or_default());
        if options.push {
            request = request.pushed();
        }
        let mut app = App::new("gatepass-cli-login", client)
            .request(request)
            .loopback(common::loopback_from_env()?)
            .steps(Terminal::stdout());
        if options.no_browser {
            app = app.without_browser().pasted(true);
        }
        if options.device {
            app = app.device();
        }
        if options.keyring {
            app = app.keyring().await?;
        }
        if options.sign_out {
            return sign_out(app.sign_out().await?);
        }
        // Before anybody is asked.
        let api = common::optional("API_URL").map(|_| common::api_from_env()).transpose()?;

        let cell = app.sign_in().await?;
        let Some((url, origins)) = api else {
            return common::say("signed in; with API_URL set, this calls it");
        };
        let answer = common::get(&mut common::api(cell.clone(), origins), &url).await;
        // A token that is due is renewed in the background: what that brings is kept, however this ends.
        cell.settled().await;
        common::say(String::from_utf8_lossy(&answer?))
    })
}

fn sign_out(outcome: SignedOut) -> Result<(), BoxError> {
    match outcome {
        SignedOut::Revoked => common::say("signed out"),
        SignedOut::WasNot => common::say("nobody was signed in"),
        SignedOut::NotOffered => common::say("signed out here; the server cannot end tokens, they live to their end"),
        SignedOut::NotRevoked(error) => Err(format!("signed out here, but not at the server: {error}").into()),
        _ => common::say("signed out here"),
    }
}

#[derive(Default)]
struct Options {
    no_browser: bool,
    device: bool,
    push: bool,
    keyring: bool,
    sign_out: bool,
}

impl Options {
    fn from_arguments() -> Result<Self, BoxError> {
        let mut options = Self::default();
        for argument in std::env::args().skip(1) {
            match argument.as_str() {
                "--no-browser" => options.no_browser = true,
                "--device" => options.device = true,
                "--push" => options.push = true,
                "--keyring" => options.keyring = true,
                "--sign-out" => options.sign_out = true,
                _ => {
                    return Err(format!(
                        "`{argument}` is not understood: use --no-browser, --device, --push, --keyring, --sign-out"
                    )
                    .into());
                }
            }
        }
        Ok(options)
    }
}
