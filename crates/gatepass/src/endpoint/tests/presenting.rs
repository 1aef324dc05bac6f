//! Grants that present somebody's token or an assertion from elsewhere.

use super::*;
use crate::grant::{AuthorizationRequest, DeviceAuthorization, JwtBearer, TokenExchange, token_type};

fn exchange_of(subject: &str) -> TokenExchange {
    TokenExchange::new(subject, token_type::ACCESS_TOKEN)
}

#[tokio::test(start_paused = true)]
async fn rfc8693_3_a_token_that_is_no_access_token_is_never_sent_as_one() {
    let body =
        r#"{"access_token":"a-token","token_type":"N_A","issued_token_type":"urn:ietf:params:oauth:token-type:jwt"}"#;
    let server = Server::tokens(200, body);
    let grant = exchange_of("subject").requested_token_type(token_type::JWT);
    let cell = TokenCell::new(endpoint(&server, told(), grant.clone()));
    let error = cell.get().await.unwrap_err();
    assert!(error.is_misconfigured() && error.to_string().contains("`N_A`"), "{error}");
    assert!(cell.peek().is_none());

    let client = Client::new(server.transport(), told(), client()).unwrap();
    let set = client.exchange(&grant, None).await.unwrap();
    assert_eq!((access_token(&set), set.token_type.as_deref()), ("a-token", Some("N_A")), "who asked for it gets it");
}

#[tokio::test(start_paused = true)]
async fn rfc8693_3_an_answer_without_issued_token_type_is_taken() {
    let server = Server::tokens(200, GOOD);
    let set = endpoint(&server, told(), exchange_of("subject")).exchange(None).await.unwrap();
    assert_eq!(access_token(&set), "a-token");
}

#[tokio::test(start_paused = true)]
async fn rfc8693_5_a_refused_subject_token_is_not_presented_again() {
    for code in ["invalid_request", "invalid_grant"] {
        let body = format!(r#"{{"error":"{code}","error_description":"subj3ct-token is old"}}"#);
        let server = Server::tokens(400, Box::leak(body.into_boxed_str()));
        let cell = TokenCell::new(endpoint(&server, told(), exchange_of("subj3ct-token")));
        for _ in 0..3 {
            let error = cell.get().await.unwrap_err();
            assert!(error.is_reauth_required() && error.code() == Some(code), "{error}");
            assert!(error.to_string().contains("subject token may have ended"), "{error}");
            assert!(!error.to_string().contains("subj3ct"), "{error}");
            tokio::time::advance(Duration::from_secs(3600)).await;
        }
        assert_eq!(server.urls(), [TOKEN_URL]);
    }
}

#[tokio::test(start_paused = true)]
async fn rfc8693_5_a_refused_target_is_a_setting() {
    let server = Server::tokens(400, r#"{"error":"invalid_target"}"#);
    let error = endpoint(&server, told(), exchange_of("s").audience("orders")).exchange(None).await.unwrap_err();
    assert!(error.is_misconfigured() && error.to_string().contains("audience"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn rfc8693_4_it_is_exchanged_again_and_the_subject_is_the_newest() {
    let server = Server::tokens(200, r#"{"access_token":"for-orders","expires_in":60}"#);
    let client = Client::new(server.transport(), told(), client()).unwrap();
    let time = TestClock::new();
    let person = TokenCell::builder(RefreshCount::default()).clock(time.clock()).build();
    let source = {
        let person = person.clone();
        move |_current| {
            let (client, person) = (client.clone(), person.clone());
            async move {
                let subject = person.get().await?;
                let grant = TokenExchange::new(subject.expose(), token_type::ACCESS_TOKEN).audience("orders");
                client.exchange(&grant, None).await
            }
        }
    };
    let orders = TokenCell::builder(source).clock(time.clock()).build();
    assert_eq!(orders.get().await.unwrap().expose(), "for-orders");
    time.advance(Duration::from_secs(120));
    assert_eq!(orders.get().await.unwrap().expose(), "for-orders");
    let bodies: Vec<_> = server.seen().into_iter().map(|seen| seen.body).collect();
    assert_eq!(bodies.len(), 2);
    assert!(
        bodies[0].contains("subject_token=person-1&") && bodies[1].contains("subject_token=person-2&"),
        "{bodies:?}"
    );
}

/// Brings person-1, person-2 and so on, each for a minute.
#[derive(Default)]
struct RefreshCount(Mutex<usize>);

impl TokenSource for RefreshCount {
    async fn exchange(&self, _current: Option<&TokenSet>) -> Result<TokenSet, Error> {
        let mut count = self.0.lock().unwrap();
        *count += 1;
        Ok(TokenSet::new(format!("person-{count}")).expires_in(Duration::from_secs(60)))
    }
}

#[tokio::test(start_paused = true)]
async fn what_only_a_person_can_do_asks_for_a_sign_in() {
    // What Microsoft says when somebody has to pass a second factor before a service may act for them.
    let server = Server::tokens(400, r#"{"error":"interaction_required","error_description":"AADSTS50076"}"#);
    let grant = JwtBearer::new(|| Ok("caller.s.token".into())).parameter("requested_token_use", "on_behalf_of");
    let error = endpoint(&server, told(), grant).exchange(None).await.unwrap_err();
    assert!(error.is_reauth_required() && error.to_string().contains("AADSTS50076"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_refused_assertion_says_what_to_check_and_does_not_repeat_it() {
    let server = Server::tokens(400, r#"{"error":"invalid_grant","error_description":"head.cl4ims.sig is no good"}"#);
    let grant = JwtBearer::new(|| Ok("head.cl4ims.sig".into()));
    let error = endpoint(&server, told(), grant).exchange(None).await.unwrap_err();
    assert!(error.is_misconfigured() && error.to_string().contains("clock"), "{error}");
    assert!(!format!("{error:?}").contains("cl4ims"), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_not_identified_is_named_nowhere() {
    let server = Server::tokens(200, GOOD);
    let nobody = ClientAuth::unidentified("robot@example.com");
    let grant = JwtBearer::new(|| Ok("a.b.c".into()));
    let endpoint = TokenEndpoint::new(server.transport(), told(), nobody, grant).unwrap();
    assert!(endpoint.exchange(None).await.is_ok());
    let seen = &server.seen()[0];
    assert!(!seen.body.contains("robot") && !seen.headers.contains_key("authorization"), "{seen:?}");
    assert!(!seen.body.contains("client_id"), "{}", seen.body);
    let other = ClientAuth::unidentified("other@example.com");
    let other = TokenEndpoint::new(server.transport(), told(), other, JwtBearer::new(|| Ok("a.b.c".into()))).unwrap();
    assert_ne!(endpoint.identity(), other.identity(), "what is kept of two is told apart (C13)");
}

#[tokio::test(start_paused = true)]
async fn rfc6749_5_a_client_is_named_once_whatever_names_it() {
    let server = Server::new(|seen| {
        Ok(match &*seen.url {
            "https://auth.example.com/par" => answer(201, r#"{"request_uri":"urn:x","expires_in":60}"#),
            _ => answer(200, r#"{"device_code":"d","user_code":"u","verification_uri":"https://a.example"}"#),
        })
    });
    let at = told()
        .authorization_endpoint("https://auth.example.com/authorize")
        .pushed_authorization_request_endpoint("https://auth.example.com/par")
        .device_authorization_endpoint("https://auth.example.com/device");
    for client in [client(), ClientAuth::post("my-client", "secret"), ClientAuth::none("my-client")] {
        let client = Client::new(server.transport(), at.clone(), client).unwrap();
        client.authorize(&AuthorizationRequest::new("http://127.0.0.1:4180/callback").pushed()).await.unwrap();
        client.authorize_device(&DeviceAuthorization::new()).await.unwrap();
    }
    for seen in server.seen() {
        assert_eq!(seen.body.matches("client_id=").count(), 1, "{} {}", seen.url, seen.body);
    }
}
