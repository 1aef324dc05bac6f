use super::{
    Form, Grant,
    parameters::{Parameters, parameter_setters},
};
use crate::{error::Error, secret::Secret, store::fingerprint, token::TokenSet};

/// Somebody's token is exchanged for another one, for another audience or with other rights (RFC 8693): so a service
/// calls the next one on behalf of who called it.
///
/// ```
/// use gatepass::grant::{TokenExchange, token_type};
///
/// # let incoming = "the-callers-token";
/// let grant = TokenExchange::new(incoming, token_type::ACCESS_TOKEN).audience("https://orders.example.com");
/// # let _ = grant;
/// ```
///
/// The token that is exchanged, the subject token, ends. A cell that goes on longer than it takes the newest one each
/// time, from another cell for example:
///
/// ```
/// use gatepass::{
///     Error, TokenCell,
///     endpoint::{Client, HttpService},
///     grant::{TokenExchange, token_type},
/// };
///
/// fn on_behalf_of<S>(client: Client<S>, person: TokenCell) -> TokenCell
/// where
///     S: HttpService + Clone,
/// {
///     TokenCell::new(move |_current| {
///         let (client, person) = (client.clone(), person.clone());
///         async move {
///             let subject = person.get().await?;
///             let grant = TokenExchange::new(subject.expose(), token_type::ACCESS_TOKEN).audience("orders");
///             match client.exchange(&grant, None).await {
///                 // It ended early: the next exchange gets another one.
///                 Err(error) if error.is_reauth_required() && person.reject(&subject) => {
///                     Err(Error::transient("the person's token was refused").with_source(error))
///                 }
///                 result => result,
///             }
///         }
///     })
/// }
/// ```
///
/// Microsoft has another form for it: see [`JwtBearer`](super::JwtBearer).
#[derive(Clone, Debug)]
#[must_use]
pub struct TokenExchange {
    subject: Presented,
    actor: Option<Presented>,
    requested_token_type: Option<String>,
    parameters: Parameters,
}

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

#[derive(Clone, Debug)]
struct Presented {
    token: Secret,
    token_type: String,
}

/// What kinds of token there are (RFC 8693 section 3). A server may have others.
pub mod token_type {
    /// An access token of this authorization server.
    pub const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
    /// A refresh token of this authorization server.
    pub const REFRESH_TOKEN: &str = "urn:ietf:params:oauth:token-type:refresh_token";
    /// An ID token (OpenID Connect).
    pub const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
    /// A JWT, whoever issued it.
    pub const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
    /// A SAML 1.1 assertion, in base64url.
    pub const SAML1: &str = "urn:ietf:params:oauth:token-type:saml1";
    /// A SAML 2.0 assertion, in base64url.
    pub const SAML2: &str = "urn:ietf:params:oauth:token-type:saml2";
}

impl TokenExchange {
    /// For the party that `subject_token` stands for; its type is one of [`token_type`], or another that the server
    /// knows.
    pub fn new(subject_token: impl Into<Secret>, subject_token_type: impl Into<String>) -> Self {
        Self {
            subject: Presented { token: subject_token.into(), token_type: subject_token_type.into() },
            actor: None,
            requested_token_type: None,
            parameters: Parameters::default(),
        }
    }

    /// Who acts for that party, where it is not the client itself.
    pub fn actor(mut self, token: impl Into<Secret>, token_type: impl Into<String>) -> Self {
        self.actor = Some(Presented { token: token.into(), token_type: token_type.into() });
        self
    }

    /// What kind of token to issue. What is no access token may come with the type `N_A`, and is never sent as one.
    pub fn requested_token_type(mut self, token_type: impl Into<String>) -> Self {
        self.requested_token_type = Some(token_type.into());
        self
    }

    parameter_setters!();

    fn presented(&self, form: &mut Form) {
        form.push("subject_token", self.subject.token.clone());
        form.push("subject_token_type", self.subject.token_type.as_str());
        if let Some(actor) = &self.actor {
            form.push("actor_token", actor.token.clone());
            form.push("actor_token_type", actor.token_type.as_str());
        }
        form.push("requested_token_type", self.requested_token_type.as_deref().unwrap_or_default());
    }
}

impl Grant for TokenExchange {
    fn form(&self, _current: Option<&TokenSet>) -> Result<Form, Error> {
        let mut form = Form::new(GRANT_TYPE);
        self.presented(&mut form);
        self.parameters.fill(&mut form);
        Ok(form)
    }

    fn spends_refresh_token(&self) -> bool {
        false
    }

    fn kind(&self) -> &str {
        GRANT_TYPE
    }

    /// Whose tokens are presented is part of it (8693-2).
    fn variant(&self) -> String {
        let mut form = Form::default();
        self.presented(&mut form);
        form.push("others", self.parameters.variant());
        fingerprint(form.encode().expose().as_bytes())
    }

    fn check(&self) -> Result<(), Error> {
        let presented = [("subject", Some(&self.subject)), ("actor", self.actor.as_ref())];
        for (whose, presented) in presented.into_iter().filter_map(|(whose, presented)| Some((whose, presented?))) {
            if presented.token.is_empty() || presented.token_type.is_empty() {
                return Err(Error::misconfigured(format!(
                    "the {whose} token or its type is empty: present a token and one of grant::token_type"
                )));
            }
        }
        self.parameters.check()
    }

    fn accept(&self, answer: TokenSet) -> Result<TokenSet, Error> {
        Ok(self.parameters.granted(answer))
    }

    /// Section 2.2.2 has `invalid_request` for a token that is not valid; servers use `invalid_grant` as well.
    fn refusals(&self) -> &'static [&'static str] {
        &["invalid_request", "invalid_grant", "expired_token", "invalid_token"]
    }

    fn refused(&self, said: &str) -> Error {
        let actor = if self.actor.is_some() { " or the actor token" } else { "" };
        Error::reauth_required(format!(
            "present another one: the subject token{actor} may have ended, or the server does not take such a request ({said})"
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn exchange(subject: &str) -> TokenExchange {
        TokenExchange::new(subject, token_type::ACCESS_TOKEN)
    }

    #[test]
    fn rfc8693_1_the_subject_token_goes_with_its_type_and_the_actor_token_too() {
        assert_eq!(
            exchange("s").form(None).unwrap().encode().expose(),
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&subject_token=s&\
             subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token",
        );
        let acting = exchange("s").actor("a", token_type::JWT).requested_token_type(token_type::ACCESS_TOKEN);
        let form = acting.form(None).unwrap();
        assert!(
            form.encode().expose().ends_with(
                "&actor_token=a&actor_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Ajwt&\
                 requested_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token"
            ),
            "{form:?}"
        );
    }

    #[test]
    fn rfc8693_1_a_token_without_a_type_is_not_sent() {
        for bad in
            [exchange(""), TokenExchange::new("s", ""), exchange("s").actor("", "t"), exchange("s").actor("a", "")]
        {
            assert!(bad.check().unwrap_err().is_misconfigured(), "{bad:?}");
        }
        assert!(exchange("s").actor("a", token_type::JWT).check().is_ok());
        let taken = exchange("s").parameter("requested_token_type", "x");
        assert!(taken.check().unwrap_err().is_misconfigured());
    }

    #[test]
    fn rfc8693_2_two_people_and_two_audiences_are_four() {
        let mut variants = HashSet::new();
        for person in ["4lice", "b0b"] {
            for audience in ["orders", "stock"] {
                let grant = exchange(person).audience(audience);
                assert_eq!(grant.variant(), exchange(person).audience(audience).variant());
                assert!(!grant.variant().contains(person));
                variants.insert(grant.variant());
            }
        }
        variants.insert(exchange("4lice").audience("orders").actor("a", token_type::JWT).variant());
        variants.insert(exchange("4lice").audience("orders").requested_token_type(token_type::JWT).variant());
        variants.insert(TokenExchange::new("4lice", token_type::ID_TOKEN).audience("orders").variant());
        assert_eq!(variants.len(), 7);
    }

    #[test]
    fn rfc8693_2_audience_and_resource_may_repeat() {
        let grant = exchange("s").audience("one").audience("two").resource("https://a").resource("https://b");
        assert!(grant.check().is_ok());
        let form = grant.form(None).unwrap();
        let form = form.encode();
        assert!(
            form.expose().ends_with("&audience=one&audience=two&resource=https%3A%2F%2Fa&resource=https%3A%2F%2Fb")
        );
    }

    #[test]
    fn rfc8693_4_without_a_scope_in_the_answer_it_is_the_one_that_was_asked_for() {
        let grant = exchange("s").scope("read write");
        assert_eq!(grant.accept(TokenSet::new("a")).unwrap().scope.as_deref(), Some("read write"));
        assert_eq!(grant.accept(TokenSet::new("a").scope("read")).unwrap().scope.as_deref(), Some("read"));
        assert!(!grant.spends_refresh_token(), "there is seldom a refresh token: it is exchanged again");
    }

    #[test]
    fn no_token_is_shown() {
        let shown = format!("{:?}", exchange("s3cret-subject").actor("s3cret-actor", token_type::JWT));
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}
