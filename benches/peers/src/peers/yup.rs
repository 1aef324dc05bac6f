//! yup-oauth2, as in its crate docs: a service account, and `token` for each request. After a 401
//! `force_refreshed_token`, which is what it offers.
//!
//! It pads the parts of its assertion, which the test server does not take for a JWT. So its `token_uri` is a
//! [stand-in](crate::stand_in).

use std::sync::Arc;

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::{KeyPair, KeySize},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, header::AUTHORIZATION};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use yup_oauth2::{
    CustomHyperClientBuilder, ServiceAccountAuthenticator, ServiceAccountKey, authenticator::Authenticator,
};

use crate::{
    keeper::{Error, Keeper, bearer},
    stand_in::stand_in,
};

const SCOPES: &[&str] = &["read"];

#[derive(Clone)]
pub(crate) struct Yup(Arc<Authenticator<HttpConnector>>);

impl Yup {
    pub(crate) async fn new(token_url: &str) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http::<String>();
        let builder = ServiceAccountAuthenticator::with_client(
            key(stand_in(token_url).await),
            CustomHyperClientBuilder::from(client),
        );
        Self(Arc::new(builder.build().await.unwrap()))
    }
}

impl Keeper for Yup {
    async fn authorize(&self, headers: &mut HeaderMap) -> Result<(), Error> {
        let token = self.0.token(SCOPES).await?;
        headers.insert(AUTHORIZATION, bearer(token.token().ok_or("no token")?)?);
        Ok(())
    }

    async fn refused(&self, _headers: &HeaderMap) -> bool {
        self.0.force_refreshed_token(SCOPES).await.is_ok()
    }
}

/// Made anew each time, so that no key lies in the repository.
fn key(token_uri: String) -> ServiceAccountKey {
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let label = "PRIVATE KEY";
    let pem = format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", BASE64_STANDARD.encode(der.as_ref()));
    ServiceAccountKey {
        key_type: None,
        project_id: None,
        private_key_id: None,
        private_key: pem,
        client_email: "client".to_owned(),
        client_id: None,
        auth_uri: None,
        token_uri,
        auth_provider_x509_cert_url: None,
        client_x509_cert_url: None,
    }
}
