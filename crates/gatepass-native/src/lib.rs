//! gatepass for command-line and desktop programs: a person signs in once, with the system browser or with a code on
//! another device, and the program has a cell that keeps itself fresh for months.
//!
//! ```
//! use gatepass::{AuthorizationServer, ClientAuth, Error, TokenCell, endpoint::{Client, HttpService}};
//! use gatepass_native::App;
//!
//! async fn signed_in(http: impl HttpService) -> Result<TokenCell, Error> {
//!     let server = AuthorizationServer::issuer("https://auth.example.com");
//!     let client = Client::new(http, server, ClientAuth::none("my-app"))?;
//!     let app = App::new("My Program", client).scope("offline_access read");
//!     app.sign_in().await // the browser opens, the first time
//! }
//! ```
//!
//! - [`App::sign_in`] uses what was kept; where that is nothing, or good for nothing, it asks the person. Later the cell
//!   may say that somebody has to sign in again ([`Error::is_reauth_required`](gatepass::Error::is_reauth_required)):
//!   when to ask is the program's decision, by another call.
//! - [`App::sign_out`] ends the tokens at the server and forgets them here.
//! - Several processes of the program share the file, and refresh once for all of them.
//! - [`Loopback`] takes the callback, on an address of this machine alone (RFC 8252), and shows [`Pages`].
//! - [`Terminal`] shows a person what to do; a [closure](ShowSteps) shows it in your own windows.
//! - The HTTP client is whatever you have: hyper-util's as it is, reqwest through `gatepass_reqwest::Transport`.
//!
//! # Features
//!
//! `keyring` (off by default): [`App::keyring`] seals the file with a key that the operating system's keyring keeps.
//!
//! # What it cannot do
//!
//! - Redirects to a scheme of the program's own (`com.example.app:/callback`) come to the program by the operating
//!   system, not by this crate; [`AuthorizationRequest`](gatepass::grant::AuthorizationRequest) takes such a redirect URI,
//!   and [`PendingAuthorization::answer`](gatepass::grant::PendingAuthorization::answer) what comes back.
//! - The address of the sign-in is an argument of the browser, where other users of the machine may see it. It holds no
//!   secret that lets them have the tokens, but they might finish the sign-in as themselves; where that matters, leave the
//!   request at the server first, by `AuthorizationRequest::pushed`.
//! - A client secret in a program that people install is none (RFC 8252 section 8.5). Where a provider insists on one,
//!   [`AuthorizationServer::token_swap`](gatepass::AuthorizationServer::token_swap) leaves it on a server of yours.
//!
//! # Which browser
//!
//! The one that the variable `BROWSER` names, else the one of the desktop. `BROWSER` is a list of command lines with
//! colons between them; `%s` is the URL, or it comes last. On Windows it is not looked at. What the browser prints is
//! dropped, so a text browser is passed over. Without a display, and over SSH, there is no desktop to ask: then the
//! address is shown instead, as it is when nothing could be started.

mod app;
mod browser;
mod kept;
#[cfg(feature = "keyring")]
mod keyring;
pub mod loopback;
mod pasted;
mod place;
mod qr;
mod sign_in;
mod sign_out;
mod stdin;
mod steps;
mod terminal;

pub use gatepass;

pub use self::{
    app::App,
    loopback::{Callback, Listener, Loopback, Outcome, Pages},
    sign_out::SignedOut,
    steps::{ShowSteps, Step},
    terminal::Terminal,
};
