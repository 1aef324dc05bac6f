//! The same sign-in as `cli_login`, with pages of the program's own in the browser.
//!
//! ```text
//! OAUTH_ISSUER=https://auth.example.com OAUTH_CLIENT_ID=my-app OAUTH_CLIENT_AUTH=none \
//!     cargo run --example cli_custom_page
//! ```
//!
//! The environment is that of `cli_login`. A page is one HTML file with its styles in it: what it would load from
//! elsewhere is not loaded, since the address of the callback, with the code in it, would travel along. In the page of a
//! failure `{reason}` stands for what went wrong.
//!
//! Every start asks for a sign-in, and nothing is kept. Ends non-zero with one line on stderr when it does not succeed.

mod common;

use std::process::ExitCode;

use gatepass::store::MemoryStore;
use gatepass_native::{App, Pages, Terminal};

const SUCCESS: &str = include_str!("pages/success.html");
const FAILURE: &str = include_str!("pages/failure.html");

fn main() -> ExitCode {
    common::run(async {
        let pages = Pages::new("Harbour").success(SUCCESS).failure(FAILURE);
        let app = App::new("Harbour", common::client_from_env(common::http_client())?)
            .scope(common::optional("OAUTH_SCOPES").unwrap_or_default())
            .loopback(common::loopback_from_env()?.pages(pages))
            .store(MemoryStore::new())
            .steps(Terminal::stdout());
        let cell = app.sign_in().await?;
        let token = cell.get().await?;
        let scopes = token.scope().unwrap_or("its server did not say which");
        common::say(format!("signed in; the token has the scopes `{scopes}`"))
    })
}
