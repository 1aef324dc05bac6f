//! What a provider signs: ID tokens (OpenID Connect Core section 2) and logout tokens (Back-Channel Logout section
//! 2.4).
//!
//! Both take the same way: the header and the signature first ([`signed`]), by the provider's keys, which are kept for
//! a day ([`keys`]); only then is a claim believed.
//!
//! What it cannot do: read encrypted tokens, and verify what is signed by a secret (HS256) or by ES512, which the
//! library behind it does not know.

mod id_token;
mod jwks;
mod keys;
mod logout_token;
mod signed;
#[cfg(test)]
mod tests;

pub(crate) use self::{
    id_token::{Claims, Expected, verify_id_token},
    keys::{FetchKeys, Keys},
    logout_token::{LogoutToken, verify_logout_token},
};
