//! The inner service is called when it is ready, and let go while there is something to wait for.

use super::*;

/// What a future comes to within a minute; a deadlock does not come to anything.
async fn in_time<F: Future>(future: F) -> F::Output {
    let in_time = tokio::time::timeout(Duration::from_secs(60), future).await;
    in_time.expect("it waits for ever")
}

#[tokio::test(start_paused = true)]
async fn f5_what_is_refused_gives_its_permit_back_too() {
    let limited = ConcurrencyLimit::new(ok(""), 1);
    let mut refused = layer(&broken()).layer(limited.clone());
    refused.clone().oneshot(request(API)).await.unwrap_err();
    refused.ready().await.unwrap().call(request(API)).await.unwrap_err();
    let other = tokio::time::timeout(Duration::from_secs(1), limited.oneshot(request(API)));
    assert!(other.await.is_ok(), "`refused` still holds the permit");
}

#[tokio::test(start_paused = true)]
async fn c7_a_living_token_is_sent_where_its_renewal_cannot_even_start() {
    let ended = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.handle().clone()
    });
    let time = crate::clock::TestClock::new();
    let cell = TokenCell::builder(|_| async { Ok(TokenSet::new("never")) })
        .clock(time.clock())
        .runtime(ended.join().unwrap())
        .build();
    cell.put(TokenSet::new("living").expires_in(Duration::from_secs(3600))).await.unwrap();
    time.advance(Duration::from_secs(3570));
    let probe = ok("");
    in_time(layer(&cell).layer(probe.clone()).oneshot(request(API))).await.unwrap();
    assert_eq!(probe.tokens(), ["living"]);
}

#[tokio::test(start_paused = true)]
async fn while_a_call_waits_for_the_token_another_takes_its_permit() {
    let (cell, _) = cell();
    let probe = ok("");
    let mut service = layer(&cell).layer(ConcurrencyLimit::new(probe.clone(), 1));
    let other = service.clone();
    let cold = service.ready().await.unwrap().call(request(API));
    let began = tokio::time::Instant::now();
    let passing = other.oneshot(request("https://elsewhere.example/"));
    tokio::time::timeout(Duration::from_millis(100), passing).await.unwrap().unwrap();
    assert!(began.elapsed().is_zero());
    cold.await.unwrap();
    assert_eq!(probe.tokens(), ["none", "token-1"]);
    let next = service.ready().await.unwrap().call(request(API)).await;
    assert!(next.is_ok(), "the same instance goes on");
}

#[tokio::test(start_paused = true)]
async fn a_hundred_cold_calls_over_one_permit_all_pass() {
    let (cell, issued) = cell();
    let slow = Probe::slow(Duration::from_millis(10), |_| Ok(status(200)));
    let service = layer(&cell).layer(ConcurrencyLimit::new(slow, 1));
    let calls = (0..100).map(|_| tokio::spawn(service.clone().oneshot(request(API))));
    for call in calls.collect::<Vec<_>>() {
        let call = in_time(call).await.unwrap();
        assert_eq!(call.unwrap().status(), 200);
    }
    assert_eq!(issued.load(SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn c3_a_call_dropped_while_it_waits_leaves_the_exchange_and_the_permit_to_others() {
    let (cell, issued) = cell();
    let probe = ok("");
    let mut service = layer(&cell).layer(ConcurrencyLimit::new(probe.clone(), 1));
    let mut dropped = service.ready().await.unwrap().call(request(API));
    assert!(poll(&mut dropped).is_pending());
    drop(dropped);
    in_time(service.oneshot(request(API))).await.unwrap();
    assert_eq!((probe.tokens(), issued.load(SeqCst)), (vec!["token-1".to_owned()], 1));
}

#[tokio::test(start_paused = true)]
async fn c7_a_token_that_ends_while_the_service_gets_ready_is_not_sent() {
    let (cell, _) = cell();
    let probe = ok("");
    let limited = ConcurrencyLimit::new(probe.clone(), 1);
    let service = layer(&cell).layer(limited.clone());
    let waiting = tokio::spawn(service.oneshot(request(API)));
    tokio::task::yield_now().await; // it has let go of its permit and waits for the token
    let mut holder = limited.clone();
    holder.ready().await.unwrap();
    tokio::time::sleep(Duration::from_secs(7200)).await;
    assert_eq!(probe.count(), 0);
    drop(holder);
    tokio::task::yield_now().await; // it is ready, waits for the next token, and has let go again
    let passing = limited.oneshot(request("https://elsewhere.example/"));
    let passed = tokio::time::timeout(Duration::from_millis(100), passing).await;
    assert!(passed.is_ok());
    in_time(waiting).await.unwrap().unwrap();
    assert_eq!(probe.tokens(), ["none", "token-2"]);
}

#[tokio::test(start_paused = true)]
async fn an_inner_service_that_does_not_get_ready_again_fails_the_call() {
    #[derive(Clone)]
    struct Closed(Arc<AtomicUsize>);
    impl Service<Request<String>> for Closed {
        type Response = Response<String>;
        type Error = std::io::Error;
        type Future = std::future::Pending<Result<Response<String>, std::io::Error>>;
        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), std::io::Error>> {
            Poll::Ready(match self.0.fetch_add(1, SeqCst) {
                0 => Ok(()),
                _ => Err(std::io::Error::other("closed")),
            })
        }
        fn call(&mut self, _: Request<String>) -> Self::Future {
            pending()
        }
    }
    let (cell, _) = cell();
    let service = layer(&cell).layer(Closed(Arc::default()));
    let error = service.oneshot(request(API)).await.unwrap_err();
    assert_eq!(error.to_string(), "closed");
}

#[tokio::test(start_paused = true)]
async fn one_service_for_many_calls_and_a_clone_for_each_do_the_same() {
    let (cell, issued) = cell();
    let probe = refusing(&["token-1"]);
    let mut one = layer(&cell).layer(probe.clone());
    for _ in 0..3 {
        let cold_or_not = one.ready().await.unwrap().call(request(API));
        cold_or_not.await.unwrap();
    }
    for _ in 0..3 {
        one.clone().oneshot(request(API)).await.unwrap();
    }
    assert_eq!((probe.count(), issued.load(SeqCst)), (6, 2));
}

#[tokio::test(start_paused = true)]
async fn over_a_boxed_stack_a_buffer_beneath_does() {
    let (cell, _) = cell();
    let probe = refusing(&[]);
    let boxed = tower::util::BoxService::new(probe.clone());
    let service = ServiceBuilder::new().layer(layer(&cell)).buffer(8).service(boxed);
    let (one, two) = tokio::join!(service.clone().oneshot(request(API)), service.clone().oneshot(request(API)),);
    assert!(one.unwrap().status().is_success() && two.unwrap().status().is_success());
    assert_eq!(probe.tokens(), ["token-1", "token-1"]);
}
