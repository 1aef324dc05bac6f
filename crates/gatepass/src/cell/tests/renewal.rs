//! Windows before the end, unknown ends, two clocks (C6, C7, C9, C10, C11).

use std::future::ready;

use super::*;

/// Before the advisory window of an hour's token, and within it, whatever the jitter.
const FRESH: Duration = secs(3200);
const ADVISORY: Duration = secs(3400);
const MANDATORY: Duration = secs(3560);

#[tokio::test(start_paused = true)]
async fn c6_an_answer_without_refresh_token_keeps_the_old_one_and_one_with_replaces_it() {
    let source = Source::new();
    source
        .then_set(TokenSet::new("a").refresh_token("first").scope("read"))
        .then_set(TokenSet::new("b"))
        .then_set(TokenSet::new("c").refresh_token(""))
        .then_set(TokenSet::new("d").refresh_token("second"));
    let (cell, _) = cell(&source);
    let mut events = cell.events();
    for _ in 0..5 {
        cell.refresh().await.unwrap();
    }
    let spent = [None, Some("first"), Some("first"), Some("first"), Some("second")];
    assert_eq!(source.spent(), spent.map(|token| token.map(str::to_owned)));
    assert_eq!(heard(&mut events).await.set.scope.as_deref(), Some("read"), "what was left out stays");
}

#[tokio::test(start_paused = true)]
async fn c7_in_the_advisory_window_nobody_waits_and_one_exchange_runs_behind() {
    let source = Source::new();
    let (cell, _) = cell(&source);
    cell.get().await.unwrap();
    pass(FRESH).await;
    assert!(token_at_once(&cell).is_some());
    assert_eq!(source.begun(), 1, "it is fresh");
    pass(ADVISORY - FRESH).await;
    for _ in 0..100 {
        assert_eq!(token_at_once(&cell).as_deref(), Some("token-1"));
    }
    pass(Duration::from_millis(500)).await;
    assert_eq!(token_at_once(&cell).as_deref(), Some("token-1"));
    assert_eq!(source.begun(), 2);
    cell.settled().await;
    assert_eq!(token_at_once(&cell).as_deref(), Some("token-2"));
    assert_eq!(source.begun(), 2);
}

#[tokio::test(start_paused = true)]
async fn c7_a_background_exchange_that_fails_is_seen_by_nobody_and_tried_again_later() {
    let source = Source::new();
    let (cell, _) = cell(&source);
    cell.get().await.unwrap();
    source.otherwise(Some(down()));
    pass(ADVISORY).await;
    for _ in 0..1000 {
        assert_eq!(token_at_once(&cell).as_deref(), Some("token-1"));
        pass(Duration::from_millis(100)).await;
    }
    // 100 s with waits of 1, 2, 4, 8, 16, 30 s between, a fourth of each off at most.
    assert!((6..=9).contains(&source.begun()), "{}", source.begun());
    assert!(cell.status().last_error.unwrap().is_transient());
}

#[tokio::test(start_paused = true)]
async fn c7_in_the_mandatory_window_callers_join_the_exchange() {
    let source = Source::new();
    let (cell, _) = cell(&source);
    cell.get().await.unwrap();
    pass(MANDATORY).await;
    let (one, two) = tokio::join!(cell.get(), cell.get());
    assert_eq!((one.unwrap().expose(), two.unwrap().expose()), ("token-2", "token-2"));
    assert_eq!(source.begun(), 2);
}

#[tokio::test(start_paused = true)]
async fn c7_in_the_mandatory_window_a_failure_gives_the_token_while_it_lives_and_no_longer() {
    let source = Source::new();
    let (cell, _) = cell(&source);
    cell.get().await.unwrap();
    source.otherwise(Some(down()));
    pass(MANDATORY).await;
    assert_eq!(cell.get().await.unwrap().expose(), "token-1");
    assert_eq!(source.begun(), 2, "it was tried");
    assert_eq!(token_at_once(&cell).as_deref(), Some("token-1"), "and is not before the back-off is over");
    pass(secs(40)).await;
    assert!(cell.peek().is_none());
    assert!(error(cell.get().await).is_transient());
}

#[tokio::test(start_paused = true)]
async fn c9_no_setting_and_no_answer_makes_a_hot_loop() {
    let soon = |set: TokenSet| move |_| ready(Ok(set.clone()));
    let cells = [
        TokenCell::builder(soon(TokenSet::new("a").refresh_in(Duration::ZERO))),
        TokenCell::builder(soon(TokenSet::new("a").expires_in(Duration::from_millis(1)))),
        TokenCell::builder({
            let numbers = AtomicUsize::new(0);
            let hinted =
                |number| TokenSet::new(format!("a-{number}")).expires_in(secs(2)).refresh_in(Duration::from_millis(1));
            move |_| ready(Ok(hinted(numbers.fetch_add(1, SeqCst))))
        }),
        TokenCell::builder(soon(TokenSet::new("a"))).renew_unknown_after(Duration::ZERO),
        TokenCell::builder(|_| ready(Err(down()))).attempt_timeout(Duration::ZERO),
    ];
    for (number, cell) in cells.into_iter().enumerate() {
        let time = TestClock::new();
        let cell = cell.clock(time.clock()).build();
        let mut exchanges = 0;
        for _ in 0..1000 {
            let before = cell.status().exchanging;
            let _ = at_once(cell.get());
            exchanges += usize::from(!before && cell.status().exchanging);
            pass(Duration::from_millis(10)).await;
        }
        assert!((1..=15).contains(&exchanges), "{number}: {exchanges} in ten seconds");
    }
}

#[tokio::test(start_paused = true)]
async fn c7_nobody_with_a_living_token_waits_long_for_a_slow_renewal() {
    let source = Source::new();
    let (cell, _) = cell(&source);
    cell.get().await.unwrap();
    source.takes(secs(9));
    pass(MANDATORY).await;
    let began = tokio::time::Instant::now();
    assert_eq!(cell.get().await.unwrap().expose(), "token-1");
    assert_eq!(began.elapsed(), secs(2));
    assert_eq!(token_at_once(&cell).as_deref(), Some("token-1"), "who comes later does not wait at all");
    cell.settled().await;
    assert_eq!(token_at_once(&cell).as_deref(), Some("token-2"), "the renewal went on");
    assert_eq!(source.begun(), 2);
}

#[tokio::test(start_paused = true)]
async fn c7_a_token_that_ends_while_its_renewal_runs_is_given_out_before_and_not_after() {
    let source = Source::new();
    let (cell, _) = cell(&source);
    cell.get().await.unwrap();
    source.takes(secs(8));
    source.then_fail(&down());
    pass(secs(3594)).await; // ends in six seconds, the attempt in eight
    assert_eq!(cell.get().await.unwrap().expose(), "token-1");
    pass(secs(4)).await;
    assert!(cell.peek().is_none());
    assert!(error(cell.get().await).is_transient());
    assert_eq!(source.begun(), 2);
}

#[tokio::test(start_paused = true)]
async fn c7_an_expired_token_is_never_given_out() {
    let source = Source::new();
    let (cell, _) = cell(&source);
    cell.get().await.unwrap();
    pass(HOUR).await;
    assert!(cell.peek().is_none());
    assert_eq!(cell.status().state, State::Empty);
    assert_eq!(cell.get().await.unwrap().expose(), "token-2");
}

#[tokio::test(start_paused = true)]
async fn c9_a_token_that_arrives_expired_is_an_error_and_no_hot_loop() {
    let source = Source::new();
    source.takes(Duration::ZERO);
    for _ in 0..1000 {
        source.then_set(TokenSet::new("stale").expires_in(Duration::ZERO));
    }
    let (cell, _) = cell(&source);
    for _ in 0..1000 {
        let error = error(cell.get().await);
        assert!(error.to_string().contains("expired"), "{error}");
        pass(Duration::from_millis(10)).await;
    }
    assert!((5..=9).contains(&source.begun()), "{}", source.begun());
    assert!(cell.peek().is_none());
}

#[tokio::test(start_paused = true)]
async fn c6_a_token_that_cannot_be_used_does_not_lose_the_refresh_token_it_came_with() {
    let source = Source::new();
    let rotated = |number| TokenSet::new("x").refresh_token(format!("refresh-{number}"));
    source
        .then_set(rotated(1).expires_in(Duration::ZERO))
        .then_set(rotated(2).token_type("mac"))
        .then_set(TokenSet::new("torn\r\n").refresh_token("refresh-3"));
    let (cell, _) = cell(&source);
    let mut events = cell.events();
    for number in 1..=3 {
        assert!(cell.get().await.is_err());
        let kept = at_once(events.next()).unwrap().unwrap().set;
        assert_eq!(
            kept.refresh_token.as_ref().unwrap().expose(),
            format!("refresh-{number}"),
            "a listener keeps it, too"
        );
        assert!(kept.access_token.is_none());
        pass(secs(30)).await;
    }
    assert_eq!(cell.get().await.unwrap().generation(), 1);
    let spent = [None, Some("refresh-1"), Some("refresh-2"), Some("refresh-3")];
    assert_eq!(source.spent(), spent.map(|token| token.map(str::to_owned)));
}

#[tokio::test(start_paused = true)]
async fn c9_a_source_that_hands_out_the_same_token_again_is_not_asked_in_a_loop() {
    let source = Source::new();
    source.takes(Duration::ZERO);
    for _ in 0..1000 {
        source.then_set(TokenSet::new("same").expires_in(HOUR));
    }
    let (cell, _) = cell(&source);
    for _ in 0..1000 {
        let token = cell.get().await.unwrap();
        assert_eq!((token.expose(), token.generation()), ("same", 1));
        cell.reject(&token);
        pass(Duration::from_millis(10)).await;
    }
    assert!((3..=7).contains(&source.begun()), "{}", source.begun());
}

#[tokio::test(start_paused = true)]
async fn c9_a_due_token_that_comes_again_is_used_and_asked_for_less_and_less() {
    let source = Source::new();
    source.takes(Duration::ZERO);
    let (cell, time) = cell(&source);
    let ends = time.wall() + HOUR;
    for _ in 0..1000 {
        source.then_set(TokenSet::new("cached").expires_at(ends));
    }
    cell.get().await.unwrap();
    pass(ADVISORY).await;
    while time.wall() < ends {
        assert_eq!(cell.get().await.unwrap().expose(), "cached");
        pass(Duration::from_millis(100)).await;
    }
    // In 200 s. What is left of it makes the windows ever smaller; the back-off holds where they are.
    assert!((4..=20).contains(&source.begun()), "{}", source.begun());
    assert!(cell.get().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn c10_an_unknown_end_is_renewed_behind_after_an_hour_and_never_counts_as_expired() {
    let source = Source::new();
    source.then_set(token(1));
    let (cell, _) = cell(&source);
    cell.get().await.unwrap();
    pass(secs(2800)).await;
    assert!(token_at_once(&cell).is_some());
    assert_eq!(source.begun(), 1);
    source.otherwise(Some(down()));
    pass(HOUR * 1000).await;
    assert_eq!(token_at_once(&cell).as_deref(), Some("token-1"));
    cell.settled().await;
    assert_eq!(source.begun(), 2);
    assert_eq!(token_at_once(&cell).as_deref(), Some("token-1"));
    assert_eq!(cell.status().remaining, None);
}

#[tokio::test(start_paused = true)]
async fn c10_when_an_unknown_end_is_renewed_is_a_setting() {
    let source = Source::new();
    source.then_set(token(1));
    let cell = TokenCell::builder(source.clone()).clock(TestClock::new().clock()).renew_unknown_after(secs(60)).build();
    cell.get().await.unwrap();
    pass(secs(61)).await;
    cell.get().await.unwrap();
    cell.settled().await;
    assert_eq!(cell.peek().unwrap().expose(), "token-2");
}

#[tokio::test(start_paused = true)]
async fn c10_what_cannot_be_renewed_is_used_until_it_is_refused_or_ends() {
    let source = Source::fixed();
    source.then_set(TokenSet::new("for-good"));
    let (cell, time) = cell(&source);
    cell.get().await.unwrap();
    time.advance(HOUR * 50_000);
    assert_eq!(token_at_once(&cell).as_deref(), Some("for-good"));
    cell.put(TokenSet::new("for-an-hour").expires_in(HOUR)).await.unwrap();
    pass(HOUR - secs(1)).await;
    assert_eq!(token_at_once(&cell).as_deref(), Some("for-an-hour"));
    pass(secs(1)).await;
    let error = error(at_once(cell.get()).unwrap());
    assert!(error.is_reauth_required() && error.to_string().contains("ended"), "{error}");
    assert_eq!(source.begun(), 1, "nothing to renew it with");
    assert_eq!(cell.status().state, State::ReauthRequired);
}

#[tokio::test(start_paused = true)]
async fn c10_absurd_lifetimes_do_no_harm() {
    for lifetime in [Duration::MAX, secs(u64::MAX), secs(1_000_000_000_000_000_000)] {
        let source = Source::new();
        source.then_set(token(1).expires_in(lifetime).refresh_in(lifetime));
        let (cell, _) = cell(&source);
        cell.get().await.unwrap();
        pass(HOUR * 24 * 365).await;
        assert_eq!(token_at_once(&cell).as_deref(), Some("token-1"));
    }
}

#[tokio::test(start_paused = true)]
async fn c11_a_token_that_ended_while_the_machine_slept_is_not_sent() {
    let (cell, time) = cell(&Source::new());
    cell.get().await.unwrap();
    cell.get().await.unwrap();
    time.suspend(HOUR);
    pass(secs(1)).await; // the wall clock is read once a second
    assert!(cell.peek().is_none());
    assert_eq!(cell.get().await.unwrap().expose(), "token-2");
}

#[tokio::test(start_paused = true)]
async fn c11_a_wall_clock_that_was_set_back_does_not_make_a_token_live_longer() {
    let source = Source::new();
    let (cell, time) = cell(&source);
    cell.get().await.unwrap();
    time.set_back(HOUR * 5);
    assert_eq!(token_at_once(&cell).as_deref(), Some("token-1"));
    time.advance(HOUR);
    assert!(cell.peek().is_none());
    assert_eq!(cell.get().await.unwrap().expose(), "token-2");
    assert_eq!(source.begun(), 2);
}

#[tokio::test(start_paused = true)]
async fn c7_the_servers_own_hint_says_when_to_renew() {
    let source = Source::new();
    source.then_set(token(1).expires_in(HOUR).refresh_in(secs(600)));
    let (cell, time) = cell(&source);
    cell.get().await.unwrap();
    time.advance(secs(590));
    assert!(token_at_once(&cell).is_some());
    assert_eq!(cell.status().state, State::Fresh);
    time.advance(secs(1200)); // the jitter is over, too
    assert_eq!(cell.status().state, State::Due);
    assert_eq!(token_at_once(&cell).as_deref(), Some("token-1"));
    cell.settled().await;
    assert_eq!(cell.peek().unwrap().expose(), "token-2");
}
