//! Who the clients are, and how they prove it (RFC 6749, 2.3).

use std::collections::HashMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, header};

use super::{
    assertion::Claims,
    form::{Form, Refusal},
};

/// The clients by id, with their secret if they have one.
pub(super) struct Clients(HashMap<String, Option<String>>);

/// A client that has proved who it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Client {
    pub(super) id: String,
    pub(super) is_public: bool,
}

impl Default for Clients {
    fn default() -> Self {
        Self(HashMap::from([("client".to_owned(), Some("secret".to_owned()))]))
    }
}

impl Clients {
    pub(super) fn add(&mut self, id: &str, secret: Option<&str>) {
        self.0.insert(id.to_owned(), secret.map(str::to_owned));
    }

    /// Whether the client has no secret; `None` when there is no such client.
    pub(super) fn is_public(&self, id: &str) -> Option<bool> {
        self.0.get(id).map(Option::is_none)
    }

    /// By Basic, in the form, or as a public client; assertions are another matter.
    pub(super) fn authenticate(&self, headers: &HeaderMap, form: &Form, decode_basic: bool) -> Result<Client, Refusal> {
        let in_body = form.get("client_secret");
        let used_basic = headers.contains_key(header::AUTHORIZATION);
        if used_basic && in_body.is_some() {
            return Err(Refusal::bad_request("invalid_request", "two ways to prove one client"));
        }
        let (id, secret) = if used_basic {
            let (id, secret) = basic(headers, decode_basic)
                .ok_or_else(|| Refusal::invalid_client("Authorization is not one well-formed Basic", true))?;
            if form.get("client_id").is_some_and(|other| other != id) {
                return Err(Refusal::bad_request("invalid_request", "two different clients"));
            }
            (id, Some(secret))
        } else {
            let id = form.get("client_id");
            let id = id.ok_or_else(|| Refusal::invalid_client("no client", false))?;
            (id.to_owned(), in_body.map(str::to_owned))
        };
        match (self.0.get(&id), secret) {
            (Some(Some(known)), Some(secret)) if *known == secret => Ok(Client { id, is_public: false }),
            // Basic with an empty secret is how some public clients name themselves.
            (Some(None), secret) if secret.as_deref().unwrap_or("").is_empty() => Ok(Client { id, is_public: true }),
            _ => Err(Refusal::invalid_client("unknown client or wrong secret", used_basic)),
        }
    }
}

/// The client that a request names, proved or not.
pub(super) fn named(headers: &HeaderMap, form: &Form) -> Option<String> {
    let in_form = || form.get("client_id").map(str::to_owned);
    let asserted = || Claims::read(form.get("client_assertion")?)?.text("sub").map(str::to_owned);
    basic(headers, true).map(|(id, _)| id).or_else(in_form).or_else(asserted)
}

/// Id and secret. Both are form-urlencoded before they are joined (RFC 6749, 2.3.1), which not every server knows.
fn basic(headers: &HeaderMap, decode: bool) -> Option<(String, String)> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next()?.to_str().ok()?;
    if values.next().is_some() {
        return None;
    }
    let (scheme, credentials) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(credentials.trim()).ok()?).ok()?;
    let (id, secret) = pair.split_once(':')?;
    Some(if decode { (form_decoded(id), form_decoded(secret)) } else { (id.to_owned(), secret.to_owned()) })
}

fn form_decoded(part: &str) -> String {
    let pair = format!("part={}", part.replace('&', "%26"));
    let decoded = form_urlencoded::parse(pair.as_bytes()).next();
    decoded.map(|(_, value)| value.into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(pairs: &[(&str, &str)]) -> Form {
        Form(pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    fn basic_header(pair: &str) -> HeaderMap {
        let value = format!("Basic {}", STANDARD.encode(pair));
        HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())])
    }

    #[test]
    fn basic_parts_are_form_decoded() {
        let mut clients = Clients::default();
        clients.add("a:b", Some("p%w+d é&="));
        let headers = basic_header("a%3Ab:p%25w%2Bd+%C3%A9%26%3D");
        let client = clients.authenticate(&headers, &Form::default(), true);
        assert_eq!(client.unwrap().id, "a:b");
        assert!(clients.authenticate(&headers, &Form::default(), false).is_err());
    }

    #[test]
    fn a_client_does_not_prove_itself_twice() {
        let headers = basic_header("client:secret");
        let form = form(&[("client_secret", "secret")]);
        let refused = Clients::default().authenticate(&headers, &form, true).unwrap_err();
        assert_eq!(refused.response().status(), 400);
    }

    #[test]
    fn a_wrong_secret_is_challenged_only_when_it_came_as_basic() {
        let refused = |headers: &HeaderMap, form: &Form| {
            let refusal = Clients::default().authenticate(headers, form, true).unwrap_err();
            let response = refusal.response();
            assert_eq!(response.status(), 401);
            response.headers().contains_key(header::WWW_AUTHENTICATE)
        };
        assert!(refused(&basic_header("client:wrong"), &Form::default()));
        let in_body = form(&[("client_id", "client"), ("client_secret", "wrong")]);
        assert!(!refused(&HeaderMap::new(), &in_body));
        assert!(!refused(&HeaderMap::new(), &form(&[("client_id", "client")])));
    }

    #[test]
    fn a_public_client_only_names_itself() {
        let mut clients = Clients::default();
        clients.add("app", None);
        let named = form(&[("client_id", "app")]);
        let client = clients.authenticate(&HeaderMap::new(), &named, true).unwrap();
        assert!(client.is_public);
    }
}
