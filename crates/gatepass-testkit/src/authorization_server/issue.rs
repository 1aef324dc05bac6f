//! The tokens that are issued, and the JSON that says so. No I/O.

use std::{iter::repeat_with, time::Duration};

use serde_json::json;

use super::{expires_in::ExpiresIn, grants::Book, id_token::Unsigned, tokens::FamilyId};

/// What is to be issued.
pub(super) struct Issue<'a> {
    pub(super) client: &'a str,
    pub(super) family: Option<FamilyId>,
    pub(super) scope: Option<String>,
    pub(super) refresh_token: Option<&'a str>,
    pub(super) token_type: Option<&'a str>,
    pub(super) issued_token_type: Option<&'a str>,
    /// In place of how the settings write it.
    pub(super) expires_in: Option<ExpiresIn>,
    /// Whether it is always a new one, which no later answer repeats: its subject may be another one each time.
    pub(super) stands_alone: bool,
    pub(super) occasion: Occasion<'a>,
}

/// On which occasion it is issued: it decides whether there is an ID token.
#[derive(Debug, Clone, Copy)]
pub(super) enum Occasion<'a> {
    SignIn { nonce: Option<&'a str> },
    Refresh,
    Other,
}

/// What was issued, but for the signature of the ID token.
pub(super) struct Issued {
    /// As they are written.
    members: Vec<String>,
    id_token: Option<Unsigned>,
}

impl Issued {
    /// The JSON of the answer. It calls the test's code, and so wants no lock held.
    pub(super) fn written(self) -> String {
        let mut members = self.members;
        members.extend(self.id_token.map(|it| format!("\"id_token\":{}", json!(it.signed()))));
        format!("{{{}}}", members.join(","))
    }
}

impl<'a> Issue<'a> {
    pub(super) fn bearer(client: &'a str) -> Self {
        Self {
            client,
            family: None,
            scope: None,
            refresh_token: None,
            token_type: Some("Bearer"),
            issued_token_type: None,
            expires_in: None,
            stands_alone: false,
            occasion: Occasion::Other,
        }
    }
}

impl Book {
    /// Issues an access token, or repeats one, with the others that go with it.
    pub(super) fn issue(&mut self, it: &Issue<'_>) -> Issued {
        self.issued += 1;
        let (token, left) = self.repeated(it).unwrap_or_else(|| self.new_access_token(it));
        let settings = &self.settings;
        let text = |text: &str| json!(text).to_string();
        let mut members = vec![
            ("access_token", Some(text(&token))),
            ("token_type", it.token_type.map(text)),
            ("issued_token_type", it.issued_token_type.map(text)),
            ("expires_in", it.expires_in.as_ref().unwrap_or(&settings.expires_in).json(left)),
            ("refresh_token", it.refresh_token.map(text)),
            ("scope", it.scope.as_deref().map(text)),
        ];
        members.retain(|(name, _)| !settings.members.contains_key(*name));
        members.extend(settings.members.iter().map(|(name, json)| (name.as_str(), json.clone())));
        let members =
            members.into_iter().filter_map(|(name, json)| Some(format!("{}:{}", json!(name), json?))).collect();
        let is_replaced = settings.members.contains_key("id_token");
        Issued { members, id_token: self.id_token(it, &token).filter(|_| !is_replaced) }
    }

    pub(super) fn new_refresh_token(&mut self, family: FamilyId) -> String {
        let token = random_token("rt", self.settings.token_length);
        self.tokens.add_refresh(token.clone(), family);
        token
    }

    fn repeated(&self, it: &Issue<'_>) -> Option<(String, Duration)> {
        if !self.settings.repeat_access_token || it.stands_alone {
            return None;
        }
        let last = match it.family {
            Some(family) => self.tokens.last_access_token(family)?,
            None => self.last.get(&(it.client.to_owned(), it.scope.clone()))?,
        };
        let now = self.now();
        let expires = self.tokens.unexpired(last, now)?.expires;
        let left = expires.map_or(Duration::MAX, |expires| expires.saturating_duration_since(now));
        Some((last.to_owned(), left))
    }

    fn new_access_token(&mut self, it: &Issue<'_>) -> (String, Duration) {
        let settings = &mut self.settings;
        let lifetime = settings.lifetime;
        let token = settings.next_access_tokens.pop_front();
        let token = token.unwrap_or_else(|| random_token("at", settings.token_length));
        let now = self.now();
        let times = (now, now.checked_add(lifetime));
        self.tokens.add_access(&token, it.client, it.family, it.scope.clone(), times);
        match it.family {
            _ if it.stands_alone => {}
            Some(family) => self.tokens.is_last_of(family, &token),
            None => drop(self.last.insert((it.client.to_owned(), it.scope.clone()), token.clone())),
        }
        (token, lifetime)
    }
}

pub(super) fn random_token(prefix: &str, length: usize) -> String {
    let letters = length.saturating_sub(prefix.len() + 1).max(32);
    let random: String = repeat_with(fastrand::alphanumeric).take(letters).collect();
    format!("{prefix}_{random}")
}
