use std::time::Duration;

/// What may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scene {
    /// Nobody has a token, and everybody comes at once.
    Cold,
    /// The token has ended when everybody comes at once. Then, apart, calls at a steady rate across an expiry.
    Expiry,
    /// Every token was revoked; callers arrive over 100 ms.
    Revoked,
    /// The same again at once: the second revocation in a row.
    RevokedAgain,
    /// The first caller, who started the exchange, is dropped after 10 ms.
    FirstDropped,
    /// The token endpoint takes 200 ms, and callers give up after 150 ms. They come in waves until it has answered.
    Impatient,
    /// The token endpoint answers 503 for a while, and the token ends before it is back.
    Outage,
    /// Calls at a steady rate while tokens are renewed that have not ended yet, by an endpoint that takes 500 ms.
    Advisory,
}

impl Scene {
    pub const ALL: [Self; 8] = [
        Self::Cold,
        Self::Expiry,
        Self::Revoked,
        Self::RevokedAgain,
        Self::FirstDropped,
        Self::Impatient,
        Self::Outage,
        Self::Advisory,
    ];

    /// One word, for machines and for `--scene`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::Expiry => "expiry",
            Self::Revoked => "revoked",
            Self::RevokedAgain => "again",
            Self::FirstDropped => "dropped",
            Self::Impatient => "impatient",
            Self::Outage => "outage",
            Self::Advisory => "advisory",
        }
    }

    /// For people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Cold => "cold start",
            Self::Expiry => "expired",
            Self::Revoked => "revoked",
            Self::RevokedAgain => "revoked again at once",
            Self::FirstDropped => "first caller dropped",
            Self::Impatient => "impatient callers",
            Self::Outage => "endpoint down",
            Self::Advisory => "renewed in time",
        }
    }
}

/// How much is asked for. Times are whole seconds where a token is to live for them.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// How many callers a crowd has.
    pub callers: usize,
    /// How many connections to the API there may be.
    pub connections: usize,
    /// How long the token endpoint is down.
    pub outage: Duration,
    /// For how long of that the token lives.
    pub token_lives: Duration,
    /// Calls a second during the outage.
    pub outage_rate: u32,
    /// How long calls go on at a steady rate in the scene that renews in time.
    pub steady: Duration,
}

impl Effort {
    /// About a minute for all scenes.
    pub fn full() -> Self {
        Self {
            callers: 10_000,
            connections: 200,
            outage: Duration::from_secs(30),
            token_lives: Duration::from_secs(20),
            outage_rate: 100,
            steady: Duration::from_secs(12),
        }
    }

    /// A first impression.
    pub fn quick() -> Self {
        Self {
            callers: 2_000,
            outage: Duration::from_secs(6),
            token_lives: Duration::from_secs(3),
            steady: Duration::from_secs(5),
            ..Self::full()
        }
    }

    /// Just that it runs.
    pub fn tiny() -> Self {
        Self {
            callers: 50,
            outage: Duration::from_secs(2),
            token_lives: Duration::from_secs(1),
            steady: Duration::from_secs(3),
            ..Self::full()
        }
    }
}
