use std::{collections::BTreeMap, fmt, time::Instant};

use http::HeaderMap;

/// A request to the token endpoint, as it arrived, and how it was answered.
///
/// Its `Debug` names the parameters but shows neither tokens nor secrets; the fields hold all of it.
#[derive(Clone)]
#[non_exhaustive]
pub struct TokenRequest {
    /// When it had arrived.
    pub at: Instant,
    /// The part of the URL after the question mark.
    pub query: Option<String>,
    /// The headers, `Authorization` included.
    pub headers: HeaderMap,
    /// The form parameters, in the order in which they came.
    pub form: Vec<(String, String)>,
    /// The client that it named, by Basic or in the form, proved or not.
    pub client_id: Option<String>,
    /// Whether it carried an `Authorization` header.
    pub has_authorization: bool,
    /// Whether a token was issued; that the answer arrived is another matter.
    pub granted: bool,
    /// The status of the answer, `None` when the connection was dropped instead.
    pub status: Option<u16>,
}

impl TokenRequest {
    /// The first value of a form parameter.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// `grant_type`
    pub fn grant_type(&self) -> Option<&str> {
        self.param("grant_type")
    }
}

impl fmt::Debug for TokenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = ["grant_type", "scope", "resource", "audience"];
        let form: BTreeMap<&str, &str> = self
            .form
            .iter()
            .map(|(name, value)| {
                let is_shown = shown.contains(&name.as_str());
                (name.as_str(), if is_shown { value.as_str() } else { "…" })
            })
            .collect();
        f.debug_struct("TokenRequest")
            .field("form", &form)
            .field("client_id", &self.client_id)
            .field("has_authorization", &self.has_authorization)
            .field("granted", &self.granted)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}
