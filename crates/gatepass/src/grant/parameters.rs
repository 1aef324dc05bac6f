//! What may be asked for with any grant.

use http::Uri;

use super::Form;
use crate::{error::Error, secret::Secret, store::fingerprint, token::TokenSet};

/// Scopes, audience, resource and whatever else a server wants to know.
#[derive(Clone, Debug, Default)]
pub(super) struct Parameters {
    scopes: Vec<String>,
    audiences: Vec<String>,
    resources: Vec<String>,
    /// Some servers want passwords here.
    others: Vec<(String, Secret)>,
}

/// What the grants and the client's authentication send themselves.
const TAKEN: [&str; 24] = [
    "grant_type",
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "refresh_token",
    "scope",
    "resource",
    "code",
    "code_verifier",
    "code_challenge",
    "code_challenge_method",
    "redirect_uri",
    "response_type",
    "request_uri",
    "state",
    "nonce",
    "device_code",
    "assertion",
    "subject_token",
    "subject_token_type",
    "actor_token",
    "actor_token_type",
    "requested_token_type",
];

impl Parameters {
    pub(super) fn add_scope(&mut self, scope: &str) {
        for scope in scope.split_ascii_whitespace() {
            if !self.scopes.iter().any(|known| known == scope) {
                self.scopes.push(scope.to_owned());
            }
        }
    }

    pub(super) fn add_audience(&mut self, audience: String) {
        self.audiences.push(audience);
    }

    pub(super) fn add_resource(&mut self, resource: String) {
        self.resources.push(resource);
    }

    pub(super) fn add_other(&mut self, name: String, value: Secret) {
        self.others.push((name, value));
    }

    /// The scopes that are asked for, joined; `None` when the server decides.
    pub(super) fn scope(&self) -> Option<String> {
        (!self.scopes.is_empty()).then(|| self.scopes.join(" "))
    }

    /// An answer that names no scopes grants those that were asked for (RFC 6749 section 5.1).
    pub(super) fn granted(&self, mut answer: TokenSet) -> TokenSet {
        answer.scope = answer.scope.or_else(|| self.scope().map(Into::into));
        answer
    }

    /// Whether this scope is asked for.
    pub(super) fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|known| known == scope)
    }

    /// Scopes, audiences and resources.
    pub(super) fn without_others(&self) -> Self {
        Self { others: Vec::new(), ..self.clone() }
    }

    /// The one resource that is asked for, if it is one.
    pub(super) fn only_resource(&self) -> Option<&str> {
        match &*self.resources {
            [resource] => Some(resource),
            _ => None,
        }
    }

    pub(super) fn fill(&self, form: &mut Form) {
        self.fill_separated(form, ' ');
    }

    /// The same for a server that has its own idea of what stands between two scopes.
    pub(super) fn fill_separated(&self, form: &mut Form, separator: char) {
        form.push("scope", self.scopes.join(separator.encode_utf8(&mut [0; 4])));
        for audience in &self.audiences {
            form.push("audience", audience.as_str());
        }
        for resource in &self.resources {
            form.push("resource", resource.as_str());
        }
        for (name, value) in &self.others {
            form.push(name.clone(), value.clone());
        }
    }

    /// The same for the same parameters in another order; a hash, since some of them are secret.
    pub(super) fn variant(&self) -> String {
        let mut sorted = self.clone();
        sorted.scopes.sort();
        sorted.audiences.sort();
        sorted.resources.sort();
        sorted.others.sort_by(|(one, _), (other, _)| one.cmp(other));
        let mut form = Form::default();
        sorted.fill(&mut form);
        let text = form.encode();
        if text.is_empty() { String::new() } else { fingerprint(text.expose().as_bytes()) }
    }

    /// No parameter twice (6749-5); resources are absolute and have no fragment (8707-1).
    pub(super) fn check(&self) -> Result<(), Error> {
        for (at, (name, _)) in self.others.iter().enumerate() {
            if name.is_empty() || TAKEN.contains(&name.as_str()) {
                return Err(Error::misconfigured(format!("the parameter `{name}` is set by gatepass: leave it out")));
            }
            if self.others[..at].iter().any(|(earlier, _)| earlier == name)
                || (name == "audience" && !self.audiences.is_empty())
            {
                return Err(Error::misconfigured(format!("the parameter `{name}` is given twice: give it once")));
            }
        }
        // RFC 6749 section 3.3.
        let is_scope = |scope: &str| scope.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\".contains(&byte));
        if let Some(scope) = self.scopes.iter().find(|scope| !is_scope(scope)) {
            let scope = crate::error::printable(scope, 100);
            return Err(Error::misconfigured(format!(
                "`{scope}` is no scope: scopes are ASCII without quotes and backslashes, separated by spaces (RFC 6749)"
            )));
        }
        for resource in &self.resources {
            let absolute = resource.split_once(':').is_some_and(|(scheme, rest)| is_scheme(scheme) && !rest.is_empty());
            let http = resource.starts_with("http:") || resource.starts_with("https:");
            let parsed = !http || resource.parse::<Uri>().is_ok_and(|uri| uri.host().is_some());
            if !absolute || !parsed || resource.contains('#') {
                return Err(Error::misconfigured(format!(
                    "the resource `{resource}` has to be an absolute URI without a fragment (RFC 8707)"
                )));
            }
        }
        Ok(())
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

/// The setters that the grants have in common.
macro_rules! parameter_setters {
    () => {
        /// Asks for one scope, or several separated by spaces. May be called again.
        pub fn scope(mut self, scope: impl AsRef<str>) -> Self {
            self.parameters.add_scope(scope.as_ref());
            self
        }

        /// Asks for a token for this audience, where the server knows the parameter (RFC 8693 section 2.1, Auth0).
        pub fn audience(mut self, audience: impl Into<String>) -> Self {
            self.parameters.add_audience(audience.into());
            self
        }

        /// Asks for a token for this resource, an absolute URI (RFC 8707).
        pub fn resource(mut self, resource: impl Into<String>) -> Self {
            self.parameters.add_resource(resource.into());
            self
        }

        /// Any other parameter the server wants. Its value is not shown.
        pub fn parameter(mut self, name: impl Into<String>, value: impl Into<$crate::Secret>) -> Self {
            self.parameters.add_other(name.into(), value.into());
            self
        }
    };
}
pub(super) use parameter_setters;
