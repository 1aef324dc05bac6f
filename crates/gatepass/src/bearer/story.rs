use std::time::Duration;

use crate::{cell::TokenCell, token::Token};

/// In the extensions of a response: how its request came by its token, and what it waited for. Only where it was asked
/// for, by [`BearerLayer::stories`](super::BearerLayer::stories).
///
/// It is of the request with all its attempts, as far as a [`RetryPolicy`](crate::RetryPolicy) above sent it again. Of
/// one that got no response the layer's story has that it was sent, not what it waited for before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Story {
    /// The [generation](Token::generation) of the token that went with it last.
    pub generation: u64,
    /// For how long that token had been there.
    pub age: Duration,
    /// How often it was sent.
    pub attempts: u32,
    /// For how long it waited for tokens.
    pub waited_for_token: Duration,
    /// For how long it waited at the [gate](crate::gate).
    pub waited_at_gate: Duration,
    /// For how long it waited to be sent again, otherwise than at the gate.
    pub waited_to_retry: Duration,
}

impl Story {
    /// It is sent, with this token. For adapters to other HTTP stacks.
    pub fn sent(&mut self, cell: &TokenCell, token: &Token) {
        self.generation = token.generation();
        self.age = cell.age_of(token);
        self.attempts = self.attempts.saturating_add(1);
    }
}
