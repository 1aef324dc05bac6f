//! A program whose client secret lives on a server of yours: people sign in at the provider, your server swaps the code
//! for tokens and, from then on, one refresh token for the next access token.
//!
//! ```text
//! OAUTH_AUTH_URL=https://accounts.spotify.com/authorize OAUTH_CLIENT_ID=my-app \
//!     SWAP_URL=https://my-server.example.com/swap REFRESH_URL=https://my-server.example.com/refresh \
//!     API_URL=https://api.spotify.com/v1/me PORT=4180 cargo run --example token_swap_client [-- --no-browser]
//! ```
//!
//! The server is asked as Spotify's mobile SDKs ask theirs: a form with `code` (and the `redirect_uri` it came to) to
//! `SWAP_URL`, a form with `refresh_token` to `REFRESH_URL`. It answers like a token endpoint; `token_type` may be missing,
//! and `expires_in` may be a text. `PKCE=1` sends a challenge, and the verifier to `SWAP_URL`, for a server that passes it
//! on. `OAUTH_SCOPES` are separated by spaces; `PORT` is that of the registered redirect URI,
//! `http://127.0.0.1:PORT/callback`, or any free one when it is not set.
//!
//! `--no-browser` prints `open: URL` instead of opening it, and `--sign-out` forgets the tokens. Ends non-zero with one
//! line on stderr when the sign-in, the swap or the call fails.

mod common;

use std::process::ExitCode;

use gatepass::{AuthorizationServer, ClientAuth, endpoint::Client, grant::AuthorizationRequest};
use gatepass_native::{App, Terminal};

fn main() -> ExitCode {
    common::run(async {
        let server = AuthorizationServer::token_swap(common::required("SWAP_URL")?, common::required("REFRESH_URL")?)
            .authorization_endpoint(common::required("OAUTH_AUTH_URL")?);
        let client = Client::new(
            common::http_client(),
            server,
            // It only names itself; the secret is the server's.
            ClientAuth::none(common::required("OAUTH_CLIENT_ID")?),
        )?;
        let request = AuthorizationRequest::new("")
            .scope(common::optional("OAUTH_SCOPES").unwrap_or_default())
            .pkce(common::optional("PKCE").is_some());
        let mut app = App::new("gatepass-token-swap-client", client)
            .request(request)
            .loopback(common::loopback_from_env()?)
            .steps(Terminal::stdout());
        for argument in std::env::args().skip(1) {
            match argument.as_str() {
                "--no-browser" => app = app.without_browser().pasted(true),
                "--sign-out" => {
                    app.sign_out().await?;
                    return common::say("signed out");
                }
                _ => return Err(format!("`{argument}` is not understood: use --no-browser or --sign-out").into()),
            }
        }

        // Before anybody is asked.
        let (url, origins) = common::api_from_env()?;
        let cell = app.sign_in().await?;
        let answer = common::get(&mut common::api(cell.clone(), origins), &url).await;
        // What a renewal under way brings is kept, however this ends.
        cell.settled().await;
        common::say(String::from_utf8_lossy(&answer?))
    })
}
