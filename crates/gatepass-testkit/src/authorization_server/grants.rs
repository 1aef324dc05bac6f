//! What the token endpoint does with a request, once it has been read. No I/O.

use std::{
    collections::HashMap,
    iter::repeat_with,
    time::{Duration, Instant, SystemTime},
};

use http::HeaderMap;
use serde_json::{Value, json};

use super::{
    clients::{Client, Clients},
    form::{Form, Refusal},
    revocation::RevokedBy,
    settings::{Rotation, Settings},
    tokens::{FamilyId, Rules, Tokens},
};

/// All that the server knows and remembers.
#[derive(Default)]
pub(super) struct Book {
    pub(super) settings: Settings,
    pub(super) clients: Clients,
    pub(super) tokens: Tokens,
    pub(super) issued: usize,
    /// How many of them were never sent.
    pub(super) lost: usize,
    /// How far its clock runs ahead.
    pub(super) ahead: Duration,
    /// The last access token of a client and scope, where no family remembers it.
    last: HashMap<(String, Option<String>), String>,
}

impl Book {
    pub(super) fn now(&self) -> Instant {
        let now = Instant::now();
        now.checked_add(self.ahead).unwrap_or(now)
    }

    /// The JSON of the answer.
    pub(super) fn grant(&mut self, headers: &HeaderMap, form: &Form) -> Result<String, Refusal> {
        if let Some(name) = form.repeated() {
            return Err(invalid_request(format!("{name} came more than once")));
        }
        let grant_type = form.get("grant_type");
        let grant_type = grant_type.ok_or_else(|| invalid_request("no grant_type"))?;
        let client = self.client(headers, form)?;
        match grant_type {
            "client_credentials" if client.is_public => {
                Err(Refusal::bad_request("unauthorized_client", "a public client has no credentials of its own"))
            }
            "refresh_token" => self.refresh(&client, form),
            other if other == "client_credentials" || self.settings.more_grants.contains(other) => {
                let scope = self.settings.granted_scope.as_deref().or(form.get("scope"));
                let scope = scope.map(str::to_owned);
                let family = self
                    .settings
                    .refresh_token_for_every_grant
                    .then(|| self.tokens.new_family(&client.id, scope.clone()));
                let refresh_token = family.map(|family| self.new_refresh_token(family));
                Ok(self.issue(&client.id, family, scope, refresh_token.as_deref()))
            }
            other => Err(Refusal::bad_request("unsupported_grant_type", other)),
        }
    }

    pub(super) fn new_refresh_token(&mut self, family: FamilyId) -> String {
        let token = random_token("rt", self.settings.token_length);
        self.tokens.add_refresh(token.clone(), family);
        token
    }

    /// RFC 7662.
    pub(super) fn introspect(&self, headers: &HeaderMap, form: &Form) -> Result<Value, Refusal> {
        self.client(headers, form)?;
        let token = form.get("token").ok_or_else(|| invalid_request("no token"))?;
        if let Some(access) = self.tokens.active(token, self.now()) {
            let left = access.expires.map(|at| at.saturating_duration_since(self.now()));
            let end = left.and_then(|left| SystemTime::now().checked_add(left));
            let since = end.and_then(|end| end.duration_since(SystemTime::UNIX_EPOCH).ok());
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
    pub(super) fn revoke(&mut self, headers: &HeaderMap, form: &Form) -> Result<(), Refusal> {
        let client = self.client(headers, form)?;
        let token = form.get("token").ok_or_else(|| invalid_request("no token"))?;
        let is_its_own = self.tokens.client_of(token) == Some(client.id.as_str());
        if is_its_own
            && !self.tokens.revoke_access_token(token)
            && let Some(family) = self.tokens.family_of(token)
        {
            self.tokens.revoke_family(family, RevokedBy::Client);
        }
        Ok(())
    }

    fn client(&self, headers: &HeaderMap, form: &Form) -> Result<Client, Refusal> {
        self.clients.authenticate(headers, form, self.settings.decode_basic)
    }

    fn refresh(&mut self, client: &Client, form: &Form) -> Result<String, Refusal> {
        let token = form.get("refresh_token");
        let token = token.ok_or_else(|| invalid_request("no refresh_token"))?;
        let family = self.tokens.family_of(token);
        let granted = family.and_then(|family| self.tokens.scope_of(family)).map(str::to_owned);
        let scope = match (form.get("scope"), granted) {
            (Some(asked), Some(granted)) if !is_within(asked, &granted) => {
                return Err(Refusal::bad_request("invalid_scope", "more than was granted"));
            }
            (Some(asked), _) => Some(asked.to_owned()),
            (None, granted) => granted,
        };
        let rules = Rules {
            supersede: self.settings.rotation == Rotation::Rotate,
            detect_reuse: self.settings.detect_reuse,
            reuse_grace: self.settings.reuse_grace,
        };
        let redeemed = self.tokens.redeem(token, &client.id, rules, self.now());
        let family = redeemed
            .ok_or_else(|| Refusal::bad_request("invalid_grant", "the refresh token is not, or no longer, good"))?;
        let answered = match self.settings.rotation {
            Rotation::Rotate => Some(self.new_refresh_token(family)),
            Rotation::Repeat => Some(token.to_owned()),
            Rotation::Omit => None,
            Rotation::Empty => Some(String::new()),
        };
        if self.settings.refresh_retires_access_token
            && let Some(last) = self.tokens.last_access_token(family).map(str::to_owned)
        {
            self.tokens.revoke_access_token(&last);
        }
        let scope = self.settings.granted_scope.clone().or(scope);
        Ok(self.issue(&client.id, Some(family), scope, answered.as_deref()))
    }

    /// Issues an access token, or repeats one, and writes the answer.
    fn issue(
        &mut self,
        client: &str,
        family: Option<FamilyId>,
        scope: Option<String>,
        refresh_token: Option<&str>,
    ) -> String {
        self.issued += 1;
        let (token, left) = self
            .repeated(client, family, scope.as_ref())
            .unwrap_or_else(|| self.new_access_token(client, family, scope.as_ref()));
        let settings = &self.settings;
        let mut members = vec![
            ("access_token", Some(json!(token).to_string())),
            ("token_type", Some("\"Bearer\"".to_owned())),
            ("expires_in", settings.expires_in.json(left)),
            ("refresh_token", refresh_token.map(|token| json!(token).to_string())),
            ("scope", scope.map(|scope| json!(scope).to_string())),
        ];
        members.retain(|(name, _)| !settings.members.contains_key(*name));
        members.extend(settings.members.iter().map(|(name, json)| (name.as_str(), json.clone())));
        let written: Vec<String> =
            members.into_iter().filter_map(|(name, json)| Some(format!("{}:{}", json!(name), json?))).collect();
        format!("{{{}}}", written.join(","))
    }

    fn repeated(&self, client: &str, family: Option<FamilyId>, scope: Option<&String>) -> Option<(String, Duration)> {
        if !self.settings.repeat_access_token {
            return None;
        }
        let last = match family {
            Some(family) => self.tokens.last_access_token(family)?,
            None => self.last.get(&(client.to_owned(), scope.cloned()))?,
        };
        let now = self.now();
        let expires = self.tokens.unexpired(last, now)?.expires;
        let left = expires.map_or(Duration::MAX, |expires| expires.saturating_duration_since(now));
        Some((last.to_owned(), left))
    }

    fn new_access_token(
        &mut self,
        client: &str,
        family: Option<FamilyId>,
        scope: Option<&String>,
    ) -> (String, Duration) {
        let settings = &mut self.settings;
        let lifetime = settings.lifetime;
        let token = settings.next_access_tokens.pop_front();
        let token = token.unwrap_or_else(|| random_token("at", settings.token_length));
        let now = self.now();
        let times = (now, now.checked_add(lifetime));
        self.tokens.add_access(&token, client, family, scope.cloned(), times);
        if family.is_none() {
            self.last.insert((client.to_owned(), scope.cloned()), token.clone());
        }
        (token, lifetime)
    }
}

fn invalid_request(description: impl Into<String>) -> Refusal {
    Refusal::bad_request("invalid_request", description)
}

fn is_within(asked: &str, granted: &str) -> bool {
    asked.split(' ').all(|scope| granted.split(' ').any(|it| it == scope))
}

fn random_token(prefix: &str, length: usize) -> String {
    let letters = length.saturating_sub(prefix.len() + 1).max(32);
    let random: String = repeat_with(fastrand::alphanumeric).take(letters).collect();
    format!("{prefix}_{random}")
}
