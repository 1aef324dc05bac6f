//! Sign-out: what was removed does not come back.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_removed_set_is_gone_here_and_in_the_store() {
    let (server, store, _, cell) = one();
    cell.get().await.unwrap();
    cell.remove().await.unwrap();
    assert!(cell.peek().is_none() && kept(&store).await.is_none());
    assert!(error(cell.get().await).is_reauth_required());
    pass(HOUR).await;
    assert!(error(cell.get().await).is_reauth_required(), "what it started from is over too");
    assert_eq!(server.requests(), 1);
    cell.put(server.sign_in()).await.unwrap();
    cell.get().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_exchange_in_flight_does_not_bring_it_back_on_this_instance_or_another() {
    for remover in [0, 1] {
        let (server, store, _, cells) = fleet();
        cells[0].get().await.unwrap();
        cells[1].get().await.unwrap();
        pass(HOUR).await;
        let in_flight = tokio::spawn({
            let cell = cells[0].clone();
            async move { cell.get().await }
        });
        pass(Duration::from_millis(500)).await;
        cells[remover].remove().await.unwrap();
        assert!(in_flight.await.unwrap().is_err());
        cells[0].settled().await;
        for cell in &cells[..2] {
            assert!(cell.peek().is_none());
            assert!(error(cell.get().await).is_reauth_required());
        }
        assert!(kept(&store).await.is_none());
        pass(secs(300)).await; // the tombstone is gone
        for cell in &cells[..2] {
            assert!(error(cell.get().await).is_reauth_required());
        }
        assert!(kept(&store).await.is_none());
        assert_eq!(server.requests(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn another_instance_learns_of_it_with_its_next_exchange_and_of_the_next_sign_in_too() {
    let (server, _, _, [one, two, _]) = fleet();
    one.get().await.unwrap();
    two.get().await.unwrap();
    one.remove().await.unwrap();
    assert!(two.peek().is_some(), "until then it has its access token");
    let refused = two.peek().unwrap();
    two.reject(&refused);
    let error = error(two.get().await);
    assert!(error.is_reauth_required() && error.to_string().contains("sign-out"), "{error}");
    one.put(server.sign_in()).await.unwrap();
    pass(secs(6)).await;
    two.get().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_the_store_did_not_hear_of_comes_before_anything_else() {
    let (server, store, _, cell) = one();
    cell.get().await.unwrap();
    store.go_away();
    assert!(cell.remove().await.is_err());
    assert!(cell.peek().is_none());
    assert!(cell.get().await.is_err());
    store.come_back();
    pass(secs(2)).await;
    assert!(error(cell.get().await).is_reauth_required());
    assert!(kept(&store).await.is_none());
    assert_eq!(server.requests(), 1);
}

#[tokio::test(start_paused = true)]
async fn without_a_store_too() {
    let (server, time) = (Server::new(), TestClock::new());
    let first = TokenSet::from_refresh_token("refresh-0");
    let cell = TokenCell::builder(server.client()).clock(time.clock()).start_from(first).build();
    let in_flight = tokio::spawn({
        let cell = cell.clone();
        async move { cell.get().await }
    });
    pass(Duration::from_millis(500)).await;
    cell.remove().await.unwrap();
    assert!(in_flight.await.unwrap().is_err());
    assert!(cell.peek().is_none());
    assert!(cell.get().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_sign_in_after_a_sign_out_is_not_overwritten_because_the_clock_was_set_back() {
    let (server, store, time, cell) = one();
    let other = instance(&server.client(), &store, &time);
    cell.get().await.unwrap();
    cell.settled().await;
    time.set_back(secs(60));
    other.remove().await.unwrap();
    other.put(server.sign_in()).await.unwrap();
    let token = other.get().await.unwrap();
    other.settled().await;
    let refused = cell.peek().unwrap();
    cell.reject(&refused);
    let got = cell.get().await;
    let stored = kept(&store).await.unwrap();
    assert!(stored.contains(token.expose()), "what was signed out is back, and the sign-in is gone: {stored}");
    assert_eq!(got.unwrap().expose(), token.expose());
}

#[tokio::test(start_paused = true)]
async fn what_was_removed_long_ago_is_not_stored_by_who_could_not_store_at_the_time() {
    let (server, store, time) = (Server::new(), TestStore::new(), TestClock::new());
    let (of_one, of_two) = (store.beside(), store.beside());
    let one = instance(&server.client(), &of_one, &time);
    let two = instance(&server.client(), &of_two, &time);
    of_one.go_away_after_writes(2); // and then one is cut off
    one.get().await.unwrap();
    one.settled().await;
    assert!(one.status().unsaved.is_some());
    two.remove().await.unwrap();
    pass(secs(300)).await; // the tombstone is gone
    of_one.come_back();
    let refused = one.peek().unwrap();
    one.reject(&refused);
    let got = one.get().await;
    assert_eq!(kept(&store).await, None, "the sign-out was undone");
    assert!(error(got).is_reauth_required());
}

#[tokio::test(start_paused = true)]
async fn a_cell_that_spends_nothing_needs_no_sign_in_when_another_instance_removes_the_set() {
    let (server, store, time) = (Server::new(), TestStore::new(), TestClock::new());
    let build = || TokenCell::builder(server.machine()).clock(time.clock()).store(store.clone()).build();
    let (one, two) = (build(), build());
    let in_flight = tokio::spawn(async move { one.get().await });
    pass(Duration::from_millis(500)).await;
    two.remove().await.unwrap();
    in_flight.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_sign_in_while_a_sign_out_is_under_way_is_kept_or_gone_and_not_half_of_it() {
    let (server, store, _, cell) = one();
    cell.get().await.unwrap();
    store.removals_take(secs(3));
    let removing = tokio::spawn({
        let cell = cell.clone();
        async move { cell.remove().await }
    });
    pass(secs(1)).await;
    cell.put(server.sign_in()).await.unwrap(); // and returns before the sign-out
    let token = cell.get().await;
    removing.await.unwrap().unwrap();
    cell.settled().await;
    let here = cell.peek().is_some() || cell.get().await.is_ok();
    let there = kept(&store).await.is_some();
    let unsaved = cell.status().unsaved.is_some();
    assert!(here == there || unsaved, "here {here}, in the store {there}, got {token:?}");
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_is_late_does_not_end_a_later_sign_in_on_another_instance() {
    let (server, store, time) = (Server::new(), TestStore::new(), TestClock::new());
    let (of_one, of_two) = (store.beside(), store.beside());
    let one = instance(&server.client(), &of_one, &time);
    let two = instance(&server.client(), &of_two, &time);
    one.get().await.unwrap();
    two.get().await.unwrap();
    of_one.go_away();
    one.remove().await.unwrap_err();
    pass(HOUR).await;
    two.put(server.sign_in()).await.unwrap();
    two.get().await.unwrap();
    of_one.come_back();
    let _ = one.get().await;
    assert!(kept(&store).await.is_some(), "an hour later, the sign-in went the way of the one before it");
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_is_made_up_for_leaves_a_later_sign_in_alone() {
    let (server, store, time) = (Server::new(), TestStore::new(), TestClock::new());
    let (of_one, of_two) = (store.beside(), store.beside());
    let (one, two) = (instance(&server.client(), &of_one, &time), instance(&server.client(), &of_two, &time));
    one.get().await.unwrap();
    of_one.go_away();
    one.remove().await.unwrap_err();
    of_one.come_back();
    two.put(server.sign_in()).await.unwrap();
    let token = two.get().await.unwrap();
    assert_eq!(one.get().await.unwrap().expose(), token.expose());
    assert!(kept(&store).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_process_that_just_started_makes_up_for_its_removal_too() {
    let (server, store, time, cell) = one();
    cell.get().await.unwrap();
    let (_, second) = (cell, instance(&server.client(), &store, &time));
    store.go_away();
    second.remove().await.unwrap_err();
    store.come_back();
    assert!(error(second.get().await).is_reauth_required(), "what was signed out is back");
    assert!(kept(&store).await.is_none());
}
