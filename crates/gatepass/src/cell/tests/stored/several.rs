//! C13, the lease and conflicts: several who want the same token, or the same refresh token.

use super::*;

#[tokio::test(start_paused = true)]
async fn c13_two_resources_on_one_rotating_token_are_serialised_and_get_their_own() {
    let (server, store, time) = (Server::new(), TestStore::new(), TestClock::new());
    let photos = instance(&server.resource("photos"), &store, &time);
    let mail = instance(&server.resource("mail"), &store, &time);
    for _ in 0..3 {
        let (one, two) = tokio::join!(photos.get(), mail.get());
        assert!(one.unwrap().expose().ends_with("-for-photos"));
        assert!(two.unwrap().expose().ends_with("-for-mail"));
        pass(HOUR + secs(1)).await;
    }
    assert_eq!((server.requests(), server.most_busy(), server.is_revoked()), (6, 1, false));
}

#[tokio::test(start_paused = true)]
async fn c13_subjects_do_not_get_each_others_token() {
    let (server, store, time) = (Server::new(), TestStore::new(), TestClock::new());
    let alice = builder(&server.client(), &store, &time).build();
    let bob = builder(&server.client(), &store, &time).subject("bob").start_from(TokenSet::new("bobs")).build();
    assert_eq!(alice.get().await.unwrap().expose(), "access-1");
    assert_eq!(bob.get().await.unwrap().expose(), "bobs");
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_stalls_beyond_its_lease_does_not_overwrite_what_is_newer() {
    let (server, time) = (Server::new(), TestClock::new());
    let store = TestStore::with_term(secs(3));
    server.grace(HOUR);
    let (slow, fast) = (instance(&server.client(), &store, &time), instance(&server.client(), &store, &time));
    server.takes(secs(8));
    let stalled = tokio::spawn({
        let slow = slow.clone();
        async move { slow.get().await }
    });
    pass(secs(1)).await;
    server.takes(secs(1));
    let token = fast.get().await.unwrap(); // took over the lease, and presented the token within the grace
    let newer = kept(&store).await.unwrap();
    let stalled = stalled.await.unwrap().unwrap();
    assert_eq!(stalled.expose(), token.expose(), "newer wins");
    assert_eq!(kept(&store).await.unwrap(), newer);
    assert_eq!((server.requests(), slow.status().counts.conflicts), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_that_is_first_is_stored_and_the_one_that_took_over_adopts_it() {
    let (server, time) = (Server::new(), TestClock::new());
    let store = TestStore::with_term(secs(3));
    server.grace(HOUR);
    let (slow, fast) = (instance(&server.client(), &store, &time), instance(&server.client(), &store, &time));
    server.takes(secs(4));
    let stalled = tokio::spawn({
        let slow = slow.clone();
        async move { slow.get().await }
    });
    pass(secs(1)).await;
    server.takes(secs(9));
    let both = fast.get().await;
    let late = stalled.await.unwrap().unwrap();
    slow.settled().await;
    fast.settled().await;
    assert_eq!((both.unwrap().expose(), server.requests()), (late.expose(), 1), "nothing was presented twice");
    let stored = kept(&store).await.unwrap();
    pass(HOUR).await;
    for cell in [&slow, &fast] {
        cell.get().await.unwrap();
    }
    assert!(!server.is_revoked(), "{stored}");
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_never_given_back_is_an_error_and_no_hang() {
    let (server, store, _, cell) = one();
    let held = store.memory.lease(&key(), None).await.unwrap().unwrap();
    let error = error(cell.get().await);
    assert!(error.is_transient() && error.to_string().contains("another holder"), "{error}");
    assert_eq!(server.requests(), 0);
    drop(held);
    pass(secs(2)).await;
    cell.get().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn c7_a_fleet_that_started_together_refreshes_apart() {
    let (server, time) = (Server::new(), TestClock::new());
    server.takes(Duration::ZERO);
    let cells: Vec<_> = (0..100).map(|_| TokenCell::builder(server.machine()).clock(time.clock()).build()).collect();
    for cell in &cells {
        cell.get().await.unwrap();
    }
    pass(HOUR - secs(301)).await;
    let (mut before, mut most) = (server.requests(), 0);
    for _ in 0..70 {
        for cell in &cells {
            cell.get().await.unwrap();
        }
        pass(secs(1)).await;
        most = most.max(server.requests() - before);
        before = server.requests();
    }
    assert_eq!(before, 200, "each has refreshed once");
    assert!(most <= 15, "{most} of 100 in one second");
}

struct Contrary(MemoryStore, Arc<AtomicUsize>);

impl TokenStore for Contrary {
    type Lease = <MemoryStore as TokenStore>::Lease;

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

    async fn lease(&self, _: &Key, _: Option<crate::store::Version>) -> Result<Option<Self::Lease>, Error> {
        // As where `load` asks a replica that lags behind.
        match self.1.fetch_add(1, SeqCst) < 100_000 {
            true => Ok(None),
            false => Err(Error::transient("enough")),
        }
    }

    async fn remove(&self, key: &Key, tombstone: Duration) -> Result<(), Error> {
        self.0.remove(key, tombstone).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_always_has_something_newer_is_no_hot_loop() {
    let (server, calls) = (Server::new(), Arc::new(AtomicUsize::new(0)));
    let store = Contrary(MemoryStore::new(), calls.clone());
    let first = TokenSet::from_refresh_token("refresh-0");
    let cell = TokenCell::builder(server.client()).store(store).start_from(first).build();
    assert!(error(cell.get().await).is_transient());
    assert!(calls.load(SeqCst) < 1000, "asked {} times for the lease", calls.load(SeqCst));
}

#[tokio::test(start_paused = true)]
async fn absurd_time_outs_and_terms_are_no_panic() {
    let (server, time) = (Server::new(), TestClock::new());
    let cell = builder(&server.client(), &TestStore::new(), &time).attempt_timeout(Duration::MAX).build();
    let patient = cell.get().await;
    let cell = instance(&Server::new().client(), &TestStore::with_term(Duration::MAX), &time);
    let long = cell.get().await;
    patient.unwrap();
    long.unwrap();
}

#[tokio::test(start_paused = true)]
async fn c13_a_refusal_for_one_resource_does_not_cost_the_other_its_refresh_token() {
    let (server, store, time) = (Server::new(), TestStore::new(), TestClock::new());
    let photos = instance(&server.resource("photos"), &store, &time);
    let mail = instance(&server.resource("mail"), &store, &time);
    photos.put(server.sign_in()).await.unwrap(); // not what the settings have
    photos.get().await.unwrap();
    let refusal = Error::reauth_required("mail is not for you").with_code("consent_required");
    server.then(Next::Fails(refusal));
    assert!(error(mail.get().await).is_reauth_required());
    pass(HOUR).await;
    photos.get().await.unwrap();
}
