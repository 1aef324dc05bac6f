//! How those who wait for a lease learn that they need not.

use std::time::Instant;

use gatepass::store::Lease;
use tokio::task::JoinHandle;

use super::{between::Between, *};

/// Connections that are there to listen.
async fn listening(server: &RedisServer) -> usize {
    ask::<String>(server, &["CLIENT", "LIST", "TYPE", "pubsub"]).await.lines().count()
}

pub(crate) async fn until_somebody_listens(server: &RedisServer, connections: usize) {
    soon("they listen", async || listening(server).await == connections).await;
}

fn wait(store: &RedisStore, seen: Option<Version>) -> JoinHandle<Option<RedisLease>> {
    let store = store.clone();
    tokio::spawn(async move { store.lease(&alice(), seen).await.unwrap() })
}

#[tokio::test]
#[ignore = "needs redis-server: run by scripts/interop"]
async fn a_release_wakes_them_at_once() {
    let server = RedisServer::start();
    let (one, two) = (store(&server).lease_term(LONG), store(&server).lease_term(LONG));
    for release in [true, false] {
        let held = take(&one, None).await;
        let waiter = wait(&two, None);
        until_somebody_listens(&server, 1).await;
        let released = Instant::now();
        if release {
            held.release().await;
        } else {
            drop(held);
        }
        let lease = at_once(waiter).await.unwrap().unwrap();
        println!("woken after {:?}", released.elapsed());
        lease.release().await;
        until_somebody_listens(&server, 0).await;
    }
}

#[tokio::test]
#[ignore = "needs redis-server: run by scripts/interop"]
async fn a_change_wakes_them_while_the_lease_is_still_held() {
    let server = RedisServer::start();
    let (one, two) = (store(&server).lease_term(LONG), store(&server).lease_term(LONG));
    let _held = take(&one, None).await;
    let waiter = wait(&two, None);
    until_somebody_listens(&server, 1).await;
    let version = swap(&one, None, "a").await;
    assert!(at_once(waiter).await.unwrap().is_none(), "there is something to load");
    let waiter = wait(&two, version);
    until_somebody_listens(&server, 1).await;
    one.remove(&alice(), LONG).await.unwrap();
    assert!(at_once(waiter).await.unwrap().is_none(), "a removal is a change");
}

#[tokio::test]
#[ignore = "needs redis-server: run by scripts/interop"]
async fn all_who_wait_share_one_connection_and_an_idle_store_has_none() {
    let server = RedisServer::start();
    let (one, two) = (store(&server).lease_term(LONG), store(&server).lease_term(LONG));
    let version = swap(&one, None, "a").await;
    let _held = take(&one, version).await;
    let bob = Key::new(["bob"]);
    let _other = one.lease(&bob, None).await.unwrap();
    assert_eq!(listening(&server).await, 0, "nobody waits");
    let waiters: Vec<_> = (0..50).map(|_| wait(&two, version)).collect();
    let other = tokio::spawn({
        let (two, bob) = (two.clone(), bob.clone());
        async move { two.lease(&bob, None).await.unwrap() }
    });
    let channels = async || ask::<Vec<String>>(&server, &["PUBSUB", "CHANNELS"]).await.len();
    soon("both channels have listeners", async || channels().await == 2).await;
    assert_eq!(listening(&server).await, 1);
    swap(&one, version, "b").await.unwrap();
    for waiter in waiters {
        assert!(at_once(waiter).await.unwrap().is_none());
    }
    soon("the channel without listeners is left", async || channels().await == 1).await;
    other.abort();
    until_somebody_listens(&server, 0).await;
}

#[tokio::test]
#[ignore = "needs redis-server: run by scripts/interop"]
async fn a_release_before_they_listen_is_not_missed() {
    let server = RedisServer::start();
    let between = Between::start(&server).await;
    let held = take(&store(&server).lease_term(LONG), None).await;
    let slow = between.store();
    assert_eq!(load(&slow).await, None);
    between.delay(Duration::from_millis(200));
    let waiter = wait(&slow, None);
    soon("it has looked", async || ask::<String>(&server, &["INFO", "commandstats"]).await.contains("cmdstat_pttl"))
        .await;
    held.release().await;
    assert_eq!(listening(&server).await, 0, "it does not listen yet");
    assert!(at_once(waiter).await.unwrap().is_some());
}

#[tokio::test]
#[ignore = "needs redis-server: run by scripts/interop"]
async fn they_get_over_the_loss_of_what_they_listen_to() {
    let server = RedisServer::start();
    let (one, two) = (store(&server).lease_term(LONG), store(&server).lease_term(LONG));
    let held = take(&one, None).await;
    let waiter = wait(&two, None);
    until_somebody_listens(&server, 1).await;
    let _: () = ask(&server, &["CLIENT", "KILL", "TYPE", "pubsub"]).await;
    until_somebody_listens(&server, 1).await;
    held.release().await;
    assert!(at_once(waiter).await.unwrap().is_some());
}

#[tokio::test]
#[ignore = "needs redis-server: run by scripts/interop"]
async fn a_lease_that_ends_by_itself_frees_them_without_a_word() {
    let server = RedisServer::start();
    let store = store(&server);
    let _: () = ask(&server, &["SET", &name("lease"), "of a holder that is gone", "PX", "600"]).await;
    let began = Instant::now();
    take(&store, None).await;
    assert!(began.elapsed() >= Duration::from_millis(500), "{:?}", began.elapsed());
}

#[tokio::test]
#[ignore = "needs redis-server: run by scripts/interop"]
async fn they_learn_that_redis_is_gone() {
    let mut server = RedisServer::start();
    let store = store(&server).lease_term(Duration::from_millis(300));
    let _held = take(&store, None).await;
    let waiter = tokio::spawn({
        let store = store.clone();
        async move { store.lease(&alice(), None).await }
    });
    until_somebody_listens(&server, 1).await;
    server.kill();
    assert!(at_once(waiter).await.unwrap().unwrap_err().is_transient());
}
