//! What the server and others send back (S2, S3, S4).

use gatepass::Error;
use gatepass_testkit::{Consent, Failure, Iss};

use crate::{
    browser::{Person, leads_to, open, redirect_uri},
    program::{program, server},
};

#[tokio::test]
async fn s4_denied_is_said_on_the_page_and_keeps_nothing_and_a_second_try_works() {
    let (server, person) = (server().await, Person::willing());
    server.consent(Consent::Deny);
    let app = program(&server, &person);
    let error = app.sign_in().await.unwrap_err();
    assert!(error.is_denied() && error.is_reauth_required(), "{error}");
    let page = person.page(1).await;
    assert!(page.status == 400 && page.text.contains("Access was denied"), "{page:?}");
    assert!(app.cell().unwrap().token_set().await.unwrap().is_none());
    assert_eq!(server.token_requests(), 0);

    server.consent(Consent::Approve);
    app.sign_in().await.unwrap();
    assert!(person.page(2).await.text.contains("You are signed in"));
}

#[tokio::test]
async fn s4_what_the_server_cannot_do_now_is_transient_and_what_it_does_not_accept_a_setting() {
    for (code, is) in [
        ("server_error", Error::is_transient as fn(&Error) -> bool),
        ("temporarily_unavailable", Error::is_transient),
        ("invalid_scope", Error::is_misconfigured),
        ("unauthorized_client", Error::is_misconfigured),
        ("login_required", Error::is_reauth_required),
    ] {
        let (server, person) = (server().await, Person::willing());
        server.consent(Consent::Error(code.to_owned()));
        let error = program(&server, &person).sign_in().await.unwrap_err();
        assert!(is(&error) && !error.is_denied() && error.code() == Some(code), "{error}");
        let page = person.page(1).await;
        assert!(page.text.contains("The sign-in failed") && page.text.contains(code), "{page:?}");
    }
}

#[tokio::test]
async fn s3_without_the_right_issuer_the_code_is_never_redeemed() {
    for iss in [Iss::Missing, Iss::Wrong("https://evil.example".to_owned())] {
        for consent in [Consent::Approve, Consent::Deny] {
            let (server, person) = (server().await, Person::willing());
            server.iss(iss.clone()).consent(consent);
            let app = program(&server, &person);
            let error = app.sign_in().await.unwrap_err();
            assert!(!error.is_denied() && error.to_string().contains(&server.issuer()), "{error}");
            assert_eq!(error.to_string().lines().count(), 1);
            assert!(person.page(1).await.text.contains("The sign-in failed"));
            assert_eq!(server.token_requests(), 0);
            assert!(app.cell().unwrap().token_set().await.unwrap().is_none());
        }
    }
}

#[tokio::test]
async fn s2_callbacks_of_another_sign_in_change_nothing() {
    let (server, person) = (server().await, Person::idle());
    let app = program(&server, &person);
    let signing_in = tokio::spawn({
        let app = app.clone();
        async move { app.sign_in().await }
    });
    let address = person.address(1).await;
    let callback = leads_to(&address).await;
    let state = crate::browser::parameter(&callback, "state").unwrap();
    for foreign in [
        format!("{}?code=stolen&state=guessed", redirect_uri(&address)),
        format!("{}?error=access_denied&state=guessed", redirect_uri(&address)),
        format!("{}?error=access_denied", redirect_uri(&address)),
        format!("{}?code=a&state={}", redirect_uri(&address), &state[1..]),
        redirect_uri(&address),
    ] {
        assert_eq!(open(&foreign).await.status, 400, "{foreign}");
        assert!(!signing_in.is_finished());
    }
    assert_eq!(server.token_requests(), 0);
    let page = open(&callback).await;
    assert!(page.status == 200, "{page:?}");
    signing_in.await.unwrap().unwrap();
}

#[tokio::test]
async fn s2_a_callback_counts_once_and_a_second_one_does_no_harm() {
    let (server, person) = (server().await, Person::idle());
    let app = program(&server, &person);
    let signing_in = tokio::spawn({
        let app = app.clone();
        async move { app.sign_in().await }
    });
    let callback = leads_to(&person.address(1).await).await;
    server.hold();
    let first = tokio::spawn({
        let callback = callback.clone();
        async move { open(&callback).await }
    });
    server.until_token_requests(1).await;
    // While the code is redeemed: a browser that loads the page twice.
    let second = tokio::spawn({
        let callback = callback.clone();
        async move { tokio::time::timeout(std::time::Duration::from_millis(200), open(&callback)).await }
    });
    let _ = second.await;
    server.release();
    assert_eq!(first.await.unwrap().status, 200);
    let cell = signing_in.await.unwrap().unwrap();
    assert_eq!((server.token_requests(), server.families_revoked()), (1, 0));
    assert!(server.is_active(cell.get().await.unwrap().expose()));

    // Replayed at the next sign-in, on whatever port that listens, it belongs to nobody.
    let again = tokio::spawn(async move { app.sign_in_again().await });
    let address = person.address(2).await;
    let (_, query) = callback.split_once('?').unwrap();
    let page = open(&format!("{}?{query}", redirect_uri(&address))).await;
    assert!(page.status == 400 && !again.is_finished(), "{page:?}");
    assert!(open(&address).await.text.contains("You are signed in"));
    again.await.unwrap().unwrap();
}

#[tokio::test]
async fn the_page_says_that_the_code_could_not_be_redeemed() {
    for (failure, hint) in [
        (Failure::oauth("invalid_grant"), "invalid_grant"),
        (Failure::oauth("invalid_client"), "client"),
        (Failure::status(503), "503"),
        (Failure::html(200), ""),
        (Failure::dropped(), ""),
    ] {
        let (server, person) = (server().await, Person::willing());
        server.fail_until_told(failure);
        let app = program(&server, &person);
        let error = app.sign_in().await.unwrap_err();
        assert!(error.to_string().contains(hint) && error.to_string().lines().count() == 1, "{error}");
        let page = person.page(1).await;
        assert!(page.status == 400 && page.text.contains("The sign-in failed"), "{page:?}");
        server.recover();
        app.sign_in().await.unwrap();
    }
}

#[tokio::test]
async fn what_is_shown_begins_with_the_address_and_ends_with_the_outcome() {
    use gatepass_native::Step;
    let (server, person) = (server().await, Person::willing());
    let app = program(&server, &person);
    app.sign_in().await.unwrap();
    server.consent(Consent::Deny);
    app.sign_in_again().await.unwrap_err();
    let steps = person.steps();
    assert!(
        matches!(
            &*steps,
            [
                Step::Open { browser: Err(why), paste: false, .. },
                Step::Ended { succeeded: true, .. },
                Step::Open { .. },
                Step::Ended { succeeded: false, .. }
            ] if why == "none was asked for"
        ),
        "{steps:?}"
    );
}
