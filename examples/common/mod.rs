//! What the examples share: the environment they read, an HTTP client with TLS, and how they end.

#![allow(dead_code, unreachable_pub, reason = "a module of several programs, each of which uses a part")]

pub mod measure;
pub mod web;
pub mod web_api;
pub mod web_pages;
pub mod web_person;

use std::{
    env,
    fmt::Write as _,
    future::Future,
    io::{self, Write as _},
    process::ExitCode,
};

use bytes::Bytes;
use gatepass::{
    AuthorizationServer, BearerLayer, BoxError, ClientAuth, Error, Origins, RetryPolicy, TokenCell, TokenEndpoint,
    TokenSet,
    cell::Builder,
    endpoint::{self, HttpService},
    grant::{ClientCredentials, RefreshToken},
};
use gatepass_native::Loopback;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tower::{Service, ServiceBuilder, ServiceExt};

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
pub fn cell_from_env(transport: impl HttpService) -> Result<TokenCell, BoxError> {
    let (builder, start) = builder_from_env(transport)?;
    Ok(match start {
        Some(start) => builder.start_from(start).build(),
        None => builder.build(),
    })
}

/// The same before it is built, and the set that `OAUTH_REFRESH_TOKEN` stands for, if it is given.
pub fn builder_from_env(transport: impl HttpService) -> Result<(Builder, Option<TokenSet>), BoxError> {
    match optional("OAUTH_REFRESH_TOKEN") {
        Some(token) => Ok((refreshing_from_env(transport)?, Some(TokenSet::from_refresh_token(token)))),
        None => {
            let grant = ClientCredentials::new().scope(optional("OAUTH_SCOPES").unwrap_or_default());
            Ok((TokenCell::builder(TokenEndpoint::of(client_from_env(transport)?, grant)?), None))
        }
    }
}

/// With the grant for refresh tokens, whether or not one is given.
pub fn refreshing_from_env(transport: impl HttpService) -> Result<Builder, BoxError> {
    let grant = RefreshToken::new().scope(optional("OAUTH_SCOPES").unwrap_or_default());
    Ok(TokenCell::builder(TokenEndpoint::of(client_from_env(transport)?, grant)?))
}

/// The client that the environment describes, at its authorization server.
pub fn client_from_env<S: HttpService>(transport: S) -> Result<endpoint::Client<S>, BoxError> {
    Ok(endpoint::Client::new(transport, server_from_env()?, client_auth_from_env()?)?)
}

/// `OAUTH_TOKEN_URL` or `OAUTH_ISSUER`; `OAUTH_AUTH_URL` and `OAUTH_DEVICE_URL` where people sign in.
pub fn server_from_env() -> Result<AuthorizationServer, BoxError> {
    let server = match (optional("OAUTH_TOKEN_URL"), optional("OAUTH_ISSUER")) {
        (Some(url), _) => AuthorizationServer::token_endpoint(url),
        (None, Some(issuer)) => AuthorizationServer::issuer(issuer),
        (None, None) => return Err("set OAUTH_ISSUER, or OAUTH_TOKEN_URL: where is the authorization server?".into()),
    };
    Ok(with_endpoints_from_env(server))
}

fn with_endpoints_from_env(mut server: AuthorizationServer) -> AuthorizationServer {
    if let Some(url) = optional("OAUTH_AUTH_URL") {
        server = server.authorization_endpoint(url);
    }
    if let Some(url) = optional("OAUTH_DEVICE_URL") {
        server = server.device_authorization_endpoint(url);
    }
    server
}

/// Where the callback comes: at `PORT`, or at any port.
pub fn loopback_from_env() -> Result<Loopback, BoxError> {
    match optional("PORT") {
        Some(port) => match port.parse() {
            Ok(port) => Ok(Loopback::port(port)),
            Err(_) => Err(format!("PORT is `{port}`: write a number from 1 to 65535").into()),
        },
        None => Ok(Loopback::any_port()),
    }
}

/// `OAUTH_CLIENT_ID`, and how it authenticates.
pub fn client_auth_from_env() -> Result<ClientAuth, BoxError> {
    let id = required("OAUTH_CLIENT_ID")?;
    let secret = || required("OAUTH_CLIENT_SECRET");
    match optional("OAUTH_CLIENT_AUTH").as_deref() {
        None | Some("basic") => Ok(ClientAuth::basic(id, secret()?)),
        Some("post") => Ok(ClientAuth::post(id, secret()?)),
        Some("none") => Ok(ClientAuth::none(id)),
        Some(other) => Err(format!("OAUTH_CLIENT_AUTH is `{other}`: set it to basic, post or none").into()),
    }
}

/// A client that puts `cell`'s token on the requests to `origins`, and waits out a 429.
pub fn api(
    cell: TokenCell,
    origins: Origins,
) -> impl Service<Request<Full<Bytes>>, Response = Response<Incoming>, Error = BoxError, Future: Send> {
    ServiceBuilder::new().layer(BearerLayer::new(cell, origins).retry(RetryPolicy::new())).service(http_client())
}

/// Calls an API and brings what it says; an answer that is none of success is an error.
pub async fn get<S>(api: &mut S, url: &Uri) -> Result<Bytes, BoxError>
where
    S: Service<Request<Full<Bytes>>, Response = Response<Incoming>, Error = BoxError>,
{
    let request = Request::get(url.clone()).body(Full::default())?;
    let response = match api.ready().await?.call(request).await {
        Ok(response) => response,
        // Why there is no token, says itself.
        Err(error) if error.is::<Error>() => return Err(error),
        Err(error) => return Err(format!("no answer from {url}: {}; is the address right?", one_line(&*error)).into()),
    };
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    if status.is_success() {
        Ok(body)
    } else {
        Err(format!("{url} answered {status}: {}", String::from_utf8_lossy(&body)).into())
    }
}

/// `API_URL`, and its origin as the one that gets the token.
pub fn api_from_env() -> Result<(Uri, Origins), BoxError> {
    api_at(&required("API_URL")?)
}

fn api_at(url: &str) -> Result<(Uri, Origins), BoxError> {
    let uri: Uri = url.parse().map_err(|error| format!("API_URL is `{url}`: {error}; write a whole URL"))?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(format!("API_URL is `{url}`: write a whole URL, such as https://api.example.com/v1").into());
    };
    let origins = Origins::new([format!("{scheme}://{authority}")])?;
    Ok((uri, origins))
}

/// Prints a line.
pub fn say(line: impl AsRef<str>) -> Result<(), BoxError> {
    let mut stdout = io::stdout().lock();
    Ok(writeln!(stdout, "{}", line.as_ref()).and_then(|()| stdout.flush())?)
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
        // Nobody reads the rest, as behind `| head`.
        Err(error) if is_broken_pipe(&*error) => ExitCode::SUCCESS,
        Err(error) => fail(&*error),
    }
}

fn is_broken_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn fail(error: &(dyn std::error::Error + 'static)) -> ExitCode {
    eprintln!("error: {}", one_line(error));
    ExitCode::FAILURE
}

/// What an error says, and what caused it.
pub fn one_line(error: &(dyn std::error::Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(line, ": {error}");
        cause = error.source();
    }
    // What a server said may have anything in it.
    line.replace(char::is_control, " ")
}
