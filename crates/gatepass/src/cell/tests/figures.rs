//! What the metrics say of a cell's life.

use super::*;
use crate::meter::tests::Page;

/// A cell called `billing`, in test time.
fn billing(source: &Source) -> TokenCell {
    TokenCell::builder(source.clone()).clock(TestClock::new().clock()).name("billing").build()
}

fn exchanges(page: &Page, reason: &str, outcome: &str) -> f64 {
    page.figure(&format!("gatepass_exchanges_total{{cell=billing,reason={reason},outcome={outcome}}}"))
}

#[tokio::test(start_paused = true)]
async fn exchanges_are_counted_by_why_they_ran_and_what_they_brought() {
    let page = Page::default();
    let _guard = page.open();
    let source = Source::new();
    let cell = billing(&source);
    let token = cell.get().await.unwrap();
    assert_eq!(exchanges(&page, "cold", "issued"), 1.0);
    assert_eq!(page.figure("gatepass_exchange_duration_seconds_sum{cell=billing,outcome=issued}"), 1.0);
    assert!(cell.reject(&token) && !cell.reject(&token));
    cell.get().await.unwrap();
    cell.refresh().await.unwrap();
    assert_eq!((exchanges(&page, "rejected", "issued"), exchanges(&page, "forced", "issued")), (1.0, 1.0));
    for outcome in ["dropped", "outdated"] {
        assert_eq!(page.figure(&format!("gatepass_rejections_total{{cell=billing,outcome={outcome}}}")), 1.0);
    }
    pass(HOUR - secs(200)).await;
    cell.get().await.unwrap();
    cell.settled().await;
    assert_eq!(exchanges(&page, "advisory", "issued"), 1.0);
    source.then_set(token_without_change(&cell).await);
    assert!(cell.refresh().await.is_ok());
    source.then(Answer::Panic).then_fail(&down());
    assert!(cell.refresh().await.is_err());
    pass(secs(3)).await;
    assert!(cell.refresh().await.is_err());
    for outcome in ["unchanged", "panicked", "transient"] {
        assert_eq!(exchanges(&page, "forced", outcome), 1.0, "{outcome}");
    }
}

/// The set that the cell has already.
async fn token_without_change(cell: &TokenCell) -> TokenSet {
    cell.token_set().await.unwrap().unwrap()
}

#[tokio::test(start_paused = true)]
async fn c1_a_fresh_token_is_recorded_nowhere() {
    let page = Page::default();
    let _guard = page.open();
    let cell = billing(&Source::new());
    cell.get().await.unwrap();
    let before = page.figures();
    for _ in 0..50 {
        pass(secs(1)).await;
        assert!(token_at_once(&cell).is_some());
    }
    assert_eq!(page.figures(), before);
}

#[tokio::test(start_paused = true)]
async fn callers_that_wait_are_counted_while_they_do_also_when_they_leave() {
    let page = Page::default();
    let _guard = page.open();
    let cell = billing(&Source::new());
    let waiting = || page.figure("gatepass_callers_waiting{cell=billing}");
    let mut two = Box::pin(async { tokio::join!(cell.get(), cell.get()) });
    assert!(at_once(two.as_mut()).is_none());
    assert!(at_once(cell.get()).is_none(), "this one leaves at once");
    assert_eq!(waiting(), 2.0);
    let (one, other) = two.await;
    assert!(one.is_ok() && other.is_ok());
    assert_eq!(waiting(), 0.0);
    let ended =
        |outcome| page.figure(&format!("gatepass_wait_duration_seconds_count{{cell=billing,outcome={outcome}}}"));
    assert_eq!((ended("token"), ended("left"), ended("error")), (2.0, 1.0, 0.0));
}

#[tokio::test(start_paused = true)]
async fn a_token_used_though_its_renewal_failed_is_counted_and_so_are_those_turned_away() {
    let page = Page::default();
    let _guard = page.open();
    let source = Source::new();
    let cell = billing(&source);
    cell.get().await.unwrap();
    source.otherwise(Some(down()));
    let stale = || page.figure("gatepass_stale_served_total{cell=billing}");
    pass(HOUR - secs(30)).await;
    assert!(cell.get().await.is_ok(), "C7: it waited in vain, and the token lives");
    assert_eq!(stale(), 1.0);
    assert!(cell.get().await.is_ok());
    assert_eq!(stale(), 2.0);
    source.otherwise(Some(Error::reauth_required("the refresh token was refused").with_code("invalid_grant")));
    pass(secs(60)).await;
    assert!(cell.get().await.is_err());
    assert_eq!(exchanges(&page, "mandatory", "reauth_required"), 1.0);
    let turned_away = || page.figure("gatepass_turned_away_total{cell=billing,outcome=reauth_required}");
    assert_eq!(turned_away(), 0.0, "it waited");
    assert!(cell.get().await.is_err() && cell.refresh().await.is_err());
    assert_eq!(turned_away(), 2.0);
}

#[tokio::test(start_paused = true)]
async fn the_moment_of_expiry_follows_each_set_and_ends_with_a_sign_out() {
    let page = Page::default();
    let _guard = page.open();
    let time = TestClock::new();
    let cell = TokenCell::builder(Source::new()).clock(time.clock()).name("billing").build();
    let expiry = || page.figure("gatepass_token_expiry_timestamp_seconds{cell=billing}");
    let in_an_hour = |after: f64| {
        let now = time.wall().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
        (now + 3600.0 - after).abs() < 0.01
    };
    cell.get().await.unwrap();
    assert!(in_an_hour(expiry()));
    pass(secs(100)).await;
    cell.put(TokenSet::new("signed-in").expires_in(HOUR)).await.unwrap();
    assert!(in_an_hour(expiry()));
    cell.put(TokenSet::new("without-an-end")).await.unwrap();
    assert_eq!(expiry(), f64::INFINITY);
    cell.remove().await.unwrap();
    assert!(expiry().is_nan());
}
