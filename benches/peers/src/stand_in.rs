//! Takes token requests of any shape, and asks the token endpoint in the place of who sent them.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpListener;

use crate::post::post;

/// Starts one; its origin.
pub(crate) async fn stand_in(token_url: &str) -> String {
    let token_url = token_url.to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let token_url = token_url.clone();
            let answer = service_fn(move |_: Request<Incoming>| answer(token_url.clone()));
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), answer));
        }
    });
    format!("http://{address}")
}

async fn answer(token_url: String) -> Result<Response<Full<Bytes>>, Infallible> {
    let response = match post(&token_url).await {
        Ok((token, lifetime)) => {
            let token = json!({"access_token": token, "expires_in": lifetime.as_secs(), "token_type": "Bearer"});
            Response::builder().header("content-type", "application/json").body(token.to_string())
        }
        Err(_) => Response::builder().status(StatusCode::SERVICE_UNAVAILABLE).body(String::new()),
    };
    Ok(response.unwrap().map(|body| Full::new(body.into())))
}
