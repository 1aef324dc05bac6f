//! What owners do and see: put, refresh, status, settled, events; and what nobody sees (C14, X5).

use super::*;

#[tokio::test(start_paused = true)]
async fn put_replaces_the_token_and_wins_over_an_exchange_under_way() {
    let source = Source::new();
    let (cell, _) = cell(&source);
    let waiting = tokio::spawn({
        let cell = cell.clone();
        async move { cell.get().await }
    });
    tokio::task::yield_now().await;
    cell.put(TokenSet::new("signed-in").expires_in(HOUR)).await.unwrap();
    assert_eq!(token_at_once(&cell).as_deref(), Some("signed-in"));
    assert_eq!(waiting.await.unwrap().unwrap().expose(), "signed-in");
    cell.settled().await;
    assert_eq!(cell.peek().unwrap().expose(), "signed-in");
    assert_eq!(source.begun(), 1);
}

#[tokio::test(start_paused = true)]
async fn put_of_a_refresh_token_during_an_exchange_is_what_the_waiters_get_their_token_from() {
    let source = Source::new();
    source.then_fail(&Error::reauth_required("the old grant is dead"));
    let (cell, _) = cell(&source);
    cell.put(TokenSet::from_refresh_token("old")).await.unwrap();
    let before = tokio::spawn({
        let cell = cell.clone();
        async move { cell.get().await }
    });
    tokio::task::yield_now().await;
    cell.put(TokenSet::from_refresh_token("new")).await.unwrap();
    let after = cell.get().await;
    assert_eq!(after.unwrap().expose(), "token-2");
    assert_eq!(before.await.unwrap().unwrap().expose(), "token-2");
    assert_eq!(source.spent(), [Some("old".to_owned()), Some("new".to_owned())]);
    cell.settled().await;
    assert_eq!(cell.peek().unwrap().expose(), "token-2", "what the old grant is told later does not count");
    assert!(cell.status().last_error.is_none());
}

#[tokio::test(start_paused = true)]
async fn put_releases_who_waits_at_once() {
    let source = Source::new();
    source.takes(secs(9));
    let (cell, _) = cell(&source);
    let waiting = tokio::spawn({
        let cell = cell.clone();
        async move { cell.get().await }
    });
    tokio::task::yield_now().await;
    let began = tokio::time::Instant::now();
    cell.put(TokenSet::new("signed-in").expires_in(HOUR)).await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().expose(), "signed-in");
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn put_of_a_token_that_cannot_be_sent_changes_nothing() {
    let (cell, _) = cell(&Source::new());
    cell.get().await.unwrap();
    for bad in [
        TokenSet::new("s3cret\r\n"),
        TokenSet::new("s3 cret"),
        TokenSet::new(""),
        TokenSet::new("mac").token_type("mac"),
    ] {
        let error = cell.put(bad.refresh_token("new")).await.unwrap_err();
        assert!(error.is_misconfigured());
        assert!(!format!("{error:?}").contains("cret"), "{error:?}");
    }
    assert_eq!(cell.peek().unwrap().expose(), "token-1");
    assert_eq!(cell.status().generation, 1);
}

#[tokio::test(start_paused = true)]
async fn refresh_exchanges_whatever_the_age_and_joins_what_runs() {
    let source = Source::new();
    let (cell, _) = cell(&source);
    cell.get().await.unwrap();
    let (one, two) = tokio::join!(cell.refresh(), cell.refresh());
    assert_eq!((one.unwrap().expose(), two.unwrap().expose()), ("token-2", "token-2"));
    assert_eq!(source.begun(), 2);
}

#[tokio::test(start_paused = true)]
async fn a4_refresh_draws_on_the_bucket() {
    let source = Source::new();
    source.takes(Duration::ZERO);
    let (cell, _) = cell(&source);
    for _ in 0..5 {
        cell.refresh().await.unwrap();
    }
    let error = error(cell.refresh().await);
    assert!(error.is_transient() && error.retry_after().is_some(), "{error:?}");
    pass(error.retry_after().unwrap()).await;
    cell.refresh().await.unwrap();
    assert_eq!(source.begun(), 6);
}

#[tokio::test(start_paused = true)]
async fn a4_a_new_sign_in_fills_the_bucket() {
    let source = Source::new();
    let (cell, _) = cell(&source);
    while let Ok(token) = cell.get().await {
        if !cell.reject(&token) {
            break;
        }
    }
    assert!(cell.status().refusals_ignored_for.is_some());
    cell.put(token(100)).await.unwrap();
    assert!(cell.status().refusals_ignored_for.is_none());
    let signed_in = cell.get().await.unwrap();
    assert!(cell.reject(&signed_in), "what went before does not count");
}

#[tokio::test(start_paused = true)]
async fn settled_means_that_listeners_were_told() {
    let source = Source::new();
    let (cell, _) = cell(&source);
    let mut events = cell.events();
    source.takes(secs(1));
    assert!(at_once(cell.get()).is_none());
    cell.settled().await;
    assert!(at_once(events.next()).flatten().is_some());
}

#[tokio::test(start_paused = true)]
async fn status_tells_how_the_cell_stands() {
    let source = Source::new();
    let time = TestClock::new();
    let cell = TokenCell::builder(source.clone()).name("billing").clock(time.clock()).build();
    let status = cell.status();
    assert_eq!((status.name.as_deref(), cell.name()), (Some("billing"), Some("billing")));
    assert_eq!((status.state, status.generation, status.exchanging), (State::Empty, 0, false));
    assert_eq!(source.begun(), 0, "to look starts nothing");
    assert!(at_once(cell.get()).is_none());
    assert!(cell.status().exchanging);
    cell.settled().await;
    let status = cell.status();
    assert_eq!((status.state, status.generation, status.exchanging), (State::Fresh, 1, false));
    assert_eq!(status.remaining, Some(HOUR));
    assert_eq!(status.expires_at, Some(time.wall() + HOUR));
    time.advance(secs(3400));
    assert_eq!((cell.status().state, cell.status().remaining), (State::Due, Some(secs(200))));
    source.otherwise(Some(down()));
    assert!(cell.refresh().await.is_err());
    let status = cell.status();
    assert!(status.last_error.is_some() && status.next_attempt_in.is_some());
    time.advance(HOUR);
    let status = cell.status();
    assert_eq!((status.state, status.expires_at, status.remaining), (State::Empty, None, None));
}

#[tokio::test(start_paused = true)]
async fn settled_waits_for_the_exchange_under_way_and_for_nothing_else() {
    let source = Source::new();
    let (cell, _) = cell(&source);
    assert!(at_once(cell.settled()).is_some());
    assert!(at_once(cell.get()).is_none());
    let began = tokio::time::Instant::now();
    tokio::join!(cell.settled(), cell.settled());
    assert_eq!(began.elapsed(), secs(1));
    assert!(cell.peek().is_some());
}

#[tokio::test(start_paused = true)]
async fn c14_a_listener_hears_of_each_set_with_both_generations_and_why() {
    let (cell, _) = cell(&Source::new());
    let mut events = cell.events();
    cell.get().await.unwrap();
    let cold = heard(&mut events).await;
    assert_eq!((cold.previous, cold.generation, cold.reason), (0, 1, Some(Reason::Cold)));
    assert_eq!(cold.set.refresh_token.as_ref().unwrap().expose(), "refresh-1");
    assert!(cold.set.ends_at().is_some());

    cell.put(TokenSet::new("put").expires_in(HOUR)).await.unwrap();
    let put = heard(&mut events).await;
    assert_eq!((put.previous, put.generation, put.reason), (1, 2, None));

    cell.reject(&cell.peek().unwrap());
    cell.get().await.unwrap();
    assert_eq!(heard(&mut events).await.reason, Some(Reason::Rejected));
    cell.refresh().await.unwrap();
    assert_eq!(heard(&mut events).await.reason, Some(Reason::Forced));
    pass(secs(3400)).await;
    cell.get().await.unwrap();
    assert_eq!(heard(&mut events).await.reason, Some(Reason::Advisory));
    pass(HOUR).await;
    cell.get().await.unwrap();
    let last = heard(&mut events).await;
    assert_eq!((last.previous, last.generation, last.reason), (5, 6, Some(Reason::Mandatory)));
    assert!(at_once(events.next()).is_none(), "nothing else was issued");
}

#[tokio::test(start_paused = true)]
async fn c14_a_listener_that_lags_gets_the_newest_set() {
    let (cell, _) = cell(&Source::new());
    let mut events = cell.events();
    for _ in 0..4 {
        cell.refresh().await.unwrap();
    }
    assert_eq!(events.next().await.unwrap().set.refresh_token.as_ref().unwrap().expose(), "refresh-4");
    let late = cell.events();
    drop(cell);
    assert!(events.next().await.is_none());
    assert!(at_once({ late }.next()).unwrap().is_none(), "it listened to nothing");
}

#[tokio::test(start_paused = true)]
async fn c14_a_listener_may_use_the_cell() {
    let (cell, _) = cell(&Source::new());
    let mut events = cell.events();
    let listener = tokio::spawn({
        let cell = cell.clone();
        async move {
            let issued = heard(&mut events).await;
            cell.put(TokenSet::new("by-the-listener").expires_in(HOUR)).await.unwrap();
            issued.generation
        }
    });
    cell.get().await.unwrap();
    assert_eq!(listener.await.unwrap(), 1);
    assert_eq!(cell.peek().unwrap().expose(), "by-the-listener");
}

#[tokio::test(start_paused = true)]
async fn x5_nothing_that_is_shown_contains_a_secret() {
    let source = Source::new();
    let hidden = TokenSet::new("s3cret-access").refresh_token("s3cret-refresh").id_token("s3cret-id");
    source.then_set(hidden.clone().expires_in(HOUR));
    let (cell, _) = cell(&source);
    let mut events = cell.events();
    let token = cell.get().await.unwrap();
    let issued = heard(&mut events).await;
    source.then_set(TokenSet::new("s3cret-\u{7f}-access"));
    let error = error(cell.refresh().await);
    let shown = format!(
        "{cell:?} {:?} {token:?} {:?} {issued:?} {hidden:?} {error:?} {error} {:?}",
        cell.status(),
        token.header_value(),
        TokenCell::builder(source),
    );
    assert!(!shown.contains("s3cret"), "{shown}");
}
