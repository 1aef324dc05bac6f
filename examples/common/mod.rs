//! What the examples share: the environment they read, an HTTP client with TLS, and how they end.

#![allow(dead_code, unreachable_pub, reason = "a module of several programs, each of which uses a part")]

pub mod measure;

use std::{env, fmt::Write, future::Future, process::ExitCode};

use gatepass::{
    AuthorizationServer, BoxError, ClientAuth, Error, Origins, TokenCell, TokenEndpoint, TokenSet,
    endpoint::Body,
    grant::{ClientCredentials, RefreshToken},
};
use http::{Request, Response, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tower::Service;

pub type HttpClient<B> = Client<HttpsConnector<HttpConnector>, B>;

/// hyper-util's client, for http and https.
pub fn http_client<B>() -> HttpClient<B>
where
    B: http_body::Body + Send,
    B::Data: Send,
{
    let connector = HttpsConnectorBuilder::new().with_webpki_roots().https_or_http().enable_http1().build();
    Client::builder(TokioExecutor::new()).build(connector)
}

/// The cell that the environment describes: client credentials, or a refresh token if one is given.
pub fn cell_from_env<S, B>(transport: S) -> Result<TokenCell, BoxError>
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let (server, client, scopes) = (server()?, client()?, optional("OAUTH_SCOPES").unwrap_or_default());
    let Some(refresh_token) = optional("OAUTH_REFRESH_TOKEN") else {
        let grant = ClientCredentials::new().scope(scopes);
        return Ok(TokenCell::new(TokenEndpoint::new(transport, server, client, grant)?));
    };
    let source = TokenEndpoint::new(transport, server, client, RefreshToken::new().scope(scopes))?;
    Ok(TokenCell::builder(source).start_from(TokenSet::from_refresh_token(refresh_token)).build())
}

fn server() -> Result<AuthorizationServer, BoxError> {
    match (optional("OAUTH_TOKEN_URL"), optional("OAUTH_ISSUER")) {
        (Some(url), _) => Ok(AuthorizationServer::token_endpoint(url)),
        (None, Some(issuer)) => Ok(AuthorizationServer::issuer(issuer)),
        (None, None) => Err("set OAUTH_ISSUER, or OAUTH_TOKEN_URL: where is the authorization server?".into()),
    }
}

fn client() -> Result<ClientAuth, BoxError> {
    let id = required("OAUTH_CLIENT_ID")?;
    let secret = || required("OAUTH_CLIENT_SECRET");
    match optional("OAUTH_CLIENT_AUTH").as_deref() {
        None | Some("basic") => Ok(ClientAuth::basic(id, secret()?)),
        Some("post") => Ok(ClientAuth::post(id, secret()?)),
        Some("none") => Ok(ClientAuth::none(id)),
        Some(other) => Err(format!("OAUTH_CLIENT_AUTH is `{other}`: set it to basic, post or none").into()),
    }
}

/// `API_URL`, and its origin as the one that gets the token.
pub fn api_from_env() -> Result<(Uri, Origins), BoxError> {
    let url = required("API_URL")?;
    let uri: Uri = url.parse().map_err(|error| format!("API_URL is `{url}`: {error}; write a whole URL"))?;
    let (scheme, authority) = (uri.scheme_str().unwrap_or_default(), uri.authority().map_or("", |it| it.as_str()));
    let origins = Origins::new([format!("{scheme}://{authority}")])?;
    Ok((uri, origins))
}

pub fn required(name: &str) -> Result<String, BoxError> {
    optional(name).ok_or_else(|| format!("{name} is not set: the head of the example says what it needs").into())
}

pub fn optional(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// Runs an example to its end: a failure is one line on stderr, with what caused it.
pub fn run(example: impl Future<Output = Result<(), BoxError>>) -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    match runtime.block_on(example) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&*error),
    }
}

fn fail(error: &(dyn std::error::Error + 'static)) -> ExitCode {
    let mut line = format!("error: {error}");
    if let Some(wait) = error.downcast_ref::<Error>().and_then(Error::retry_after) {
        let _ = write!(line, " (next try in {wait:.0?})");
    }
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(line, ": {error}");
        cause = error.source();
    }
    eprintln!("{}", line.replace(['\r', '\n'], " "));
    ExitCode::FAILURE
}
