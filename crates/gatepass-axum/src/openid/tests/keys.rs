//! When the provider is asked for its keys, and when it is not.

use std::sync::Arc;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn pass(time: Duration) {
    tokio::time::advance(time).await;
}

fn down() -> Error {
    Error::transient("the provider is down")
}

#[tokio::test(start_paused = true)]
async fn oidc_1_the_keys_are_asked_for_once_a_day() {
    let (keys, provider) = (Keys::new(), Provider::new());
    for _ in 0..5 {
        verified(&keys, &provider, &by(Pair::P256, "one")).await.unwrap();
        pass(MINUTE).await;
    }
    assert_eq!(provider.asked(), 1);
    pass(DAY - 5 * MINUTE).await;
    // A key that is taken out of the list is not used for longer.
    provider.now_has(&[Pair::AnotherP256.jwk("two")]);
    refused(verified(&keys, &provider, &by(Pair::P256, "one")).await);
    assert_eq!(provider.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn oidc_1_a_new_key_is_found_when_the_first_token_names_it() {
    let (keys, provider) = (Keys::new(), Provider::new());
    verified(&keys, &provider, &by(Pair::P256, "one")).await.unwrap();
    provider.now_has(&[Pair::P256.jwk("one"), Pair::AnotherP256.jwk("two")]);
    // At once: the first time that the keys came does not count against it.
    verified(&keys, &provider, &by(Pair::AnotherP256, "two")).await.unwrap();
    verified(&keys, &provider, &by(Pair::AnotherP256, "two")).await.unwrap();
    verified(&keys, &provider, &by(Pair::P256, "one")).await.unwrap();
    assert_eq!(provider.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn oidc_1_made_up_key_ids_ask_once_a_minute_and_no_more() {
    let (keys, provider) = (Keys::new(), Provider::new());
    verified(&keys, &provider, &by(Pair::P256, "one")).await.unwrap();
    for _ in 0..600 {
        let says = refused(verified(&keys, &provider, &unknown()).await);
        assert!(says.contains("kid"), "{says}");
        pass(Duration::from_secs(1)).await;
    }
    assert_eq!(provider.asked(), 1 + 10);
}

#[tokio::test(start_paused = true)]
async fn oidc_1_logout_tokens_with_made_up_key_ids_keep_nobody_from_signing_in_while_keys_change() {
    let (keys, provider) = (Keys::new(), Provider::new());
    verified(&keys, &provider, &by(Pair::P256, "one")).await.unwrap();
    let stranger =
        || verify_logout_token(&keys, &provider, "eyJhbGciOiJFUzI1NiIsImtpZCI6IngifQ.e30.AA", ISSUER, CLIENT, at(NOW));
    refused(stranger().await);
    provider.now_has(&[Pair::AnotherP256.jwk("two")]);
    verified(&keys, &provider, &by(Pair::AnotherP256, "two")).await.unwrap();
    for _ in 0..60 {
        refused(stranger().await);
        refused(verified(&keys, &provider, &unknown()).await);
        pass(Duration::from_secs(1)).await;
    }
    assert_eq!(provider.asked(), 1 + 2, "once a minute for each kind");
}

#[tokio::test(start_paused = true)]
async fn keys_that_just_came_are_not_asked_for_again() {
    let (keys, provider) = (Keys::new(), Provider::new());
    refused(verified(&keys, &provider, &unknown()).await);
    assert_eq!(provider.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn another_key_under_the_same_id_is_found_after_a_minute() {
    let (keys, provider) = (Keys::new(), Provider::new());
    verified(&keys, &provider, &by(Pair::P256, "one")).await.unwrap();
    provider.now_has(&[Pair::AnotherP256.jwk("one")]);
    pass(MINUTE - Duration::from_secs(1)).await;
    let says = refused(verified(&keys, &provider, &by(Pair::AnotherP256, "one")).await);
    assert!(says.contains("signature"), "{says}");
    assert_eq!(provider.asked(), 1, "forged signatures are more common than such a provider");
    pass(Duration::from_secs(1)).await;
    verified(&keys, &provider, &by(Pair::AnotherP256, "one")).await.unwrap();
    assert_eq!(provider.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_signature_stays_wrong_when_the_provider_does_not_answer() {
    let (keys, provider) = (Keys::new(), Provider::new());
    verified(&keys, &provider, &by(Pair::P256, "one")).await.unwrap();
    pass(MINUTE).await;
    provider.now_fails(down());
    let says = refused(verified(&keys, &provider, &by(Pair::AnotherP256, "one")).await);
    assert!(says.contains("signature"), "{says}");
}

/// A hundred at once, each in a task of its own.
async fn a_hundred(keys: &Arc<Keys>, provider: &Arc<Provider>, token: &str) -> Vec<Result<Claims, Error>> {
    let callers = (0..100).map(|_| {
        let (keys, provider, token) = (keys.clone(), provider.clone(), token.to_owned());
        tokio::spawn(async move { verified(&keys, &provider, &token).await })
    });
    let mut results = Vec::new();
    for caller in callers.collect::<Vec<_>>() {
        results.push(caller.await.unwrap());
    }
    results
}

#[tokio::test(start_paused = true)]
async fn oidc_1_a_hundred_tokens_at_once_ask_once() {
    let (keys, provider) = (Arc::new(Keys::new()), Arc::new(Provider::new().slow()));
    assert!(a_hundred(&keys, &provider, &by(Pair::P256, "one")).await.iter().all(Result::is_ok));
    assert_eq!(provider.asked(), 1);

    assert!(a_hundred(&keys, &provider, &unknown()).await.iter().all(Result::is_err));
    assert_eq!(provider.asked(), 2);

    let cold = Arc::new(Keys::new());
    assert!(a_hundred(&cold, &provider, &unknown()).await.iter().all(Result::is_err));
    assert_eq!(provider.asked(), 3, "those that came for the first are new enough for the rest");

    pass(MINUTE).await;
    provider.now_has(&[Pair::AnotherP256.jwk("unknown")]);
    assert!(a_hundred(&keys, &provider, &unknown()).await.iter().all(Result::is_ok));
    assert_eq!(provider.asked(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_hundred_share_one_failure_and_nobody_queues_for_a_second() {
    let keys = Arc::new(Keys::new());
    let provider = Arc::new(Provider::failing(down()).slow());
    let began = tokio::time::Instant::now();
    for result in a_hundred(&keys, &provider, &by(Pair::P256, "one")).await {
        assert!(result.unwrap_err().is_transient());
    }
    assert_eq!((provider.asked(), began.elapsed()), (1, Duration::from_secs(1)));
}

#[test]
fn callers_on_several_threads_ask_once() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    let (keys, provider) = (Arc::new(Keys::new()), Arc::new(Provider::new()));
    let good = runtime.block_on(a_hundred(&keys, &provider, &by(Pair::P256, "one")));
    assert!(good.iter().all(Result::is_ok));
    let bad = runtime.block_on(a_hundred(&keys, &provider, &unknown()));
    assert!(bad.iter().all(Result::is_err));
    assert_eq!(provider.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn who_goes_away_hands_the_turn_to_the_next() {
    let (keys, provider) = (Arc::new(Keys::new()), Arc::new(Provider::new().slow()));
    let verify = || {
        let (keys, provider) = (keys.clone(), provider.clone());
        tokio::spawn(async move { verified(&keys, &provider, &by(Pair::P256, "one")).await })
    };
    let (first, second) = (verify(), verify());
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(provider.asked(), 1);
    first.abort();
    second.await.unwrap().unwrap();
    assert_eq!(provider.asked(), 2);
    verify().await.unwrap().unwrap();
    assert_eq!(provider.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn who_goes_away_again_and_again_does_not_have_the_provider_asked_each_time() {
    let (keys, provider) = (Keys::new(), Provider::new().slow());
    let token = by(Pair::P256, "one");
    let impatient = Duration::from_millis(1);
    for _ in 0..1000 {
        let _ = tokio::time::timeout(impatient, verified(&keys, &provider, &token)).await;
    }
    assert_eq!(provider.asked(), 3);
    let error = verified(&keys, &provider, &token).await.unwrap_err();
    assert!(error.is_transient() && error.retry_after().is_some(), "{error:?}");
    pass(Duration::from_secs(5)).await;
    verified(&keys, &provider, &token).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_goes_away_now_and_then_is_forgotten_when_the_provider_answers() {
    let (keys, provider) = (Keys::new(), Provider::new().slow());
    let token = by(Pair::P256, "one");
    for day in 1..5 {
        for _ in 0..2 {
            let impatient = verified(&keys, &provider, &token);
            assert!(tokio::time::timeout(Duration::from_millis(1), impatient).await.is_err());
        }
        verified(&keys, &provider, &token).await.unwrap();
        assert_eq!(provider.asked(), 3 * day);
        pass(DAY).await;
    }
}

#[tokio::test(start_paused = true)]
async fn oidc_1_a_panic_while_the_provider_is_asked_wedges_nothing() {
    struct Panics;
    impl FetchKeys for Panics {
        fn fetch(&self) -> Pin<Box<dyn Future<Output = Result<String, Error>> + Send + '_>> {
            Box::pin(async { panic!("in the HTTP client") })
        }
    }
    let keys = Arc::new(Keys::new());
    let token = by(Pair::P256, "one");
    let unlucky = tokio::spawn({
        let (keys, token) = (keys.clone(), Secret::new(token.as_str()));
        async move { verify_id_token(&keys, &Panics, &token, &expected(&nonce())).await.map(|_| ()) }
    });
    assert!(unlucky.await.unwrap_err().is_panic());
    verified(&keys, &Provider::new(), &token).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_remembered_for_a_few_seconds() {
    let (keys, provider) = (Keys::new(), Provider::failing(down()));
    let token = by(Pair::P256, "one");
    for second in 0..5 {
        let error = verified(&keys, &provider, &token).await.unwrap_err();
        assert!(error.is_transient() && error.to_string().contains("down"), "{error:?}");
        assert_eq!(error.retry_after(), (second > 0).then(|| Duration::from_secs(5 - second)));
        pass(Duration::from_secs(1)).await;
    }
    assert_eq!(provider.asked(), 1);
    provider.now_has(&[Pair::P256.jwk("one")]);
    verified(&keys, &provider, &token).await.unwrap();
    assert_eq!(provider.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_wait_that_the_provider_names_holds_up_to_a_minute() {
    for (named, holds) in [(30, 30), (3600, 60), (0, 5)] {
        let (keys, provider) = (Keys::new(), Provider::failing(down().with_retry_after(Duration::from_secs(named))));
        let token = by(Pair::P256, "one");
        let error = verified(&keys, &provider, &token).await.unwrap_err();
        assert_eq!(error.retry_after(), Some(Duration::from_secs(named)));
        pass(Duration::from_secs(holds - 1)).await;
        let error = verified(&keys, &provider, &token).await.unwrap_err();
        assert_eq!((error.retry_after(), provider.asked()), (Some(Duration::from_secs(1)), 1));
        pass(Duration::from_secs(1)).await;
        verified(&keys, &provider, &token).await.unwrap_err();
        assert_eq!(provider.asked(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn when_the_daily_question_fails_the_old_keys_do() {
    let (keys, provider) = (Keys::new(), Provider::new());
    let token = by(Pair::P256, "one");
    verified(&keys, &provider, &token).await.unwrap();
    pass(DAY).await;
    provider.now_fails(down());
    for _ in 0..60 {
        verified(&keys, &provider, &token).await.unwrap();
        pass(Duration::from_secs(1)).await;
    }
    assert_eq!(provider.asked(), 2, "and it is asked again after a minute");
    provider.now_has(&[Pair::P256.jwk("one")]);
    verified(&keys, &provider, &token).await.unwrap();
    pass(DAY - MINUTE).await;
    verified(&keys, &provider, &token).await.unwrap();
    assert_eq!(provider.asked(), 3);
}

#[tokio::test(start_paused = true)]
async fn while_one_asks_the_daily_question_the_others_go_on_with_the_old_keys() {
    let (keys, provider) = (Arc::new(Keys::new()), Arc::new(Provider::new().slow()));
    let token = by(Pair::P256, "one");
    verified(&keys, &provider, &token).await.unwrap();
    pass(DAY).await;
    let asking = tokio::spawn({
        let (keys, provider, token) = (keys.clone(), provider.clone(), token.clone());
        async move { verified(&keys, &provider, &token).await }
    });
    tokio::task::yield_now().await;
    let began = tokio::time::Instant::now();
    verified(&keys, &provider, &token).await.unwrap();
    assert_eq!((began.elapsed(), provider.asked()), (Duration::ZERO, 2));
    asking.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_missing_while_the_provider_is_down_may_be_good_later() {
    let (keys, provider) = (Keys::new(), Provider::new());
    verified(&keys, &provider, &by(Pair::P256, "one")).await.unwrap();
    provider.now_fails(down());
    for _ in 0..2 {
        let error = verified(&keys, &provider, &unknown()).await.unwrap_err();
        assert!(error.is_transient(), "{error:?}");
        verified(&keys, &provider, &by(Pair::P256, "one")).await.unwrap();
    }
    assert_eq!(provider.asked(), 2);
    pass(Duration::from_secs(5)).await;
    provider.now_has(&[Pair::AnotherP256.jwk("unknown")]);
    verified(&keys, &provider, &unknown()).await.unwrap();
}
