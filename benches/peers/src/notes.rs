//! What has to be said about a figure, or about why there is none.

use crate::scenes::Scene;

/// By letter.
pub(crate) const NOTES: [(char, &str); 12] = [
    ('a', "keeps no tokens that could run out"),
    ('b', "hands a 401 to its caller"),
    ('c', "waits for its first token while it is built, so it never comes without one"),
    ('d', "refreshes 2 s before the end here; by default 30 min, and at most every 10 s"),
    ('e', "renews 1 s before the end here; by default 30 s, or at half of the lifetime"),
    (
        'f',
        "refreshes after half of the lifetime here, without jitter; by default after three quarters and 30 s at the earliest",
    ),
    (
        'g',
        "its requests go to a stand-in on loopback, which asks the token endpoint in its place; a token that lives shorter \
           than 4 min is renewed 10 s after it came, whenever it ends",
    ),
    (
        'h',
        "takes a token for old 5 min before its end; in the scenes tokens live that much longer, except when the endpoint \
           is down",
    ),
    ('i', "takes a token for old 0.5 to 1 s before its end here; by default 5 to 10 s"),
    (
        'j',
        "takes a token for old 1 min before its end, as azure_core 5 min; its requests go to a stand-in; after a \
           401 the program calls `force_refreshed_token`",
    ),
    ('k', "under `Retry` in the storms"),
    ('l', "sends nothing again after a 429"),
];

/// Of the row.
pub(crate) fn of(name: &str) -> Option<char> {
    Some(match name {
        "gatepass" => 'k',
        "cf-gears-toolkit-auth" => 'd',
        "huskarl" => 'e',
        "aliri_reqwest" => 'f',
        "google-cloud-auth" => 'g',
        "azure_core" => 'h',
        "aws-smithy-runtime" => 'i',
        "yup-oauth2" => 'j',
        _ => return None,
    })
}

/// Why there is no figure, for one that takes part.
pub(crate) fn left_out(scene: Scene) -> char {
    match scene {
        Scene::Revoked | Scene::RevokedAgain => 'b',
        _ => 'c',
    }
}
