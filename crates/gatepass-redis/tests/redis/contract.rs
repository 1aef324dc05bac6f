//! Loads, swaps and removals.

use super::*;

#[tokio::test]
#[ignore = "needs redis-server: run by scripts/interop"]
async fn a_swap_needs_the_version_that_is_kept() {
    let server = RedisServer::start();
    let (one, two) = (store(&server), store(&server));
    assert_eq!(load(&one).await, None);
    assert_eq!(swap(&one, Some(Version(1)), "a").await, None);
    let first = swap(&one, None, "a").await.unwrap();
    assert_eq!(load(&two).await, Some(Versioned::new(first, Some(Secret::new("a")))));
    assert_eq!(swap(&two, None, "b").await, None);
    let second = swap(&two, Some(first), "b").await.unwrap();
    assert_ne!(first, second);
    assert_eq!(swap(&one, Some(first), "c").await, None);
    assert_eq!(load(&one).await, Some(Versioned::new(second, Some(Secret::new("b")))));
}

#[tokio::test]
#[ignore = "needs redis-server: run by scripts/interop"]
async fn of_many_who_swap_one_does() {
    let server = RedisServer::start();
    let mut expected = None;
    for _ in 0..20 {
        let swaps: Vec<_> = (0..10)
            .map(|number| {
                let store = store(&server);
                tokio::spawn(async move { swap(&store, expected, &number.to_string()).await })
            })
            .collect();
        let mut written = Vec::new();
        for swap in swaps {
            written.extend(swap.await.unwrap());
        }
        assert_eq!(written.len(), 1);
        expected = Some(written[0]);
    }
}

#[tokio::test]
#[ignore = "needs redis-server: run by scripts/interop"]
async fn versions_never_repeat_not_even_after_the_key_was_forgotten() {
    let server = RedisServer::start();
    let store = store(&server);
    let mut last = Version(0);
    let mut grows = |version: Version| {
        assert!(version.0 > last.0, "{version} after {last}");
        last = version;
    };
    for _ in 0..2 {
        let created = swap(&store, None, "a").await.unwrap();
        grows(created);
        let swapped = swap(&store, Some(created), "b").await.unwrap();
        grows(swapped);
        store.remove(&alice(), Duration::from_secs(1)).await.unwrap();
        let removed = load(&store).await.unwrap();
        grows(removed.version);
        assert_eq!(removed.value, None);
        assert_eq!(swap(&store, None, "c").await, None, "for a while, nobody brings it back");
        assert_eq!(swap(&store, Some(swapped), "c").await, None, "not even who had the last version");
        soon("the tombstone goes", async || load(&store).await.is_none()).await;
        assert_eq!(ask::<u64>(&server, &["EXISTS", &name("record")]).await, 0);
    }
}

#[tokio::test]
#[ignore = "needs redis-server: run by scripts/interop"]
async fn versions_grow_while_the_clock_does_not() {
    let server = RedisServer::start();
    let store = store(&server);
    let ahead = 2_000_000_000_000_000; // the year 2033, in microseconds
    let _: () = ask(&server, &["HSET", &name("record"), "version", &ahead.to_string(), "value", "a"]).await;
    assert_eq!(swap(&store, Some(Version(ahead)), "b").await, Some(Version(ahead + 1)));
    assert_eq!(swap(&store, Some(Version(ahead + 1)), "c").await, Some(Version(ahead + 2)));
}

#[tokio::test]
#[ignore = "needs redis-server: run by scripts/interop"]
async fn who_saw_the_removal_may_sign_in_again() {
    let server = RedisServer::start();
    let store = store(&server);
    store.remove(&alice(), LONG).await.unwrap();
    let removed = load(&store).await.unwrap();
    let version = swap(&store, Some(removed.version), "again").await.unwrap();
    assert_eq!(load(&store).await, Some(Versioned::new(version, Some(Secret::new("again")))));
    assert_eq!(ask::<i64>(&server, &["PTTL", &name("record")]).await, -1, "the tombstone's end is not the set's");
}

#[tokio::test]
#[ignore = "needs redis-server: run by scripts/interop"]
async fn a_tombstone_of_ages_is_taken() {
    let server = RedisServer::start();
    let store = store(&server);
    store.remove(&alice(), Duration::MAX).await.unwrap();
    assert_eq!(load(&store).await.unwrap().value, None);
}

#[tokio::test]
#[ignore = "needs redis-server: run by scripts/interop"]
async fn texts_come_back_as_they_went() {
    let server = RedisServer::start();
    let store = store(&server);
    let mut expected = None;
    for text in ["", "{\"a\": \"b\"}", "line\r\nline\0", "żółw 🐢", &"x".repeat(1 << 20)] {
        expected = swap(&store, expected, text).await;
        assert_eq!(load(&store).await.unwrap().value, Some(Secret::new(text)));
    }
}

#[tokio::test]
#[ignore = "needs redis-server: run by scripts/interop"]
async fn keys_prefixes_and_databases_are_apart() {
    let server = RedisServer::start();
    let store = store(&server);
    swap(&store, None, "a").await.unwrap();
    let bob = Key::new(["https://auth.example.com", "client", "bob"]);
    assert_eq!(store.load(&bob).await.unwrap(), None);
    assert_eq!(load(&store.clone().prefix("orders")).await, None);
    assert_eq!(load(&RedisStore::new(format!("{}/1", server.url())).unwrap()).await, None);
    let none = Key::new([]);
    store.compare_and_swap(&none, None, &Secret::new("b")).await.unwrap().unwrap();
    let _lease = take(&store.clone().prefix("orders"), None).await;
    assert_eq!(store.load(&none).await.unwrap().unwrap().value, Some(Secret::new("b")));
    let mut names: Vec<String> = ask(&server, &["KEYS", "*"]).await;
    names.sort();
    let orders = name("lease").replacen("gatepass", "orders", 1);
    assert_eq!(names, ["gatepass:{/}:record", &name("record"), &orders]);
}

#[tokio::test]
#[ignore = "needs redis-server: run by scripts/interop"]
async fn a_set_expires_only_where_that_is_asked_for_and_each_write_puts_it_off() {
    let server = RedisServer::start();
    let lasting = store(&server);
    let ending = lasting.clone().expire_after(LONG);
    let left = async || ask::<i64>(&server, &["PTTL", &name("record")]).await;
    let first = swap(&lasting, None, "a").await;
    assert_eq!(left().await, -1);
    let second = swap(&ending, first, "b").await;
    assert!((LONG.as_millis() as i64 - 5000..).contains(&left().await));
    let _: () = ask(&server, &["PEXPIRE", &name("record"), "2000"]).await;
    let third = swap(&ending, second, "c").await;
    assert!(left().await > 20_000, "put off");
    swap(&lasting, third, "d").await.unwrap();
    assert_eq!(left().await, -1);
}

#[tokio::test]
#[ignore = "needs redis-server: run by scripts/interop"]
async fn scripts_that_redis_has_forgotten_are_sent_again() {
    let server = RedisServer::start();
    let store = store(&server);
    let version = swap(&store, None, "a").await;
    let _: () = ask(&server, &["SCRIPT", "FLUSH"]).await;
    assert!(swap(&store, version, "b").await.is_some());
}

#[tokio::test]
#[ignore = "needs redis-server: run by scripts/interop"]
async fn the_third_version_of_the_protocol_does_as_well() {
    let server = RedisServer::start();
    let store = RedisStore::new(format!("{}/?protocol=resp3", server.url())).unwrap().lease_term(LONG);
    let version = swap(&store, None, "a").await;
    assert_eq!(load(&store).await.unwrap().value, Some(Secret::new("a")));
    let held = take(&store, version).await;
    let waiter = tokio::spawn({
        let store = store.clone();
        async move { store.lease(&alice(), version).await }
    });
    waiting::until_somebody_listens(&server, 1).await;
    drop(held);
    assert!(at_once(waiter).await.unwrap().unwrap().is_some());
}
