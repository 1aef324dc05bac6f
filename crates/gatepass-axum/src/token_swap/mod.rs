//! Token swap: two routes for apps on people's devices whose client secret lives on this server, as Spotify's mobile
//! SDKs ask for them.
//!
//! An app can keep no secret (RFC 8252 section 8.5), and some providers insist on one. So the app signs people in, and
//! gives the code to this server, which swaps it for tokens with the secret; later the same with the refresh token. What
//! asks on the other side is `AuthorizationServer::token_swap` of gatepass, or such an SDK.
//!
//! ```
//! use gatepass::{AuthorizationServer, ClientAuth, Error, endpoint::{Client, HttpService}, store::SealKey};
//! use gatepass_axum::token_swap::TokenSwap;
//!
//! fn app(http: impl HttpService, secret: &str, key: SealKey) -> Result<axum::Router, Error> {
//!     let server = AuthorizationServer::token_endpoint("https://accounts.spotify.com/api/token");
//!     let client = Client::new(http, server, ClientAuth::basic("my-app", secret))?;
//!     Ok(TokenSwap::new(client, "my-app://callback").sealed(key).routes())
//! }
//! ```
//!
//! | `POST`, a form | with | answer |
//! |---|---|---|
//! | `/swap` | `code`; perhaps `redirect_uri`, `code_verifier` | `access_token`, `token_type`, `expires_in`, `refresh_token`, `scope` |
//! | `/refresh` | `refresh_token` | the same; no `refresh_token` where the old one stays good |
//!
//! Errors are those of RFC 6749 section 5.2:
//!
//! | status | `error` | what it means for the app |
//! |---|---|---|
//! | 400 | `invalid_grant` | the code or the refresh token was refused: sign in again |
//! | 400, 415 | `invalid_request` | a parameter is missing, repeated or wrong, the form too large or no form |
//! | 500 | `server_error` | a setting of this server is wrong; its log says which |
//! | 503 | `temporarily_unavailable` | the authorization server gives no answer; `Retry-After` says when to come again |
//!
//! # One refresh for each refresh token
//!
//! Where refresh tokens rotate, the second of two requests with one of them ends the sign-in. An app makes two when its
//! threads do not know of each other, or when an answer got lost. So whoever comes while a refresh is under way, or up
//! to 10 s after it, gets the answer of that one; and a refresh goes on when whoever asked for it has hung up. This holds
//! within one process: several instances need requests of one app to come to one of them.
//!
//! For those 10 s the old refresh token is as good as the new one. A code is different: it is good once, so no answer to
//! one is given twice.
//!
//! # What it cannot do
//!
//! It does not know who asks: whoever has a code or a refresh token may swap it, as at a token endpoint for clients
//! without a secret. [`sealed`](TokenSwap::sealed) makes a refresh token useless elsewhere; PKCE (`code_verifier`) does
//! so for codes. It passes on no ID token, whose nonce only the app could compare. It does not limit how many ask at
//! once: put a limit in front, as for any route.

mod answer;
mod flights;
mod form;
mod redirect_uris;
mod routes;

pub use self::routes::TokenSwap;
