//! What happens when Redis is not there, or not as it should be.

use std::time::Instant;

use tokio::{io::AsyncWriteExt, net::TcpListener};

use super::{between::Between, *};

async fn swap_fails(store: &RedisStore, expected: Option<Version>) -> Error {
    let error = store.compare_and_swap(&alice(), expected, &Secret::new("hunter2")).await.unwrap_err();
    assert_shows_nothing(&error);
    error
}

#[tokio::test]
#[ignore = "needs redis-server: run by scripts/interop"]
async fn it_works_again_when_redis_is_back() {
    let mut server = RedisServer::start();
    let store = store(&server);
    swap(&store, None, "a").await.unwrap();
    for _ in 0..2 {
        server.kill();
        let began = Instant::now();
        for _ in 0..3 {
            let error = swap_fails(&store, None).await;
            assert!(error.is_transient() && error.to_string().contains(&server.port().to_string()), "{error}");
        }
        assert!(began.elapsed() < Duration::from_secs(1), "refused at once: {:?}", began.elapsed());
        server.restart();
        assert!(swap(&store, None, "a").await.is_some(), "with the first call");
    }
}

#[tokio::test]
#[ignore = "needs redis-server: run by scripts/interop"]
async fn a_first_connection_that_fails_is_tried_again() {
    let mut server = RedisServer::start();
    server.kill();
    let store = store(&server);
    assert!(swap_fails(&store, None).await.is_transient());
    server.restart();
    assert!(swap(&store, None, "a").await.is_some());
}

#[tokio::test]
#[ignore = "needs redis-server: run by scripts/interop"]
async fn a_connection_that_died_idle_fails_no_call() {
    let server = RedisServer::start();
    let store = store(&server);
    let mut version = swap(&store, None, "a").await;
    for _ in 0..5 {
        let _: () = ask(&server, &["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await;
        version = swap(&store, version, "b").await;
        assert!(version.is_some());
    }
}

#[test]
#[ignore = "needs redis-server: run by scripts/interop"]
fn a_runtime_that_stands_still_does_not_stop_those_on_another() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let server = RedisServer::start();
    let store = store(&server).timeout(Duration::from_secs(1)).lease_term(LONG);
    let still = runtime();
    let (held, version) = still.block_on(async {
        let version = swap(&store, None, "a").await;
        let held = take(&store, version).await;
        timeout(Duration::from_millis(300), store.lease(&alice(), version)).await.expect_err("it is held");
        tokio::spawn({
            let store = store.clone();
            async move { store.lease(&alice(), version).await }
        });
        waiting::until_somebody_listens(&server, 1).await;
        (held, version)
    });
    // Nobody drives it from here on, and the connections are its own.
    runtime().block_on(async {
        assert!(load(&store).await.is_some(), "over a connection of this one");
        let waiter = tokio::spawn({
            let store = store.clone();
            async move { store.lease(&alice(), version).await.unwrap() }
        });
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let _: () = ask(&server, &["DEL", &name("lease")]).await;
        assert!(at_once(waiter).await.unwrap().is_some(), "it looks now and then");
    });
    drop(held);
}

#[tokio::test]
#[ignore = "needs redis-server: run by scripts/interop"]
async fn a_replica_is_said_to_be_one_and_its_promotion_is_noticed() {
    let primary = RedisServer::start_with(["--repl-diskless-sync-delay", "0"]);
    let replica = RedisServer::start_with(["--replicaof", "127.0.0.1", &primary.port().to_string()]);
    let store = store(&replica);
    soon("it follows", async || ask::<String>(&replica, &["INFO", "replication"]).await.contains("link_status:up"))
        .await;
    let error = swap_fails(&store, None).await;
    assert!(error.is_transient() && error.to_string().contains("replica"), "{error}");
    assert!(at_once(store.lease(&alice(), None)).await.unwrap_err().is_transient());
    let _: () = ask(&replica, &["REPLICAOF", "NO", "ONE"]).await;
    assert!(swap(&store, None, "a").await.is_some());
}

#[tokio::test]
#[ignore = "needs redis-server: run by scripts/interop"]
async fn a_failover_fails_no_call_once_the_url_leads_to_the_new_primary() {
    let (old, new) = (RedisServer::start(), RedisServer::start());
    let between = Between::start(&old).await;
    let store = between.store();
    assert_eq!(load(&store).await, None);
    between.lead_to(&new);
    let _: () = ask(&old, &["REPLICAOF", "127.0.0.1", &new.port().to_string()]).await;
    assert!(swap(&store, None, "a").await.is_some());
}

#[tokio::test]
#[ignore = "needs redis-server: run by scripts/interop"]
async fn full_memory_is_transient_and_says_what_to_set() {
    let server = RedisServer::start_with(["--maxmemory", "4mb", "--maxmemory-policy", "noeviction"]);
    let store = store(&server);
    let version = swap(&store, None, "a").await;
    let _: () = ask(&server, &["CONFIG", "SET", "maxmemory", "1"]).await;
    let error = swap_fails(&store, version).await;
    assert!(error.is_transient() && error.to_string().contains("maxmemory"), "{error}");
    assert!(store.remove(&alice(), LONG).await.unwrap_err().is_transient());
    assert!(at_once(store.lease(&alice(), version)).await.unwrap_err().is_transient());
    assert_eq!(load(&store).await, Some(Versioned::new(version.unwrap(), Some(Secret::new("a")))), "nothing was lost");
    let _: () = ask(&server, &["CONFIG", "SET", "maxmemory", "0"]).await;
    assert!(swap(&store, version, "b").await.is_some());
}

#[tokio::test]
#[ignore = "needs redis-server: run by scripts/interop"]
async fn what_others_keep_under_our_names_is_left_alone() {
    let record = &*name("record");
    for command in [
        &["SET", record, "text"][..],
        &["RPUSH", record, "item"],
        &["HSET", record, "field", "value"],
        &["HSET", record, "version", "", "value", "v"],
        &["HSET", record, "version", "1.5", "value", "v"],
        &["HSET", record, "version", "0x10", "value", "v"],
        &["HSET", record, "version", "99999999999999999999", "value", "v"],
    ] {
        let server = RedisServer::start();
        let store = store(&server);
        let _: () = ask(&server, command).await;
        let before: Vec<u8> = ask(&server, &["DUMP", record]).await;
        let errors = [
            store.load(&alice()).await.unwrap_err(),
            swap_fails(&store, None).await,
            swap_fails(&store, Some(Version(16))).await,
            store.remove(&alice(), LONG).await.unwrap_err(),
            at_once(store.lease(&alice(), None)).await.unwrap_err(),
        ];
        for error in errors {
            assert!(error.is_misconfigured() && error.to_string().contains(record), "{command:?}: {error}");
        }
        assert_eq!(ask::<Vec<u8>>(&server, &["DUMP", record]).await, before);
    }
}

#[tokio::test]
#[ignore = "needs redis-server: run by scripts/interop"]
async fn what_others_keep_as_the_lease_is_left_alone() {
    let lease = &*name("lease");
    for command in [&["SET", lease, "for ever"][..], &["HSET", lease, "field", "value"]] {
        let server = RedisServer::start();
        let _: () = ask(&server, command).await;
        let error = at_once(store(&server).lease(&alice(), None)).await.unwrap_err();
        assert!(error.is_misconfigured() && error.to_string().contains(lease), "{error}");
        assert_eq!(ask::<u64>(&server, &["EXISTS", lease]).await, 1);
    }
}

#[tokio::test]
#[ignore = "needs redis-server: run by scripts/interop"]
async fn a_value_that_is_no_text_is_an_error() {
    let server = RedisServer::start();
    let redis = redis::Client::open(server.url()).unwrap();
    let mut redis = redis.get_multiplexed_async_connection().await.unwrap();
    let mut write = redis::cmd("HSET");
    write.arg(name("record")).arg("version").arg(7).arg("value").arg(&[0xff_u8, 0xfe]);
    write.exec_async(&mut redis).await.unwrap();
    assert!(store(&server).load(&alice()).await.unwrap_err().is_misconfigured());
}

/// These need no Redis.
fn at(listener: &TcpListener) -> RedisStore {
    let port = listener.local_addr().unwrap().port();
    RedisStore::new(format!("redis://:hunter2@127.0.0.1:{port}")).unwrap().timeout(Duration::from_millis(200))
}

#[tokio::test]
async fn one_that_never_answers_costs_the_time_out() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let store = at(&listener);
    let began = Instant::now();
    let error = swap_fails(&store, None).await;
    assert!(error.is_transient() && error.to_string().contains("200ms"), "{error}");
    assert!(at_once(store.lease(&alice(), None)).await.unwrap_err().is_transient());
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[tokio::test]
async fn what_is_not_redis_is_an_error() {
    for answer in [
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "\0\u{1}\u{2}hunter2\r\n",
        "+hunter2\r\n+x\r\n+x\r\n+x\r\n",
        "*1000000000\r\n",
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let store = at(&listener);
        tokio::spawn(async move {
            loop {
                let (mut connection, _) = listener.accept().await.unwrap();
                let _ = connection.write_all(answer.as_bytes()).await;
                tokio::spawn(async move {
                    tokio::time::sleep(LONG).await;
                    drop(connection);
                });
            }
        });
        println!("{}", swap_fails(&store, None).await);
    }
}
