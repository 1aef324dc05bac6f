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
