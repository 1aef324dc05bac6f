use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    time::Duration,
};

use serde_json::{Map, Value};

use super::{
    consent::{Consent, Iss},
    discovery::Metadata,
    expires_in::ExpiresIn,
    hook::Hook,
    id_token::IdToken,
    jwks::Jwks,
};

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
    pub(super) sign_in: SignInSettings,
    pub(super) open_id: OpenIdSettings,
}

/// Those of them that are about signing in.
#[derive(Debug)]
pub(super) struct SignInSettings {
    pub(super) consent: Consent,
    pub(super) iss: Iss,
    /// By client.
    pub(super) redirect_uris: HashMap<String, Vec<String>>,
    pub(super) require_pushed: bool,
    pub(super) exchanged_token_type: String,
    pub(super) device_consent: Consent,
    pub(super) device_code_lifetime: Duration,
    /// In seconds.
    pub(super) device_interval: Option<u64>,
    pub(super) enforce_interval: bool,
    pub(super) omit_verification_uri_complete: bool,
    /// The errors for the next polls, each with how many it is for.
    pub(super) next_polls: VecDeque<(usize, &'static str)>,
}

/// Those of them that are about OpenID Connect.
#[derive(Debug)]
pub(super) struct OpenIdSettings {
    /// Who signs in.
    pub(super) login: String,
    pub(super) omit_id_token: bool,
    pub(super) id_token_on_refresh: bool,
    pub(super) edit_id_tokens: Hook<IdToken>,
    pub(super) edit_user_info: Hook<Map<String, Value>>,
    pub(super) jwks: Jwks,
    /// By client.
    pub(super) post_logout_redirect_uris: HashMap<String, Vec<String>>,
}

impl SignInSettings {
    /// The error for the poll that has just arrived, if one was ordered.
    pub(super) fn next_poll(&mut self) -> Option<&'static str> {
        let (times, error) = self.next_polls.front_mut()?;
        let error = *error;
        *times -= 1;
        if *times == 0 {
            self.next_polls.pop_front();
        }
        Some(error)
    }
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
            sign_in: SignInSettings::default(),
            open_id: OpenIdSettings::default(),
        }
    }
}

impl Default for SignInSettings {
    fn default() -> Self {
        Self {
            consent: Consent::Approve,
            iss: Iss::default(),
            redirect_uris: HashMap::new(),
            require_pushed: false,
            exchanged_token_type: "Bearer".to_owned(),
            device_consent: Consent::Ask,
            device_code_lifetime: Duration::from_secs(600),
            device_interval: Some(1),
            enforce_interval: false,
            omit_verification_uri_complete: false,
            next_polls: VecDeque::new(),
        }
    }
}

impl Default for OpenIdSettings {
    fn default() -> Self {
        Self {
            login: "alice".to_owned(),
            omit_id_token: false,
            id_token_on_refresh: true,
            edit_id_tokens: Hook::default(),
            edit_user_info: Hook::default(),
            jwks: Jwks::default(),
            post_logout_redirect_uris: HashMap::new(),
        }
    }
}
