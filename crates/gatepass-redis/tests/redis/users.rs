//! What a user of Redis has to be allowed.

use gatepass::store::Lease;

use super::*;

/// As the docs of the crate say it.
const RIGHTS: &[&str] = &[
    "+evalsha",
    "+script|load",
    "+type",
    "+hget",
    "+hset",
    "+hdel",
    "+get",
    "+set",
    "+del",
    "+pttl",
    "+pexpire",
    "+persist",
    "+time",
    "+publish",
    "+subscribe",
    "+unsubscribe",
];

async fn store_of(server: &RedisServer, channels: &[&str]) -> RedisStore {
    let user = ["ACL", "SETUSER", "gatepass", "reset", "on", ">hunter2", "~gatepass:*", "resetchannels"];
    let _: () = ask(server, &[&user[..], channels, &["-@all"], RIGHTS].concat()).await;
    RedisStore::new(server.url_for("gatepass:hunter2")).unwrap().lease_term(LONG)
}

#[tokio::test]
#[ignore = "needs redis-server: run by scripts/interop"]
async fn the_rights_in_the_docs_are_enough() {
    let server = RedisServer::start();
    let store = store_of(&server, &["&gatepass:*"]).await;
    let version = swap(&store, None, "a").await;
    assert!(load(&store).await.is_some());
    let held = take(&store, version).await;
    let waiter = tokio::spawn({
        let store = store.clone();
        async move { store.lease(&alice(), version).await.unwrap() }
    });
    waiting::until_somebody_listens(&server, 1).await;
    held.release().await;
    at_once(waiter).await.unwrap().unwrap().release().await;
    store.clone().expire_after(LONG).compare_and_swap(&alice(), version, &Secret::new("b")).await.unwrap().unwrap();
    store.remove(&alice(), LONG).await.unwrap();
    let elsewhere = store.clone().prefix("orders");
    let error = elsewhere.load(&alice()).await.unwrap_err();
    assert!(error.is_misconfigured() && error.to_string().contains("NOPERM"), "{error}");
    assert_shows_nothing(&error);
}

#[tokio::test]
#[ignore = "needs redis-server: run by scripts/interop"]
async fn without_channels_waiters_look_again_by_themselves() {
    let server = RedisServer::start();
    let store = store_of(&server, &[]).await;
    let version = swap(&store, None, "a").await;
    assert!(version.is_some(), "what is written counts, though nobody can be told");
    let held = take(&store, version).await;
    let waiter = tokio::spawn({
        let store = store.clone();
        async move { store.lease(&alice(), version).await.unwrap() }
    });
    tokio::time::sleep(Duration::from_millis(400)).await;
    held.release().await;
    assert!(at_once(waiter).await.unwrap().is_some());
}

#[tokio::test]
#[ignore = "needs redis-server: run by scripts/interop"]
async fn a_password_comes_from_the_url_and_a_wrong_one_is_misconfigured() {
    let server = RedisServer::start_with(["--requirepass", "p@ss/word"]);
    let right = RedisStore::new(server.url_for(":p%40ss%2Fword")).unwrap();
    assert!(swap(&right, None, "a").await.is_some());
    for url in [server.url_for(":hunter2"), server.url_for("alice:hunter2"), server.url()] {
        let error = RedisStore::new(url).unwrap().load(&alice()).await.unwrap_err();
        assert!(error.is_misconfigured() && error.to_string().contains("password"), "{error}");
        assert_shows_nothing(&error);
    }
}

#[tokio::test]
#[ignore = "needs redis-server: run by scripts/interop"]
async fn a_database_that_is_not_there_is_misconfigured() {
    let server = RedisServer::start();
    let store = RedisStore::new(format!("{}/4711", server.url())).unwrap();
    let error = store.load(&alice()).await.unwrap_err();
    assert!(error.is_misconfigured() && error.to_string().contains("database"), "{error}");
}
