//! Assertions (RFC 7521, RFC 7523): their claims are checked, their signatures are not. No I/O.

use std::time::{Duration, Instant};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::header;
use serde_json::{Map, Value};

use super::{
    clients::Client,
    expiring::Expiring,
    form::{Posted, Refusal},
    grants::Book,
    issue::{Issue, Issued},
};

pub(super) const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const CLIENT_ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The ids of the assertions that were used and have not yet expired.
#[derive(Debug, Default)]
pub(super) struct UsedAssertions(Expiring<()>);

impl Book {
    /// A client that proves itself with `private_key_jwt` or `client_secret_jwt`.
    pub(super) fn asserted_client(&mut self, posted: Posted<'_>, jwt: &str) -> Result<Client, Refusal> {
        if posted.headers.contains_key(header::AUTHORIZATION) || posted.form.get("client_secret").is_some() {
            return Err(Refusal::invalid_request("two ways to prove one client"));
        }
        let refused = |why: &str| Refusal::invalid_client(why, false);
        if posted.form.get("client_assertion_type") != Some(CLIENT_ASSERTION) {
            return Err(refused("an unknown client_assertion_type"));
        }
        let claims = Claims::read(jwt).ok_or_else(|| refused("the assertion is not a signed JWT"))?;
        let id = claims.text("sub").ok_or_else(|| refused("the assertion has no sub"))?;
        if claims.text("iss") != Some(id) || posted.form.get("client_id").is_some_and(|named| named != id) {
            return Err(refused("iss, sub and client_id are not the same client"));
        }
        if self.clients.is_public(id) != Some(false) {
            return Err(refused("unknown, or a public client"));
        }
        if claims.text("jti").is_none() {
            return Err(refused("the assertion has no jti"));
        }
        self.accept(&claims, posted.path).map_err(refused)?;
        Ok(Client { id: id.to_owned(), is_public: false })
    }

    /// The grant of RFC 7523, 2.1. The client need not say who it is (3.1): then it is the issuer of the assertion.
    pub(super) fn jwt_bearer(&mut self, posted: Posted<'_>) -> Result<Issued, Refusal> {
        let claims = Claims::read(posted.form.required("assertion")?);
        let claims = claims.ok_or_else(|| Refusal::invalid_grant("the assertion is not a signed JWT"))?;
        let issuer = claims.text("iss").ok_or_else(|| Refusal::invalid_grant("the assertion has no iss"))?;
        if claims.text("sub").is_none() {
            return Err(Refusal::invalid_grant("the assertion has no sub"));
        }
        let names_client = posted.headers.contains_key(header::AUTHORIZATION)
            || ["client_id", "client_assertion"].iter().any(|name| posted.form.get(name).is_some());
        let client = if names_client { self.client(posted)?.id } else { issuer.to_owned() };
        self.accept(&claims, posted.path).map_err(Refusal::invalid_grant)?;
        let scope = self.granted(posted.form.get("scope"));
        Ok(self.issue(&Issue { scope, stands_alone: true, ..Issue::bearer(&client) }))
    }

    /// Whether the assertion is for this server, now, and for the first time.
    fn accept(&mut self, claims: &Claims, path: &str) -> Result<(), &'static str> {
        let audiences = [self.address.issuer(), self.address.token_url(), self.address.url(path)];
        if !claims.audiences().any(|audience| audiences.iter().any(|it| it == audience)) {
            return Err("the assertion has another aud");
        }
        let left = claims.number("exp").ok_or("the assertion has no exp")? - self.seconds_since_1970();
        if left.is_nan() || left <= 0.0 {
            return Err("the assertion has expired");
        }
        let now = self.now();
        let left = Duration::try_from_secs_f64(left).ok();
        let expires = left.and_then(|left| now.checked_add(left));
        self.used_assertions.add(claims, (now, expires))
    }
}

impl UsedAssertions {
    fn add(&mut self, claims: &Claims, (now, expires): (Instant, Option<Instant>)) -> Result<(), &'static str> {
        let Some(id) = claims.text("jti") else { return Ok(()) };
        let key = format!("{} {id}", claims.text("iss").unwrap_or_default());
        if self.0.get_mut(&key, now).is_some() {
            return Err("the assertion was used before");
        }
        self.0.insert(key, (), (now, expires));
        Ok(())
    }
}

/// The claims of a JWT whose signature nobody looked at.
pub(super) struct Claims(Map<String, Value>);

impl Claims {
    /// `None` unless there are three parts, the algorithm is not `none`, and header and claims are objects.
    pub(super) fn read(jwt: &str) -> Option<Self> {
        let parts: Vec<&str> = jwt.split('.').collect();
        let [header, claims, signature] = parts[..] else { return None };
        let algorithm = object(header)?;
        let is_signed = !signature.is_empty() && algorithm.get("alg")?.as_str()? != "none";
        is_signed.then(|| object(claims).map(Self)).flatten()
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    fn number(&self, name: &str) -> Option<f64> {
        self.0.get(name)?.as_f64()
    }

    /// `aud`: one, or a list.
    pub(super) fn audiences(&self) -> impl Iterator<Item = &str> {
        let value = self.0.get("aud");
        let list = value.and_then(Value::as_array).map(Vec::as_slice);
        list.unwrap_or_else(|| value.map(std::slice::from_ref).unwrap_or_default()).iter().filter_map(Value::as_str)
    }
}

fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(header: &str, claims: &str) -> String {
        format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn the_claims_of_what_looks_signed_are_read() {
        let claims = Claims::read(&jwt(r#"{"alg":"ES256"}"#, r#"{"iss":"a","aud":["b","c"],"exp":1.5}"#)).unwrap();
        assert_eq!((claims.text("iss"), claims.text("sub"), claims.number("exp")), (Some("a"), None, Some(1.5)));
        assert_eq!(claims.audiences().collect::<Vec<_>>(), ["b", "c"]);
        let claims = Claims::read(&jwt(r#"{"alg":"ES256"}"#, r#"{"aud":"b"}"#)).unwrap();
        assert_eq!(claims.audiences().collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn what_does_not_look_signed_is_not_read() {
        let unsigned = jwt(r#"{"alg":"none"}"#, "{}");
        let signed = jwt(r#"{"alg":"RS256"}"#, "{}");
        assert!(Claims::read(&signed).is_some());
        let without_signature = signed.trim_end_matches("c2ln");
        for text in [&unsigned, without_signature, &jwt("{}", "{}"), &jwt("1", "{}"), "", "..", "a.b.c", "a.b.c.d"] {
            assert!(Claims::read(text).is_none(), "{text}");
        }
    }
}
