//! Who may exchange, and for how long.

use gatepass::store::Lease;

use super::*;

#[tokio::test]
#[ignore = "needs redis-server: run by scripts/interop"]
async fn one_holds_the_lease_at_a_time() {
    let server = RedisServer::start();
    let (one, two) = (store(&server), store(&server));
    let held = take(&one, None).await;
    timeout(Duration::from_millis(300), two.lease(&alice(), None)).await.expect_err("it is held");
    let bob = Key::new(["bob"]);
    assert!(at_once(two.lease(&bob, None)).await.unwrap().is_some(), "another key, another lease");
    held.release().await;
    assert_eq!(ask::<u64>(&server, &["EXISTS", &name("lease")]).await, 0, "given back when `release` returns");
    take(&two, None).await.release().await;
}

#[tokio::test]
#[ignore = "needs redis-server: run by scripts/interop"]
async fn never_two_of_many() {
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
    static HOLDERS: AtomicU32 = AtomicU32::new(0);

    let server = RedisServer::start();
    let tasks: Vec<_> = (0..40)
        .map(|number| {
            let store = store(&server).lease_term(LONG);
            tokio::spawn(async move {
                let lease = store.lease(&alice(), None).await.unwrap().unwrap();
                assert_eq!(HOLDERS.fetch_add(1, SeqCst), 0);
                tokio::time::sleep(Duration::from_millis(2)).await;
                assert_eq!(HOLDERS.fetch_sub(1, SeqCst), 1);
                if number % 2 == 0 {
                    lease.release().await;
                }
            })
        })
        .collect();
    for task in tasks {
        timeout(LONG, task).await.expect("nobody waits for a term").unwrap();
    }
}

#[tokio::test]
#[ignore = "needs redis-server: run by scripts/interop"]
async fn who_has_something_to_load_first_gets_no_lease() {
    let server = RedisServer::start();
    let store = store(&server).lease_term(LONG);
    assert!(at_once(store.lease(&alice(), Some(Version(7)))).await.unwrap().is_none());
    let version = swap(&store, None, "a").await;
    assert!(at_once(store.lease(&alice(), None)).await.unwrap().is_none());
    let _held = take(&store, version).await;
    assert!(at_once(store.lease(&alice(), None)).await.unwrap().is_none(), "also while somebody holds it");
}

#[tokio::test]
#[ignore = "needs redis-server: run by scripts/interop"]
async fn it_is_renewed_for_as_long_as_it_is_held() {
    let server = RedisServer::start();
    let store = store(&server).lease_term(Duration::from_millis(300));
    let held = take(&store, None).await;
    timeout(Duration::from_millis(1500), store.lease(&alice(), None)).await.expect_err("five terms later it is held");
    held.release().await;
    take(&store, None).await;
}

#[test]
#[ignore = "needs redis-server: run by scripts/interop"]
fn a_holder_that_dies_keeps_the_others_waiting_for_a_term_at_most() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let server = RedisServer::start();
    let dying = runtime();
    let term = Duration::from_millis(500);
    let held = dying.block_on(take(&store(&server).lease_term(term), None));
    drop(dying);
    runtime().block_on(async {
        let store = store(&server).lease_term(LONG);
        assert!(ask::<i64>(&server, &["PTTL", &name("lease")]).await <= 500);
        take(&store, None).await.release().await;
        held.release().await; // nobody is there to do it, and nobody waits
    });
}

#[test]
#[ignore = "needs redis-server: run by scripts/interop"]
fn a_holder_that_stands_still_loses_it_and_cannot_overwrite_what_is_newer() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let server = RedisServer::start();
    let still = runtime();
    let late = store(&server).lease_term(Duration::from_millis(300));
    let (_held, seen) = still.block_on(async {
        let seen = swap(&late, None, "old").await;
        (take(&late, seen).await, seen)
    });
    // Nobody drives its runtime from here on.
    runtime().block_on(async {
        let quick = store(&server);
        let lease = take(&quick, seen).await;
        swap(&quick, seen, "new").await.unwrap();
        lease.release().await;
    });
    still.block_on(async {
        assert_eq!(swap(&late, seen, "late").await, None);
        assert_eq!(load(&late).await.unwrap().value, Some(Secret::new("new")));
    });
}

#[tokio::test]
#[ignore = "needs redis-server: run by scripts/interop"]
async fn who_lost_it_does_not_release_what_another_holds() {
    let server = RedisServer::start();
    let store = store(&server);
    let first = take(&store, None).await;
    let _: () = ask(&server, &["DEL", &name("lease")]).await;
    let _second = take(&store, None).await;
    first.release().await;
    assert_eq!(ask::<u64>(&server, &["EXISTS", &name("lease")]).await, 1);
}

#[tokio::test]
#[ignore = "needs redis-server: run by scripts/interop"]
async fn whoever_leaves_holds_nothing() {
    let server = RedisServer::start();
    let store = store(&server).lease_term(LONG);
    for microseconds in (0..3000).step_by(10) {
        let _ = timeout(Duration::from_micros(microseconds), store.lease(&alice(), None)).await;
    }
    take(&store, None).await.release().await;
    soon("all is given back", async || ask::<u64>(&server, &["EXISTS", &name("lease")]).await == 0).await;
}

#[tokio::test]
#[ignore = "needs redis-server: run by scripts/interop"]
async fn a_lease_outlives_the_store_it_came_from() {
    let server = RedisServer::start();
    let held = take(&store(&server).lease_term(Duration::from_millis(300)), None).await;
    timeout(Duration::from_secs(1), store(&server).lease(&alice(), None)).await.expect_err("it is held");
    held.release().await;
    take(&store(&server), None).await;
}
