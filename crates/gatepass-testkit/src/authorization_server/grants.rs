//! What the token endpoint does with a request, once it has been read. No I/O.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};

use super::{
    assertion::{JWT_BEARER, UsedAssertions},
    authorization_request::AuthorizationRequest,
    builder::Address,
    clients::{Client, Clients},
    code::Code,
    device::{DEVICE_CODE, Device},
    expiring::Expiring,
    form::{Form, Posted, Refusal},
    issue::{Issue, Issued, Occasion},
    person::SignIn,
    revocation::RevokedBy,
    settings::{Rotation, Settings},
    signing_key::SigningKey,
    token_exchange::TOKEN_EXCHANGE,
    tokens::{FamilyId, Rules, Tokens},
};

/// All that the server knows and remembers.
pub(super) struct Book {
    pub(super) address: Arc<Address>,
    pub(super) settings: Settings,
    pub(super) clients: Clients,
    pub(super) tokens: Tokens,
    pub(super) codes: Expiring<Code>,
    pub(super) devices: Expiring<Device>,
    /// What was pushed (RFC 9126), by the `request_uri`.
    pub(super) pushed: Expiring<AuthorizationRequest>,
    /// What a page asks a person about, by the ticket in the page.
    pub(super) asking: Expiring<AuthorizationRequest>,
    pub(super) used_assertions: UsedAssertions,
    pub(super) signing_key: Arc<SigningKey>,
    pub(super) issued: usize,
    /// How many of them were never sent.
    pub(super) lost: usize,
    /// How far its clock runs ahead.
    pub(super) ahead: Duration,
    /// The last access token of a client and scope, where no family remembers it.
    pub(super) last: HashMap<(String, Option<String>), String>,
}

impl Book {
    pub(super) fn new(address: Arc<Address>) -> Self {
        Self {
            address,
            settings: Settings::default(),
            clients: Clients::default(),
            tokens: Tokens::default(),
            codes: Expiring::default(),
            devices: Expiring::default(),
            pushed: Expiring::default(),
            asking: Expiring::default(),
            used_assertions: UsedAssertions::default(),
            signing_key: Arc::new(SigningKey::random()),
            issued: 0,
            lost: 0,
            ahead: Duration::ZERO,
            last: HashMap::new(),
        }
    }

    pub(super) fn now(&self) -> Instant {
        let now = Instant::now();
        now.checked_add(self.ahead).unwrap_or(now)
    }

    /// From now until a lifetime has passed, if it ever does.
    pub(super) fn span(&self, lifetime: Duration) -> (Instant, Option<Instant>) {
        let now = self.now();
        (now, now.checked_add(lifetime))
    }

    pub(super) fn seconds_since_1970(&self) -> f64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        since.saturating_add(self.ahead).as_secs_f64()
    }

    /// What is issued, if anything is.
    pub(super) fn grant(&mut self, posted: Posted<'_>) -> Result<Issued, Refusal> {
        let form = posted.form;
        if let Some(name) = form.repeated() {
            return Err(Refusal::invalid_request(format!("{name} came more than once")));
        }
        let grant_type = form.required("grant_type")?;
        let is_accepted_blindly = self.settings.more_grants.contains(grant_type);
        if grant_type == JWT_BEARER && !is_accepted_blindly {
            return self.jwt_bearer(posted);
        }
        let client = self.client(posted)?;
        match grant_type {
            "client_credentials" if client.is_public => {
                Err(Refusal::bad_request("unauthorized_client", "a public client has no credentials of its own"))
            }
            "refresh_token" => self.refresh(&client, form),
            other if other == "client_credentials" || is_accepted_blindly => {
                let scope = self.granted(form.get("scope"));
                let family = self
                    .settings
                    .refresh_token_for_every_grant
                    .then(|| self.tokens.new_family(&client.id, scope.clone(), None));
                let refresh_token = family.map(|family| self.new_refresh_token(family));
                let refresh_token = refresh_token.as_deref();
                Ok(self.issue(&Issue { family, scope, refresh_token, ..Issue::bearer(&client.id) }))
            }
            "authorization_code" => self.code_grant(&client, form),
            DEVICE_CODE => self.poll(&client, form),
            TOKEN_EXCHANGE => self.exchange(&client, form),
            other => Err(Refusal::bad_request("unsupported_grant_type", other)),
        }
    }

    /// RFC 7662.
    pub(super) fn introspect(&mut self, posted: Posted<'_>) -> Result<Value, Refusal> {
        self.client(posted)?;
        let token = posted.form.required("token")?;
        if let Some(access) = self.tokens.active(token, self.now()) {
            let left = access.expires.map(|at| at.saturating_duration_since(self.now()));
            let end = left.and_then(|left| SystemTime::now().checked_add(left));
            let since = end.and_then(|end| end.duration_since(UNIX_EPOCH).ok());
            return Ok(json!({
                "active": true,
                "client_id": access.client,
                "scope": access.scope,
                "token_type": "Bearer",
                "exp": since.map(|since| since.as_secs()),
            }));
        }
        Ok(match self.tokens.active_refresh(token) {
            Some((client, scope)) => json!({ "active": true, "client_id": client, "scope": scope }),
            None => json!({ "active": false }),
        })
    }

    /// RFC 7009. What does not exist, or is not the client's, is none of its business: that is no error.
    pub(super) fn revoke(&mut self, posted: Posted<'_>) -> Result<(), Refusal> {
        let client = self.client(posted)?;
        let token = posted.form.required("token")?;
        let is_its_own = self.tokens.client_of(token) == Some(client.id.as_str());
        if is_its_own
            && !self.tokens.revoke_access_token(token)
            && let Some(family) = self.tokens.family_of(token)
        {
            self.tokens.revoke_family(family, RevokedBy::Client);
        }
        Ok(())
    }

    pub(super) fn client(&mut self, posted: Posted<'_>) -> Result<Client, Refusal> {
        match posted.form.get("client_assertion") {
            Some(jwt) => self.asserted_client(posted, jwt),
            None => self.clients.authenticate(posted.headers, posted.form, self.settings.decode_basic),
        }
    }

    /// The scope that is granted to whoever asks for this one.
    pub(super) fn granted(&self, asked: Option<&str>) -> Option<String> {
        self.settings.granted_scope.as_deref().or(asked).map(str::to_owned)
    }

    /// The tokens of a new sign-in.
    pub(super) fn sign_in(
        &mut self,
        client: &str,
        scope: Option<String>,
        who: SignIn,
        nonce: Option<&str>,
    ) -> (FamilyId, Issued) {
        let family = self.tokens.new_family(client, scope.clone(), Some(who));
        let refresh_token = self.new_refresh_token(family);
        let refresh_token = Some(refresh_token.as_str());
        let occasion = Occasion::SignIn { nonce };
        (family, self.issue(&Issue { family: Some(family), scope, refresh_token, occasion, ..Issue::bearer(client) }))
    }

    /// The sign-in that a good refresh token belongs to.
    pub(super) fn redeem(&mut self, token: &str, client: &str, supersede: bool) -> Result<FamilyId, Refusal> {
        let rules =
            Rules { supersede, detect_reuse: self.settings.detect_reuse, reuse_grace: self.settings.reuse_grace };
        let family = self.tokens.redeem(token, client, rules, self.now());
        let family = family.ok_or_else(|| Refusal::invalid_grant("the refresh token is not, or no longer, good"))?;
        if self.settings.refresh_retires_access_token
            && let Some(last) = self.tokens.last_access_token(family).map(str::to_owned)
        {
            self.tokens.revoke_access_token(&last);
        }
        Ok(family)
    }

    fn refresh(&mut self, client: &Client, form: &Form) -> Result<Issued, Refusal> {
        let token = form.required("refresh_token")?;
        let family = self.tokens.family_of(token);
        let granted = family.and_then(|family| self.tokens.scope_of(family)).map(str::to_owned);
        let scope = match (form.get("scope"), granted) {
            (Some(asked), Some(granted)) if !is_within(asked, &granted) => {
                return Err(Refusal::bad_request("invalid_scope", "more than was granted"));
            }
            (Some(asked), _) => Some(asked.to_owned()),
            (None, granted) => granted,
        };
        let family = self.redeem(token, &client.id, self.settings.rotation == Rotation::Rotate)?;
        let answered = match self.settings.rotation {
            Rotation::Rotate => Some(self.new_refresh_token(family)),
            Rotation::Repeat => Some(token.to_owned()),
            Rotation::Omit => None,
            Rotation::Empty => Some(String::new()),
        };
        let scope = self.granted(scope.as_deref());
        let (refresh_token, occasion) = (answered.as_deref(), Occasion::Refresh);
        Ok(self.issue(&Issue { family: Some(family), scope, refresh_token, occasion, ..Issue::bearer(&client.id) }))
    }
}

fn is_within(asked: &str, granted: &str) -> bool {
    asked.split(' ').all(|scope| granted.split(' ').any(|it| it == scope))
}
