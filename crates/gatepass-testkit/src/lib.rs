//! An authorization server and a protected API on loopback that fail on command, for the tests of OAuth clients.
//!
//! What a program does with a token endpoint and an API that behave is soon tested. What it does when a refresh token
//! was rotated and the answer got lost, when the API answers 401 to a token issued a second ago, or 429 with a date
//! from a wrong clock, is found out in production. Here both servers do such things when told to, and keep a journal
//! of what arrived.
//!
//! - [`AuthorizationServer`] issues tokens: lifetime, rotation with reuse detection, revocation, discovery documents;
//!   people sign in with a browser or on a device, or the test decides in their place; ID tokens say who they are.
//! - [`Api`] accepts them, and echoes what arrived. It may be called only so often when told so, and says what is left
//!   in one of the dialects of [`LimitFields`].
//! - [`Failure`] is what either of them answers instead, n times or until told otherwise; [`Challenge`] and
//!   [`RetryAfter`] are the headers that go with it.
//!
//! Nothing here knows the client under test: it may be any program in this process, or another one, that can be given
//! two URLs.
//!
//! # Example
//!
//! The user's program is `Orders`. It fetches a token for its own use, keeps it, and gets another one when the API
//! refuses it. Does it, though, and only then?
//!
//! ```
//! use gatepass_testkit::{Api, AuthorizationServer, Challenge, Failure};
//! use http::{Request, StatusCode};
//! # use http_body_util::{BodyExt, Full};
//! # use hyper_util::{client::legacy::{Client, connect::HttpConnector}, rt::TokioExecutor};
//! # type Http = Client<HttpConnector, Full<bytes::Bytes>>;
//!
//! struct Orders { http: Http, token_url: String, api_url: String, token: Option<String> }
//!
//! impl Orders {
//!     async fn list(&mut self) -> StatusCode {
//!         let mut status = self.call().await;
//!         if status == StatusCode::UNAUTHORIZED {
//!             self.token = None;
//!             status = self.call().await;
//!         }
//!         status
//!     }
//!     // call() gets a token if there is none, and sends the request with it.
//! #   async fn call(&mut self) -> StatusCode {
//! #       if self.token.is_none() {
//! #           let form = "grant_type=client_credentials&client_id=client&client_secret=secret";
//! #           let request = Request::post(&self.token_url)
//! #               .header("content-type", "application/x-www-form-urlencoded")
//! #               .body(Full::from(form)).unwrap();
//! #           let response = self.http.request(request).await.unwrap();
//! #           let body = response.into_body().collect().await.unwrap().to_bytes();
//! #           let json: serde_json::Value = serde_json::from_slice(&body).unwrap();
//! #           self.token = Some(json["access_token"].as_str().unwrap().to_owned());
//! #       }
//! #       let request = Request::get(&self.api_url)
//! #           .header("authorization", format!("Bearer {}", self.token.as_ref().unwrap()))
//! #           .body(Full::default()).unwrap();
//! #       self.http.request(request).await.unwrap().status()
//! #   }
//! }
//!
//! #[tokio::main(flavor = "current_thread")] // in a test: #[tokio::test]
//! async fn main() {
//!     let server = AuthorizationServer::start().await;
//!     let api = Api::start(&server).await;
//!     let mut orders = Orders {
//!         http: Client::builder(TokioExecutor::new()).build_http(),
//!         token_url: server.token_url(),
//!         api_url: api.url("/orders"),
//!         token: None,
//!     };
//!
//!     // One token does for two calls.
//!     assert_eq!(orders.list().await, 200);
//!     assert_eq!(orders.list().await, 200);
//!     assert_eq!(server.token_requests(), 1);
//!
//!     // Somebody revokes it. The call succeeds all the same, with another token.
//!     server.revoke_access_tokens();
//!     assert_eq!(orders.list().await, 200);
//!     assert_eq!((api.answered(401), server.token_requests()), (1, 2));
//!
//!     // An API that refuses good tokens causes no storm.
//!     api.fail_until_told(Failure::challenge(Challenge::InvalidToken));
//!     assert_eq!(orders.list().await, 401);
//!     assert_eq!((api.calls(), server.token_requests()), (6, 3));
//!     api.recover();
//!     assert_eq!(orders.list().await, 200);
//! }
//! ```
//!
//! # Signing in
//!
//! Here the user's program is a tool for a terminal. It starts the sign-in of a device, shows a code, and asks again and
//! again until somebody has decided. The test is that somebody:
//!
//! ```
//! use gatepass_testkit::AuthorizationServer;
//! # use http::Request;
//! # use http_body_util::{BodyExt, Full};
//! # use hyper_util::{client::legacy::{Client, connect::HttpConnector}, rt::TokioExecutor};
//! # use serde_json::Value;
//! # struct Tool(Client<HttpConnector, Full<bytes::Bytes>>, AuthorizationServer);
//! # impl Tool {
//! #     async fn post(&self, url: String, form: &str) -> Value {
//! #         let request = Request::post(url)
//! #             .header("content-type", "application/x-www-form-urlencoded")
//! #             .body(Full::from(form.to_owned())).unwrap();
//! #         let body = self.0.request(request).await.unwrap().into_body();
//! #         serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap()
//! #     }
//! #     async fn sign_in(&self, shows: impl Fn(&str)) -> Result<String, String> {
//! #         let device = self.post(self.1.device_authorization_url(), "client_id=tool").await;
//! #         let code = device["device_code"].as_str().unwrap();
//! #         let grant = "urn:ietf:params:oauth:grant-type:device_code";
//! #         let form = format!("grant_type={grant}&device_code={code}&client_id=tool");
//! #         shows(device["user_code"].as_str().unwrap());
//! #         loop {
//! #             let answer = self.post(self.1.token_url(), &form).await;
//! #             match answer["error"].as_str() {
//! #                 None => return Ok(answer["access_token"].as_str().unwrap().to_owned()),
//! #                 Some("authorization_pending" | "slow_down") => {}
//! #                 Some(error) => return Err(error.to_owned()),
//! #             }
//! #         }
//! #     }
//! # }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let server = AuthorizationServer::start().await;
//! server.add_public_client("tool").slow_down(1).pending(2);
//! # let tool = Tool(Client::builder(TokioExecutor::new()).build_http(), server.clone());
//!
//! let token = tool.sign_in(|user_code| assert!(server.approve(user_code))).await;
//! assert!(server.is_active(&token.unwrap()));
//! assert_eq!(server.arrived_at("/token"), 4);
//!
//! let token = tool.sign_in(|user_code| assert!(server.deny(user_code))).await;
//! assert_eq!(token.unwrap_err(), "access_denied");
//! # }
//! ```
//!
//! A browser that opens `/authorize` is sent back to the program at once with a code;
//! [`consent`](AuthorizationServer::consent) denies it, fails, or shows a page, [`iss`](AuthorizationServer::iss) names
//! a wrong issuer. These are the endpoints; each keeps what [arrived](AuthorizationServer::arrivals) and
//! [fails on command](AuthorizationServer::fail_next_at):
//!
//! | path | what it does |
//! |---|---|
//! | `/authorize` | sign-in with a browser: PKCE with S256 only, `state`, `iss`, any redirect URI on loopback |
//! | `/par` | takes the same request beforehand (RFC 9126) |
//! | `/device_authorization` | sign-in on a device (RFC 8628); its page is `/device` |
//! | `/token` | all grants: client credentials, code, device code, refresh token, token exchange, JWT assertion |
//! | `/revoke`, `/introspect` | RFC 7009, RFC 7662 |
//! | `/swap`, `/refresh` | token swap: the server holds the client secret for an app, and answers without a `token_type` |
//! | `/jwks` | the [key](Jwks) that verifies ID tokens |
//! | `/userinfo` | who an access token is good for, with `openid` in its scope or without |
//! | `/end_session` | sign-out that the program begins (OpenID Connect RP-Initiated Logout) |
//! | `/.well-known/…` | what the server says about itself, or [gets wrong](Metadata) |
//!
//! Clients prove themselves by Basic, in the form or with an assertion; public ones only name themselves. Of assertions
//! the claims are checked: issuer, subject, audience, end, and that they come once. **Their signatures are not**: anybody
//! may sign for any client.
//!
//! # Who signed in
//!
//! With the scope `openid` a sign-in, and each refresh after it, is answered with an ID token (OpenID Connect Core),
//! signed with ES256. [`sign_in_as`](AuthorizationServer::sign_in_as) says who signs in; so does `login_hint` in the
//! request, for tests in which many people do at once. A program that reads ID tokens has to notice the wrong ones:
//!
//! ```
//! use gatepass_testkit::{AuthorizationServer, Failure, IdToken, Jwks, Signing};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let server = AuthorizationServer::start().await;
//! let another_key = |token: &mut IdToken| token.signing = Signing::AnotherKey;
//! let expired = |token: &mut IdToken| drop(token.claims.insert("exp".into(), 1_000_000_000.into()));
//! let unknown_key = |token: &mut IdToken| drop(token.header.insert("kid".into(), "unknown".into()));
//! for wrong in [another_key, expired, unknown_key] {
//!     server.edit_id_tokens(wrong);
//!     // … the program's sign-in is refused …
//! }
//! server.edit_id_tokens(|_| {});
//!
//! // A key that the program has not seen yet, and the JWK set comes only at the second try.
//! server.rotate_signing_key().fail_next_at("/jwks", 1, Failure::status(503));
//! // … it signs in all the same …
//! server.jwks(Jwks::Missing);
//!
//! // Sign-out that the server begins: the test posts this token to the program.
//! for sid in server.sids_of("alice") {
//!     let _logout_token = server.logout_token("client", Some("alice"), Some(&sid));
//! }
//! # }
//! ```
//!
//! # How it behaves
//!
//! - Both servers listen on 127.0.0.1 only, on a free port, and run on the tokio runtime they are started on. They
//!   stop with their last handle.
//! - Setters take `&self`, may be chained and called at any time; what is under way is not touched.
//! - They use sockets and so real time: start them in tests without paused time. To have a token expire, call
//!   [`AuthorizationServer::advance`]; to have callers meet, [`hold`](AuthorizationServer::hold) answers back and wait
//!   with [`until_token_requests`](AuthorizationServer::until_token_requests). No test needs to sleep.
//! - They are for tests: tokens are random but not secret, the journals hold everything that arrived.
//!
//! # From another process
//!
//! The binary `gatepass-testkit` starts both servers for programs that are not tests in Rust: another process, several
//! at once, a script. `cargo run -p gatepass-testkit -- --help` lists its options: lifetime, rotation, reuse detection
//! and its grace, the clients, whether a page asks, how often the API may be called. The first line on stdout says where
//! the servers are, and has a refresh token to start from:
//!
//! ```json
//! {"issuer":"http://127.0.0.1:40001","token_url":"http://127.0.0.1:40001/token","api_url":"http://127.0.0.1:40002",
//!  "auth_url":"http://127.0.0.1:40001/authorize","device_url":"http://127.0.0.1:40001/device_authorization",
//!  "swap_url":"http://127.0.0.1:40001/swap","refresh_url":"http://127.0.0.1:40001/refresh",
//!  "client_id":"client","client_secret":"secret","refresh_token":"rt_…"}
//! ```
//!
//! (on one line). To try out how people sign in, give it a client without a secret, which that line then names as
//! `public_client_id`, and a page that asks: `gatepass-testkit --public-client app --ask`.
//!
//! Then each line on stdin is a command, answered by one line of JSON: `{"ok":true}`, with more members
//! where the table says so, or `{"ok":false,"error":"…"}`, after which it goes on. The failures are for the token
//! endpoint; `N` is for how many requests, and without it a failure lasts until `recover`.
//!
//! | command | what happens |
//! |---|---|
//! | `delay MS [N]` | answers come so many milliseconds later, of requests processed on time ([`Failure::late`]) |
//! | `fail STATUS [N]` | this status and an empty body ([`Failure::status`]) |
//! | `drop [N]` | the request is lost: the connection closes ([`Failure::dropped`]) |
//! | `drop-after [N]` | the answer is lost: the token is issued first ([`after_processing`](Failure::after_processing)) |
//! | `recover` | takes back all of these |
//! | `mint` | a new sign-in: `refresh_token` |
//! | `revoke-access` | no access token issued so far is good any more |
//! | `approve USER_CODE` | approves the device that shows this code |
//! | `deny USER_CODE` | denies it |
//! | `stats` | the counters, named like the methods that read them; why sign-ins ended, under `revocations` |
//! | `grants` | when tokens were issued, the last 10,000 of them, in milliseconds since 1970: `granted_at_ms` |
//! | `quit` | the end; the end of stdin is too |
//!
//! # What it cannot do
//!
//! HTTP/1.1 without TLS only. It checks no signatures, not even its own in an `id_token_hint`: no request objects, no
//! DPoP. It signs with ES256 only, and encrypts nothing. Nobody has a password: whoever sees the page may approve, as
//! whoever they like. The browser has no session here: every sign-in is a new one, and of `prompt`, `max_age` and
//! `claims` only `prompt=none` changes anything: no page is shown.

pub mod api;
pub mod authorization_server;

mod bearer;
mod body;
mod challenge;
mod failure;
mod journal;
mod lock;
mod retry_after;
mod script;
mod server;

pub use api::{Api, ApiCall, LimitFields};
pub use authorization_server::{
    Arrival, AuthorizationServer, AuthorizationServerBuilder, Consent, ExpiresIn, IdToken, Iss, Jwks, Logout, Metadata,
    Revocation, RevokedBy, Rotation, Signing, TokenRequest,
};
pub use challenge::Challenge;
pub use failure::Failure;
pub use retry_after::RetryAfter;
