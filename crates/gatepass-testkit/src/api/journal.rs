use std::{
    collections::{HashSet, hash_map::RandomState},
    fmt,
    hash::BuildHasher,
    time::Instant,
};

use http::{HeaderMap, Method};

use crate::journal::Statuses;

/// A call to the API, as it arrived, and how it was answered.
///
/// Its `Debug` does not show the token; the fields do.
#[derive(Clone)]
#[non_exhaustive]
pub struct ApiCall {
    /// When it had arrived.
    pub at: Instant,
    /// The method.
    pub method: Method,
    /// Path and query, as sent.
    pub uri: String,
    /// The headers, `Authorization` included.
    pub headers: HeaderMap,
    /// The bearer token it carried, good or not.
    pub token: Option<String>,
    /// How many bytes of body it carried.
    pub body_length: usize,
    /// The status of the answer, `None` when the connection was dropped instead.
    pub status: Option<u16>,
}

impl fmt::Debug for ApiCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiCall")
            .field("method", &self.method)
            .field("uri", &self.uri)
            .field("has_token", &self.token.is_some())
            .field("body_length", &self.body_length)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// What is counted of every call, however few of them the journal keeps.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) statuses: Statuses,
    /// Hashes: a run of a day sees many tokens.
    tokens: HashSet<u64>,
    hasher: RandomState,
}

impl Tally {
    pub(super) fn count(&mut self, status: Option<u16>, token: Option<&str>) {
        self.statuses.count(status);
        if let Some(token) = token {
            self.tokens.insert(self.hasher.hash_one(token));
        }
    }

    pub(super) fn distinct_tokens(&self) -> usize {
        self.tokens.len()
    }
}
