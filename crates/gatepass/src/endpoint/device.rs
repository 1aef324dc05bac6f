use tokio::time::Instant;

use super::{Client, HttpService, client::To};
use crate::{
    error::Error,
    grant::{DeviceAuthorization, DeviceCode, Grant, Polling},
    token::TokenSet,
};

impl<S: HttpService> Client<S> {
    /// Asks for codes for a sign-in on another machine (RFC 8628).
    ///
    /// # Errors
    /// Misconfigured, when the server has no device authorization endpoint or does not take the request; transient,
    /// when it cannot answer now.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn authorize_device(&self, request: &DeviceAuthorization) -> Result<DeviceCode, Error> {
        request.check()?;
        let metadata = self.metadata().await?;
        let whom = "device authorization endpoint";
        let refused = |said: &str| Error::misconfigured(format!("the {whom} did not accept the request ({said})"));
        let to = To::new(whom, metadata.device_authorization_endpoint()?, &metadata, &refused);
        let mut form = request.form(self.server.separator());
        if self.auth.is_identified() {
            form.name_client(self.id());
        }
        let answer = self.post(&to, form, |answer, asked| answer.read_object(asked)).await;
        if answer.as_ref().is_err_and(Error::is_misconfigured) {
            self.forget();
        }
        request.read(&answer?)
    }

    /// Waits until the person has approved, asking the server as often as it allows (section 3.5).
    ///
    /// # Errors
    /// [Denied](Error::is_denied), when the person said no. Reauthentication required, when the code ended before
    /// anybody approved: show a new one when somebody asks for it.
    ///
    /// # Panics
    /// Outside a tokio runtime with timers.
    ///
    /// # Cancel safety
    /// A code that was approved while a poll was under way may be spent.
    pub async fn poll(&self, code: &DeviceCode) -> Result<TokenSet, Error> {
        let ends = Instant::now() + code.expires_in();
        let mut polling = Polling::every(code.interval());
        let mut wait = polling.interval();
        let mut last_failure = None;
        // Once: where it cannot be read for a while, the sign-in goes on.
        let metadata = self.metadata().await?;
        while Instant::now() + wait < ends {
            tokio::time::sleep(wait).await;
            let error = match self.run_at(&metadata, code, code.form(None)?, None).await {
                Ok(set) => return Ok(set),
                Err(error) => error,
            };
            match polling.after(&error) {
                Some(next) => wait = next,
                None => {
                    if error.is_misconfigured() {
                        self.forget();
                    }
                    return Err(error);
                }
            }
            last_failure = Some(error).filter(|error| error.code() != Some("authorization_pending"));
        }
        let expired = Error::reauth_required(format!(
            "nobody approved the sign-in within {:?}: start it again",
            code.expires_in()
        ))
        .with_code("expired_token");
        Err(match last_failure {
            Some(error) => expired.with_source(error),
            None => expired,
        })
    }
}
