//! What the store promises, told against a redis-server of its own for each story.

mod between;
mod contract;
mod failures;
mod leases;
mod lost_answers;
#[path = "../support/redis_server.rs"]
mod redis_server;
#[cfg(feature = "tls")]
mod tls;
mod users;
mod waiting;

use std::{future::Future, time::Duration};

use gatepass::{
    Error, Secret,
    store::{Key, TokenStore, Version, Versioned},
};
use gatepass_redis::{RedisLease, RedisStore, redis};
use redis_server::RedisServer;
use tokio::time::timeout;

/// Long enough that nothing here waits for it by accident, and is seen to.
const LONG: Duration = Duration::from_secs(30);
/// What takes longer than this has waited for something.
const AT_ONCE: Duration = Duration::from_secs(3);

fn store(server: &RedisServer) -> RedisStore {
    RedisStore::new(server.url()).unwrap()
}

fn alice() -> Key {
    Key::new(["https://auth.example.com", "client", "alice"])
}

/// The Redis key of Alice's record or lease.
fn name(what: &str) -> String {
    format!("gatepass:{{{}}}:{what}", alice())
}

async fn swap(store: &RedisStore, expected: Option<Version>, value: &str) -> Option<Version> {
    store.compare_and_swap(&alice(), expected, &Secret::new(value)).await.unwrap()
}

async fn load(store: &RedisStore) -> Option<Versioned> {
    store.load(&alice()).await.unwrap()
}

/// The lease, which has to be free.
async fn take(store: &RedisStore, seen: Option<Version>) -> RedisLease {
    at_once(store.lease(&alice(), seen)).await.unwrap().unwrap()
}

async fn at_once<T>(future: impl Future<Output = T>) -> T {
    timeout(AT_ONCE, future).await.expect("this should not have waited")
}

/// Asks Redis, past the store.
async fn ask<T: redis::FromRedisValue>(server: &RedisServer, command: &[&str]) -> T {
    ask_at(&server.url(), command).await
}

async fn ask_at<T: redis::FromRedisValue>(url: &str, command: &[&str]) -> T {
    let client = redis::Client::open(url).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    redis::cmd(command[0]).arg(&command[1..]).query_async(&mut connection).await.unwrap()
}

/// Waits for what comes soon, but nobody knows when.
async fn soon(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let looking = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(AT_ONCE, looking).await.unwrap_or_else(|_| panic!("not soon: {what}"));
}

fn assert_shows_nothing(error: &Error) {
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("hunter2"), "{shown}");
}
