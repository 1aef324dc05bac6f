//! A cell with a store, in paused time: an authorization server that rotates and takes reuse for theft, and a store
//! that fails on command.

mod adopting;
mod doubt;
mod failing;
#[cfg(feature = "metrics")]
mod figures;
mod newest;
mod refused;
mod removing;
mod runtimes;
mod schedules;
#[cfg(feature = "metrics")]
mod secrets;
mod server;
mod several;
mod store;

use self::{
    server::{Client, Next, Server},
    store::{Fault, TestStore},
};
use super::*;
use crate::store::{Key, MemoryStore, TokenStore};

/// An instance: a cell of its own, as another process has it.
fn instance(client: &Client, store: &TestStore, time: &TestClock) -> TokenCell {
    builder(client, store, time).build()
}

fn builder(client: &Client, store: &TestStore, time: &TestClock) -> Builder {
    let first = TokenSet::from_refresh_token("refresh-0");
    TokenCell::builder(client.clone()).clock(time.clock()).store(store.clone()).subject("alice").start_from(first)
}

fn key() -> Key {
    Key::new(["https://auth.example.com", "client", "refresh_token", "alice"])
}

/// What is in the store now, as text.
async fn kept(store: &TestStore) -> Option<String> {
    let value = store.memory.load(&key()).await.unwrap()?.value?;
    Some(value.expose().to_owned())
}

/// Three instances, and what they share.
fn fleet() -> (Server, TestStore, TestClock, [TokenCell; 3]) {
    let (server, store, time) = (Server::new(), TestStore::new(), TestClock::new());
    let cells = [(); 3].map(|()| instance(&server.client(), &store, &time));
    (server, store, time, cells)
}

fn one() -> (Server, TestStore, TestClock, TokenCell) {
    let (server, store, time) = (Server::new(), TestStore::new(), TestClock::new());
    let cell = instance(&server.client(), &store, &time);
    (server, store, time, cell)
}
