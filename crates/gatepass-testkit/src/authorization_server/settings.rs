use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    time::Duration,
};

use super::{discovery::Metadata, expires_in::ExpiresIn};

/// What becomes of a refresh token that is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Rotation {
    /// It is superseded: the answer carries another one.
    #[default]
    Rotate,
    /// It stays good, and the answer repeats it.
    Repeat,
    /// It stays good, and the answer does not mention it.
    Omit,
    /// It stays good, and the answer carries an empty string.
    Empty,
}

/// Everything a test may set; see the setters for what each does.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) lifetime: Duration,
    pub(super) expires_in: ExpiresIn,
    pub(super) rotation: Rotation,
    pub(super) detect_reuse: bool,
    pub(super) reuse_grace: Duration,
    pub(super) refresh_retires_access_token: bool,
    pub(super) repeat_access_token: bool,
    pub(super) refresh_token_for_every_grant: bool,
    pub(super) token_length: usize,
    pub(super) next_access_tokens: VecDeque<String>,
    pub(super) members: BTreeMap<String, Option<String>>,
    pub(super) granted_scope: Option<String>,
    pub(super) more_grants: HashSet<String>,
    pub(super) decode_basic: bool,
    pub(super) oauth_metadata: Metadata,
    pub(super) openid_configuration: Metadata,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lifetime: Duration::from_secs(3600),
            expires_in: ExpiresIn::default(),
            rotation: Rotation::default(),
            detect_reuse: true,
            reuse_grace: Duration::ZERO,
            refresh_retires_access_token: false,
            repeat_access_token: false,
            refresh_token_for_every_grant: false,
            token_length: 0,
            next_access_tokens: VecDeque::new(),
            members: BTreeMap::new(),
            granted_scope: None,
            more_grants: HashSet::new(),
            decode_basic: true,
            oauth_metadata: Metadata::default(),
            openid_configuration: Metadata::default(),
        }
    }
}
