//! The metrics, as data. `docs/observability.md` has the same table for people.

/// One metric.
#[derive(Debug)]
#[cfg_attr(not(feature = "metrics"), expect(dead_code, reason = "read by the recorder"))]
pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) labels: &'static [&'static str],
    pub(super) help: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    /// How many, now.
    Gauge,
    /// A moment, in seconds since 1970.
    Timestamp,
    /// Of seconds.
    Histogram,
}

macro_rules! metrics {
    ($($id:ident: $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(pub(super) static $id: Metric =
            Metric { name: $name, kind: Kind::$kind, labels: &[$($label),*], help: $help };)*

        #[cfg(feature = "metrics")]
        pub(super) static ALL: &[&Metric] = &[$(&$id),*];
    };
}

metrics! {
    EXCHANGES: Counter "gatepass_exchanges_total" ["cell", "reason", "outcome"]
        "Exchanges of a cell that ended, by why they ran and what they brought.";
    EXCHANGE_DURATION: Histogram "gatepass_exchange_duration_seconds" ["cell", "outcome"]
        "How long exchanges took, the store included.";
    TOKEN_EXPIRY: Timestamp "gatepass_token_expiry_timestamp_seconds" ["cell"]
        "When the token that was issued last ends; +Inf if that is not known, NaN after a sign-out.";
    CALLERS_WAITING: Gauge "gatepass_callers_waiting" ["cell"]
        "Callers that wait for an exchange now.";
    WAIT_DURATION: Histogram "gatepass_wait_duration_seconds" ["cell", "outcome"]
        "How long callers waited for an exchange.";
    STALE_SERVED: Counter "gatepass_stale_served_total" ["cell"]
        "Tokens used though their renewal failed or is late.";
    TURNED_AWAY: Counter "gatepass_turned_away_total" ["cell", "outcome"]
        "Callers without a token that got the remembered error at once.";
    REJECTIONS: Counter "gatepass_rejections_total" ["cell", "outcome"]
        "Tokens that a server refused.";
    REPLAYS: Counter "gatepass_replays_total" []
        "Requests sent again with another token after a refusal.";
    IN_DOUBT: Counter "gatepass_in_doubt_total" ["cell"]
        "Refresh tokens that were presented and got no answer.";
    STORE_CONFLICTS: Counter "gatepass_store_conflicts_total" ["cell"]
        "Writes to the store that found the record changed meanwhile.";
    AT_RISK: Gauge "gatepass_tokens_at_risk" ["cell"]
        "Token sets that are not in the store now, though they should be.";
    PUT_AT_RISK: Counter "gatepass_tokens_put_at_risk_total" ["cell"]
        "Token sets that could not be stored at once.";
    RETRY_WAIT: Histogram "gatepass_retry_wait_seconds" ["status"]
        "How long requests wait before they are sent again.";
    GATE_WAIT: Histogram "gatepass_gate_wait_seconds" ["cell"]
        "How long requests were held back because a sibling was told to wait.";
    GATE_CLOSED: Counter "gatepass_gate_closed_total" ["cell"]
        "Answers that closed the gate to the siblings of the request.";
    GATE_REFUSED: Counter "gatepass_gate_refused_total" ["cell"]
        "Requests refused because they would have been held back for too long.";
}
