//! Signing in by a code on another device (S6).

use std::time::Duration;

use gatepass_native::Step;
use gatepass_testkit::Consent;

use crate::{
    browser::Person,
    program::{Program, program, server},
};

fn signing_in(app: &Program) -> tokio::task::JoinHandle<Result<gatepass::TokenCell, gatepass::Error>> {
    let app = app.clone();
    tokio::spawn(async move { app.sign_in().await })
}

#[tokio::test]
async fn rfc8628_a_person_approves_elsewhere_and_no_browser_is_opened() {
    let (server, person) = (server().await, Person::willing());
    let app = program(&server, &person).scope("read").device();
    let signing_in = signing_in(&app);
    assert!(server.approve(&person.user_code().await));
    let cell = signing_in.await.unwrap().unwrap();
    assert!(server.is_active(cell.get().await.unwrap().expose()));
    assert_eq!(server.last_arrival("/device_authorization").unwrap().param("scope"), Some("read"));
    assert_eq!(server.arrived_at("/authorize"), 0);
    let steps = person.steps();
    assert!(matches!(&*steps, [Step::Device { .. }, Step::Ended { succeeded: true, .. }]), "{steps:?}");
    let Step::Device { user_code, verification_uri, verification_uri_complete, .. } = &steps[0] else { return };
    assert!(verification_uri_complete.as_ref().unwrap().starts_with(verification_uri));
    assert!(verification_uri_complete.as_ref().unwrap().contains(user_code));

    app.sign_in().await.unwrap();
    assert_eq!(person.was_asked(), 1);
}

#[tokio::test]
async fn rfc8628_3_5_a_person_says_no() {
    let (server, person) = (server().await, Person::willing());
    server.device_consent(Consent::Deny);
    let app = program(&server, &person).device();
    let error = app.sign_in().await.unwrap_err();
    assert!(error.is_denied(), "{error}");
    assert!(app.cell().unwrap().token_set().await.unwrap().is_none());
    server.device_consent(Consent::Approve);
    app.sign_in().await.unwrap();
}

#[tokio::test]
async fn rfc8628_3_5_a_code_that_ended_asks_for_another_sign_in() {
    let (server, person) = (server().await, Person::willing());
    let app = program(&server, &person).device();
    let waiting = signing_in(&app);
    person.user_code().await;
    server.expire_device_codes();
    let error = waiting.await.unwrap().unwrap_err();
    assert!(error.is_reauth_required() && !error.is_denied(), "{error}");
    assert_eq!(error.code(), Some("expired_token"));

    // One that nobody looks at, to its own end: the deadline for browsers is not for it.
    server.device_code_lifetime(Duration::from_secs(2));
    let error = app.deadline(Duration::from_millis(1)).sign_in().await.unwrap_err();
    assert_eq!(error.code(), Some("expired_token"), "{error}");
}

#[tokio::test]
async fn rfc8628_3_5_slow_down_is_heeded() {
    let (server, person) = (server().await, Person::willing());
    server.slow_down(1).device_consent(Consent::Approve);
    program(&server, &person).device().sign_in().await.unwrap();
    let polls = server.journal();
    assert_eq!(polls.len(), 2);
    let apart = polls[1].at - polls[0].at;
    assert!(apart > Duration::from_secs(5), "{apart:?}");
}
