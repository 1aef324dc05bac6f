//! Logout tokens (OpenID Connect Back-Channel Logout, 2.4). No I/O.

use serde_json::json;

use super::{grants::Book, id_token::IdToken, issue::random_token};

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
const LIFETIME: u64 = 120;

impl Book {
    /// A right one, but that it does not say yet who is signed out.
    pub(super) fn logout_token(&self, client: &str) -> IdToken {
        let mut token = self.unsigned(client, LIFETIME);
        token.header.insert("typ".to_owned(), json!("logout+jwt"));
        token.claims.insert("jti".to_owned(), json!(random_token("jti", 0)));
        token.claims.insert("events".to_owned(), json!({ EVENT: {} }));
        token
    }
}
