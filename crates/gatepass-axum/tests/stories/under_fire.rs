//! What an attacker, a mistaken deployer or an unlucky moment makes of a sign-in.

mod cookies;
mod deployers;
mod moments;
mod sessions;
mod strangers;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use axum::{Router, body::Body};
use gatepass_axum::{
    Site,
    tower_sessions::{
        SessionStore,
        session::{Id, Record},
        session_store::{self, Error},
    },
};
use gatepass_testkit::AuthorizationServer;
use http::{HeaderValue, Request};
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::{
    browser::{Answer, Browser},
    world::{SITE, http, provider},
};

/// A page, asked for with these cookies by the letter, at this host.
async fn get(app: &Router, host: &str, path: &str, cookies: &[u8]) -> Answer {
    let request = Request::get(path)
        .header("host", host)
        .header("accept", "text/html")
        .header("cookie", HeaderValue::from_bytes(cookies).unwrap())
        .body(Body::empty())
        .unwrap();
    let (parts, body) = app.clone().oneshot(request).await.unwrap().into_parts();
    Answer { parts, body: body.collect().await.unwrap().to_bytes().to_vec() }
}

fn browser(app: &Router) -> Browser {
    Browser { app: app.clone(), cookies: Arc::default(), http: http(), origin: SITE }
}

/// A site with pages of its own.
async fn with_pages(pages: impl FnOnce(Router) -> Router) -> (AuthorizationServer, Router) {
    let auth = AuthorizationServer::start().await;
    let site = Site::builder(SITE).provider(provider("main", &auth)).build().unwrap();
    let app = pages(Router::new()).merge(site.routes()).layer(site.layer());
    (auth, app)
}

/// Sessions that several sites share, and that fail on command. As in Redis' store, what is not there cannot be saved.
#[derive(Clone, Debug, Default)]
struct Records {
    records: Arc<Mutex<HashMap<Id, Record>>>,
    no_deletes: Arc<AtomicBool>,
}

#[async_trait]
impl SessionStore for Records {
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        // Other stores are away from this process: somebody else may be served meanwhile.
        tokio::task::yield_now().await;
        let mut records = self.records.lock().unwrap();
        while records.contains_key(&record.id) {
            record.id = Id::default();
        }
        records.insert(record.id, record.clone());
        Ok(())
    }

    async fn save(&self, record: &Record) -> session_store::Result<()> {
        tokio::task::yield_now().await;
        if let Some(kept) = self.records.lock().unwrap().get_mut(&record.id) {
            kept.clone_from(record);
        }
        Ok(())
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        tokio::task::yield_now().await;
        Ok(self.records.lock().unwrap().get(id).cloned())
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        tokio::task::yield_now().await;
        if self.no_deletes.load(Ordering::Relaxed) {
            return Err(Error::Backend("deletes do not work now".to_owned()));
        }
        self.records.lock().unwrap().remove(id);
        Ok(())
    }
}
