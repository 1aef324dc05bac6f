//! Nobody comes, or the program does not wait for them (S8, C5).

use std::{net::TcpListener, time::Duration};

use gatepass_testkit::Failure;

use crate::{
    browser::{Person, authority, leads_to, open, redirect_uri},
    program::{Folder, program, server, started},
};

#[tokio::test]
async fn s8_after_the_deadline_the_error_says_what_to_do_and_the_port_is_closed() {
    let (server, person) = (server().await, Person::idle());
    let app = program(&server, &person).deadline(Duration::from_millis(300));
    let error = app.sign_in().await.unwrap_err();
    assert!(error.is_reauth_required() && !error.is_denied(), "{error}");
    assert!(error.to_string().contains("run it again") && error.to_string().lines().count() == 1, "{error}");
    let callback = redirect_uri(&person.address(1).await);
    TcpListener::bind(authority(&callback)).expect("the port is free");
    assert_eq!(server.token_requests(), 0);
}

#[tokio::test]
async fn s8_a_dropped_sign_in_closes_the_port() {
    let (server, person) = (server().await, Person::idle());
    let app = program(&server, &person);
    let signing_in = tokio::spawn(async move { app.sign_in().await });
    let callback = redirect_uri(&person.address(1).await);
    signing_in.abort();
    assert!(signing_in.await.unwrap_err().is_cancelled());
    TcpListener::bind(authority(&callback)).expect("the port is free");
}

#[tokio::test]
async fn s9_a_sign_in_dropped_after_the_callback_came_is_kept() {
    let (server, person, folder) = (server().await, Person::idle(), Folder::new());
    let app = started(&server, &person, &folder);
    let cell = app.cell().unwrap();
    let mut issued = cell.events();
    let signing_in = tokio::spawn(async move { app.sign_in().await });
    let callback = leads_to(&person.address(1).await).await;
    server.hold();
    let page = tokio::spawn(async move { open(&callback).await });
    server.until_token_requests(1).await;
    signing_in.abort();
    assert!(signing_in.await.unwrap_err().is_cancelled());
    server.release();
    assert!(page.await.unwrap().text.contains("You are signed in"));
    issued.next().await;
    assert!(server.is_active(cell.get().await.unwrap().expose()));

    started(&server, &person, &folder).sign_in().await.unwrap();
    assert_eq!((person.was_asked(), server.token_requests()), (1, 1));
}

#[tokio::test]
async fn a_code_whose_answer_is_lost_is_a_failed_sign_in_and_the_next_one_works() {
    let (server, person) = (server().await, Person::willing());
    server.fail_next(1, Failure::dropped().after_processing());
    let app = program(&server, &person);
    let error = app.sign_in().await.unwrap_err();
    assert!(error.to_string().lines().count() == 1, "{error}");
    app.sign_in().await.unwrap();
    assert_eq!(person.was_asked(), 2);
}
