//! A service that proves who it is by a key instead of a password, and calls an API.
//!
//! ```text
//! GOOGLE_APPLICATION_CREDENTIALS=key.json OAUTH_SCOPES=https://www.googleapis.com/auth/devstorage.read_only \
//!     API_URL=https://storage.googleapis.com/storage/v1/b?project=mine cargo run --example service_account
//!
//! OAUTH_ISSUER=https://auth.example.com KEY_FILE=key.pem KEY_ID=2025-11 ASSERTION_ISSUER=my-service \
//!     API_URL=https://api.example.com/items cargo run --example service_account [-- --client-credentials]
//! ```
//!
//! | variable | |
//! |---|---|
//! | `GOOGLE_APPLICATION_CREDENTIALS` | the key file of a Google service account; then no other is needed but `OAUTH_SCOPES` and `API_URL` |
//! | `OAUTH_ISSUER` or `OAUTH_TOKEN_URL` | the authorization server |
//! | `KEY_FILE` | the private key, PEM |
//! | `KEY_ALG` | `RS256` (the default), `PS256`, `ES256`, `ES384` or `EdDSA` |
//! | `KEY_ID` | the key's identifier at the server (`kid`), if it has one |
//! | `ASSERTION_ISSUER` | who signs (`iss`) |
//! | `ASSERTION_SUBJECT` | for whom the token is (`sub`); the issuer unless set |
//! | `ASSERTION_AUDIENCE` | the server as it calls itself (`aud`); its issuer or token endpoint as above unless set |
//! | `OAUTH_CLIENT_ID`, `OAUTH_CLIENT_SECRET`, `OAUTH_CLIENT_AUTH` | for servers that want to know the client as well |
//! | `OAUTH_SCOPES` | separated by spaces |
//!
//! The assertion is a grant of its own (RFC 7523 section 2.1). With `--client-credentials` it proves the client
//! `OAUTH_CLIENT_ID` instead (`private_key_jwt`, section 2.2), which asks for a token for itself.
//!
//! Ends non-zero with one line on stderr when the key, the server or the API says no.

mod common;

use std::{fs, process::ExitCode};

use gatepass::{
    AuthorizationServer, BoxError, ClientAuth, Secret, TokenCell, TokenEndpoint,
    grant::{ClientCredentials, JwtBearer},
    jwt::{Algorithm, Assertion, SigningKey},
};
use serde_json::Value;

fn main() -> ExitCode {
    common::run(async {
        let cell = match (common::optional("GOOGLE_APPLICATION_CREDENTIALS"), std::env::args().nth(1).as_deref()) {
            (Some(path), None) => google(&path)?,
            (None, None) => jwt_bearer()?,
            (_, Some("--client-credentials")) => client_credentials()?,
            (_, Some(other)) => return Err(format!("`{other}` is not understood: use --client-credentials").into()),
        };
        let (url, origins) = common::api_from_env()?;
        let answer = common::get(&mut common::api(cell, origins), &url).await?;
        common::say(String::from_utf8_lossy(&answer))
    })
}

fn jwt_bearer() -> Result<TokenCell, BoxError> {
    let issuer = common::required("ASSERTION_ISSUER")?;
    let mut assertion = Assertion::new(key()?, &issuer, audience()?);
    if let Some(subject) = common::optional("ASSERTION_SUBJECT") {
        assertion = assertion.subject(subject);
    }
    // Most servers know the client by the assertion alone.
    let client = match common::optional("OAUTH_CLIENT_ID") {
        Some(_) => common::client_auth_from_env()?,
        None => ClientAuth::unidentified(issuer),
    };
    let grant = JwtBearer::signed(assertion).scope(scopes());
    Ok(TokenCell::new(TokenEndpoint::new(common::http_client(), common::server_from_env()?, client, grant)?))
}

fn client_credentials() -> Result<TokenCell, BoxError> {
    let client = ClientAuth::private_key_jwt(common::required("OAUTH_CLIENT_ID")?, key()?);
    let grant = ClientCredentials::new().scope(scopes());
    Ok(TokenCell::new(TokenEndpoint::new(common::http_client(), common::server_from_env()?, client, grant)?))
}

fn google(path: &str) -> Result<TokenCell, BoxError> {
    let account: Value = serde_json::from_slice(&read("GOOGLE_APPLICATION_CREDENTIALS", path)?)
        .map_err(|error| format!("{path} is no key file of a service account: {error}"))?;
    let text = |name: &str| {
        account[name].as_str().ok_or_else(|| format!("{path} is no key file of a service account: it has no {name}"))
    };
    let (email, url) = (text("client_email")?, text("token_uri")?);
    let key = SigningKey::from_pem(Algorithm::RS256, text("private_key")?)?.key_id(text("private_key_id")?);
    let mut assertion = Assertion::new(key, email, url).claim("scope", scopes());
    assertion = match common::optional("ASSERTION_SUBJECT") {
        Some(subject) => assertion.subject(subject),
        None => assertion.without_subject(),
    };
    let server = AuthorizationServer::token_endpoint(url);
    let client = ClientAuth::unidentified(email);
    Ok(TokenCell::new(TokenEndpoint::new(common::http_client(), server, client, JwtBearer::signed(assertion))?))
}

fn key() -> Result<SigningKey, BoxError> {
    let algorithm = match common::optional("KEY_ALG").as_deref() {
        None | Some("RS256") => Algorithm::RS256,
        Some("PS256") => Algorithm::PS256,
        Some("ES256") => Algorithm::ES256,
        Some("ES384") => Algorithm::ES384,
        Some("EdDSA") => Algorithm::EdDSA,
        Some(other) => return Err(format!("KEY_ALG is `{other}`: write RS256, PS256, ES256, ES384 or EdDSA").into()),
    };
    let pem = Secret::new(String::from_utf8_lossy(&read("KEY_FILE", &common::required("KEY_FILE")?)?));
    let key = SigningKey::from_pem(algorithm, pem.expose())?;
    Ok(match common::optional("KEY_ID") {
        Some(id) => key.key_id(id),
        None => key,
    })
}

fn audience() -> Result<String, BoxError> {
    let known = ["ASSERTION_AUDIENCE", "OAUTH_ISSUER", "OAUTH_TOKEN_URL"].into_iter().find_map(common::optional);
    known.ok_or_else(|| "set OAUTH_ISSUER, or OAUTH_TOKEN_URL: where is the authorization server?".into())
}

fn scopes() -> String {
    common::optional("OAUTH_SCOPES").unwrap_or_default()
}

fn read(variable: &str, path: &str) -> Result<Vec<u8>, BoxError> {
    fs::read(path).map_err(|error| format!("{variable} is `{path}`: {error}; write the path of the key's file").into())
}
