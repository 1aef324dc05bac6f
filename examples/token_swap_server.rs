//! Two routes for apps on people's devices whose client secret stays on this server: `/swap` and `/refresh`, as Spotify's
//! mobile SDKs ask for them. It listens on 127.0.0.1 only.
//!
//! ```text
//! OAUTH_TOKEN_URL=https://accounts.spotify.com/api/token OAUTH_CLIENT_ID=my-app OAUTH_CLIENT_SECRET=s3cr3t \
//!     cargo run --example token_swap_server
//! ```
//!
//! and, in another terminal, a program that signs somebody in by it:
//!
//! ```text
//! OAUTH_AUTH_URL=https://accounts.spotify.com/authorize OAUTH_CLIENT_ID=my-app \
//!     SWAP_URL=http://127.0.0.1:4181/swap REFRESH_URL=http://127.0.0.1:4181/refresh \
//!     API_URL=https://api.spotify.com/v1/me PORT=4180 cargo run --example token_swap_client
//! ```
//!
//! | variable | |
//! |---|---|
//! | `OAUTH_TOKEN_URL`, or `OAUTH_ISSUER` | where codes and refresh tokens are exchanged |
//! | `OAUTH_CLIENT_AUTH` | how the secret is sent: `basic` unless set, or `post` |
//! | `REDIRECT_URIS` | the app's, separated by spaces; `http://127.0.0.1/callback`, with any port, unless set |
//! | `COOKIE_KEY` | 32 bytes in base64 that seal the refresh tokens it hands out: one that is stolen is good here only |
//! | `PORT` | 4181 unless set |
//!
//! In public it belongs behind a proxy that does TLS and limits how often somebody may ask. Ctrl-C and SIGTERM end it.
//! Ends non-zero with one line on stderr when a setting is wrong or the port is taken.

mod common;

use std::process::ExitCode;

use common::web::{self, Listening};
use gatepass_axum::token_swap::TokenSwap;
use http::StatusCode;

fn main() -> ExitCode {
    common::run(async {
        let client = common::client_from_env(common::http_client())?;
        let redirect_uris = common::optional("REDIRECT_URIS").unwrap_or_else(|| "http://127.0.0.1/callback".to_owned());
        let mut redirect_uris = redirect_uris.split_ascii_whitespace();
        let first = redirect_uris.next().ok_or("REDIRECT_URIS is blank: write those of the app, or leave it out")?;
        let mut swap = redirect_uris.fold(TokenSwap::new(client, first), TokenSwap::redirect_uri);
        if let Some(key) = web::cookie_key()? {
            swap = swap.sealed(key);
        }
        let app = swap.routes().fallback(async || (StatusCode::NOT_FOUND, "POST a form to /swap or /refresh\n"));
        Listening::start(4181).await?.serve(app).await
    })
}
