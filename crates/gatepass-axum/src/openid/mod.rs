use gatepass::{Error, Secret};
use serde_json::{Map, Value};
use std::{future::Future, pin::Pin, time::SystemTime};
pub(crate) trait FetchKeys: Send + Sync {
    fn fetch(&self) -> Pin<Box<dyn Future<Output = Result<String, Error>> + Send + '_>>;
}
#[derive(Debug)]
pub(crate) struct Keys;
impl Keys {
    pub(crate) fn new() -> Self {
        Self
    }
}
pub(crate) struct Expected<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) nonce: Option<&'a Secret>,
    pub(crate) access_token: Option<&'a Secret>,
    pub(crate) now: SystemTime,
}
#[derive(Debug)]
pub(crate) struct Claims {
    pub(crate) subject: String,
    pub(crate) sid: Option<String>,
    pub(crate) issued_at: u64,
    pub(crate) auth_time: Option<u64>,
    pub(crate) all: Map<String, Value>,
}
pub(crate) async fn verify_id_token(
    _k: &Keys,
    _f: &dyn FetchKeys,
    _t: &Secret,
    _e: &Expected<'_>,
) -> Result<Claims, Error> {
    Err(Error::transient(""))
}
#[derive(Debug)]
pub(crate) struct LogoutToken {
    pub(crate) subject: Option<String>,
    pub(crate) sid: Option<String>,
    pub(crate) id: String,
    pub(crate) issued_at: u64,
    pub(crate) ends_at: u64,
}
pub(crate) async fn verify_logout_token(
    _k: &Keys,
    _f: &dyn FetchKeys,
    _t: &str,
    _i: &str,
    _c: &str,
    _n: SystemTime,
) -> Result<LogoutToken, Error> {
    Err(Error::transient(""))
}
