//! What an owner reads of the set: the newest, wherever it is, and nothing happens.

use super::*;

async fn refresh_token(cell: &TokenCell) -> Option<String> {
    let set = cell.token_set().await.unwrap()?;
    set.refresh_token.map(|token| token.expose().to_owned())
}

#[tokio::test(start_paused = true)]
async fn the_set_of_the_store_is_read_without_an_exchange() {
    let (server, _, _, [one, two, _]) = fleet();
    assert_eq!(refresh_token(&one).await.as_deref(), Some("refresh-0"), "what it starts from");
    assert_eq!(server.requests(), 0);
    one.get().await.unwrap();
    assert_eq!(refresh_token(&one).await, refresh_token(&two).await);
    assert_ne!(refresh_token(&two).await.as_deref(), Some("refresh-0"));
    pass(HOUR).await;
    assert!(refresh_token(&two).await.is_some(), "its access token has ended");
    assert_eq!(server.requests(), 1);
    one.remove().await.unwrap();
    assert_eq!(refresh_token(&one).await, None);
    assert_eq!(refresh_token(&two).await, None);
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_stored_is_newer_than_what_is_in_the_store() {
    let (_, store, _, cell) = one();
    cell.get().await.unwrap();
    store.go_away();
    assert!(cell.put(TokenSet::from_refresh_token("signed-in")).await.unwrap_err().is_transient());
    assert_eq!(refresh_token(&cell).await.as_deref(), Some("signed-in"));
    let (_, store, _, cell) = one();
    store.go_away();
    assert!(cell.token_set().await.unwrap_err().is_transient());
}

#[tokio::test(start_paused = true)]
async fn without_a_store_it_is_the_one_in_memory() {
    let server = Server::new();
    let cell = TokenCell::builder(server.client()).start_from(TokenSet::from_refresh_token("refresh-0")).build();
    assert_eq!(refresh_token(&cell).await.as_deref(), Some("refresh-0"));
    cell.get().await.unwrap();
    assert_ne!(refresh_token(&cell).await.as_deref(), Some("refresh-0"));
    cell.remove().await.unwrap();
    assert_eq!(refresh_token(&cell).await, None);
}
