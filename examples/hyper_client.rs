//! hyper-util's client with the token on each request: the whole stack, written out.
//!
//! ```text
//! OAUTH_ISSUER=https://auth.example.com OAUTH_CLIENT_ID=me OAUTH_CLIENT_SECRET=s3cr3t \
//!     API_URL=https://api.example.com/v1/items cargo run --example hyper_client
//! ```

mod common;

use std::{process::ExitCode, time::Duration};

use bytes::Bytes;
use gatepass::{
    BearerLayer, BoxError, RetryPolicy,
    bearer::Refused,
    retry::{Deadline, Rules},
};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use tower::{Service, ServiceBuilder, ServiceExt};

fn main() -> ExitCode {
    common::run(async {
        // One bare client each: the way to the authorization server never leads through the layer.
        let cell = common::cell_from_env(common::http_client())?;
        let (url, origins) = common::api_from_env()?;
        let rules = Rules::new().max_retries(2).also(StatusCode::BAD_GATEWAY);
        let mut api = ServiceBuilder::new()
            .layer(BearerLayer::new(cell.clone(), origins).retry(RetryPolicy::new().rules(rules)))
            .timeout(Duration::from_secs(10)) // for each attempt; what waits for a token is not counted
            .service(common::http_client());

        let mut request = Request::get(url).header("accept", "application/json").body(Full::<Bytes>::default())?;
        request.extensions_mut().insert(Deadline::after(Duration::from_secs(30)));
        let response = api.ready().await?.call(request).await?;

        println!("{}", response.status());
        if let Some(refused) = response.extensions().get::<Refused>() {
            for challenge in refused.challenges() {
                println!(
                    "the API wants {}: {:?}",
                    challenge.scheme(),
                    challenge.error_description().or(challenge.error())
                );
            }
        }
        let ok = response.status().is_success();
        println!("{}", String::from_utf8_lossy(&response.into_body().collect().await?.to_bytes()));
        println!("the token: {:?}", cell.status());
        if ok { Ok(()) } else { Err(BoxError::from("the API refused the call; what it said is above")) }
    })
}
