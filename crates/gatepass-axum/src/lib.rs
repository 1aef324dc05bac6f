//! gatepass for web servers: people sign in, and the server calls APIs on their behalf.
//!
//! ```
//! use axum::{Router, extract::State, routing::get};
//! use gatepass::{AuthorizationServer, ClientAuth, Origins, endpoint::Client};
//! use gatepass_axum::{Failed, OnBehalf, Provider, Site, User};
//! # type Http = hyper_util::client::legacy::Client<hyper_util::client::legacy::connect::HttpConnector, gatepass::endpoint::Body>;
//!
//! # fn app(http: Http) -> Result<Router, gatepass::Error> {
//! let server = AuthorizationServer::issuer("https://auth.example.com");
//! let client = Client::new(http, server, ClientAuth::basic("my-client", "s3cr3t"))?;
//! let site = Site::builder("http://127.0.0.1:4180") // https://app.example.com
//!     .provider(Provider::new("main", client).scope("openid profile orders:read"))
//!     .build()?;
//!
//! let app = Router::new()
//!     .route("/", get(home))
//!     .route("/orders", get(orders).layer(site.require_login()))
//!     .merge(site.routes()) // /login, /callback, /logout
//!     .layer(site.layer());
//! # Ok(app) }
//!
//! async fn home(user: Option<User>) -> String {
//!     match user {
//!         Some(user) => format!("hello {}", user.name().unwrap_or(user.subject())),
//!         None => "hello stranger: /login".to_owned(),
//!     }
//! }
//!
//! async fn orders(person: OnBehalf) -> Result<String, Failed> {
//!     let token = person.cell().get().await?; // or have a layer put it on requests: `person.bearer(origins)`
//!     Ok(format!("called with token number {}", token.generation()))
//! }
//! ```
//!
//! | to | see |
//! |---|---|
//! | set up a site: key, providers, stores, how long a session lives | [`Site::builder`], [`Builder`] |
//! | say where people sign in: OpenID Connect, Spotify, GitHub, anything with a user endpoint | [`Provider`] |
//! | know who it is; look people up, refuse them, add to them | [`User`], [`Builder::on_sign_in`] |
//! | let only those through who are signed in | [`Site::require_login`] |
//! | call APIs for them, in a handler | [`OnBehalf`], [`Site::bearer`], [`Failed`] |
//! | the same in a job, without a request | [`OnBehalf::id`], [`Site::on_behalf_of`] |
//! | let a page's scripts call an API through this server | [`Forward`] |
//! | hold the secret of an app that is elsewhere | [`TokenSwap`] |
//! | use it without axum | [`Site::service`], [`Site::layer`], [`User::find`], [`OnBehalf::find`] |
//!
//! # Paths
//!
//! | path | what it does |
//! |---|---|
//! | `GET /login` | sends people to the provider; with several, they choose first, and `/login/{provider}` sends them. `?return_to=/orders` is where they come back to: a path of this site, of 1500 bytes at most, or else `/` |
//! | `GET /callback` | where the provider sends them back; `/callback/{provider}` with several. Register it at the provider, to the letter |
//! | `GET /logout` | asks, with a button |
//! | `POST /logout` | signs out: here, then the tokens at the provider, then the browser's session there |
//! | `POST /backchannel-logout` | takes logout tokens, where a provider was told to: [`Provider::back_channel_logout`] |
//!
//! The `Builder` changes them. They have to be where the site's address and their path say, so a router that is nested
//! elsewhere needs other paths, not a prefix.
//!
//! # Order of layers
//!
//! [`Site::layer`] is outside of all that asks who is signed in: of the routes, of [`Site::require_login`], of
//! [`Forward`]. Whatever buffers, compresses or logs may be on either side of it. In axum, a layer that is added later is
//! further out.
//!
//! # Sessions and tokens
//!
//! What a browser has is a random number in a cookie that scripts cannot read. The session is in the session store, tokens
//! are in the token store, and neither store knows the other: a session survives without tokens, and calls on the
//! person's behalf then lead to a sign-in. Each sign-in has tokens of its own, so that to sign out on the phone leaves
//! the desk alone. One instance keeps both in memory and forgets them when it restarts; several share stores:
//!
//! ```
//! use gatepass::store::{FileStore, SealKey, Sealed};
//! use gatepass_axum::{Builder, tower_sessions::SessionStore};
//!
//! # fn with_stores(builder: Builder, sessions: impl SessionStore, setting: &str) -> Result<Builder, gatepass::Error> {
//! let key = SealKey::from_base64("2026", setting)?; // openssl rand -base64 32
//! let tokens = Sealed::new(FileStore::new("/var/lib/app/tokens.json"), key.clone()); // or gatepass-redis
//! let builder = builder.key(key).tokens(tokens).sessions(sessions); // any store of tower-sessions
//! # Ok(builder) }
//! ```
//!
//! # What it cannot do
//!
//! - A callback that the browser breaks off after the code was redeemed leaves tokens behind that nobody has; a store
//!   that expires them lets go of them.
//! - Data that two requests of one session change at once: the later one is kept, as tower-sessions has it.
//! - Whoever signs in is told by the ID token or the user endpoint, not by both.
//! - The session cookie is `SameSite=Lax`, not `Strict` (RFC 10017 prefers that): with `Strict`, who comes back from the
//!   provider, or by a link in a mail, would be nobody. Requests that change something are told apart by where they come
//!   from instead.
//! - Encrypted ID tokens, ID tokens signed by a secret (HS256), `response_mode=form_post`, front-channel logout.
//!
//! `docs/web-servers.md` in the repository tells where the concepts of ASP.NET and SpotifyAPI-NET are, and
//! `docs/security.md` what is defended, and what is left to you.

mod asked;
mod builder;
mod cookies;
mod extract;
mod failed;
mod flow;
pub mod forward;
mod layer;
mod on_behalf;
mod openid;
mod pages;
mod paths;
mod provider;
mod require_login;
mod retry_after;
mod return_to;
mod routes;
mod same_origin;
mod service;
mod session;
mod sign_in_needed;
mod sign_out;
mod site;
pub mod token_swap;
mod user;
mod visit;

pub use {gatepass, tower_sessions};

pub use self::{
    builder::{Arrival, Builder, Refused},
    extract::Rejection,
    failed::Failed,
    forward::Forward,
    layer::{InSite, SiteLayer},
    on_behalf::OnBehalf,
    provider::Provider,
    require_login::{RequireLogin, RequireLoginLayer},
    service::SignInService,
    sign_in_needed::SignInNeeded,
    site::Site,
    token_swap::TokenSwap,
    user::User,
};
