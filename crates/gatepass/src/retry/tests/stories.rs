//! What is sent again, when, and what is handed back.

use super::*;

#[tokio::test(start_paused = true)]
async fn a1_a_revoked_token_costs_one_exchange_and_one_replay() {
    let (cell, issued) = cell();
    let probe = script(&[(401, &[])]);
    let service = BearerLayer::new(cell, api()).retry(RetryPolicy::new()).layer(probe.clone());
    let mut request = post("the body");
    request.headers_mut().insert("x-own", "kept".parse().unwrap());
    let response = service.oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(probe.tokens(), ["token-1", "token-2"]);
    assert_eq!(issued.load(SeqCst), 2);
    for seen in probe.seen() {
        assert_eq!((&seen.method, &seen.headers["x-own"]), (&Method::POST, &"kept".parse().unwrap()));
    }
}

#[tokio::test(start_paused = true)]
async fn a1_the_second_401_is_handed_back() {
    let (cell, issued) = cell();
    let probe = script(&[(401, &[]), (401, &[("x-second", "yes")])]);
    let service = BearerLayer::new(cell.clone(), api()).retry(RetryPolicy::new()).layer(probe.clone());
    let response = service.oneshot(post("")).await.unwrap();
    assert_eq!(response.status(), 401);
    assert_eq!(response.headers()["x-second"], "yes");
    assert_eq!((probe.count(), issued.load(SeqCst)), (2, 2));
    assert_eq!(cell.peek().unwrap().expose(), "token-2", "it was just issued: its second refusal costs nothing");
    let heals = script(&[(401, &[]), (200, &[])]);
    let service = BearerLayer::new(cell.clone(), api()).retry(RetryPolicy::new()).layer(heals);
    let healed = service.oneshot(post("")).await.unwrap();
    assert_eq!(
        (healed.status().as_u16(), issued.load(SeqCst)),
        (200, 3),
        "if it is really bad, the next request heals"
    );
}

#[tokio::test(start_paused = true)]
async fn a2_many_requests_with_a_revoked_token_share_one_exchange() {
    let (cell, issued) = cell();
    let probe = Probe::slow(secs(1), |seen| Ok(status(if seen.token() == Some("token-1") { 401 } else { 200 })));
    let service = BearerLayer::new(cell, api()).retry(RetryPolicy::new()).layer(probe.clone());
    let calls = (0..50).map(|_| tokio::spawn(service.clone().oneshot(post(""))));
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap().unwrap().status(), 200);
    }
    assert_eq!((probe.count(), issued.load(SeqCst)), (100, 2));
}

#[tokio::test(start_paused = true)]
async fn a3_grpc_status_16_is_replayed_and_insufficient_scope_is_not() {
    let (grpc_cell, _) = cell();
    let probe = script(&[(200, &[("grpc-status", "16")])]);
    let service = BearerLayer::new(grpc_cell, api()).retry(RetryPolicy::new()).layer(probe.clone());
    let response = service.oneshot(post("")).await.unwrap();
    assert!(!response.headers().contains_key("grpc-status"));
    assert_eq!(probe.count(), 2);

    let (scope_cell, issued) = cell();
    let challenge = ("www-authenticate", "Bearer error=\"insufficient_scope\"");
    let probe = script(&[(401, &[challenge])]);
    let service = BearerLayer::new(scope_cell, api()).retry(RetryPolicy::new()).layer(probe.clone());
    let response = service.oneshot(post("")).await.unwrap();
    assert!(response.extensions().get::<Refused>().is_some());
    assert_eq!((probe.count(), issued.load(SeqCst)), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_replay_over_one_permit_does_not_deadlock() {
    let (cell, _) = cell();
    let probe = script(&[(401, &[]), (429, &[("retry-after", "1")])]);
    let limited = ConcurrencyLimit::new(probe.clone(), 1);
    let service = BearerLayer::new(cell, api()).retry(RetryPolicy::new()).layer(limited);
    let (one, two) = tokio::time::timeout(secs(60), async {
        tokio::join!(service.clone().oneshot(post("")), service.clone().oneshot(post("")))
    })
    .await
    .unwrap();
    assert!(one.unwrap().status() == 200 && two.unwrap().status() == 200);
    assert_eq!(probe.count(), 4);
}

/// A cell that has one last token: its exchanges fail from then on, and one just did.
async fn failing(error: Error) -> TokenCell {
    let had = AtomicUsize::new(0);
    let source = move |_| {
        let result = match had.fetch_add(1, SeqCst) {
            0 => Ok(TokenSet::new("the-last").expires_in(secs(3600))),
            _ => Err(error.clone()),
        };
        async { result }
    };
    let cell = TokenCell::builder(source).clock(TestClock::new().clock());
    let cell = cell.build();
    cell.get().await.unwrap();
    cell.refresh().await.unwrap_err();
    cell
}

#[tokio::test(start_paused = true)]
async fn a_401_is_handed_back_where_no_other_token_can_be_had() {
    for (case, cell) in [
        ("fixed", TokenCell::new(Token::new("fixed").unwrap())),
        ("dead", failing(Error::reauth_required("gone")).await),
        ("held off", failing(Error::transient("down")).await),
    ] {
        let probe = Probe::new(|_| Ok(response(401, &[("x-original", "yes")])));
        let layer = BearerLayer::new(cell, api()).retry(RetryPolicy::new());
        let response = layer.layer(probe.clone()).oneshot(post("")).await.unwrap();
        assert_eq!((response.status().as_u16(), probe.count()), (401, 1), "{case}");
        assert!(response.headers().contains_key("x-original"), "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn f5_an_error_of_gatepass_is_not_sent_again() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let source = move |_| {
        count.fetch_add(1, SeqCst);
        async { Err(Error::transient("down")) }
    };
    let cell = TokenCell::builder(source).clock(TestClock::new().clock()).build();
    let probe = script(&[]);
    let policy = RetryPolicy::new().rules(Rules::new().transport_errors(true));
    let service = BearerLayer::new(cell, api()).retry(policy).layer(probe.clone());
    let began = tokio::time::Instant::now();
    let error = service.oneshot(request(API)).await.unwrap_err();
    assert!(error.is::<Error>() && began.elapsed().is_zero());
    assert_eq!((probe.count(), asked.load(SeqCst)), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn r3_transport_errors_are_sent_again_only_when_asked_for() {
    for (opted, requests) in [(false, 1), (true, 2)] {
        let (cell, _) = cell();
        let mut first = true;
        let probe = Probe::new(move |_| {
            if std::mem::take(&mut first) {
                return Err(std::io::Error::other("reset").into());
            }
            Ok(status(200))
        });
        let policy = RetryPolicy::new().rules(Rules::new().transport_errors(opted));
        let service = BearerLayer::new(cell, api()).retry(policy).layer(probe.clone());
        assert_eq!(service.oneshot(request(API)).await.is_ok(), opted);
        assert_eq!(probe.count(), requests);
    }
}

#[tokio::test(start_paused = true)]
async fn a5_a_429_of_the_callers_own_authorization_is_waited_for_and_its_401_is_not_replayed() {
    let (cell, issued) = cell();
    let probe = script(&[(429, &[("retry-after", "2")]), (401, &[])]);
    let service = BearerLayer::new(cell, api()).retry(RetryPolicy::new()).layer(probe.clone());
    let mut own = post("");
    own.headers_mut().insert(header::AUTHORIZATION, "Basic b3du".parse().unwrap());
    assert_eq!(service.oneshot(own).await.unwrap().status(), 401);
    let came: Vec<_> = probe.seen();
    assert!(came.iter().all(|seen| seen.authorization() == Some("Basic b3du")));
    assert_eq!((came.len(), issued.load(SeqCst)), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn r1_a_429_is_waited_for_and_never_early() {
    let probe = script(&[(429, &[("retry-after", "7")]), (503, &[("retry-after", "3")]), (429, &[])]);
    let service = RetryLayer::new(RetryPolicy::new()).layer(probe.clone());
    assert_eq!(service.oneshot(request(API)).await.unwrap().status(), 200);
    let waits = distances(&probe);
    for (wait, range) in waits.iter().zip([7.0..=7.8, 3.0..=3.4, 1.0..=2.1]) {
        assert!(range.contains(wait), "{waits:?}");
    }
    assert_eq!(waits.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn r1_a_token_that_ends_during_the_wait_is_not_sent_again() {
    let (cell, _) = cell();
    cell.put(TokenSet::new("short").expires_in(secs(10))).await.unwrap();
    let probe = script(&[(429, &[("retry-after", "20")])]);
    let service = BearerLayer::new(cell, api()).retry(RetryPolicy::new()).layer(probe.clone());
    assert_eq!(service.oneshot(post("")).await.unwrap().status(), 200);
    assert_eq!(probe.tokens(), ["short", "token-1"]);
}

#[tokio::test(start_paused = true)]
async fn r2_a_wait_that_is_too_long_is_not_slept_but_told() {
    for (asked, deadline) in [("61", None), ("10", Some(secs(5)))] {
        let headers = [("retry-after", asked)];
        let probe = script(&[(429, &headers)]);
        let service = RetryLayer::new(RetryPolicy::new()).layer(probe.clone());
        let mut request = request(API);
        if let Some(deadline) = deadline {
            request.extensions_mut().insert(Deadline::after(deadline));
        }
        let began = tokio::time::Instant::now();
        let response = service.oneshot(request).await.unwrap();
        assert!(began.elapsed().is_zero());
        assert_eq!((response.status().as_u16(), probe.count()), (429, 1));
        let told = response.extensions().get::<RetryAfter>().unwrap();
        assert_eq!(told.wait().as_secs().to_string(), asked);
    }
}

#[tokio::test(start_paused = true)]
async fn r2_the_total_time_counts_from_the_request_and_not_from_the_policy() {
    let policy = RetryPolicy::new().rules(Rules::new().total_time(secs(10)));
    let probe = script(&[(429, &[("retry-after", "5")])]);
    let service = RetryLayer::new(policy).layer(probe.clone());
    tokio::time::sleep(secs(3600)).await;
    assert_eq!(service.oneshot(request(API)).await.unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn r4_after_the_last_retry_the_response_is_handed_back() {
    let probe = Probe::new(|_| Ok(response(429, &[("retry-after", "1")])));
    let policy = RetryPolicy::new().rules(Rules::new().max_retries(2));
    let mut service = RetryLayer::new(policy).layer(probe.clone());
    for _ in 0..2 {
        let response = service.ready().await.unwrap();
        let response = tower::Service::call(response, request(API)).await.unwrap();
        assert_eq!(response.extensions().get::<RetryAfter>().unwrap().wait(), secs(1));
    }
    assert_eq!(probe.count(), 6, "each request counts for itself");
}

/// A budget that writes down what was done to it.
#[derive(Clone, Default)]
struct Counting(Arc<(AtomicUsize, AtomicUsize)>);

impl Budget for Counting {
    fn deposit(&self) {
        self.0.0.fetch_add(1, SeqCst);
    }

    fn withdraw(&self) -> bool {
        self.0.1.fetch_add(1, SeqCst) < 2
    }
}

#[tokio::test(start_paused = true)]
async fn r4_the_budget_bounds_503_and_what_was_asked_for_and_nothing_else() {
    let budget = Counting::default();
    let rules = Rules::new().also(StatusCode::BAD_GATEWAY).budget(budget.clone());
    let (cell, _) = cell();
    let run = |probe: &Probe| {
        let policy = RetryPolicy::new().rules(rules.clone());
        let layer = BearerLayer::new(cell.clone(), api()).retry(policy);
        layer.layer(probe.clone()).oneshot(request(API))
    };
    let drawn = || (budget.0.0.load(SeqCst), budget.0.1.load(SeqCst));

    let free = script(&[(401, &[]), (429, &[("retry-after", "1")]), (429, &[("retry-after", "1")])]);
    for _ in 0..10 {
        assert_eq!(run(&free).await.unwrap().status(), 200);
    }
    assert_eq!(drawn(), (0, 0), "neither a success nor these touch it");

    let costly = script(&[(503, &[]), (502, &[]), (200, &[]), (503, &[("retry-after", "4")])]);
    assert_eq!(run(&costly).await.unwrap().status(), 200);
    assert_eq!(drawn(), (0, 2));
    let empty = run(&costly).await.unwrap();
    assert_eq!((empty.status().as_u16(), drawn()), (503, (0, 3)));
    assert_eq!(empty.extensions().get::<RetryAfter>().unwrap().wait(), secs(4));

    let back_off = script(&[(429, &[])]);
    assert_eq!(run(&back_off).await.unwrap().status(), 429, "without Retry-After it costs, too");
}
