//! The program under test, as often as it starts.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use gatepass::{
    AuthorizationServer, BearerLayer, ClientAuth, Error, Origins, RetryPolicy, TokenCell, TokenSet,
    endpoint::{Body, Client},
    store::FileStore,
};
use gatepass_native::App;
use gatepass_testkit::Api;
use http::{Request, StatusCode};
use http_body_util::Full;
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use tower::{Layer, ServiceExt};

use crate::browser::Person;

pub(crate) type Server = gatepass_testkit::AuthorizationServer;
pub(crate) type Http<B> = legacy::Client<HttpConnector, B>;
pub(crate) type Program = App<Http<Body>>;

/// A server that knows the program as the public client `app`.
pub(crate) async fn server() -> Server {
    let server = Server::start().await;
    server.add_public_client("app");
    server
}

/// The program, asking this person, without tokens from earlier. A clone is the same start of it.
pub(crate) fn program(server: &Server, person: &Person) -> Program {
    program_at(AuthorizationServer::issuer(server.issuer()), person).store(gatepass::store::MemoryStore::new())
}

/// The program as it starts with this folder.
pub(crate) fn started(server: &Server, person: &Person, folder: &Folder) -> Program {
    program(server, person).store(FileStore::new(folder.tokens()))
}

/// The program at a server that may be set up in any way. Its store is the platform's, to be replaced.
pub(crate) fn program_at(server: AuthorizationServer, person: &Person) -> Program {
    program_as("app", server, person)
}

/// The program as another client.
pub(crate) fn program_as(id: &str, server: AuthorizationServer, person: &Person) -> Program {
    let client = Client::new(http(), server, ClientAuth::none(id)).unwrap();
    App::new("Tests of gatepass", client).without_browser().pasted(false).steps(person.watches())
}

pub(crate) fn http<B: hyper::body::Body<Data: Send> + Send>() -> Http<B> {
    legacy::Client::builder(TokioExecutor::new()).build_http()
}

/// Calls the API with the token of the cell.
pub(crate) async fn call(api: &Api, cell: &TokenCell) -> Result<StatusCode, Error> {
    let url = api.url("/me");
    let service = BearerLayer::new(cell.clone(), Origins::new([api.origin()]).unwrap())
        .retry(RetryPolicy::new())
        .layer(http::<Full<Bytes>>());
    let request = Request::get(url).body(Full::default()).unwrap();
    match service.oneshot(request).await {
        Ok(response) => Ok(response.status()),
        Err(error) => Err(*error.downcast::<Error>().unwrap()),
    }
}

/// What a sign-in leaves when its access token has ended since.
pub(crate) fn ended(server: &Server) -> TokenSet {
    TokenSet::from_refresh_token(server.issue_refresh_token_to("app", None)).issuer(server.issuer()).client_id("app")
}

/// A folder of one test, which is gone when this is dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("gatepass-sign-in-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    pub(crate) fn path(&self) -> &std::path::Path {
        &self.0
    }

    pub(crate) fn tokens(&self) -> PathBuf {
        self.0.join("program/tokens.json")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
