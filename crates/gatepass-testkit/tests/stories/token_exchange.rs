//! Token exchange (RFC 8693).

use std::time::Duration;

use gatepass_testkit::AuthorizationServer;

use crate::client::{Answer, CLIENT, Http};

const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

async fn exchange(http: &Http, server: &AuthorizationServer, subject: &str, more: &str) -> Answer {
    let grant = "urn:ietf:params:oauth:grant-type:token-exchange";
    let form = format!("grant_type={grant}&subject_token={subject}&{CLIENT}{more}");
    http.post(&server.token_url(), &form).await.unwrap()
}

fn typed(more: &str) -> String {
    format!("&subject_token_type={ACCESS_TOKEN}{more}")
}

async fn subject(http: &Http, server: &AuthorizationServer) -> String {
    let refresh_token = server.issue_refresh_token_to("client", Some("read write"));
    http.refresh(server, &refresh_token).await.access_token()
}

#[tokio::test]
async fn rfc8693_2_2_1_a_living_access_token_is_exchanged_for_another() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    let subject = subject(&http, &server).await;
    let answer = exchange(&http, &server, &subject, &typed("&scope=read&audience=a&audience=b&resource=urn:c")).await;
    assert_eq!((answer.status.as_u16(), answer.text("issued_token_type").as_str()), (200, ACCESS_TOKEN));
    assert_eq!((answer.text("token_type").as_str(), answer.text("scope").as_str()), ("Bearer", "read"));
    assert!(answer.access_token() != subject && answer.json().get("refresh_token").is_none());
    assert!(server.is_active(&answer.access_token()) && server.is_active(&subject));

    let jwt = "urn:ietf:params:oauth:token-type:jwt";
    let answer = exchange(&http, &server, &subject, &typed(&format!("&requested_token_type={jwt}"))).await;
    assert_eq!((answer.text("issued_token_type").as_str(), answer.text("scope").as_str()), (jwt, "read write"));
}

#[tokio::test]
async fn rfc8693_2_2_2_a_token_that_is_no_longer_good_is_an_invalid_request() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    let subject = subject(&http, &server).await;
    for (token, more) in [
        ("made-up", typed("")),
        ("", typed("")),
        (subject.as_str(), String::new()),
        (&subject, "&subject_token_type=urn:ietf:params:oauth:token-type:saml2".to_owned()),
        (&subject, typed("&actor_token=made-up&actor_token_type=urn:ietf:params:oauth:token-type:access_token")),
        (&subject, typed(&format!("&actor_token={subject}"))),
        (&subject, typed(&format!("&actor_token_type={ACCESS_TOKEN}"))),
    ] {
        let answer = exchange(&http, &server, token, &more).await;
        assert_eq!(answer.text("error"), "invalid_request", "{token} {more}");
    }
    let actor = typed(&format!("&actor_token={subject}&actor_token_type={ACCESS_TOKEN}"));
    assert_eq!(exchange(&http, &server, &subject, &actor).await.status, 200);
    server.advance(Duration::from_secs(3600));
    assert_eq!(exchange(&http, &server, &subject, &typed("")).await.text("error"), "invalid_request");
}

#[tokio::test]
async fn rfc8693_2_2_1_what_is_no_access_token_is_typed_n_a() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    server.exchanged_token_type("N_A");
    let subject = subject(&http, &server).await;
    assert_eq!(exchange(&http, &server, &subject, &typed("")).await.text("token_type"), "N_A");
    assert_eq!(http.token(&server).await.text("token_type"), "Bearer");
}

#[tokio::test]
async fn an_exchanged_token_ends_with_the_sign_in_and_takes_no_ones_place() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    server.repeat_access_token(true);
    let subject = subject(&http, &server).await;
    let one = exchange(&http, &server, &subject, &typed("&audience=a")).await.access_token();
    let two = exchange(&http, &server, &subject, &typed("&audience=b")).await.access_token();
    assert!(one != two && one != subject);
    server.revoke_family(&subject);
    assert!(!server.is_active(&one) && !server.is_active(&two));
}
