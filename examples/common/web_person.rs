//! Who makes a request, for pages that are there for everybody, and how their token stands.

use std::time::Duration;

use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use gatepass::{Error, cell::State};
use gatepass_axum::{OnBehalf, Rejection, User};
use http::request::Parts;
use serde_json::{Value, json};

use super::web_api::in_words;

/// Who makes a request, if anybody is signed in.
pub struct Visitor(pub Option<(User, Calls)>);

/// Whether APIs can be called for them.
pub enum Calls {
    As(OnBehalf),
    /// The provider ended what they had given: they have to sign in again.
    Ended,
    /// No token can be had at the moment, with the answer that says so to scripts.
    NotNow(Response),
}

/// A person who is signed in is shown as that, whether or not they have a token now.
impl<S: Sync> FromRequestParts<S> for Visitor {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Rejection> {
        let user = <User as OptionalFromRequestParts<S>>::from_request_parts(parts, state).await?;
        let Some(user) = user else { return Ok(Self(None)) };
        let calls = match <OnBehalf as FromRequestParts<S>>::from_request_parts(parts, state).await {
            Ok(person) => Calls::As(person),
            Err(rejection) if rejection.sign_in_needed().is_some() => Calls::Ended,
            Err(rejection) => Calls::NotNow(rejection.into_response()),
        };
        Ok(Self(Some((user, calls))))
    }
}

/// How a person's token stands. No secret is in it.
pub struct TokenFacts {
    generation: u64,
    state: &'static str,
    age: Option<Duration>,
    ends_in: Option<Duration>,
    is_renewable: bool,
    scopes: Option<String>,
    failed: bool,
}

impl TokenFacts {
    /// # Errors
    /// Of the stores.
    pub async fn of(person: &OnBehalf) -> Result<Self, Error> {
        let (cell, status) = (person.cell(), person.cell().status());
        let set = cell.token_set().await?;
        let lifetime = set.as_ref().and_then(gatepass::TokenSet::lifetime);
        Ok(Self {
            generation: status.generation,
            state: match status.state {
                State::Fresh => "fresh",
                State::Due => "about to be renewed",
                _ => "none",
            },
            age: lifetime.zip(status.remaining).map(|(lifetime, left)| lifetime.saturating_sub(left)),
            ends_in: status.remaining,
            is_renewable: set.as_ref().is_some_and(|set| set.refresh_token.is_some()),
            scopes: set.and_then(|set| set.scope).map(|scopes| scopes.to_string()),
            failed: status.last_error.is_some(),
        })
    }

    pub fn rows(&self) -> Vec<(&'static str, String)> {
        let renewal = match (self.is_renewable, self.failed) {
            (true, false) => "by itself, when it is due",
            (true, true) => "the last one failed; it is tried again",
            (false, _) => "cannot be renewed: the provider gave no refresh token",
        };
        vec![
            ("Token", self.state.to_owned()),
            ("Generation", self.generation.to_string()),
            (
                "Age",
                self.age.map_or_else(|| "not known: the provider does not say how long it lives".to_owned(), in_words),
            ),
            ("Ends in", self.ends_in.map_or_else(|| "not said by the provider".to_owned(), in_words)),
            ("Renewal", renewal.to_owned()),
            ("Scopes", self.scopes.clone().unwrap_or_else(|| "as asked for".to_owned())),
        ]
    }

    pub fn json(&self) -> Value {
        json!({
            "state": self.state,
            "generation": self.generation,
            "age": self.age.map(|age| age.as_secs()),
            "ends_in": self.ends_in.map(|left| left.as_secs()),
            "renewable": self.is_renewable,
            "last_renewal_failed": self.failed,
            "scope": self.scopes,
        })
    }
}
