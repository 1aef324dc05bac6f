//! What was kept is used, for as long as it is good (S9), and the person is asked when the program says so.

use gatepass::{Error, store::FileStore, store::MemoryStore};
use gatepass_native::{SignedOut, Step};
use gatepass_testkit::Api;

use crate::{
    browser::Person,
    program::{Folder, call, ended, program, server, started},
};

#[tokio::test]
async fn s9_somebody_signs_in_once_and_the_next_start_needs_neither_them_nor_the_server() {
    let (server, person, folder) = (server().await, Person::willing(), Folder::new());
    let api = Api::start(&server).await;
    let cell = started(&server, &person, &folder).sign_in().await.unwrap();
    assert_eq!(call(&api, &cell).await.unwrap(), 200);
    let page = person.page(1).await;
    assert!(page.status == 200 && page.text.contains("go back to Tests of gatepass"), "{page:?}");
    assert_eq!((person.was_asked(), server.token_requests()), (1, 1));

    server.reset_journal();
    let cell = started(&server, &person, &folder).sign_in().await.unwrap();
    assert_eq!(call(&api, &cell).await.unwrap(), 200);
    assert_eq!((person.was_asked(), server.token_requests(), server.arrivals().len()), (1, 0, 0));
}

#[tokio::test]
async fn s9_a_token_that_has_ended_is_renewed_and_nobody_is_asked() {
    let (server, person, folder) = (server().await, Person::willing(), Folder::new());
    started(&server, &person, &folder).cell().unwrap().put(ended(&server)).await.unwrap();
    let cell = started(&server, &person, &folder).sign_in().await.unwrap();
    assert!(server.is_active(cell.get().await.unwrap().expose()));
    assert_eq!((person.was_asked(), server.token_requests()), (0, 1));
}

#[tokio::test]
async fn a_token_that_the_api_refuses_is_renewed_and_nobody_is_asked() {
    let (server, person, folder) = (server().await, Person::willing(), Folder::new());
    let api = Api::start(&server).await;
    let cell = started(&server, &person, &folder).sign_in().await.unwrap();
    server.advance(std::time::Duration::from_secs(7200));
    assert_eq!(call(&api, &cell).await.unwrap(), 200);
    assert_eq!((person.was_asked(), server.token_requests()), (1, 2));
    assert_eq!(server.journal().pop().unwrap().grant_type(), Some("refresh_token"));
}

#[tokio::test]
async fn s9_two_programs_at_once_renew_once_for_both() {
    let (server, person, folder) = (server().await, Person::willing(), Folder::new());
    started(&server, &person, &folder).cell().unwrap().put(ended(&server)).await.unwrap();
    let (one, other) = (started(&server, &person, &folder), started(&server, &person, &folder));
    let (one, other) = tokio::join!(one.sign_in(), other.sign_in());
    let (one, other) = (one.unwrap().get().await.unwrap(), other.unwrap().get().await.unwrap());
    assert_eq!(one.expose(), other.expose());
    assert_eq!((person.was_asked(), server.token_requests(), server.families_revoked()), (0, 1, 0));
}

#[tokio::test]
async fn f1_a_refused_refresh_asks_nobody_until_the_program_does_and_heals_the_cell_it_has() {
    let (server, person, folder) = (server().await, Person::willing(), Folder::new());
    let api = Api::start(&server).await;
    let app = started(&server, &person, &folder);
    let cell = app.sign_in().await.unwrap();
    server.revoke_everything();
    let error = call(&api, &cell).await.unwrap_err();
    assert!(error.is_reauth_required() && !error.is_denied(), "{error}");
    assert!(cell.get().await.unwrap_err().is_reauth_required());
    assert_eq!(person.was_asked(), 1);

    let again = app.sign_in().await.unwrap();
    assert_eq!(person.was_asked(), 2);
    assert_eq!(call(&api, &cell).await.unwrap(), 200);
    assert_eq!(again.get().await.unwrap().expose(), cell.get().await.unwrap().expose());
}

#[tokio::test]
async fn a_set_without_refresh_token_that_has_ended_asks_again() {
    let (server, person) = (server().await, Person::willing());
    let app = program(&server, &person);
    let past = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
    app.cell().unwrap().put(gatepass::TokenSet::new("old").expires_at(past)).await.unwrap();
    let cell = app.sign_in().await.unwrap();
    assert!(server.is_active(cell.get().await.unwrap().expose()));
    assert_eq!(person.was_asked(), 1);
}

#[tokio::test]
async fn while_the_server_is_away_nobody_is_asked() {
    let (server, person, folder) = (server().await, Person::willing(), Folder::new());
    started(&server, &person, &folder).cell().unwrap().put(ended(&server)).await.unwrap();
    server.stop().await;
    let error = started(&server, &person, &folder).sign_in().await.unwrap_err();
    assert!(error.is_transient() && person.was_asked() == 0, "{error}");
}

#[tokio::test]
async fn signing_in_again_asks_though_nothing_is_wrong_and_the_old_set_stays_if_it_fails() {
    let (server, person) = (server().await, Person::willing());
    let app = program(&server, &person);
    let cell = app.sign_in().await.unwrap();
    let first = cell.get().await.unwrap();
    server.consent(gatepass_testkit::Consent::Deny);
    assert!(app.sign_in_again().await.unwrap_err().is_denied());
    assert_eq!(cell.get().await.unwrap().expose(), first.expose());

    server.consent(gatepass_testkit::Consent::Approve);
    app.sign_in_again().await.unwrap();
    assert_ne!(cell.get().await.unwrap().expose(), first.expose());
    assert_eq!(person.was_asked(), 3);
}

#[tokio::test]
async fn two_subjects_of_one_store_are_two_accounts() {
    let (server, person, store) = (server().await, Person::willing(), MemoryStore::new());
    let of = |subject: &str| program(&server, &person).store(store.clone()).subject(subject);
    let (alice, bob) = (of("alice").sign_in().await.unwrap(), of("bob").sign_in().await.unwrap());
    assert_ne!(alice.get().await.unwrap().expose(), bob.get().await.unwrap().expose());
    assert_eq!(person.was_asked(), 2);

    assert!(matches!(of("alice").sign_out().await.unwrap(), SignedOut::Revoked));
    assert!(of("alice").cell().unwrap().get().await.unwrap_err().is_reauth_required());
    of("bob").sign_in().await.unwrap();
    assert_eq!(person.was_asked(), 2);
}

#[tokio::test]
async fn settings_given_after_the_cell_was_made_hold_and_leave_that_cell_alone() {
    let (server, person, folder) = (server().await, Person::willing(), Folder::new());
    let app = program(&server, &person);
    let before = app.sign_in().await.unwrap();
    let token = before.get().await.unwrap();

    let app = app.store(FileStore::new(folder.tokens())).subject("alice").scope("read");
    let after = app.sign_in().await.unwrap();
    assert_eq!(person.was_asked(), 2, "another store, another account");
    assert_eq!(server.last_arrival("/authorize").unwrap().param("scope"), Some("read"));
    assert_ne!(after.get().await.unwrap().expose(), token.expose());
    assert_eq!(before.get().await.unwrap().expose(), token.expose());

    // What only says how to ask keeps the cell.
    let app = app.steps(|_| {}).deadline(std::time::Duration::from_secs(1)).device();
    assert_eq!(app.cell().unwrap().peek().unwrap().expose(), after.get().await.unwrap().expose());
}

#[tokio::test]
async fn more_scopes_are_asked_for_by_signing_in_again() {
    let (server, person, folder) = (server().await, Person::willing(), Folder::new());
    started(&server, &person, &folder).scope("read").sign_in().await.unwrap();
    let app = started(&server, &person, &folder).scope("read").scope("write offline_access");
    app.sign_in().await.unwrap();
    assert_eq!(person.was_asked(), 1, "what was kept is good still");
    let cell = app.sign_in_again().await.unwrap();
    assert_eq!(cell.token_set().await.unwrap().unwrap().scope.as_deref(), Some("read write offline_access"));
}

#[tokio::test]
async fn the_cell_alone_asks_nobody() {
    let (server, person) = (server().await, Person::willing());
    let error: Error = program(&server, &person).cell().unwrap().get().await.unwrap_err();
    assert!(error.is_reauth_required() && person.was_asked() == 0, "{error}");
    assert_eq!(server.arrivals().len(), 0);
}

#[tokio::test]
async fn c2_calls_at_once_ask_once_and_share_what_comes_of_it() {
    let (server, person) = (server().await, Person::willing());
    let app = program(&server, &person);
    let (one, two) = (app.clone(), app.clone());
    let (one, two) = tokio::join!(one.sign_in(), two.sign_in());
    let tokens = [one.unwrap().get().await.unwrap(), two.unwrap().get().await.unwrap()];
    assert_eq!(tokens[0].expose(), tokens[1].expose());
    assert_eq!((person.was_asked(), server.token_requests()), (1, 1));

    server.consent(gatepass_testkit::Consent::Deny);
    let (one, two) = tokio::join!(app.sign_in_again(), app.sign_in_again());
    assert!(one.unwrap_err().is_denied() && two.unwrap_err().is_denied());
    assert_eq!(person.was_asked(), 2);

    // Who asks later asks anew; and one that is given up leaves its turn.
    let given_up = tokio::time::timeout(std::time::Duration::ZERO, app.sign_in_again()).await;
    assert!(given_up.is_err());
    server.consent(gatepass_testkit::Consent::Approve);
    app.sign_in_again().await.unwrap();
}

#[tokio::test]
async fn c5_what_a_store_that_breaks_meanwhile_cannot_keep_is_in_use_and_that_is_said() {
    let (server, person, folder) = (server().await, Person::idle(), Folder::new());
    let app = started(&server, &person, &folder);
    let api = Api::start(&server).await;
    let signing_in = tokio::spawn({
        let app = app.clone();
        async move { app.sign_in().await }
    });
    let address = person.address(1).await;
    let path = folder.tokens();
    let _ = std::fs::remove_file(&path);
    std::fs::create_dir(&path).unwrap();
    let page = crate::browser::open(&address).await;
    let cell = signing_in.await.unwrap().unwrap();
    assert_eq!((page.status.as_u16(), call(&api, &cell).await.unwrap().as_u16()), (200, 200));
    let said = person.steps().iter().any(|step| matches!(step, Step::NotKept { why, .. } if !why.is_empty()));
    assert!(said && cell.status().unsaved.is_some(), "{:?}", person.steps());
}
