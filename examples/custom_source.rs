//! A source of your own: a token that something else writes into a file, as Kubernetes does with service account
//! tokens.
//!
//! ```text
//! TOKEN_FILE=/var/run/secrets/tokens/api API_URL=https://api.example.com/v1/items cargo run --example custom_source
//! ```
//!
//! Any closure is a source. The cell reads the file once, again when the token is refused, and about every minute
//! while it is used.

mod common;

use std::{process::ExitCode, time::Duration};

use bytes::Bytes;
use gatepass::{BearerLayer, BoxError, Error, RetryPolicy, TokenCell, TokenSet};
use http::Request;
use http_body_util::{BodyExt, Full};
use tower::{Service, ServiceBuilder, ServiceExt};

fn main() -> ExitCode {
    common::run(async {
        let path = common::required("TOKEN_FILE")?;
        let source = move |_current| {
            let path = path.clone();
            async move {
                let read = tokio::task::spawn_blocking({
                    let path = path.clone();
                    move || std::fs::read_to_string(path)
                });
                match read.await {
                    Ok(Ok(token)) => Ok(TokenSet::new(token.trim())),
                    Ok(Err(error)) => {
                        Err(Error::misconfigured(format!("TOKEN_FILE {path} cannot be read")).with_source(error))
                    }
                    Err(error) => Err(Error::transient("reading was interrupted").with_source(error)),
                }
            }
        };
        // The file does not say when its token ends.
        let cell = TokenCell::builder(source).name("token file").renew_unknown_after(Duration::from_secs(60)).build();

        let (url, origins) = common::api_from_env()?;
        let mut api = ServiceBuilder::new()
            .layer(BearerLayer::new(cell, origins).retry(RetryPolicy::new()))
            .service(common::http_client());
        let response = api.ready().await?.call(Request::get(url).body(Full::<Bytes>::default())?).await?;
        let status = response.status();
        println!("{status}\n{}", String::from_utf8_lossy(&response.into_body().collect().await?.to_bytes()));
        if status.is_success() {
            Ok(())
        } else {
            Err(BoxError::from("the API refused the call; what it said is above"))
        }
    })
}
