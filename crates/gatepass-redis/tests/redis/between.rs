//! What may stand between a store and Redis.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering::SeqCst},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::*;

/// Passes everything on, as well as it is told to.
pub(crate) struct Between {
    port: u16,
    faults: Arc<Faults>,
}

struct Faults {
    server: AtomicU16,
    loses: AtomicBool,
    delay: AtomicU64,
}

impl Between {
    pub(crate) async fn start(server: &RedisServer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let faults = Faults { server: server.port().into(), loses: false.into(), delay: 0.into() };
        let faults = Arc::new(faults);
        let told = faults.clone();
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let server = TcpStream::connect(("127.0.0.1", told.server.load(SeqCst))).await.unwrap();
                tokio::spawn(pass_on(client, server, told.clone()));
            }
        });
        Self { port, faults }
    }

    pub(crate) fn store(&self) -> RedisStore {
        RedisStore::new(format!("redis://127.0.0.1:{}", self.port)).unwrap().lease_term(LONG)
    }

    /// New connections lead elsewhere; those that are there stay.
    pub(crate) fn lead_to(&self, server: &RedisServer) {
        self.faults.server.store(server.port(), SeqCst);
    }

    /// Answers take so long.
    pub(crate) fn delay(&self, delay: Duration) {
        self.faults.delay.store(delay.as_millis().try_into().unwrap(), SeqCst);
    }

    /// The next answer is lost, and its connection.
    pub(crate) fn lose_the_next_answer(&self) {
        self.faults.loses.store(true, SeqCst);
    }

    pub(crate) fn has_lost_it(&self) -> bool {
        !self.faults.loses.load(SeqCst)
    }
}

async fn pass_on(client: TcpStream, server: TcpStream, faults: Arc<Faults>) {
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let asking = tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
    let mut answer = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from_server.read(&mut answer).await {
        tokio::time::sleep(Duration::from_millis(faults.delay.load(SeqCst))).await;
        if faults.loses.swap(false, SeqCst) || to_client.write_all(&answer[..length]).await.is_err() {
            break;
        }
    }
    asking.abort();
}
