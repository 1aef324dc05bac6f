//! What is remembered of a failure, for how long, and what ends it (C8, F1 to F3).

use super::*;

#[tokio::test(start_paused = true)]
async fn c8_while_the_wait_runs_callers_get_the_remembered_error_at_once() {
    let source = Source::new();
    source.then_fail(&down().with_code("busy"));
    let (cell, _) = cell(&source);
    assert!(cell.get().await.is_err());
    let error = error(at_once(cell.get()).unwrap());
    assert_eq!(error.code(), Some("busy"), "it is the same one");
    let wait = cell.status().next_attempt_in.unwrap();
    assert!((secs(1) * 3 / 4..=secs(1)).contains(&wait), "{wait:?}");
    let told = error.retry_after().unwrap();
    assert!((wait..=wait + Duration::from_millis(25)).contains(&told), "not early, and not much later: {told:?}");
    pass(wait - Duration::from_millis(2)).await;
    assert!(at_once(cell.get()).unwrap().is_err());
    assert_eq!(source.begun(), 1);
    pass(Duration::from_millis(4)).await;
    assert_eq!(cell.get().await.unwrap().expose(), "token-2");
}

#[tokio::test(start_paused = true)]
async fn c8_service_returns_two_seconds_after_the_server_however_long_it_was_away() {
    let source = Source::new();
    source.takes(Duration::ZERO);
    source.otherwise(Some(down()));
    let (cell, _) = cell(&source);
    for _ in 0..3000 {
        assert!(cell.get().await.is_err());
        pass(Duration::from_millis(100)).await;
    }
    let tries = source.begun();
    assert!((150..=205).contains(&tries), "about every 2 s: {tries}");
    source.otherwise(None);
    let back = tokio::time::Instant::now();
    while cell.get().await.is_err() {
        pass(Duration::from_millis(10)).await;
    }
    assert!(back.elapsed() <= secs(2) + Duration::from_millis(20), "{:?}", back.elapsed());
}

#[tokio::test(start_paused = true)]
async fn c8_the_endpoints_own_retry_after_is_kept_to_and_capped_at_a_minute() {
    for (asked, at_least, at_most) in [(20, 20, 23), (86_400, 60, 68)] {
        let source = Source::new();
        source.then_fail(&down().with_retry_after(secs(asked)));
        let (cell, _) = cell(&source);
        assert!(cell.get().await.is_err());
        pass(secs(at_least) - Duration::from_millis(2)).await;
        assert!(at_once(cell.get()).unwrap().is_err(), "never early");
        pass(secs(at_most - at_least)).await;
        assert!(cell.get().await.is_ok());
        assert_eq!(source.begun(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn c8_an_attempt_ends_after_ten_seconds() {
    let source = Source::new();
    source.then(Answer::Never);
    let (cell, _) = cell(&source);
    let began = tokio::time::Instant::now();
    let error = error(cell.get().await);
    assert!(error.is_transient() && error.to_string().contains("10s"), "{error}");
    assert_eq!(began.elapsed(), secs(10));
    pass(secs(1)).await;
    assert!(cell.get().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn c8_how_long_an_attempt_may_take_is_a_setting() {
    let source = Source::new();
    source.then(Answer::Never);
    let cell = TokenCell::builder(source).clock(TestClock::new().clock()).attempt_timeout(secs(3)).build();
    let began = tokio::time::Instant::now();
    assert!(cell.get().await.is_err());
    assert_eq!(began.elapsed(), secs(3));
}

#[tokio::test(start_paused = true)]
async fn c8_a_success_forgets_how_often_it_failed_before() {
    let source = Source::new();
    let (cell, _) = cell(&source);
    for _ in 0..4 {
        source.then_fail(&down());
    }
    while cell.get().await.is_err() {
        pass(Duration::from_millis(100)).await;
    }
    assert!(cell.status().last_error.is_none());
    source.then_fail(&down());
    assert!(cell.refresh().await.is_err());
    let wait = cell.status().next_attempt_in.unwrap();
    assert!(wait <= secs(1), "{wait:?}");
}

#[tokio::test(start_paused = true)]
async fn f1_a_dead_grant_is_remembered_until_a_new_set_arrives() {
    let source = Source::new();
    source.then_fail(&Error::reauth_required("sign in again").with_code("invalid_grant"));
    let (cell, _) = cell(&source);
    assert!(error(cell.get().await).is_reauth_required());
    assert_eq!(cell.status().state, State::ReauthRequired);
    pass(HOUR * 24 * 30).await;
    let error = error(at_once(cell.get()).unwrap());
    assert!(error.is_reauth_required() && error.code() == Some("invalid_grant"));
    assert!(error.retry_after().is_none(), "no time heals it");
    assert!(cell.refresh().await.unwrap_err().is_reauth_required());
    assert_eq!(source.begun(), 1);
    cell.put(TokenSet::from_refresh_token("signed-in-again")).await.unwrap();
    assert_eq!(cell.get().await.unwrap().expose(), "token-2");
    assert_eq!(source.spent().last().unwrap().as_deref(), Some("signed-in-again"));
}

#[tokio::test(start_paused = true)]
async fn f1_a_grant_that_dies_while_its_token_lives_is_used_up_and_not_tried_again() {
    let source = Source::new();
    let (cell, _) = cell(&source);
    cell.get().await.unwrap();
    source.then_fail(&Error::reauth_required("gone"));
    assert!(cell.refresh().await.is_err());
    for _ in 0..35 {
        assert_eq!(token_at_once(&cell).as_deref(), Some("token-1"));
        pass(secs(100)).await;
    }
    assert_eq!(source.begun(), 2);
    let token = cell.peek().unwrap();
    assert!(cell.reject(&token) && !cell.can_replace(&token));
    assert!(error(at_once(cell.get()).unwrap()).is_reauth_required());
}

#[tokio::test(start_paused = true)]
async fn f1_a_refusal_without_a_reason_kills_the_grant_when_it_repeats() {
    let doubtful = Error::transient("400, empty").doubting_the_grant();
    let source = Source::new();
    source.then_fail(&doubtful).then_fail(&doubtful);
    let (cell, _) = cell(&source);
    assert!(error(cell.get().await).is_transient());
    pass(secs(2)).await;
    assert!(error(cell.get().await).is_reauth_required());
    pass(HOUR).await;
    assert!(error(cell.get().await).is_reauth_required());
    assert_eq!(source.begun(), 2);
}

#[tokio::test(start_paused = true)]
async fn f1_a_refusal_without_a_reason_that_does_not_repeat_heals() {
    let source = Source::new();
    let doubtful = Error::transient("400, empty").doubting_the_grant();
    source.then_fail(&doubtful);
    let (cell, _) = cell(&source);
    assert!(cell.get().await.is_err());
    pass(secs(2)).await;
    assert!(cell.get().await.is_ok());
    source.then_fail(&doubtful);
    assert!(cell.refresh().await.unwrap_err().is_transient(), "the success lies between");
}

#[tokio::test(start_paused = true)]
async fn f2_a_wrong_setting_is_remembered_briefly() {
    let source = Source::new();
    source.then_fail(&Error::misconfigured("invalid_client"));
    let (cell, _) = cell(&source);
    let first = error(cell.get().await);
    assert!(first.is_misconfigured() && first.retry_after().is_some(), "{first:?}");
    pass(Duration::from_millis(500)).await;
    assert!(error(at_once(cell.get()).unwrap()).is_misconfigured());
    assert_eq!(source.begun(), 1);
    pass(Duration::from_millis(500)).await;
    assert!(cell.get().await.is_ok());
}

#[tokio::test]
async fn c8_who_comes_back_when_told_is_not_early_by_the_systems_coarse_clock() {
    for _ in 0..5 {
        let source = Source::new();
        source.takes(Duration::ZERO);
        source.then_fail(&down().with_retry_after(Duration::ZERO));
        let cell = TokenCell::builder(source.clone()).build();
        let told = error(cell.get().await).retry_after().unwrap();
        let left = cell.status().next_attempt_in.unwrap();
        assert!(told >= left + Duration::from_millis(10), "{told:?} {left:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn f3_a_passing_failure_keeps_the_refresh_token() {
    let source = Source::new();
    source.then_fail(&down()).then(Answer::Panic);
    let (cell, _) = cell(&source);
    cell.put(TokenSet::from_refresh_token("kept")).await.unwrap();
    while cell.get().await.is_err() {
        pass(secs(1)).await;
    }
    assert_eq!(source.spent(), vec![Some("kept".to_owned()); 3]);
}

#[tokio::test(start_paused = true)]
async fn a2_during_back_off_a_refused_token_has_no_replacement() {
    let source = Source::new();
    let (cell, _) = cell(&source);
    let token = cell.get().await.unwrap();
    assert!(!cell.can_replace(&token), "it is the current one");
    assert!(cell.reject(&token) && cell.can_replace(&token));
    source.otherwise(Some(down()));
    assert!(cell.get().await.is_err());
    assert!(!cell.can_replace(&token), "a replay would fail at once");
    pass(secs(2)).await;
    assert!(cell.can_replace(&token));
}
