//! One exchange for all who ask (C2), for tokens that were refused (A2, A4).

use super::*;

#[tokio::test(start_paused = true)]
async fn c2_a_hundred_callers_share_one_exchange() {
    let source = Source::new();
    let (cell, _) = cell(&source);
    let callers = (0..100).map(|_| tokio::spawn(get(&cell)));
    for caller in callers.collect::<Vec<_>>() {
        assert_eq!(caller.await.unwrap().unwrap().expose(), "token-1");
    }
    assert_eq!(source.begun(), 1);
}

#[tokio::test(start_paused = true)]
async fn c2_a_hundred_callers_share_one_failure_and_nobody_queues_for_a_second() {
    let source = Source::new();
    source.otherwise(Some(down().with_code("busy")));
    let (cell, _) = cell(&source);
    let callers = (0..100).map(|_| tokio::spawn(get(&cell)));
    let began = tokio::time::Instant::now();
    for caller in callers.collect::<Vec<_>>() {
        let error = error(caller.await.unwrap());
        assert!(error.is_transient() && error.code() == Some("busy"), "{error:?}");
    }
    assert_eq!(began.elapsed(), secs(1), "one attempt, not a queue of them");
    assert_eq!(source.begun(), 1);
}

#[test]
fn c2_callers_on_several_threads_share_one_exchange() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    let source = Source::default();
    let cell = TokenCell::new(source.clone());
    runtime.block_on(async {
        let callers = (0..100).map(|_| tokio::spawn(get(&cell)));
        for caller in callers.collect::<Vec<_>>() {
            assert_eq!(caller.await.unwrap().unwrap().expose(), "token-1");
        }
    });
    assert_eq!(source.begun(), 1);
}

#[tokio::test(start_paused = true)]
async fn a2_a_late_401_of_an_old_token_does_not_refresh_twice() {
    let source = Source::new();
    let (cell, _) = cell(&source);
    let old = cell.get().await.unwrap();
    assert!(cell.reject(&old));
    assert!(!cell.reject(&old), "a second request with it was refused too");
    assert_eq!(cell.get().await.unwrap().expose(), "token-2");
    assert!(!cell.reject(&old), "and a third, late");
    assert!(cell.can_replace(&old), "by the one that is there");
    assert_eq!(token_at_once(&cell).as_deref(), Some("token-2"));
    assert_eq!(source.begun(), 2);
}

#[tokio::test(start_paused = true)]
async fn a2_a_token_of_another_cell_is_not_ours_to_reject() {
    let (cell_a, _) = cell(&Source::new());
    let (cell_b, _) = cell(&Source::new());
    let (a, b) = (cell_a.get().await.unwrap(), cell_b.get().await.unwrap());
    assert_eq!(a.generation(), b.generation());
    assert!(!cell_a.reject(&b) && !cell_a.can_replace(&b));
    assert!(!cell_a.reject(&Token::new("fixed").unwrap()));
    assert!(cell_a.peek().is_some() && cell_b.peek().is_some());
    assert!(cell_a.reject(&a));
}

#[tokio::test(start_paused = true)]
async fn a2_a_refused_token_is_replaced_by_the_exchange_that_already_runs() {
    let source = Source::new();
    let (cell, _) = cell(&source);
    let old = cell.get().await.unwrap();
    assert!(at_once(cell.refresh()).is_none(), "it runs");
    assert!(cell.reject(&old));
    assert_eq!(cell.get().await.unwrap().expose(), "token-2");
    assert_eq!(source.begun(), 2);
}

#[tokio::test(start_paused = true)]
async fn a4_two_revocations_in_a_row_heal() {
    let source = Source::new();
    let (cell, _) = cell(&source);
    for generation in 1..=2 {
        let token = cell.get().await.unwrap();
        assert_eq!(token.generation(), generation);
        assert!(cell.reject(&token) && cell.can_replace(&token));
    }
    assert_eq!(cell.get().await.unwrap().expose(), "token-3");
}

#[tokio::test(start_paused = true)]
async fn a4_an_api_that_refuses_every_token_starts_no_storm() {
    let source = Source::new();
    source.takes(Duration::ZERO);
    let (cell, _) = cell(&source);
    for _ in 0..1000 {
        let token = cell.get().await.unwrap();
        let dropped = cell.reject(&token);
        assert_eq!(cell.can_replace(&token), dropped, "what stays is not replayed");
        pass(Duration::from_millis(100)).await;
    }
    // 100 s: the first, five at once, then one every twenty seconds and further and further apart.
    assert!((6..=9).contains(&source.begun()), "{}", source.begun());
}

#[tokio::test(start_paused = true)]
async fn a4_when_the_bucket_is_empty_the_token_stays_and_quiet_times_fill_it_again() {
    let (cell, _) = cell(&Source::new());
    for _ in 0..5 {
        assert!(cell.reject(&cell.get().await.unwrap()));
    }
    let sixth = cell.get().await.unwrap();
    assert!(!cell.reject(&sixth));
    assert!(cell.peek().is_some(), "it is better than none");
    pass(secs(200)).await;
    for _ in 0..5 {
        assert!(cell.reject(&cell.get().await.unwrap()));
    }
}

#[tokio::test(start_paused = true)]
async fn a4_a_refused_fixed_token_is_dropped_and_nothing_replaces_it() {
    let fixed = Token::new("fixed").unwrap();
    let cell = TokenCell::builder(fixed).clock(TestClock::new().clock()).build();
    let token = cell.get().await.unwrap();
    assert_eq!(token.expose(), "fixed");
    assert!(cell.reject(&token) && !cell.can_replace(&token));
    let error = error(cell.get().await);
    assert!(error.is_reauth_required() && error.to_string().contains("refused"), "{error}");
    assert_eq!(cell.status().state, State::ReauthRequired);
}

async fn get_owned(cell: TokenCell) -> Result<Token, Error> {
    cell.get().await
}

fn get(cell: &TokenCell) -> impl Future<Output = Result<Token, Error>> + Send + 'static {
    get_owned(cell.clone())
}
