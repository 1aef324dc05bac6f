//! F1 and F4: lost answers and dead grants.

use super::*;

#[tokio::test(start_paused = true)]
async fn f4_a_lost_answer_is_tried_again_at_once_and_nobody_notices() {
    for lost in [Next::LostBefore, Next::LostAfter] {
        let (server, _, _, cell) = one();
        server.grace(secs(30)).then(lost);
        cell.get().await.unwrap();
        assert_eq!((server.requests(), cell.status().counts.in_doubt), (2, 1));
        assert!(cell.status().last_error.is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn f4_twice_at_most_and_then_one_clean_error() {
    for store in [Some(TestStore::new()), None] {
        let (server, time) = (Server::new(), TestClock::new());
        for _ in 0..9 {
            server.then(Next::LostBefore);
        }
        let first = TokenSet::from_refresh_token("refresh-0");
        let cell = TokenCell::builder(server.client()).clock(time.clock()).start_from(first);
        let cell = match &store {
            Some(store) => cell.store(store.clone()).build(),
            None => cell.build(),
        };
        let mut errors = Vec::new();
        for _ in 0..100 {
            errors.push(error(cell.get().await));
            pass(secs(1)).await;
        }
        assert_eq!(server.requests(), 3, "with a store: {}", store.is_some());
        let last = errors.pop().unwrap();
        assert!(last.is_reauth_required() && last.to_string().contains("was lost"), "{last}");
        assert!(errors[0].is_transient() && errors[0].is_in_doubt());
    }
}

#[tokio::test(start_paused = true)]
async fn f4_the_last_try_leaves_the_server_time_to_come_back() {
    let (server, _, _, cell) = one();
    server.then(Next::LostBefore).then(Next::LostBefore);
    let error = error(cell.get().await);
    assert!(error.retry_after().unwrap() > secs(2), "{error:?}");
    pass(secs(10)).await;
    cell.get().await.unwrap();
    assert_eq!(server.requests(), 3);
}

#[tokio::test(start_paused = true)]
async fn f4_not_beyond_the_grace() {
    let (server, store, time) = (Server::new(), TestStore::new(), TestClock::new());
    let cell = builder(&server.client(), &store, &time).grace(secs(20)).build();
    server.then(Next::Hangs);
    assert!(error(cell.get().await).is_in_doubt());
    pass(secs(20)).await;
    assert!(error(cell.get().await).is_reauth_required());
    assert_eq!(server.requests(), 1);

    let (server, store) = (Server::new(), TestStore::new());
    let gambler = builder(&server.client(), &store, &time).grace(Duration::MAX).build();
    server.then(Next::LostBefore).then(Next::LostBefore);
    error(gambler.get().await);
    pass(HOUR * 10).await;
    gambler.get().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn f4_an_outage_that_answers_ends_no_grant() {
    let (server, _, _, cell) = one();
    for _ in 0..40 {
        server.then(Next::Fails(down()));
    }
    server.then(Next::LostAfter).grace(secs(30));
    let mut failed = 0;
    while let Err(error) = cell.get().await {
        assert!(error.is_transient(), "{error}");
        failed += 1;
        pass(secs(1)).await;
    }
    assert!(failed > 20);
    assert!(!server.is_revoked());
}

#[tokio::test(start_paused = true)]
async fn f4_a_process_that_died_with_the_token_in_flight_leaves_its_intent() {
    for (lost, grace, revoked) in
        [(Next::LostBefore, secs(0), false), (Next::LostAfter, HOUR, false), (Next::LostAfter, secs(0), true)]
    {
        let (server, store, time) = (Server::new(), TestStore::new(), TestClock::new());
        server.grace(grace).then(lost).takes(Duration::from_millis(900));
        {
            let died = std::thread::spawn({
                let (client, store, time) = (server.client(), store.clone(), time.clone());
                move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                    runtime.block_on(async move {
                        let cell = instance(&client, &store, &time);
                        let _ = tokio::time::timeout(Duration::from_millis(1000), cell.get()).await;
                    });
                }
            });
            died.join().unwrap();
        }
        assert!(kept(&store).await.unwrap().contains("intent"));
        pass(secs(31)).await; // the lease of a process that is gone
        let restarted = builder(&server.client(), &store, &time).build();
        let token = restarted.get().await;
        assert_eq!((token.is_err(), server.is_revoked()), (revoked, revoked));
    }
}

#[tokio::test(start_paused = true)]
async fn f4_a_server_that_does_not_rotate_is_never_in_doubt() {
    let (server, _, _, cell) = one();
    server.does_not_rotate();
    cell.get().await.unwrap();
    pass(HOUR).await;
    for _ in 0..10 {
        server.then(Next::LostBefore);
    }
    let mut failed = 0;
    while let Err(error) = cell.get().await {
        assert!(error.is_transient(), "{error}");
        failed += 1;
        pass(secs(2)).await;
    }
    assert!(failed >= 5);
}

#[tokio::test(start_paused = true)]
async fn f1_a_refused_refresh_looks_into_the_store_first() {
    let (server, _, _, [one, two, _]) = fleet();
    one.get().await.unwrap();
    two.get().await.unwrap();
    pass(HOUR).await;
    // While two presents the token of a grant that ended, somebody signs in by way of one.
    let waiting = tokio::spawn({
        let two = two.clone();
        async move { two.get().await }
    });
    pass(Duration::from_millis(500)).await;
    one.put(server.sign_in()).await.unwrap();
    assert!(waiting.await.unwrap().unwrap().expose().starts_with("access-"));
    assert!(two.status().last_error.is_none());
}

#[tokio::test(start_paused = true)]
async fn f1_a_dead_grant_is_not_presented_again_and_a_new_sign_in_elsewhere_is_found() {
    let (server, _, _, [one, two, _]) = fleet();
    one.get().await.unwrap();
    server.revoke();
    pass(HOUR).await;
    assert!(error(one.get().await).is_reauth_required());
    let requests = server.requests();
    for _ in 0..100 {
        assert!(error(one.get().await).is_reauth_required());
        pass(secs(1)).await;
    }
    assert_eq!(server.requests(), requests);
    two.put(server.sign_in()).await.unwrap();
    pass(secs(6)).await;
    one.get().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn f4_a_server_that_does_not_rotate_is_not_in_doubt_after_the_store_was_away_at_the_first_answer() {
    let (server, store, time, cell) = one();
    server.does_not_rotate();
    store.go_away_after_writes(2);
    cell.get().await.unwrap();
    store.come_back();
    pass(secs(5)).await;
    cell.settled().await;
    drop(cell); // a restart
    pass(HOUR).await;
    let cell = instance(&server.client(), &store, &time);
    cell.get().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn f4_what_was_never_sent_is_in_no_doubt_however_often_the_store_fails() {
    let (server, store, _, cell) = one();
    cell.get().await.unwrap();
    cell.settled().await;
    pass(HOUR).await;
    store.writes(&[Fault::AnswerLost, Fault::Refused]);
    assert!(error(cell.get().await).is_transient());
    pass(secs(2)).await;
    assert!(error(cell.get().await).is_transient());
    assert_eq!(server.requests(), 1, "nothing was presented");
    store.go_away();
    pass(secs(400)).await; // longer than the grace
    store.come_back();
    cell.get().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn f4_a_holder_whose_store_was_away_stores_before_others_present_the_token_again() {
    for away in [1, 4, 6, 20] {
        let (server, time) = (Server::new(), TestClock::new());
        let store = TestStore::with_term(secs(3));
        let cells: Vec<_> = (0..8).map(|_| instance(&server.client(), &store, &time)).collect();
        store.go_away_after_writes(2); // what it starts from, and the intent
        let calls: Vec<_> = cells.iter().cloned().map(|cell| tokio::spawn(async move { cell.get().await })).collect();
        pass(secs(1 + away)).await;
        store.come_back();
        for call in calls {
            let _ = call.await.unwrap();
        }
        pass(secs(3)).await;
        for cell in &cells {
            assert_eq!(cell.get().await.unwrap().expose(), "access-1");
        }
        assert_eq!((server.requests(), server.is_revoked()), (1, false), "after {away} s");
    }
}

#[tokio::test(start_paused = true)]
async fn f4_a_holder_that_stands_still_for_a_little_longer_than_its_lease_loses_nothing() {
    let (server, time) = (Server::new(), TestClock::new());
    let store = TestStore::with_term(secs(3));
    let (slow, fast) = (instance(&server.client(), &store, &time), instance(&server.client(), &store, &time));
    server.takes(Duration::from_millis(4500));
    let (one, two) = tokio::join!(slow.get(), fast.get());
    assert_eq!(one.unwrap().expose(), two.unwrap().expose());
    assert_eq!((server.requests(), server.is_revoked()), (1, false));
}

#[tokio::test(start_paused = true)]
async fn f1_refresh_finds_a_sign_in_on_another_instance_at_once() {
    let (server, _, _, [one, two, _]) = fleet();
    one.get().await.unwrap();
    server.revoke();
    pass(HOUR).await;
    assert!(error(one.get().await).is_reauth_required());
    two.put(server.sign_in()).await.unwrap();
    one.refresh().await.unwrap();
}
