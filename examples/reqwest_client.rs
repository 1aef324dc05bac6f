//! A reqwest client with the token on each request.
//!
//! ```text
//! OAUTH_ISSUER=https://auth.example.com OAUTH_CLIENT_ID=me OAUTH_CLIENT_SECRET=s3cr3t \
//!     API_URL=https://api.example.com/v1/items cargo run --example reqwest_client
//! ```

mod common;

use std::{process::ExitCode, time::Duration};

use gatepass::{BoxError, bearer::Refused, retry::Deadline};
use gatepass_reqwest::{BearerMiddleware, Transport, token_error};

fn main() -> ExitCode {
    common::run(async {
        // Without a default provider reqwest asks for one to be named; with reqwest's own `rustls` feature there is
        // one.
        rustls::crypto::ring::default_provider().install_default().map_err(|_| "TLS was set up twice")?;

        let cell = common::cell_from_env(Transport::new()?)?;
        let (url, origins) = common::api_from_env()?;
        let http = reqwest::Client::builder().connect_timeout(Duration::from_secs(5));
        // A redirect keeps the token at its origin; see BearerMiddleware::client.
        let api = BearerMiddleware::new(cell, origins).client(http)?;

        let request = api.get(url.to_string()).with_extension(Deadline::after(Duration::from_secs(30)));
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => {
                let hint = match token_error(&error) {
                    Some(error) if error.is_reauth_required() => "there is no token until somebody signs in again",
                    Some(error) if error.is_misconfigured() => "there is no token until a setting is changed",
                    Some(_) => "there is no token now; it may work later",
                    None => "the API could not be reached",
                };
                println!("{hint}");
                return Err(error.into());
            }
        };

        let status = response.status();
        println!("{status}");
        if let Some(refused) = response.extensions().get::<Refused>() {
            println!("the API wants {:?}", refused.challenges());
        }
        println!("{}", response.text().await?);
        if status.is_success() {
            Ok(())
        } else {
            Err(BoxError::from("the API refused the call; what it said is above"))
        }
    })
}
