//! The token request of those who leave it to the program.

use std::{sync::OnceLock, time::Duration};

use serde_json::Value;

use crate::keeper::Error;

/// The client for it. A new one takes a while, so that nobody should have to make it in the middle of a storm.
pub(crate) fn client() -> &'static reqwest::Client {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    CLIENT.get_or_init(|| reqwest::Client::builder().timeout(Duration::from_secs(10)).build().unwrap())
}

/// Asks for a token by client credentials: the token, and how long it lives.
pub(crate) async fn post(token_url: &str) -> Result<(String, Duration), Error> {
    let request = client().post(token_url).basic_auth("client", Some("secret"));
    let response = request.form(&[("grant_type", "client_credentials")]).send().await?.error_for_status()?;
    let answer: Value = response.json().await?;
    let token = answer["access_token"].as_str().ok_or("no access_token")?;
    let lifetime = answer["expires_in"].as_u64().ok_or("no expires_in")?;
    Ok((token.to_owned(), Duration::from_secs(lifetime)))
}
