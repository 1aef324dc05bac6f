//! What an authorization server sends back through the browser (RFC 6749 section 4.1.2, RFC 9207). Anybody can send it:
//! nothing of it counts before its state was compared.

use crate::{
    error::{Error, printable},
    secret::Secret,
};

/// A callback's parameters. Unknown ones are ignored (6749-13).
#[derive(Debug, Default)]
pub(super) struct Callback {
    pub(super) code: Option<Secret>,
    pub(super) state: Option<Secret>,
    pub(super) issuer: Option<String>,
    error: Option<String>,
    description: Option<String>,
}

impl Callback {
    /// # Errors
    /// Reauthentication required, when a parameter comes twice: which one counts would be anybody's guess.
    pub(super) fn parse(query: &str) -> Result<Self, Error> {
        let mut callback = Self::default();
        let mut seen = [false; 5];
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let at = match &*name {
                "code" => 0,
                "state" => 1,
                "iss" => 2,
                "error" => 3,
                "error_description" => 4,
                _ => continue,
            };
            if std::mem::replace(&mut seen[at], true) {
                return Err(Error::reauth_required(format!(
                    "the callback has `{name}` twice: it was not used; start the sign-in again"
                )));
            }
            if value.is_empty() {
                continue;
            }
            match at {
                0 => callback.code = Some(Secret::from(value.into_owned())),
                1 => callback.state = Some(Secret::from(value.into_owned())),
                2 => callback.issuer = Some(value.into_owned()),
                3 => callback.error = Some(printable(&value, 300)),
                _ => callback.description = Some(printable(&value, 300)),
            }
        }
        Ok(callback)
    }

    /// The code, or why there is none (section 4.1.2.1).
    pub(super) fn code(self) -> Result<Secret, Error> {
        let Some(error) = self.error else {
            return self.code.ok_or_else(|| {
                Error::reauth_required("the callback brought neither a code nor an error: start the sign-in again")
            });
        };
        let said = match self.description {
            Some(description) => format!("{error}: {description}"),
            None => error.clone(),
        };
        let wrong = |what: &str| Error::misconfigured(format!("{what} ({said})"));
        let failed = match &*error {
            "access_denied" => Error::denied(format!("the sign-in was denied ({said})")),
            "server_error" | "temporarily_unavailable" => Error::transient(format!(
                "the authorization server cannot sign anybody in now: try again later ({said})"
            )),
            "unauthorized_client" | "unsupported_response_type" => {
                wrong("the client may not sign people in this way: allow the authorization code grant at the server")
            }
            "invalid_scope" => wrong("a scope was refused: ask for scopes the client may have"),
            "invalid_target" => wrong("the resource was refused: ask for one the server knows"),
            "invalid_request" | "invalid_request_object" | "request_not_supported" => {
                wrong("the authorization server did not accept the request")
            }
            // login_required, consent_required and others, and what servers make up.
            _ => Error::reauth_required(format!("the sign-in did not succeed: start it again ({said})")),
        };
        Err(failed.with_code(error))
    }
}
