use std::time::{Duration, Instant};

/// The end of a sign-in.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Revocation {
    /// When it ended.
    pub at: Instant,
    /// What ended it.
    pub by: RevokedBy,
}

/// What ended a sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RevokedBy {
    /// A superseded refresh token that came again.
    #[non_exhaustive]
    Reuse {
        /// How long after it was superseded.
        after: Duration,
        /// Whether every answer that superseded it got lost, on command or because the client was gone: then the client
        /// could not know better. An answer that was sent to a client which ended before it read it counts as sent.
        answer_lost: bool,
    },
    /// An authorization code that came again.
    CodeReuse,
    /// The client, at `/revoke` (RFC 7009).
    Client,
    /// The test.
    Test,
}
