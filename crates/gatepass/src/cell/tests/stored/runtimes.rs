//! Runtimes that stand still, several of them, and none.

use super::*;

#[test]
fn put_and_remove_work_outside_a_runtime_where_the_cell_was_given_one() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let cell = TokenCell::builder(Server::new().client()).store(MemoryStore::new()).runtime(runtime.handle().clone());
    let cell = cell.build();
    at_once(cell.put(TokenSet::new("had-elsewhere").expires_in(HOUR))).unwrap().unwrap();
    at_once(cell.remove()).unwrap().unwrap();
}

/// A lease that takes a moment to be given back, as one in Redis does.
#[derive(Clone)]
struct Slow(MemoryStore);
struct SlowLease(<MemoryStore as TokenStore>::Lease);

impl crate::store::Lease for SlowLease {
    async fn release(self) {
        tokio::time::sleep(Duration::from_millis(20)).await;
        drop(self.0);
    }
}

impl TokenStore for Slow {
    type Lease = SlowLease;

    async fn load(&self, key: &Key) -> Result<Option<crate::store::Versioned>, Error> {
        self.0.load(key).await
    }

    async fn compare_and_swap(
        &self,
        key: &Key,
        expected: Option<crate::store::Version>,
        value: &Secret,
    ) -> Result<Option<crate::store::Version>, Error> {
        self.0.compare_and_swap(key, expected, value).await
    }

    async fn lease(&self, key: &Key, seen: Option<crate::store::Version>) -> Result<Option<Self::Lease>, Error> {
        Ok(self.0.lease(key, seen).await?.map(SlowLease))
    }

    async fn remove(&self, key: &Key, tombstone: Duration) -> Result<(), Error> {
        self.0.remove(key, tombstone).await
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn quick_server() -> Server {
    let server = Server::new();
    server.takes(Duration::from_millis(5));
    server
}

#[test]
fn c3_settled_does_not_wait_for_ever_for_a_runtime_that_stands_still() {
    let cell = TokenCell::builder(quick_server().client()).store(Slow(MemoryStore::new())).subject("alice");
    let cell = cell.attempt_timeout(secs(1)).start_from(TokenSet::from_refresh_token("refresh-0")).build();
    let still = runtime();
    still.block_on(cell.get()).unwrap();
    let settled = async { tokio::time::timeout(secs(10), cell.settled()).await };
    assert!(runtime().block_on(settled).is_ok(), "the lease is given back by a task that does not run");
}

#[test]
fn c3_an_exchange_does_not_wait_for_a_lease_that_another_runtime_gives_back() {
    let cell =
        TokenCell::builder(quick_server().client()).store(Slow(MemoryStore::with_term(secs(1)))).subject("alice");
    let cell = cell.start_from(TokenSet::from_refresh_token("refresh-0")).build();
    let still = runtime();
    let token = still.block_on(cell.get()).unwrap();
    cell.reject(&token);
    let began = std::time::Instant::now();
    runtime().block_on(cell.get()).unwrap();
    assert!(began.elapsed() < secs(5), "waited {:?} for a task that stands still", began.elapsed());
}
