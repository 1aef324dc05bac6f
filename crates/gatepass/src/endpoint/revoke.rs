use super::{Client, HttpService, client::To};
use crate::{error::Error, grant::revocation, token::TokenSet};

impl<S: HttpService> Client<S> {
    /// Ends a set at the server (RFC 7009): its refresh token, and what was issued for it; or its access token, where
    /// there is no other. What holds it here, a cell or a store, is told by
    /// [`TokenCell::remove`](crate::TokenCell::remove).
    ///
    /// # Errors
    /// The tokens are to be taken for alive. Misconfigured, when the server has no revocation endpoint or does not end
    /// such tokens; when the set is another server's (X6). Transient, with the wait it asks for, when it cannot now.
    ///
    /// # Cancel safety
    /// The tokens may have ended.
    pub async fn revoke(&self, set: &TokenSet) -> Result<(), Error> {
        let Some(form) = revocation::form(set) else {
            return Ok(());
        };
        let metadata = self.metadata().await?;
        self.check_owner(Some(set), metadata.issuer.as_deref())?;
        let whom = "revocation endpoint";
        // Whatever it says of the token, it ends or is of no use already: such answers should be successes.
        let refused = |said: &str| Error::misconfigured(format!("the {whom} did not end the token ({said})"));
        let to = To::new(whom, metadata.revocation_endpoint()?, &metadata, &refused);
        self.post(&to, form, |answer, asked| answer.read_nothing(asked)).await
    }
}
