//! Who signs in, and what is known about them. No I/O.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use super::{grants::Book, issue::random_token};

/// The sign-in of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SignIn {
    pub(super) sub: String,
    pub(super) sid: String,
    /// In seconds since 1970.
    pub(super) auth_time: u64,
}

impl Book {
    /// A sign-in that takes place now: of this person, or else of who the test said.
    pub(super) fn sign_in_of(&self, login: Option<&str>) -> SignIn {
        SignIn {
            sub: login.unwrap_or(&self.settings.open_id.login).to_owned(),
            sid: random_token("sid", 0),
            auth_time: wall_clock(),
        }
    }
}

/// The claims about a person that a scope asks for (OpenID Connect Core, 5.4).
pub(super) fn claims_of_scope(sub: &str, scope: Option<&str>) -> Map<String, Value> {
    claims(sub, has(scope, "profile"), has(scope, "email"))
}

/// All that is known about a person.
pub(super) fn all_claims(sub: &str) -> Map<String, Value> {
    claims(sub, true, true)
}

/// Whether a scope is among those of a list.
pub(super) fn has(scope: Option<&str>, wanted: &str) -> bool {
    scope.is_some_and(|scope| scope.split(' ').any(|it| it == wanted))
}

/// In seconds since 1970, however far the server's clock was advanced: the client's was not, and would show that the
/// token comes from the future.
pub(super) fn wall_clock() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn claims(sub: &str, profile: bool, email: bool) -> Map<String, Value> {
    let mut claims = Map::from_iter([("sub".to_owned(), json!(sub))]);
    if profile {
        claims.insert("name".to_owned(), json!(name(sub)));
        claims.insert("preferred_username".to_owned(), json!(sub));
    }
    if email {
        let address = if sub.contains('@') { sub.to_owned() } else { format!("{sub}@example.com") };
        claims.insert("email".to_owned(), json!(address));
        claims.insert("email_verified".to_owned(), json!(true));
    }
    claims
}

/// `ann` and `ann@example.com` are both called Ann.
fn name(sub: &str) -> String {
    let mut letters = sub.split('@').next().unwrap_or_default().chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oidc_core_5_4_a_scope_asks_for_claims() {
        let names = |scope| claims_of_scope("ann", scope).keys().cloned().collect::<Vec<_>>().join(" ");
        assert_eq!(names(None), "sub");
        assert_eq!(names(Some("openid emails")), "sub");
        assert_eq!(names(Some("openid profile")), "name preferred_username sub");
        assert_eq!(names(Some("email openid")), "email email_verified sub");
    }

    #[test]
    fn a_person_has_a_name_and_an_address_of_their_own() {
        for (sub, email) in [("ann", "ann@example.com"), ("ann@example.org", "ann@example.org")] {
            let claims = all_claims(sub);
            assert_eq!((&claims["name"], &claims["preferred_username"]), (&json!("Ann"), &json!(sub)));
            assert_eq!(claims["email"], email);
        }
        assert_eq!(all_claims("@")["name"], "");
    }
}
