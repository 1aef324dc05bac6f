use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use gatepass::{Error, Secret, TokenSet, TokenSource, source::Identity};
use serde_json::{Map, Value};

use super::Marks;

/// Where to look for what a provider ordered.
pub(crate) struct Watch {
    pub(crate) provider: String,
    pub(crate) marks: Marks,
}

/// A source that renews nothing for who was signed out by the provider, here or on another instance.
pub(crate) struct Watched<T> {
    source: T,
    watch: Watch,
}

impl<T> Watched<T> {
    pub(crate) fn new(source: T, watch: Watch) -> Self {
        Self { source, watch }
    }
}

impl<T: TokenSource> TokenSource for Watched<T> {
    async fn exchange(&self, current: Option<&TokenSet>) -> Result<TokenSet, Error> {
        if let Some(id_token) = current.and_then(|set| set.id_token.as_ref())
            && self.is_signed_out(id_token).await?
        {
            return Err(Error::reauth_required("sign in again: the provider has signed this person out"));
        }
        self.source.exchange(current).await
    }

    fn can_renew(&self, current: &TokenSet) -> bool {
        self.source.can_renew(current)
    }

    fn spends_refresh_token(&self) -> bool {
        self.source.spends_refresh_token()
    }

    fn identity(&self) -> Identity {
        self.source.identity()
    }

    fn accepts(&self, set: &TokenSet) -> Result<(), Error> {
        self.source.accepts(set)
    }
}

impl<T> Watched<T> {
    /// What the ID token says was verified when it came.
    async fn is_signed_out(&self, id_token: &Secret) -> Result<bool, Error> {
        let Some(claims) = claims(id_token) else { return Ok(false) };
        let Some(subject) = claims.get("sub").and_then(Value::as_str) else { return Ok(false) };
        let sid = claims.get("sid").and_then(Value::as_str);
        let issued_at = claims.get("iat").and_then(Value::as_f64).map(|at| at as u64);
        self.watch.marks.is_signed_out(&self.watch.provider, subject, sid, issued_at).await
    }
}

fn claims(jwt: &Secret) -> Option<Map<String, Value>> {
    let claims = URL_SAFE_NO_PAD.decode(jwt.expose().split('.').nth(1)?).ok()?;
    serde_json::from_slice(&claims).ok()
}
