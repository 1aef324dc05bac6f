//! A connection that breaks after Redis has done what it was asked, and before it can say so.

use gatepass::store::Lease;

use super::{between::Between, *};

/// Has Redis know all scripts, so that the first answer is that of the script.
async fn warm_up(store: &RedisStore) {
    let bob = Key::new(["bob"]);
    store.lease(&bob, None).await.unwrap().unwrap().release().await;
    store.remove(&bob, LONG).await.unwrap();
}

#[tokio::test]
#[ignore = "needs redis-server: run by scripts/interop"]
async fn a_swap_writes_once_and_says_so() {
    let server = RedisServer::start();
    let between = Between::start(&server).await;
    let store = between.store();
    let mut expected = swap(&store, None, "a").await;
    for value in ["b", "c"] {
        between.lose_the_next_answer();
        let version = swap(&store, expected, value).await;
        assert!(version.is_some(), "it has happened, so it is not somebody else's");
        assert!(between.has_lost_it());
        assert_eq!(load(&store).await, version.map(|version| Versioned::new(version, Some(Secret::new(value)))));
        expected = version;
    }
}

#[tokio::test]
#[ignore = "needs redis-server: run by scripts/interop"]
async fn a_removal_happens_once() {
    let server = RedisServer::start();
    let between = Between::start(&server).await;
    let store = between.store();
    warm_up(&store).await;
    swap(&store, None, "a").await.unwrap();
    between.lose_the_next_answer();
    store.remove(&alice(), LONG).await.unwrap();
    assert!(between.has_lost_it());
    assert_eq!(load(&store).await.unwrap().value, None);
    let commands: String = ask(&server, &["INFO", "commandstats"]).await;
    assert!(commands.contains("cmdstat_hdel:calls=2,"), "bob's and alice's: {commands}");
}

#[tokio::test]
#[ignore = "needs redis-server: run by scripts/interop"]
async fn a_lease_is_not_waited_for_by_its_holder() {
    let server = RedisServer::start();
    let between = Between::start(&server).await;
    let store = between.store();
    warm_up(&store).await;
    between.lose_the_next_answer();
    let held = take(&store, None).await;
    assert!(between.has_lost_it());
    between.lose_the_next_answer();
    held.release().await;
    assert!(between.has_lost_it());
    take(&store, None).await;
}

#[tokio::test]
#[ignore = "needs redis-server: run by scripts/interop"]
async fn a_lease_that_nobody_waits_for_any_more_is_given_back() {
    let server = RedisServer::start();
    let between = Between::start(&server).await;
    let store = between.store();
    warm_up(&store).await;
    between.delay(Duration::from_secs(1));
    let exists = async || ask::<u64>(&server, &["EXISTS", &name("lease")]).await == 1;
    let caller = tokio::spawn(async move { store.lease(&alice(), None).await });
    soon("it is taken", &exists).await;
    caller.abort();
    soon("it is given back", async || !exists().await).await;
}
