//! What a test tells the server about OpenID Connect, and asks it: people, keys, ID tokens, sign-out.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{
    end_session::Logout, handle::AuthorizationServer, hook::Hook, id_token::IdToken, jwks::Jwks,
    settings::OpenIdSettings, signing_key::SigningKey,
};

/// Who signs in.
impl AuthorizationServer {
    /// Who signs in from then on: their `sub`; by default `alice`.
    ///
    /// `login_hint` in a request goes before, for that one sign-in, and what is typed on the
    /// [page](crate::Consent::Ask) before both. A device is signed in as whoever it is when its code is redeemed.
    pub fn sign_in_as(&self, sub: &str) -> &Self {
        self.set_open_id(|settings| sub.clone_into(&mut settings.login))
    }

    /// The `sid` of each sign-in of this person that got tokens and has not been ended, oldest first.
    pub fn sids_of(&self, sub: &str) -> Vec<String> {
        self.state().book().tokens.sids_of(sub)
    }
}

/// ID tokens, and the keys that sign them.
impl AuthorizationServer {
    /// Has every ID token from then on changed before it is signed: wrong claims, an unknown `kid`, a bad signature.
    /// It takes the place of the one before; `|_| {}` changes nothing.
    ///
    /// ```
    /// use gatepass_testkit::{AuthorizationServer, Signing};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let server = AuthorizationServer::start().await;
    /// server.edit_id_tokens(|token| drop(token.claims.insert("iss".into(), "https://evil.example".into())));
    /// // Only what a refresh answers has no nonce.
    /// server.edit_id_tokens(|token| {
    ///     if !token.claims.contains_key("nonce") {
    ///         token.claims.insert("sub".into(), "mallory".into());
    ///     }
    /// });
    /// server.edit_id_tokens(|token| token.signing = Signing::None);
    /// # }
    /// ```
    pub fn edit_id_tokens(&self, edit: impl Fn(&mut IdToken) + Send + Sync + 'static) -> &Self {
        self.set_open_id(|settings| settings.edit_id_tokens = Hook::new(edit))
    }

    /// Whether no ID token is answered, although the scope has `openid`.
    pub fn omit_id_token(&self, omit: bool) -> &Self {
        self.set_open_id(|settings| settings.omit_id_token = omit)
    }

    /// Whether a refresh, too, is answered with an ID token; by default it is.
    pub fn id_token_on_refresh(&self, answer: bool) -> &Self {
        self.set_open_id(|settings| settings.id_token_on_refresh = answer)
    }

    /// Another key signs from then on, under another `kid`; `/jwks` no longer has the old one.
    pub fn rotate_signing_key(&self) -> &Self {
        let key = Arc::new(SigningKey::random());
        self.state().book().signing_key = key;
        self
    }

    /// The public key that verifies what is signed now, as `/jwks` has it.
    pub fn signing_jwk(&self) -> Value {
        self.state().book().signing_key.jwk()
    }

    /// What is served at `/jwks`.
    pub fn jwks(&self, jwks: Jwks) -> &Self {
        self.set_open_id(|settings| settings.jwks = jwks)
    }

    /// `http://127.0.0.1:PORT/jwks`
    pub fn jwks_url(&self) -> String {
        self.url("/jwks")
    }

    /// How many requests for the JWK set there were.
    pub fn jwks_requests(&self) -> usize {
        self.arrived_at("/jwks")
    }
}

/// `/userinfo`: who a token is good for.
impl AuthorizationServer {
    /// `http://127.0.0.1:PORT/userinfo`
    ///
    /// With `openid` in its scope a token gets the claims of `profile` and `email` if it has these too; without, it
    /// gets all there are.
    pub fn userinfo_url(&self) -> String {
        self.url("/userinfo")
    }

    /// Has the claims changed from then on, before they are answered. It takes the place of the one before.
    pub fn edit_user_info(&self, edit: impl Fn(&mut Map<String, Value>) + Send + Sync + 'static) -> &Self {
        self.set_open_id(|settings| settings.edit_user_info = Hook::new(edit))
    }

    /// How many requests to `/userinfo` there were.
    pub fn user_info_requests(&self) -> usize {
        self.arrived_at("/userinfo")
    }
}

/// Sign-out.
impl AuthorizationServer {
    /// `http://127.0.0.1:PORT/end_session`: where a browser is sent to sign out.
    ///
    /// No token ends with that: whoever wants it to revokes them.
    pub fn end_session_url(&self) -> String {
        self.url("/end_session")
    }

    /// Registers where a client may have the browser sent after sign-out: from then on only there, compared byte by
    /// byte.
    ///
    /// By default every `http` URI on 127.0.0.1, `[::1]` or `localhost` is good, whatever the port and path.
    pub fn register_post_logout_redirect_uri(&self, client: &str, uri: &str) -> &Self {
        self.set_open_id(|settings| {
            settings.post_logout_redirect_uris.entry(client.to_owned()).or_default().push(uri.to_owned());
        })
    }

    /// The requests to `/end_session`, oldest first; the last 10,000 of them. Those that
    /// [failed on command](Self::fail_next_at) are not among them.
    pub fn logouts(&self) -> Vec<Logout> {
        self.state().logouts.entries()
    }

    /// A logout token for this client, as it should be: good for two minutes, with a `jti` of its own. The test posts it.
    pub fn logout_token(&self, client: &str, sub: Option<&str>, sid: Option<&str>) -> String {
        self.logout_token_with(client, |token| {
            let claims = [("sub", sub), ("sid", sid)];
            token.claims.extend(claims.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))));
        })
    }

    /// A logout token that `edit` makes what it shall be: before, it has neither `sub` nor `sid`.
    pub fn logout_token_with(&self, client: &str, edit: impl FnOnce(&mut IdToken)) -> String {
        let book = self.state().book();
        let (mut token, key) = (book.logout_token(client), Arc::clone(&book.signing_key));
        drop(book);
        edit(&mut token);
        token.signed(&key)
    }

    fn set_open_id(&self, change: impl FnOnce(&mut OpenIdSettings)) -> &Self {
        change(&mut self.state().book().settings.open_id);
        self
    }
}
