//! Nobody is asked for a sign-in that cannot succeed (S9).

use std::time::Duration;

use gatepass::{
    AuthorizationServer, Error, Secret,
    store::{FileStore, Key, MemoryStore, TokenStore, Version, Versioned},
};
use gatepass_native::Loopback;
use gatepass_testkit::{Failure, Metadata};

use crate::{
    browser::Person,
    program::{Program, ended, program, program_at, server},
};

/// Both ways to sign in fail, in one line with these words, and nobody was asked.
async fn refuses(app: &Program, person: &Person, hints: &[&str]) -> Error {
    let (asked, mut last) = (person.was_asked(), None);
    for app in [app.clone(), app.clone().device()] {
        for again in [false, true] {
            let result = if again { app.sign_in_again().await } else { app.sign_in().await };
            let error = result.unwrap_err();
            let text = error.to_string();
            assert!(text.lines().count() == 1, "{text}");
            assert!(hints.iter().all(|hint| text.contains(hint)), "{text}");
            assert_eq!(person.was_asked(), asked, "{text}");
            last = Some(error);
        }
    }
    last.unwrap()
}

#[tokio::test]
async fn s9_a_port_that_is_taken_is_named() {
    let (server, person) = (server().await, Person::willing());
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = held.local_addr().unwrap().port();
    let app = program(&server, &person).loopback(Loopback::port(port));
    let error = app.sign_in().await.unwrap_err();
    assert!(error.is_misconfigured() && error.to_string().contains(&format!("port {port}")), "{error}");
    assert_eq!((person.was_asked(), server.arrivals().len()), (0, 0));

    drop(held);
    app.sign_in().await.unwrap();
}

#[tokio::test]
async fn s9_a_store_that_cannot_be_written_to_is_found_out_first() {
    let (server, person) = (server().await, Person::willing());
    let file = std::env::temp_dir().join(format!("gatepass-sign-in-a-file-{}", std::process::id()));
    std::fs::write(&file, "").unwrap();
    let app = program(&server, &person).store(FileStore::new(file.join("tokens.json")));
    let error = refuses(&app, &person, &["name another path"]).await;
    assert!(error.is_misconfigured());
    std::fs::remove_file(&file).unwrap();

    #[cfg(target_os = "linux")]
    {
        let app = program(&server, &person).store(FileStore::new("/proc/gatepass/tokens.json"));
        refuses(&app, &person, &["/proc/gatepass"]).await;
    }
}

/// Reads, and leases; to write is refused.
struct ReadOnly(MemoryStore);

impl TokenStore for ReadOnly {
    type Lease = <MemoryStore as TokenStore>::Lease;

    async fn load(&self, key: &Key) -> Result<Option<Versioned>, Error> {
        self.0.load(key).await
    }

    async fn compare_and_swap(&self, _: &Key, _: Option<Version>, _: &Secret) -> Result<Option<Version>, Error> {
        Err(Error::misconfigured("`tokens` is read-only: name another path"))
    }

    async fn lease(&self, key: &Key, seen: Option<Version>) -> Result<Option<Self::Lease>, Error> {
        self.0.lease(key, seen).await
    }

    async fn remove(&self, _: &Key, _: Duration) -> Result<(), Error> {
        Err(Error::misconfigured("`tokens` is read-only: name another path"))
    }
}

#[tokio::test]
async fn s9_a_store_that_can_be_read_and_not_written_to_is_found_out_first() {
    let (server, person) = (server().await, Person::willing());
    let app = program(&server, &person).store(ReadOnly(MemoryStore::new()));
    refuses(&app, &person, &["read-only"]).await;
    assert_eq!(server.token_requests(), 0);
}

#[tokio::test]
async fn s9_a_file_that_is_damaged_is_left_alone_and_nobody_is_asked() {
    let (server, person, folder) = (server().await, Person::willing(), crate::program::Folder::new());
    let path = folder.path().join("tokens.json");
    std::fs::write(&path, "{").unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let app = program(&server, &person).store(FileStore::new(&path));
    refuses(&app, &person, &["tokens.json", "sign in again"]).await;
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "{");
}

#[tokio::test]
async fn x6_the_set_of_another_client_is_not_used_and_signing_in_again_replaces_it() {
    for (issuer, client) in [("https://elsewhere.example", "app"), ("", "another")] {
        let (server, person, store) = (server().await, Person::willing(), MemoryStore::new());
        let own = server.issuer();
        let foreign = ended(&server).issuer(if issuer.is_empty() { &own } else { issuer }).client_id(client);
        program(&server, &person).store(store.clone()).cell().unwrap().put(foreign).await.unwrap();

        let app = program(&server, &person).store(store);
        let error = app.sign_in().await.unwrap_err();
        assert!(error.is_misconfigured() && error.to_string().contains("sign in again"), "{error}");
        assert_eq!((person.was_asked(), server.token_requests()), (0, 0));

        let cell = app.sign_in_again().await.unwrap();
        assert!(server.is_active(cell.get().await.unwrap().expose()));
    }
}

#[tokio::test]
async fn rfc8414_3_metadata_that_is_none_or_anothers_says_what_to_do() {
    for (metadata, hints) in [
        (Metadata::Missing, ["no metadata was found", "check the issuer"]),
        (Metadata::Fails(Failure::html(200)), ["no metadata was found", "check the issuer"]),
        (Metadata::WrongIssuer("https://evil.example".to_owned()), ["https://evil.example", "configure the issuer"]),
    ] {
        let (server, person) = (server().await, Person::willing());
        server.oauth_metadata(metadata.clone()).openid_configuration(metadata);
        let app = program(&server, &person);
        let error = refuses(&app, &person, &hints).await;
        assert!(error.is_misconfigured());
    }
    let (server, person) = (server().await, Person::willing());
    server.oauth_metadata(Metadata::Fails(Failure::status(503)));
    let error = refuses(&program(&server, &person), &person, &["503"]).await;
    assert!(error.is_transient());
}

#[tokio::test]
async fn a_server_where_nobody_can_sign_in_is_a_setting() {
    let (server, person) = (server().await, Person::willing());
    let at = AuthorizationServer::token_endpoint(server.token_url());
    let app = program_at(at, &person).store(MemoryStore::new());
    refuses(&app, &person, &["authorization"]).await;
    assert_eq!(server.arrivals().len(), 0);
}

#[test]
fn rfc6749_23_a_plain_http_issuer_is_refused_before_there_is_a_program() {
    let at = AuthorizationServer::issuer("http://auth.example.com");
    let client = gatepass::endpoint::Client::new(
        crate::program::http::<gatepass::endpoint::Body>(),
        at,
        gatepass::ClientAuth::none("app"),
    );
    let error = client.unwrap_err();
    assert!(error.is_misconfigured() && error.to_string().contains("use https"), "{error}");
}
