//! What every store has to do, as one story for each part of the contract.

use std::{collections::HashSet, time::Duration};

use tokio::time::{sleep, timeout};

use super::{Key, Lease, MemoryStore, TokenStore, Version, Versioned};
use crate::secret::Secret;

/// Longer than anything takes that does not wait for somebody.
const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(5);
/// Longer than [`SHORT`]. Kept well below the term of a lease.
const TOMBSTONE: Duration = Duration::from_secs(60);

/// Runs all stories on a store that keeps nothing yet.
pub(crate) async fn conforms<S: TokenStore + Clone>(store: S) {
    swaps_need_the_version(&store).await;
    texts_come_back_as_they_were(&store).await;
    keys_do_not_meet(&store).await;
    a_swap_race_has_one_winner(&store).await;
    a_lease_excludes(&store).await;
    a_lease_is_moot_when_there_is_something_newer(&store).await;
    a_dropped_wait_holds_nothing(&store).await;
    what_was_removed_does_not_come_back(&store).await;
    versions_do_not_repeat(&store).await;
}

async fn swaps_need_the_version<S: TokenStore>(store: &S) {
    let key = key("swaps");
    assert_eq!(store.load(&key).await.unwrap(), None);
    assert_eq!(swap(store, &key, Some(Version(1)), "{}").await, None, "nothing is kept");

    let first = swap(store, &key, None, r#"{"a":1}"#).await.unwrap();
    assert_eq!(store.load(&key).await.unwrap(), Some(Versioned::new(first, Some(r#"{"a":1}"#.into()))));
    assert_eq!(swap(store, &key, None, "{}").await, None, "something is kept");
    assert_eq!(swap(store, &key, Some(Version(first.0 + 1)), "{}").await, None, "the version was never");
    assert_eq!(text(store, &key).await.as_deref(), Some(r#"{"a":1}"#));

    let second = swap(store, &key, Some(first), r#"{"a":2}"#).await.unwrap();
    assert_ne!(first, second);
    assert_eq!(swap(store, &key, Some(first), "{}").await, None, "the version has passed");
    let third = swap(store, &key, Some(second), r#"{"a":2}"#).await.unwrap();
    assert_ne!(second, third, "the same value again is a change");
}

async fn texts_come_back_as_they_were<S: TokenStore>(store: &S) {
    let key = key("texts");
    let long = format!(r#"{{"long":"{}"}}"#, "x".repeat(100_000));
    let texts = [
        "",
        "{}",
        " {} ",
        "{ \"b\" : 1 ,\n\t\"a\":1,\"a\":2, \"n\": 1e400 }",
        "[1]",
        "null",
        r#""quoted""#,
        "{ not JSON",
        "\u{0}\u{1}\n\r\t\\\"",
        "für 🦀 \u{2028}",
        &long,
    ];
    let mut version = None;
    for kept in texts {
        version = swap(store, &key, version, kept).await;
        assert!(version.is_some());
        assert_eq!(text(store, &key).await.as_deref(), Some(kept));
    }
}

async fn keys_do_not_meet<S: TokenStore>(store: &S) {
    let keys =
        [Key::new(["meet", "a b"]), Key::new(["meet", "a", "b"]), Key::new(["meet", ""]), Key::new(["meet", "ü\"{"])];
    for (at, key) in keys.iter().enumerate() {
        swap(store, key, None, &at.to_string()).await.expect("nothing is kept under this key");
    }
    store.remove(&keys[0], TOMBSTONE).await.unwrap();
    for (at, key) in keys.iter().enumerate().skip(1) {
        assert_eq!(text(store, key).await, Some(at.to_string()));
    }
}

async fn a_swap_race_has_one_winner<S: TokenStore + Clone>(store: &S) {
    let key = key("race");
    let tasks: Vec<_> = (0..8)
        .map(|number| {
            let (store, key) = (store.clone(), key.clone());
            tokio::spawn(async move { swap(&store, &key, None, &number.to_string()).await.map(|_| number.to_string()) })
        })
        .collect();
    let mut winners = Vec::new();
    for task in tasks {
        winners.extend(task.await.unwrap());
    }
    assert_eq!(winners.len(), 1);
    assert_eq!(text(store, &key).await, winners.pop());
}

async fn a_lease_excludes<S: TokenStore + Clone>(store: &S) {
    let (mine, other) = (key("lease"), key("another lease"));
    let seen = swap(store, &mine, None, "{}").await;
    let lease = store.lease(&mine, seen).await.unwrap().unwrap();
    assert!(timeout(SHORT, store.lease(&mine, seen)).await.is_err(), "it is taken");
    let independent = timeout(LONG, store.lease(&other, None)).await.unwrap().unwrap().unwrap();

    let waiter = tokio::spawn({
        let (store, mine) = (store.clone(), mine.clone());
        async move { store.lease(&mine, seen).await.unwrap() }
    });
    sleep(SHORT).await;
    lease.release().await;
    let lease = timeout(LONG, waiter).await.unwrap().unwrap().expect("nothing changed");
    drop(lease);
    timeout(LONG, store.lease(&mine, seen)).await.unwrap().unwrap().expect("a dropped lease is free");
    drop(independent);
}

async fn a_lease_is_moot_when_there_is_something_newer<S: TokenStore + Clone>(store: &S) {
    let key = key("newer");
    assert!(store.lease(&key, Some(Version(7))).await.unwrap().is_none(), "nothing is kept");
    let lease = store.lease(&key, None).await.unwrap().unwrap();
    let waiter = tokio::spawn({
        let (store, key) = (store.clone(), key.clone());
        async move { store.lease(&key, None).await.unwrap().is_none() }
    });
    sleep(SHORT).await;
    let seen = swap(store, &key, None, "{}").await;
    assert!(timeout(LONG, waiter).await.unwrap().unwrap(), "while the lease is still held");
    drop(lease);
    assert!(store.lease(&key, None).await.unwrap().is_none());

    let lease = store.lease(&key, seen).await.unwrap().unwrap();
    store.remove(&key, TOMBSTONE).await.unwrap();
    assert!(timeout(LONG, store.lease(&key, seen)).await.unwrap().unwrap().is_none(), "a removal is something newer");
    drop(lease);
}

async fn a_dropped_wait_holds_nothing<S: TokenStore>(store: &S) {
    let key = key("dropped");
    for wait in 0..20 {
        let _ = timeout(Duration::from_micros(wait * 50), store.lease(&key, None)).await;
    }
    let lease = timeout(LONG, store.lease(&key, None)).await.unwrap().unwrap().unwrap();
    assert!(timeout(SHORT, store.lease(&key, None)).await.is_err());
    drop(lease);
    timeout(LONG, store.lease(&key, None)).await.unwrap().unwrap().expect("the wait that was dropped holds nothing");
}

async fn what_was_removed_does_not_come_back<S: TokenStore>(store: &S) {
    let key = key("removed");
    let old = swap(store, &key, None, "{}").await;
    store.remove(&key, TOMBSTONE).await.unwrap();
    let tombstone = store.load(&key).await.unwrap().expect("it is remembered for a while");
    assert_eq!(tombstone.value, None);
    assert_ne!(Some(tombstone.version), old);
    assert_eq!(swap(store, &key, None, "{}").await, None);
    assert_eq!(swap(store, &key, old, "{}").await, None);

    store.remove(&key, TOMBSTONE).await.unwrap();
    let again = store.load(&key).await.unwrap().unwrap().version;
    assert_ne!(again, tombstone.version);
    let signed_in = swap(store, &key, Some(again), r#"{"new":1}"#).await;
    assert_eq!(store.load(&key).await.unwrap().map(|kept| kept.version), signed_in);

    store.remove(&key, Duration::MAX).await.unwrap();
    assert!(store.load(&key).await.unwrap().is_some_and(|kept| kept.value.is_none()));
}

async fn versions_do_not_repeat<S: TokenStore>(store: &S) {
    let key = key("versions");
    let mut versions = HashSet::new();
    for _ in 0..5 {
        let version = swap(store, &key, None, "{}").await.expect("nothing is kept any more");
        assert!(versions.insert(version));
        store.remove(&key, Duration::from_millis(1)).await.unwrap();
        sleep(SHORT).await;
        assert_eq!(store.load(&key).await.unwrap(), None, "forgotten");
    }
}

fn key(name: &str) -> Key {
    Key::new(["https://auth.example.com", "client", name])
}

async fn swap<S: TokenStore>(store: &S, key: &Key, expected: Option<Version>, value: &str) -> Option<Version> {
    store.compare_and_swap(key, expected, &Secret::new(value)).await.unwrap()
}

async fn text<S: TokenStore>(store: &S, key: &Key) -> Option<String> {
    let kept = store.load(key).await.unwrap()?;
    kept.value.map(|value| value.expose().to_owned())
}

#[tokio::test(start_paused = true)]
async fn the_memory_store_conforms() {
    conforms(MemoryStore::new()).await;
}

#[tokio::test(start_paused = true)]
async fn a_store_behind_a_reference_count_conforms() {
    conforms(std::sync::Arc::new(MemoryStore::new())).await;
}

#[cfg(feature = "sealed")]
#[tokio::test(start_paused = true)]
async fn a_sealed_memory_store_conforms() {
    conforms(super::Sealed::new(MemoryStore::new(), super::SealKey::new("1", [1; 32]))).await;
}
