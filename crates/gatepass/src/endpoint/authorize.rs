use serde_json::Value;

use super::{Client, HttpService, client::To};
use crate::{
    discovery::Metadata,
    error::Error,
    grant::{AuthorizationRequest, Form, PendingAuthorization, Server},
};

impl<S: HttpService> Client<S> {
    /// Prepares to send a person's browser to the server: finds out where, and leaves the request there first where the
    /// server requires it (RFC 9126). Once for each time somebody is sent.
    ///
    /// # Errors
    /// Misconfigured: a redirect URI that cannot be used, a server where nobody can sign in, a request that it does not
    /// take. Transient, when its metadata cannot be read or the request cannot be left there now.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn authorize(&self, request: &AuthorizationRequest) -> Result<PendingAuthorization, Error> {
        request.check()?;
        let result = self.prepare(request).await;
        if result.as_ref().is_err_and(Error::is_misconfigured) {
            self.forget();
        }
        result
    }

    async fn prepare(&self, request: &AuthorizationRequest) -> Result<PendingAuthorization, Error> {
        let metadata = self.metadata().await?;
        let endpoint = metadata.authorization_endpoint()?;
        self.server.safe("authorization endpoint", endpoint)?;
        let server =
            Server { metadata: &metadata, separator: self.server.separator(), swaps: self.server.swap().is_some() };
        let (mut form, mut pending) = request.begin(self.id(), server)?;
        if request.is_pushed(&metadata) {
            let reference = self.push(&metadata, form).await?;
            form = Form::default();
            form.push("client_id", self.id());
            form.push("request_uri", reference);
        }
        // A query that is there already stays (6749-4).
        let separator = if endpoint.contains('?') { '&' } else { '?' };
        pending.url = format!("{endpoint}{separator}{}", form.encode().expose());
        Ok(pending)
    }

    /// Leaves the request at the server; what comes back is good for one time (RFC 9126 section 2).
    async fn push(&self, metadata: &Metadata, form: Form) -> Result<String, Error> {
        let whom = "pushed authorization request endpoint";
        let refused = |said: &str| Error::misconfigured(format!("the {whom} did not accept the request ({said})"));
        let to = To::new(whom, metadata.pushed_authorization_request_endpoint()?, metadata, &refused);
        let answer = self.post(&to, form, |answer, asked| answer.read_object(asked)).await?;
        match answer.get("request_uri").and_then(Value::as_str) {
            Some(reference) if !reference.is_empty() => Ok(reference.to_owned()),
            _ => Err(Error::transient(format!("the {whom} answered without a request_uri"))),
        }
    }
}
