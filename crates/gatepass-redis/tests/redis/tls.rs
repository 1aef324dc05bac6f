//! TLS, with certificates made for each story.

use std::{fs, path::Path, process::Command};

use super::*;

fn openssl(dir: &Path, arguments: &str) {
    let made = Command::new("openssl").args(arguments.split(' ')).current_dir(dir).output();
    let made = made.expect("openssl is missing; install it: apt-get update && apt-get install -y openssl");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// An authority, and a certificate for 127.0.0.1 from it.
fn make_certificates(dir: &Path) {
    fs::create_dir_all(dir).unwrap();
    fs::write(dir.join("names"), "subjectAltName=IP:127.0.0.1,DNS:localhost\n").unwrap();
    let new = "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(dir, &format!("{new} -x509 -days 2 -keyout ca.key -out ca.crt -subj /CN=ca"));
    openssl(dir, &format!("{new} -keyout server.key -out server.csr -subj /CN=localhost"));
    openssl(
        dir,
        "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.crt",
    );
}

/// Its plain port stays open.
fn start() -> (RedisServer, u16, Vec<u8>) {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let dir = std::env::temp_dir().join(format!("gatepass-redis-tls-{}-{port}", std::process::id()));
    make_certificates(&dir);
    let path = |name: &str| dir.join(name).to_str().unwrap().to_owned();
    let server = RedisServer::start_with([
        "--tls-port",
        &port.to_string(),
        "--tls-cert-file",
        &path("server.crt"),
        "--tls-key-file",
        &path("server.key"),
        "--tls-ca-cert-file",
        &path("ca.crt"),
        "--tls-auth-clients",
        "no",
    ]);
    let authority = fs::read(dir.join("ca.crt")).unwrap();
    fs::remove_dir_all(dir).unwrap();
    (server, port, authority)
}

#[tokio::test]
#[ignore = "needs redis-server: run by scripts/interop"]
async fn the_store_works_over_tls() {
    let (server, port, authority) = start();
    let certificates = redis::TlsCertificates { client_tls: None, root_cert: Some(authority) };
    let client = redis::Client::build_with_tls(format!("rediss://127.0.0.1:{port}"), certificates).unwrap();
    let store = RedisStore::from_client(client).lease_term(LONG);
    let version = swap(&store, None, "a").await;
    assert_eq!(load(&store).await.unwrap().value, Some(Secret::new("a")));
    let held = take(&store, version).await;
    let waiter = tokio::spawn({
        let store = store.clone();
        async move { store.lease(&alice(), version).await.unwrap() }
    });
    waiting::until_somebody_listens(&server, 1).await;
    drop(held);
    assert!(at_once(waiter).await.unwrap().is_some());
}

#[tokio::test]
#[ignore = "needs redis-server: run by scripts/interop"]
async fn a_certificate_of_nobody_we_know_is_misconfigured() {
    let (_server, port, _) = start();
    let store = RedisStore::new(format!("rediss://:hunter2@127.0.0.1:{port}")).unwrap();
    let error = store.load(&alice()).await.unwrap_err();
    assert!(error.is_misconfigured() && error.to_string().contains("certificate"), "{error}");
    assert_shows_nothing(&error);
}

#[tokio::test]
#[ignore = "needs redis-server: run by scripts/interop"]
async fn tls_where_there_is_none_and_none_where_there_is_tls_are_errors() {
    let (server, port, _) = start();
    for url in [format!("rediss://:hunter2@127.0.0.1:{}", server.port()), format!("redis://:hunter2@127.0.0.1:{port}")]
    {
        let error = RedisStore::new(url).unwrap().load(&alice()).await.unwrap_err();
        assert_shows_nothing(&error);
        println!("{error}");
    }
}
