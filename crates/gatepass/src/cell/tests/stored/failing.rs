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

#[tokio::test(start_paused = true)]
async fn c5_a_set_that_was_put_is_not_taken_for_stored_because_an_older_exchange_was() {
    let (server, store, _, cell) = one();
    cell.get().await.unwrap();
    pass(HOUR).await;
    store.go_away_after_writes(1); // the intent
    server.takes(secs(3));
    let in_flight = tokio::spawn({
        let cell = cell.clone();
        async move { cell.get().await }
    });
    pass(secs(1)).await;
    store.go_away();
    let signed_in = TokenSet::new("signed-in").refresh_token("refresh-of-the-sign-in").expires_in(HOUR);
    cell.put(signed_in).await.unwrap_err();
    let _ = in_flight.await;
    pass(secs(3)).await; // the answer comes, and is not wanted
    store.come_back();
    pass(secs(5)).await;
    cell.settled().await;
    let stored = kept(&store).await.unwrap();
    assert!(
        cell.status().unsaved.is_some() || stored.contains("refresh-of-the-sign-in"),
        "the status says that it is stored, and it is not: {stored}"
    );
}

#[tokio::test(start_paused = true)]
async fn c5_a_put_that_was_kept_though_the_store_failed_does_not_bring_a_spent_token_back() {
    let (server, store, time) = (Server::new(), TestStore::new(), TestClock::new());
    let (of_one, of_two) = (store.beside(), store.beside());
    let one = instance(&server.client(), &of_one, &time);
    let two = instance(&server.client(), &of_two, &time);
    let set = server.sign_in();
    of_one.writes(&[Fault::AnswerLost]);
    one.put(set).await.unwrap_err();
    two.get().await.unwrap(); // spends it
    two.settled().await;
    let stored = kept(&store).await.unwrap();
    let token = one.get().await;
    assert!(!server.is_revoked(), "it was presented twice; there was {stored}");
    token.unwrap();
}

#[tokio::test(start_paused = true)]
async fn c5_newer_wins_also_where_ours_came_later_and_could_not_be_stored() {
    let (server, time) = (Server::new(), TestClock::new());
    let store = TestStore::with_term(secs(3));
    server.grace(HOUR);
    let (of_slow, of_fast) = (store.beside(), store.beside());
    let (slow, fast) = (instance(&server.client(), &of_slow, &time), instance(&server.client(), &of_fast, &time));
    server.takes(secs(8));
    let stalled = tokio::spawn({
        let slow = slow.clone();
        async move { slow.get().await }
    });
    pass(secs(1)).await;
    server.takes(secs(1));
    fast.get().await.unwrap(); // took over the lease, and presented the token within the grace
    fast.settled().await;
    let newer = kept(&store).await.unwrap();
    of_slow.go_away(); // before the answer comes
    stalled.await.unwrap().unwrap();
    of_slow.come_back();
    slow.settled().await;
    assert_eq!(kept(&store).await.unwrap(), newer);
    let refused = slow.peek().unwrap();
    slow.reject(&refused);
    let requests = server.requests();
    let token = slow.get().await.unwrap();
    assert_eq!(token.expose(), fast.peek().unwrap().expose(), "it adopts what is newer");
    assert_eq!(server.requests(), requests);
    assert_eq!(kept(&store).await.unwrap(), newer);
}

#[tokio::test(start_paused = true)]
async fn settled_waits_for_who_stores_also_after_another_exchange_failed() {
    let (_, store, _, cell) = one();
    store.go_away_after_writes(2);
    cell.get().await.unwrap();
    pass(secs(1)).await;
    let refused = cell.peek().unwrap();
    cell.reject(&refused);
    assert!(cell.get().await.is_err()); // the store is away
    let back = store.clone();
    tokio::spawn(async move {
        pass(secs(10)).await;
        back.come_back();
    });
    cell.settled().await;
    assert!(cell.status().unsaved.is_none(), "a shutdown here loses the refresh token");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_is_said_to_be_also_where_the_token_cannot_be_renewed() {
    let (_, store, _, cell) = one();
    cell.put(TokenSet::new("for-an-hour").expires_in(HOUR)).await.unwrap();
    assert_eq!(cell.get().await.unwrap().expose(), "for-an-hour");
    store.go_away();
    pass(HOUR).await;
    let error = error(cell.get().await);
    assert!(error.is_transient(), "another instance may have signed in meanwhile: {error}");
}

#[tokio::test(start_paused = true)]
async fn a_sign_in_elsewhere_is_not_overwritten_by_an_answer_that_could_not_be_stored() {
    let (server, store, time) = (Server::new(), TestStore::new(), TestClock::new());
    server.does_not_rotate();
    let (of_one, of_two) = (store.beside(), store.beside());
    let one = instance(&server.client(), &of_one, &time);
    let two = instance(&server.client(), &of_two, &time);
    one.get().await.unwrap();
    pass(HOUR).await;
    server.takes(secs(3));
    let in_flight = tokio::spawn({
        let one = one.clone();
        async move { one.get().await }
    });
    pass(secs(1)).await;
    let signed_in = TokenSet::new("signed-in").refresh_token("refresh-of-the-sign-in").expires_in(HOUR);
    two.put(signed_in).await.unwrap();
    of_one.go_away(); // before the answer comes
    in_flight.await.unwrap().unwrap();
    of_one.come_back();
    one.settled().await;
    pass(secs(5)).await;
    let refused = one.peek().unwrap();
    one.reject(&refused);
    let got = one.get().await;
    let stored = kept(&store).await.unwrap();
    assert!(stored.contains("refresh-of-the-sign-in"), "the sign-in is gone: {stored}");
    assert_eq!(got.unwrap().expose(), "signed-in");
}
