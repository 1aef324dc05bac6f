//! A callback that ends at any moment.

use std::{future::Future, pin::pin, task::Poll};

use http::{Method, StatusCode};

use super::Records;
use crate::world::World;

/// Polls so often and no more. What came of it, if anything did.
async fn polled<T>(times: usize, future: impl Future<Output = T>) -> Option<T> {
    let (mut future, mut left) = (pin!(future), times);
    std::future::poll_fn(move |cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(cx) {
            Poll::Pending if left == 0 => Poll::Ready(None),
            polled => polled.map(Some),
        }
    })
    .await
}

#[tokio::test]
async fn a_hook_that_panics_signs_nobody_in_and_breaks_nothing() {
    use std::sync::atomic::{AtomicBool, Ordering};
    static IS_WELL: AtomicBool = AtomicBool::new(false);
    let world = World::with(|builder| {
        builder.on_sign_in(async |arrival| {
            assert!(IS_WELL.load(Ordering::Relaxed), "the database's driver panics");
            Ok(arrival.user)
        })
    })
    .await;
    let browser = world.browser();
    let callback = browser.begin("/login").await;
    let died = tokio::spawn({
        let (browser, callback) = (browser.clone(), callback.clone());
        async move { browser.get(&callback).await }
    });
    assert!(died.await.is_err_and(|error| error.is_panic()));
    assert_eq!(browser.get("/").await.text(), "hello stranger");
    IS_WELL.store(true, Ordering::Relaxed);
    assert_eq!(browser.get(&callback).await.status(), StatusCode::BAD_REQUEST, "it counts once");
    assert_eq!(browser.sign_in("/login").await.location(), "/");
}

#[tokio::test]
async fn w8_a_sign_out_that_was_begun_ends_though_the_browser_hangs_up() {
    for times in 1.. {
        let records = Records::default();
        let world = World::with(|builder| builder.sessions(records.clone())).await;
        let browser = world.signed_in("alice").await;
        let is_done = polled(times, browser.post("/logout")).await.is_some();
        for _ in 0..500 {
            if !world.auth.revocations().is_empty() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        assert_eq!(world.auth.revocations().len(), 1, "{times}");
        assert_eq!(browser.get("/").await.text(), "hello stranger", "{times}");
        if is_done {
            break;
        }
    }
}

#[tokio::test]
async fn w3_nobody_is_half_signed_in_at_whatever_moment_the_browser_hangs_up() {
    for was in [None, Some("alice"), Some("bob")] {
        for times in 1.. {
            let records = Records::default();
            let world = World::with(|builder| builder.sessions(records.clone())).await;
            let browser = match was {
                Some(who) => world.signed_in(who).await,
                None => world.browser(),
            };
            world.auth.sign_in_as("alice");
            let callback = browser.begin("/login").await;
            let headers = [("accept", "text/html")];
            let done = polled(times, browser.request(Method::GET, &callback, &headers, "")).await;
            let is_done = done.is_some();

            let me = browser.get("/me").await;
            match (is_done, me.status()) {
                (true, status) => assert_eq!((status, me.text()), (StatusCode::OK, "alice"), "{was:?} {times}"),
                (false, StatusCode::OK) => {
                    assert_eq!(Some(me.text()), was, "{times}");
                    // Whoever is still signed in has their tokens.
                    assert_eq!(browser.get("/orders").await.status(), StatusCode::OK, "{was:?} {times}");
                }
                (false, status) => assert_eq!(status, StatusCode::SEE_OTHER, "{was:?} {times}"),
            }
            let again = browser.get(&callback).await;
            assert!(again.status() == StatusCode::BAD_REQUEST || !is_done, "{was:?} {times}");
            if again.status() != StatusCode::SEE_OTHER {
                let done = browser.sign_in("/login").await;
                assert_eq!(done.location(), "/", "{was:?} {times}: {}", done.text());
            }
            assert_eq!(browser.get("/me").await.text(), "alice", "{was:?} {times}");
            if is_done {
                break;
            }
        }
    }
}
