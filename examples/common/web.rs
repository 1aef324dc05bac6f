//! What the web servers among the examples share: their settings, and how they listen and end.

use std::{borrow::Cow, future::Future, io, time::Duration};

use axum::Router;
use gatepass::{BoxError, Origins, endpoint, provider::UserEndpoint, store::SealKey};
use gatepass_axum::{Builder, Provider, Site};
use tokio::{net::TcpListener, sync::oneshot};
use tracing::Level;
use tracing_subscriber::{filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

use super::{client_auth_from_env, http_client, optional, required, say, server_from_env};

/// How long requests that are under way may take once somebody wants an end.
const GRACE: Duration = Duration::from_secs(10);

/// A port of this machine that is taken, and not yet served.
pub struct Listening {
    listener: TcpListener,
    origin: String,
}

impl Listening {
    /// At `PORT`, or at `usual`; 0 is any that is free. What goes wrong from now on is logged to stderr.
    pub async fn start(usual: u16) -> Result<Self, BoxError> {
        let port = match optional("PORT") {
            Some(port) => port.parse().map_err(|_| format!("PORT is `{port}`: write a number from 1 to 65535"))?,
            None => usual,
        };
        // reqwest wants one to be named; there may be one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind(("127.0.0.1", port))
            .await
            .map_err(|error| format!("port {port} cannot be used: {error}; set PORT to another"))?;
        let origin = format!("http://{}", listener.local_addr()?);
        log_to_stderr();
        Ok(Self { listener, origin })
    }

    /// A site that the environment describes, with one provider, where people see it.
    pub fn site(&self) -> Result<Builder, BoxError> {
        let key = cookie_key()?;
        let origin = match (optional("PUBLIC_URL"), &key) {
            (Some(url), Some(_)) => url,
            (Some(_), None) => {
                return Err("PUBLIC_URL needs COOKIE_KEY: make one with `openssl rand -base64 32`, and keep it".into());
            }
            (None, _) => self.origin.clone(),
        };
        let site = Site::builder(origin).provider(provider_from_env()?);
        Ok(match key {
            Some(key) => site.key(key),
            None => site,
        })
    }

    /// Says where it is, and serves until ctrl-c or SIGTERM; requests that are under way then are answered.
    pub async fn serve(self, app: Router) -> Result<(), BoxError> {
        let told = told_to_end()?;
        let (ending, ended) = oneshot::channel();
        let serving = axum::serve(self.listener, app).with_graceful_shutdown(async move {
            told.await;
            let _ = ending.send(());
        });
        say(format!("listening: {}/", self.origin))?;
        let overdue = async {
            let _ = ended.await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            served = serving => Ok(served?),
            () = overdue => Ok(()),
        }
    }
}

/// `COOKIE_KEY`: without it a key is made that this process alone has.
pub fn cookie_key() -> Result<Option<SealKey>, BoxError> {
    Ok(optional("COOKIE_KEY").map(|key| SealKey::from_base64("COOKIE_KEY", &key)).transpose()?)
}

/// Where people sign in: with an issuer by OpenID Connect; else who they are is asked at `OAUTH_USER_URL`.
fn provider_from_env() -> Result<Provider, BoxError> {
    let is_openid = optional("OAUTH_TOKEN_URL").is_none() && optional("OAUTH_ISSUER").is_some();
    let (mut server, auth) = (server_from_env()?, client_auth_from_env()?);
    let mut user = None;
    if !is_openid {
        required("OAUTH_AUTH_URL").map_err(|_| "set OAUTH_AUTH_URL: where does a browser sign in?")?;
        let url = required("OAUTH_USER_URL").map_err(|_| {
            "set OAUTH_USER_URL, where the server says whose token it is; or OAUTH_ISSUER alone, for OpenID Connect"
        })?;
        server = server.userinfo_endpoint(&url);
        user = Some(user_endpoint(url));
    }
    let scopes = optional("OAUTH_SCOPES");
    let scopes = scopes.as_deref().unwrap_or(if is_openid { "openid profile email" } else { "" });
    let mut provider =
        Provider::new("main", endpoint::Client::new(http_client(), server, auth)?).scope(scopes).user(user);
    if is_openid {
        provider = provider.back_channel_logout();
        if !scopes.split_ascii_whitespace().any(|scope| scope == "openid") {
            provider = provider.scope("openid");
        }
    }
    if let Some(url) = optional("OAUTH_POST_LOGOUT_URL") {
        provider = provider.post_logout_redirect_uri(url);
    }
    Ok(provider)
}

/// What a server's answer about a person means. The one of OpenID Connect is mostly at `/userinfo`, and says `sub`; others
/// mostly say `id`, and `OAUTH_USER_ID` says what else it is.
fn user_endpoint(url: String) -> UserEndpoint {
    let is_openid = url.trim_end_matches('/').ends_with("/userinfo");
    let id = optional("OAUTH_USER_ID").unwrap_or_else(|| if is_openid { "sub" } else { "id" }.to_owned());
    let names = ["/name", "/display_name", "/global_name", "/preferred_username", "/login", "/username"];
    UserEndpoint {
        url: url.into(),
        subject: format!("/{id}").into(),
        names: names.map(Cow::Borrowed).to_vec().into(),
        email: Some("/email".into()),
        picture: Some(if is_openid { "/picture" } else { "/avatar_url" }.into()),
    }
}

/// `API_URL`, if it is set, and its origin as the one that gets tokens.
pub fn api_if_any() -> Result<Option<(http::Uri, Origins)>, BoxError> {
    optional("API_URL").map(|_| super::api_from_env()).transpose()
}

/// What the pages do not tell: why a sign-in or a renewal failed.
fn log_to_stderr() {
    let wanted = Targets::new().with_default(Level::ERROR).with_targets([
        ("gatepass", Level::WARN),
        ("gatepass_axum", Level::INFO),
        (env!("CARGO_CRATE_NAME"), Level::INFO),
    ]);
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    tracing_subscriber::registry().with(lines).with(wanted).init();
}

/// Done when somebody says that it should end.
#[cfg(unix)]
fn told_to_end() -> Result<impl Future<Output = ()> + Send + 'static, BoxError> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn told_to_end() -> Result<impl Future<Output = ()> + Send + 'static, BoxError> {
    Ok(async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    })
}
