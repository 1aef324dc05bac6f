//! Signing out (S10).

use std::time::Duration;

use gatepass::store::{FileStore, MemoryStore};
use gatepass_native::SignedOut;
use gatepass_testkit::{Failure, Metadata};

use crate::{
    browser::{Person, leads_to, open},
    program::{Folder, ended, program, server, started},
};

#[tokio::test]
async fn s10_the_server_ends_the_refresh_token_and_the_next_sign_in_asks() {
    let (server, person, folder) = (server().await, Person::willing(), Folder::new());
    let cell = started(&server, &person, &folder).sign_in().await.unwrap();
    let set = cell.token_set().await.unwrap().unwrap();
    let refresh_token = set.refresh_token.as_ref().unwrap().expose();

    let app = started(&server, &person, &folder);
    let outcome = app.sign_out().await.unwrap();
    assert!(matches!(outcome, SignedOut::Revoked), "{outcome:?}");
    assert!(!server.is_refreshable(refresh_token));
    assert_eq!(server.last_arrival("/revoke").unwrap().param("token"), Some(refresh_token));
    assert!(app.cell().unwrap().token_set().await.unwrap().is_none());
    assert!(!std::fs::read_to_string(folder.tokens()).unwrap().contains(refresh_token));
    assert!(matches!(app.sign_out().await.unwrap(), SignedOut::WasNot));

    app.sign_in().await.unwrap();
    assert_eq!(person.was_asked(), 2);
}

#[tokio::test]
async fn s10_a_server_that_cannot_now_does_not_keep_anybody_signed_in_here() {
    for failure in [Failure::status(503), Failure::dropped(), Failure::oauth("invalid_client"), Failure::html(502)] {
        let (server, person) = (server().await, Person::willing());
        let app = program(&server, &person);
        app.sign_in().await.unwrap();
        server.fail_until_told_at("/revoke", failure);
        let outcome = app.sign_out().await.unwrap();
        assert!(
            matches!(&outcome, SignedOut::NotRevoked(error) if error.to_string().lines().count() == 1),
            "{outcome:?}"
        );
        assert!(app.cell().unwrap().token_set().await.unwrap().is_none());
        assert!(app.cell().unwrap().get().await.unwrap_err().is_reauth_required());
    }
}

#[tokio::test]
async fn s10_a_server_that_is_away_does_not_keep_anybody_signed_in_here() {
    let (server, person, folder) = (server().await, Person::willing(), Folder::new());
    started(&server, &person, &folder).sign_in().await.unwrap();
    server.stop().await;
    let app = started(&server, &person, &folder);
    let outcome = app.sign_out().await.unwrap();
    assert!(matches!(&outcome, SignedOut::NotRevoked(error) if error.is_transient()), "{outcome:?}");
    assert!(app.cell().unwrap().token_set().await.unwrap().is_none());
}

#[tokio::test]
async fn s10_within_ten_seconds_whatever_hangs() {
    let (server, person) = (server().await, Person::willing());
    let app = program(&server, &person);
    let cell = app.cell().unwrap();
    cell.put(ended(&server)).await.unwrap();
    cell.get().await.unwrap();
    // Both what is under way and what is to come.
    server.fail_until_told(Failure::late(Duration::from_secs(60)));
    server.fail_until_told_at("/revoke", Failure::late(Duration::from_secs(60)));
    let refreshing = tokio::spawn({
        let cell = cell.clone();
        async move { cell.refresh().await }
    });
    server.until_token_requests(2).await;
    let begun = std::time::Instant::now();
    let outcome = app.sign_out().await.unwrap();
    assert!(matches!(&outcome, SignedOut::NotRevoked(error) if error.is_transient()), "{outcome:?}");
    assert!(begun.elapsed() < Duration::from_secs(12), "{:?}", begun.elapsed());
    assert!(app.cell().unwrap().token_set().await.unwrap().is_none());
    refreshing.abort();
}

#[tokio::test]
async fn s10_an_exchange_under_way_does_not_bring_it_back_and_what_it_brought_is_ended_too() {
    let (server, person, folder) = (server().await, Person::willing(), Folder::new());
    let app = started(&server, &person, &folder);
    let cell = app.cell().unwrap();
    cell.put(ended(&server)).await.unwrap();
    server.hold();
    let refreshing = tokio::spawn({
        let cell = cell.clone();
        async move { cell.get().await }
    });
    server.until_token_requests(1).await;
    let leaving = tokio::spawn({
        let app = app.clone();
        async move { app.sign_out().await }
    });
    tokio::task::yield_now().await;
    server.release();
    assert!(matches!(leaving.await.unwrap().unwrap(), SignedOut::Revoked));
    let token = refreshing.await.unwrap();
    assert!(token.is_err() || !server.is_active(token.unwrap().expose()));
    assert!(cell.get().await.unwrap_err().is_reauth_required());
    assert!(started(&server, &person, &folder).cell().unwrap().token_set().await.unwrap().is_none());
    assert_eq!(server.families_revoked(), 1);
}

#[tokio::test]
async fn s10_a_sign_in_that_was_given_up_on_does_not_come_back_after_the_sign_out() {
    let (server, person) = (server().await, Person::idle());
    let app = program(&server, &person);
    let signing_in = tokio::spawn({
        let app = app.clone();
        async move { app.sign_in().await }
    });
    let callback = leads_to(&person.address(1).await).await;
    server.hold();
    let page = tokio::spawn(async move { open(&callback).await });
    server.until_token_requests(1).await;
    signing_in.abort();
    let leaving = tokio::spawn({
        let app = app.clone();
        async move { app.sign_out().await }
    });
    // As far as it gets without the server.
    tokio::task::yield_now().await;
    server.release();
    page.await.unwrap();
    leaving.await.unwrap().unwrap();
    assert!(app.cell().unwrap().get().await.unwrap_err().is_reauth_required());
    assert_eq!((server.tokens_issued(), server.families_revoked()), (1, 1), "what it brought is ended");
}

#[tokio::test]
async fn s10_a_server_without_a_revocation_endpoint_is_told_from_one_that_fails() {
    let (server, person) = (server().await, Person::willing());
    server.oauth_metadata(Metadata::Member("revocation_endpoint".to_owned(), "null".to_owned()));
    let app = program(&server, &person);
    app.sign_in().await.unwrap();
    assert!(matches!(app.sign_out().await.unwrap(), SignedOut::NotOffered));
    assert!(app.cell().unwrap().token_set().await.unwrap().is_none());
}

#[tokio::test]
async fn who_was_not_signed_in_is_told_so_without_the_server() {
    let (server, person) = (server().await, Person::willing());
    assert!(matches!(program(&server, &person).sign_out().await.unwrap(), SignedOut::WasNot));
    assert_eq!(server.arrivals().len(), 0);
}

#[tokio::test]
async fn a_dead_grant_is_signed_out_of_too() {
    let (server, person) = (server().await, Person::willing());
    let app = program(&server, &person);
    let cell = app.cell().unwrap();
    cell.put(ended(&server)).await.unwrap();
    server.revoke_everything();
    assert!(cell.get().await.unwrap_err().is_reauth_required());
    app.sign_out().await.unwrap();
    assert!(cell.token_set().await.unwrap().is_none());
}

#[tokio::test]
async fn x6_the_set_of_another_client_is_forgotten_and_not_sent_to_this_server() {
    let (server, person, store) = (server().await, Person::willing(), MemoryStore::new());
    let app = program(&server, &person).store(store);
    app.cell().unwrap().put(ended(&server).client_id("another")).await.unwrap();
    let outcome = app.sign_out().await.unwrap();
    assert!(matches!(&outcome, SignedOut::NotRevoked(error) if error.is_misconfigured()), "{outcome:?}");
    assert_eq!(server.arrived_at("/revoke"), 0);
    assert!(app.cell().unwrap().token_set().await.unwrap().is_none());
}

#[tokio::test]
async fn a_store_that_cannot_forget_says_so() {
    let (server, person) = (server().await, Person::willing());
    let file = std::env::temp_dir().join(format!("gatepass-sign-out-a-file-{}", std::process::id()));
    std::fs::write(&file, "").unwrap();
    let app = program(&server, &person).store(FileStore::new(file.join("tokens.json")));
    let error = app.sign_out().await.unwrap_err();
    assert!(error.is_misconfigured() && error.to_string().lines().count() == 1, "{error}");
    std::fs::remove_file(&file).unwrap();
}
