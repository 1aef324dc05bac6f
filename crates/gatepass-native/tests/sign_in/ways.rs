//! Other ways to the same end: pushed requests, token swap, fixed ports.

use gatepass::{AuthorizationServer, store::MemoryStore};
use gatepass_native::Loopback;

use crate::{
    browser::{Person, parameter, redirect_uri},
    program::{program, program_as, server},
};

#[tokio::test]
async fn s5_a_server_that_requires_it_gets_the_request_pushed() {
    let (server, person) = (server().await, Person::willing());
    server.require_pushed(true);
    let cell = program(&server, &person).scope("read").sign_in().await.unwrap();
    assert!(server.is_active(cell.get().await.unwrap().expose()));
    let address = person.address(1).await;
    let (_, query) = address.split_once('?').unwrap();
    let mut names: Vec<_> = query.split('&').map(|pair| pair.split('=').next().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["client_id", "request_uri"]);
    assert_eq!(server.last_arrival("/par").unwrap().param("scope"), Some("read"));
}

#[tokio::test]
async fn s5_when_the_push_fails_nobody_is_asked() {
    let (server, person) = (server().await, Person::willing());
    server.require_pushed(true).fail_until_told_at("/par", gatepass_testkit::Failure::status(503));
    let error = program(&server, &person).sign_in().await.unwrap_err();
    assert!(error.is_transient() && person.was_asked() == 0, "{error}");
}

#[tokio::test]
async fn a_token_swap_redeems_the_code_and_refreshes() {
    // The client has a secret, which the swap holds.
    let (server, person, store) = (server().await, Person::willing(), MemoryStore::new());
    let app = || {
        let at = AuthorizationServer::token_swap(server.url("/swap"), server.url("/refresh"))
            .authorization_endpoint(server.authorization_url());
        program_as("client", at, &person).store(store.clone())
    };
    let cell = app().sign_in().await.unwrap();
    let token = cell.get().await.unwrap();
    assert!(server.is_active(token.expose()));
    assert_eq!((server.arrived_at("/swap"), server.arrived_at("/refresh"), server.token_requests()), (1, 0, 0));

    let cell = app().sign_in().await.unwrap();
    assert_eq!(cell.refresh().await.unwrap().expose(), app().sign_in().await.unwrap().get().await.unwrap().expose());
    assert_ne!(cell.get().await.unwrap().expose(), token.expose());
    assert_eq!((server.arrived_at("/swap"), server.arrived_at("/refresh"), person.was_asked()), (1, 1, 1));
}

#[tokio::test]
async fn s1_a_registered_port_and_path_arrive_as_they_were_given() {
    let (server, person) = (server().await, Person::willing());
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let uri = format!("http://127.0.0.1:{free}/signin-oidc");
    server.register_redirect_uri("app", &uri);
    let app = program(&server, &person).loopback(Loopback::port(free).path("/signin-oidc"));
    app.sign_in().await.unwrap();
    app.sign_in_again().await.unwrap();
    assert_eq!(redirect_uri(&person.address(2).await), uri);
    assert_eq!(server.journal()[1].param("redirect_uri"), Some(&*uri));
}

#[tokio::test]
async fn s1_each_sign_in_has_a_state_and_a_challenge_of_its_own() {
    let (server, person) = (server().await, Person::willing());
    let app = program(&server, &person);
    app.sign_in().await.unwrap();
    app.sign_in_again().await.unwrap();
    let (one, other) = (person.address(1).await, person.address(2).await);
    for name in ["state", "code_challenge"] {
        let (one, other) = (parameter(&one, name).unwrap(), parameter(&other, name).unwrap());
        assert!(one.len() >= 43 && one != other, "{name}");
    }
    assert_eq!(parameter(&one, "code_challenge_method"), Some("S256"));
}
