//! A service that was called by somebody calls the next one on their behalf: it exchanges the token it was sent for one
//! that the next service takes (RFC 8693).
//!
//! ```text
//! OAUTH_ISSUER=https://auth.example.com OAUTH_CLIENT_ID=my-service OAUTH_CLIENT_SECRET=s3cr3t AUDIENCE=orders \
//!     API_URL=https://orders.example.com/items PORT=8080 cargo run --example on_behalf_of
//! curl -H 'Authorization: Bearer …' http://127.0.0.1:8080/
//! ```
//!
//! It listens on 127.0.0.1 (`PORT`, or any free port, which it prints as `listening: URL`). A request that comes with a
//! bearer token is answered with what `API_URL` says to the exchanged one; a caller's tokens are kept apart from those of
//! any other, and exchanged once, however many requests come. The audience is asked for by `AUDIENCE` or, as a URI, by
//! `RESOURCE`; `OAUTH_SCOPES` are separated by spaces.
//!
//! With `SUBJECT_TOKEN` set it serves nobody: it exchanges that token, calls the API once, prints the answer and ends,
//! non-zero with one line on stderr when something was refused.

mod common;

use std::{process::ExitCode, time::Duration};

use bytes::Bytes;
use gatepass::{
    BearerLayer, BoxError, Error, Origins, RetryPolicy, Secret, TokenCell, TokenEndpoint, TokenMap,
    endpoint::{Client, HttpService},
    grant::{TokenExchange, token_type},
};
use http::{HeaderMap, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tower::{Service, ServiceBuilder, ServiceExt};

fn main() -> ExitCode {
    common::run(async {
        let client = common::client_from_env(common::http_client())?;
        let (url, origins) = common::api_from_env()?;
        if let Some(token) = common::optional("SUBJECT_TOKEN") {
            let cell = on_behalf_of(&client, Secret::new(token))?;
            let answer = common::get(&mut common::api(cell, origins), &url).await?;
            return common::say(String::from_utf8_lossy(&answer));
        }
        serve(client, url, origins).await
    })
}

/// The token that a caller sent. Whoever sends the same one shares what it was exchanged for.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Caller(String);

fn on_behalf_of<S: HttpService>(client: &Client<S>, subject: Secret) -> Result<TokenCell, Error> {
    let mut grant = TokenExchange::new(subject, token_type::ACCESS_TOKEN)
        .scope(common::optional("OAUTH_SCOPES").unwrap_or_default());
    if let Some(audience) = common::optional("AUDIENCE") {
        grant = grant.audience(audience);
    }
    if let Some(resource) = common::optional("RESOURCE") {
        grant = grant.resource(resource);
    }
    Ok(TokenCell::new(TokenEndpoint::of(client.clone(), grant)?))
}

async fn serve<S: HttpService>(client: Client<S>, url: Uri, origins: Origins) -> Result<(), BoxError> {
    // Checked once, so that no caller meets a wrong setting.
    on_behalf_of(&client, Secret::new("a token"))?;
    let cells =
        TokenMap::new(10_000, move |caller: &Caller| match on_behalf_of(&client, Secret::new(caller.0.as_str())) {
            Ok(cell) => cell,
            Err(error) => TokenCell::new(move |_| std::future::ready(Err(error.clone()))),
        });
    let api = ServiceBuilder::new()
        .layer(BearerLayer::keyed(cells, origins).retry(RetryPolicy::new()))
        .service(common::http_client::<Full<Bytes>>());

    let port = common::optional("PORT")
        .map_or(Ok(0), |port| port.parse::<u16>().map_err(|_| "PORT has to be a number from 1 to 65535"))?;
    let listener = TcpListener::bind(("127.0.0.1", port))
        .await
        .map_err(|error| format!("port {port} cannot be used: {error}; set PORT to another, or leave it out"))?;
    common::say(format!("listening: http://{}/", listener.local_addr()?))?;
    loop {
        let (stream, _) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                eprintln!("a connection was not taken: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (api, url) = (api.clone(), url.clone());
        let answer = service_fn(move |request: Request<Incoming>| {
            let (api, url) = (api.clone(), url.clone());
            async move { Ok::<_, std::convert::Infallible>(answer(api, url, request.headers()).await) }
        });
        tokio::spawn(async move {
            let connection =
                http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), answer);
            if let Err(error) = connection.await {
                eprintln!("a connection broke: {error}");
            }
        });
    }
}

async fn answer<S>(api: S, url: Uri, headers: &HeaderMap) -> Response<Full<Bytes>>
where
    S: Service<Request<Full<Bytes>>, Response = Response<Incoming>, Error = BoxError>,
{
    let Some(caller) = bearer(headers) else {
        let mut refusal = said(StatusCode::UNAUTHORIZED, "send a bearer token");
        refusal.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
        return refusal;
    };
    let call = async {
        let mut request = Request::get(url).body(Full::default())?;
        request.extensions_mut().insert(caller);
        let response = api.oneshot(request).await?;
        let status = response.status();
        Ok::<_, BoxError>((status, response.into_body().collect().await?.to_bytes()))
    };
    match call.await {
        Ok((status, body)) => {
            let mut response = Response::new(Full::new(body));
            *response.status_mut() = status;
            response
        }
        Err(error) => {
            let refused = error.downcast_ref::<Error>().is_some_and(Error::is_reauth_required);
            let status = if refused { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_GATEWAY };
            said(status, common::one_line(&*error))
        }
    }
}

fn bearer(headers: &HeaderMap) -> Option<Caller> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| Caller(token.trim().to_owned()))
}

fn said(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    response
}
