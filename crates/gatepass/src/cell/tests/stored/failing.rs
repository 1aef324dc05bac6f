//! C5 and a store that is away, damaged or forgetful.

use super::*;

#[tokio::test(start_paused = true)]
async fn c5_a_token_that_cannot_be_stored_is_used_and_stored_when_the_store_is_back() {
    let (server, store, time, cell) = one();
    store.go_away_after_writes(2); // what it starts from, and the intent
    assert_eq!(cell.get().await.unwrap().expose(), "access-1");
    let status = cell.status();
    assert!(status.unsaved.unwrap().to_string().contains("away"));
    assert_eq!(status.counts.at_risk, 1);
    pass(secs(10)).await;
    store.come_back();
    cell.settled().await;
    assert!(cell.status().unsaved.is_none());
    assert!(kept(&store).await.unwrap().contains("refresh-1"));

    let other = instance(&server.client(), &store, &time);
    assert_eq!(other.get().await.unwrap().expose(), "access-1");
    assert_eq!(server.requests(), 1);
}

#[tokio::test(start_paused = true)]
async fn c5_after_a_long_outage_the_next_exchange_stores_first() {
    let (server, store, _, cell) = one();
    store.go_away_after_writes(2);
    cell.get().await.unwrap();
    cell.settled().await; // gave up, for now
    assert!(cell.status().unsaved.is_some());
    pass(HOUR).await;
    let error = error(cell.get().await);
    assert!(error.is_transient() && error.to_string().contains("away"), "{error}");
    assert_eq!(server.requests(), 1, "fails closed: nothing is presented");
    store.come_back();
    pass(secs(2)).await;
    assert_eq!(cell.get().await.unwrap().expose(), "access-2");
    assert!(cell.status().unsaved.is_none());
    assert!(!server.is_revoked());
}

#[tokio::test(start_paused = true)]
async fn c12_who_stores_gives_up_after_a_while() {
    let (_, store, _, cell) = one();
    store.go_away_after_writes(2);
    cell.get().await.unwrap();
    drop(cell);
    assert!(tokio::runtime::Handle::current().metrics().num_alive_tasks() > 0);
    pass(secs(75)).await;
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_rotating_cell_fails_closed_while_the_store_is_away_and_recovers_by_itself() {
    let (server, store, _, cell) = one();
    cell.get().await.unwrap();
    store.go_away();
    pass(HOUR - secs(30)).await; // in the mandatory window
    assert_eq!(cell.get().await.unwrap().expose(), "access-1", "the token in memory keeps serving");
    pass(secs(30)).await;
    let error = error(cell.get().await);
    assert!(error.is_transient() && error.to_string().contains("the test store is away"), "{error}");
    assert_eq!(server.requests(), 1);
    store.come_back();
    pass(secs(2)).await;
    assert_eq!(cell.get().await.unwrap().expose(), "access-2");
}

#[tokio::test(start_paused = true)]
async fn a_cell_that_spends_nothing_goes_on_without_the_store() {
    let (server, store, time) = (Server::new(), TestStore::new(), TestClock::new());
    let build = || TokenCell::builder(server.machine()).clock(time.clock()).store(store.clone()).build();
    let (one, two) = (build(), build());
    store.go_away();
    assert_eq!(one.get().await.unwrap().expose(), "machine-1");
    pass(HOUR).await;
    assert_eq!(one.get().await.unwrap().expose(), "machine-2");
    store.come_back();
    pass(HOUR).await;
    assert_eq!(one.get().await.unwrap().expose(), "machine-3");
    assert_eq!(two.get().await.unwrap().expose(), "machine-3", "and shares it again");
}

#[tokio::test(start_paused = true)]
async fn a_damaged_record_is_a_clear_error_and_stays() {
    let (server, store, time, cell) = one();
    cell.get().await.unwrap();
    let version = store.memory.load(&key()).await.unwrap().unwrap().version;
    store.memory.compare_and_swap(&key(), Some(version), &Secret::new("{\"gatepass\":1,")).await.unwrap();
    assert_eq!(cell.get().await.unwrap().expose(), "access-1", "the token in memory keeps serving");
    let other = instance(&server.client(), &store, &time);
    let error = error(other.get().await);
    assert!(error.is_misconfigured() && error.to_string().contains("damaged"), "{error}");
    pass(HOUR).await;
    assert!(cell.get().await.is_err());
    assert_eq!(kept(&store).await.unwrap(), "{\"gatepass\":1,");
    assert_eq!(server.requests(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_lost_the_set_is_told_from_one_that_never_had_it() {
    let (server, store, time, cell) = one();
    cell.get().await.unwrap();
    store.memory.remove(&key(), Duration::ZERO).await.unwrap();
    pass(HOUR - secs(30)).await;
    assert_eq!(cell.get().await.unwrap().expose(), "access-1", "the token in memory keeps serving");
    pass(secs(40)).await;
    let error = error(cell.get().await);
    assert!(error.is_reauth_required() && error.to_string().contains("evict"), "{error}");
    assert_eq!(server.requests(), 1, "another instance may have spent the one in memory");
    drop(time);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_went_back_in_time_gets_the_newer_set_back() {
    let (server, store, _, cell) = one();
    cell.get().await.unwrap();
    let old = store.memory.load(&key()).await.unwrap().unwrap().value.unwrap();
    pass(HOUR).await;
    cell.get().await.unwrap();
    let version = store.memory.load(&key()).await.unwrap().unwrap().version;
    store.memory.compare_and_swap(&key(), Some(version), &old).await.unwrap();
    pass(HOUR).await;
    assert_eq!(cell.get().await.unwrap().expose(), "access-3");
    assert!(!server.is_revoked());
}

#[tokio::test(start_paused = true)]
async fn put_while_the_store_is_away_is_used_and_said_and_stored_by_the_next_exchange() {
    let (server, store, _, [one, two, _]) = fleet();
    one.get().await.unwrap();
    two.get().await.unwrap();
    store.go_away();
    let set = server.sign_in();
    let error = one.put(set).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert!(one.status().unsaved.is_some());
    assert!(one.get().await.is_err(), "the refresh token is not presented without the store");
    store.come_back();
    pass(secs(2)).await;
    let token = one.get().await.unwrap();
    assert!(one.status().unsaved.is_none());
    let refused = two.peek().unwrap();
    two.reject(&refused);
    assert_eq!(two.get().await.unwrap().expose(), token.expose());
}
