//! F1 across starts: an access token that was refused and that nothing renews is not what the next start goes on with.

use super::*;

#[tokio::test(start_paused = true)]
async fn f1_a_refused_token_of_a_dead_grant_is_not_used_again_after_a_restart() {
    let (server, store, time, cell) = one();
    let token = cell.get().await.unwrap();
    server.revoke();
    cell.reject(&token);
    assert!(error(cell.get().await).is_reauth_required());
    cell.settled().await;
    let again = instance(&server.client(), &store, &time);
    assert!(error(again.get().await).is_reauth_required());
    // Whoever signs in there is found here.
    again.put(server.sign_in()).await.unwrap();
    pass(secs(2)).await;
    cell.get().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn f1_nor_is_one_that_never_had_a_refresh_token() {
    let (server, store, time) = (Server::new(), TestStore::new(), TestClock::new());
    let started =
        || TokenCell::builder(server.client()).clock(time.clock()).store(store.clone()).subject("alice").build();
    let cell = started();
    cell.put(TokenSet::new("for-ever")).await.unwrap();
    let token = cell.get().await.unwrap();
    assert_eq!(started().get().await.unwrap().expose(), "for-ever");
    cell.reject(&token);
    assert!(error(cell.get().await).is_reauth_required());
    cell.settled().await;
    assert!(error(started().get().await).is_reauth_required());
}

#[tokio::test(start_paused = true)]
async fn f1_while_nobody_refused_it_a_token_of_a_dead_grant_is_used_to_its_end() {
    let (server, store, time, cell) = one();
    cell.get().await.unwrap();
    server.revoke();
    pass(HOUR - secs(100)).await; // in the advisory window
    cell.get().await.unwrap();
    cell.settled().await;
    let again = instance(&server.client(), &store, &time);
    assert_eq!(again.get().await.unwrap().expose(), "access-1");
}
