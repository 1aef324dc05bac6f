//! C4, C5, C6, X6 and a restart: what is in the store goes first.

use super::*;

#[tokio::test(start_paused = true)]
async fn c4_a_fleet_that_starts_together_exchanges_once() {
    let (server, _, _, cells) = fleet();
    let (one, two, three) = tokio::join!(cells[0].get(), cells[1].get(), cells[2].get());
    for token in [one, two, three] {
        assert_eq!(token.unwrap().expose(), "access-1");
    }
    assert_eq!(server.requests(), 1);
    assert_eq!(cells.iter().map(|cell| cell.status().counts.adopted).sum::<u64>(), 2);
}

#[tokio::test(start_paused = true)]
async fn c4_a_newer_set_is_adopted_and_nothing_exchanged() {
    let (server, _, _, [one, two, three]) = fleet();
    for cell in [&one, &two, &three] {
        cell.get().await.unwrap();
    }
    pass(HOUR - secs(100)).await; // in the advisory window
    one.get().await.unwrap();
    one.settled().await;
    assert_eq!((one.peek().unwrap().expose(), server.requests()), ("access-2", 2));
    assert_eq!(two.get().await.unwrap().expose(), "access-1", "which still lives");
    two.settled().await;
    assert_eq!(two.peek().unwrap().expose(), "access-2");
    let refused = three.peek().unwrap();
    three.reject(&refused);
    assert_eq!(three.get().await.unwrap().expose(), "access-2", "a refused token is replaced by the newer one (A2)");
    assert_eq!(server.requests(), 2);
}

#[tokio::test(start_paused = true)]
async fn c4_a_hundred_instances_at_expiry_exchange_once() {
    let (server, store, time) = (Server::new(), TestStore::new(), TestClock::new());
    let cells: Vec<_> = (0..100).map(|_| instance(&server.client(), &store, &time)).collect();
    for round in 1..=5 {
        let calls = cells.iter().cloned().map(|cell| tokio::spawn(async move { cell.get().await.map(drop) }));
        for call in calls.collect::<Vec<_>>() {
            call.await.unwrap().unwrap();
        }
        assert_eq!(server.requests(), round);
        pass(HOUR + secs(1)).await;
    }
    assert!(!server.is_revoked());
}

#[tokio::test(start_paused = true)]
async fn a_restart_uses_the_stored_set_without_an_exchange_while_it_is_fresh() {
    let (server, store, time, cell) = one();
    cell.get().await.unwrap();
    cell.settled().await;
    drop(cell);
    let again = instance(&server.client(), &store, &time);
    let token = again.get().await.unwrap();
    assert_eq!((token.expose(), server.requests()), ("access-1", 1));
    let left = token.expires_at().unwrap().duration_since(time.wall()).unwrap();
    assert!(left > HOUR - secs(5) && left <= HOUR, "{left:?}");
    drop(again);

    pass(HOUR).await;
    let later = instance(&server.client(), &store, &time);
    assert_eq!(later.get().await.unwrap().expose(), "access-2");
    assert!(!server.is_revoked(), "it was the newest refresh token, not the one in the settings");
}

#[tokio::test(start_paused = true)]
async fn c5_a_rotated_refresh_token_is_stored_before_its_access_token_is_used() {
    let (_, store, _, cell) = one();
    store.takes(Duration::from_millis(500));
    let waiting = tokio::spawn({
        let cell = cell.clone();
        async move { cell.get().await }
    });
    while cell.peek().is_none() {
        pass(Duration::from_millis(10)).await;
    }
    assert!(kept(&store).await.unwrap().contains("refresh-1"), "published before it was stored");
    assert_eq!(waiting.await.unwrap().unwrap().expose(), "access-1");
}

#[tokio::test(start_paused = true)]
async fn c3_everybody_leaves_and_what_came_is_stored_all_the_same() {
    let (server, store, _, cell) = one();
    let impatient = tokio::time::timeout(Duration::from_millis(100), cell.get()).await;
    assert!(impatient.is_err());
    drop(cell);
    pass(secs(5)).await;
    assert!(kept(&store).await.unwrap().contains("refresh-1"));
    assert_eq!(server.requests(), 1);
}

#[tokio::test(start_paused = true)]
async fn c6_an_answer_without_a_refresh_token_keeps_the_stored_one() {
    let (server, store, _, cell) = one();
    server.does_not_rotate();
    cell.get().await.unwrap();
    let stored = kept(&store).await.unwrap();
    assert!(stored.contains("refresh-0") && stored.contains("access-1"), "{stored}");
}

#[tokio::test(start_paused = true)]
async fn x6_a_set_of_another_issuer_is_neither_used_nor_presented() {
    let (server, store, time, cell) = one();
    cell.get().await.unwrap();
    let other = instance(&server.client().of_issuer("https://other.example.com"), &store, &time);
    let error = error(other.get().await);
    assert!(error.is_misconfigured() && error.to_string().contains("another server"), "{error}");
    assert_eq!(server.requests(), 1);
}

#[tokio::test(start_paused = true)]
async fn put_reaches_the_other_instances_by_the_store() {
    let (server, _, _, [one, two, _]) = fleet();
    one.get().await.unwrap();
    two.get().await.unwrap();
    one.put(server.sign_in()).await.unwrap();
    let token = one.get().await.unwrap();
    let refused = two.peek().unwrap();
    two.reject(&refused);
    assert_eq!(two.get().await.unwrap().expose(), token.expose());
    assert_eq!(server.requests(), 2);
}

#[tokio::test(start_paused = true)]
async fn events_tell_what_was_adopted() {
    let (_, _, _, [one, two, _]) = fleet();
    let (mut of_one, mut of_two) = (one.events(), two.events());
    one.get().await.unwrap();
    two.get().await.unwrap();
    assert!(!heard(&mut of_one).await.adopted);
    let adopted = heard(&mut of_two).await;
    assert!(adopted.adopted);
    assert_eq!(adopted.set.refresh_token.as_ref().unwrap().expose(), "refresh-1");
}

#[tokio::test(start_paused = true)]
async fn a_new_refresh_token_in_the_settings_takes_the_place_of_a_dead_grant_and_an_old_one_does_not() {
    let (server, store, time, cell) = one();
    cell.get().await.unwrap();
    server.revoke();
    pass(HOUR).await;
    assert!(error(cell.get().await).is_reauth_required());

    let restarted = instance(&server.client(), &store, &time);
    let requests = server.requests();
    assert!(error(restarted.get().await).is_reauth_required());
    assert_eq!(server.requests(), requests + 1, "what it started from once is not presented again");

    let signed_in = server.sign_in();
    let cell = TokenCell::builder(server.client()).clock(time.clock()).store(store.clone()).subject("alice");
    let cell = cell.start_from(signed_in).build();
    assert!(cell.get().await.unwrap().expose().starts_with("access-"));
    pass(secs(6)).await;
    assert_eq!(restarted.get().await.unwrap().expose(), cell.peek().unwrap().expose(), "found by the others too (F1)");
}

#[tokio::test(start_paused = true)]
async fn a_new_refresh_token_in_the_settings_takes_the_place_of_one_whose_answer_was_lost_for_good() {
    let (server, store, time, cell) = one();
    for _ in 0..3 {
        server.then(Next::LostBefore);
    }
    for _ in 0..20 {
        let _ = cell.get().await;
        pass(secs(1)).await;
    }
    assert!(error(cell.get().await).is_reauth_required());
    drop(cell);
    let cell = TokenCell::builder(server.client()).clock(time.clock()).store(store.clone()).subject("alice");
    let cell = cell.start_from(server.sign_in()).build();
    cell.get().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_new_refresh_token_in_the_settings_takes_the_place_of_one_that_is_refused_without_a_reason() {
    let (server, store, time, cell) = one();
    cell.get().await.unwrap();
    drop(cell);
    pass(HOUR).await;
    let vague = Error::transient("400, empty").doubting_the_grant();
    server.then(Next::Fails(vague.clone())).then(Next::Fails(vague));
    let cell = TokenCell::builder(server.client()).clock(time.clock()).store(store.clone()).subject("alice");
    let cell = cell.start_from(server.sign_in()).build();
    assert!(error(cell.get().await).is_transient());
    pass(secs(2)).await;
    for _ in 0..20 {
        if cell.get().await.is_ok() {
            return;
        }
        pass(secs(2)).await;
    }
    panic!("{:?}", cell.get().await);
}

#[tokio::test(start_paused = true)]
async fn f1_two_instances_with_different_settings_do_not_present_dead_tokens_for_ever() {
    let (server, store, time) = (Server::new(), TestStore::new(), TestClock::new());
    let build = |token: &str| {
        let cell = TokenCell::builder(server.client()).clock(time.clock()).store(store.clone()).subject("alice");
        cell.start_from(TokenSet::from_refresh_token(token)).build()
    };
    let (one, two) = (build("refresh-0"), build("refresh-of-last-year"));
    one.get().await.unwrap();
    server.revoke();
    pass(HOUR).await;
    for _ in 0..30 {
        let _ = (one.get().await, two.get().await);
        pass(secs(2)).await;
    }
    let requests = server.requests();
    for _ in 0..150 {
        let _ = (one.get().await, two.get().await);
        pass(secs(2)).await;
    }
    assert_eq!(server.requests() - requests, 0, "within 5 minutes, long after the grant died");
}

#[tokio::test(start_paused = true)]
async fn x6_a_set_of_another_issuer_in_the_settings_does_not_get_into_the_store() {
    let (server, store, time) = (Server::new(), TestStore::new(), TestClock::new());
    let wrong = TokenSet::from_refresh_token("refresh-0").issuer("https://other.example.com");
    let cell = builder(&server.client(), &store, &time).start_from(wrong).build();
    assert!(error(cell.get().await).is_misconfigured());
    drop(cell);
    let corrected = instance(&server.client(), &store, &time);
    corrected.get().await.unwrap();
}
