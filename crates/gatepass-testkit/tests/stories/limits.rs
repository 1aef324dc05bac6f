use std::time::{Duration, Instant, SystemTime};

use gatepass_testkit::LimitFields;

use crate::api::started;

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn the_limit_holds_for_each_sign_in_and_says_when_to_come_back() {
    let (server, api, http, token) = started().await;
    api.limit(2, HOUR);
    let url = api.url("/");
    let other = http.refresh(&server, &server.issue_refresh_token()).await.access_token();
    for _ in 0..2 {
        assert_eq!(http.get(&url, &token).await.unwrap().status, 200);
    }
    let answer = http.get(&url, &token).await.unwrap();
    assert_eq!(answer.status, 429);
    assert!((3590..=3600).contains(&answer.header("retry-after").parse::<u32>().unwrap()));
    assert_eq!(http.get(&url, &other).await.unwrap().status, 200);
    let beyond: Vec<_> = api.beyond_limit().into_iter().collect();
    assert_eq!(beyond, [("client client".to_owned(), 1)]);

    api.no_limit();
    assert_eq!(http.get(&url, &token).await.unwrap().status, 200);
    api.reset_journal();
    assert!(api.beyond_limit().is_empty());
}

#[tokio::test]
async fn every_counted_answer_says_what_is_left() {
    let (_server, api, http, token) = started().await;
    api.limit(2, HOUR).limit_fields(Some(LimitFields::RateLimit));
    for (path, status, remaining) in [("/", 200, 1), ("/redirect?to=/", 302, 0), ("/", 429, 0)] {
        let answer = http.get(&api.url(path), &token).await.unwrap();
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("ratelimit-policy"), r#""default";q=2;w=3600"#);
        let (left, reset) = answer.header("ratelimit").split_once(";t=").unwrap();
        assert_eq!(left, format!(r#""default";r={remaining}"#));
        assert!((3590..=3600).contains(&reset.parse::<u32>().unwrap()));
    }
    // What is not counted says nothing.
    for (path, token) in [("/public", token.as_str()), ("/", "never-issued")] {
        assert_eq!(http.get(&api.url(path), token).await.unwrap().header("ratelimit"), "");
    }
    api.limit_fields(None);
    assert_eq!(http.get(&api.url("/"), &token).await.unwrap().header("ratelimit"), "");
}

#[tokio::test]
async fn resets_are_told_in_every_dialect() {
    let (_server, api, http, token) = started().await;
    api.limit(9, HOUR).clock_skew(-86_400);
    let epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() - 86_400 + 3600;
    for (fields, prefix, expected) in [
        (LimitFields::Draft06, "ratelimit", 3600),
        (LimitFields::XRateLimitDelta, "x-ratelimit", 3600),
        (LimitFields::XRateLimitEpoch, "x-ratelimit", epoch),
    ] {
        let answer = http.get(&api.limit_fields(Some(fields)).url("/"), &token).await.unwrap();
        let reset: u64 = answer.header(&format!("{prefix}-reset")).parse().unwrap();
        assert!(reset.abs_diff(expected) <= 10, "{fields:?}: {reset}");
        assert_eq!(answer.header(&format!("{prefix}-limit")), "9");
    }
    let answer = http.get(&api.limit_fields(Some(LimitFields::XRateLimitDate)).url("/"), &token).await.unwrap();
    assert!(answer.header("x-ratelimit-reset").ends_with(" GMT"));
    assert_eq!(answer.header("x-ratelimit-remaining"), "5");
}

#[tokio::test]
async fn a_bucket_lets_the_next_call_through_before_it_is_full() {
    let (_server, api, http, token) = started().await;
    api.limit_bucket(10, HOUR).limit_fields(Some(LimitFields::XRateLimitDelta));
    for _ in 0..10 {
        assert_eq!(http.get(&api.url("/"), &token).await.unwrap().status, 200);
    }
    let answer = http.get(&api.url("/"), &token).await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.header("x-ratelimit-remaining")), (429, "0"));
    let seconds = |name| answer.header(name).parse::<u32>().unwrap();
    assert!((350..=360).contains(&seconds("retry-after")) && (3590..=3600).contains(&seconds("x-ratelimit-reset")));
}

#[tokio::test]
async fn some_refuse_with_403_and_nothing_but_that_nothing_remains() {
    let (_server, api, http, token) = started().await;
    api.limit(1, HOUR).limit_fields(Some(LimitFields::XRateLimitEpoch)).limit_status(403).limit_retry_after(false);
    assert_eq!(http.get(&api.url("/"), &token).await.unwrap().status, 200);
    let answer = http.get(&api.url("/"), &token).await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.header("x-ratelimit-remaining")), (403, "0"));
    assert!(!answer.headers.contains_key("retry-after"));
    api.limit_status(429).limit_retry_after(true);
    let answer = http.get(&api.url("/"), &token).await.unwrap();
    assert!(answer.status == 429 && answer.headers.contains_key("retry-after"));
}

/// A second and a half of real time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_calls_a_second_hold_over_two_hundred_connections() {
    let (_server, api, http, token) = started().await;
    api.limit(100, Duration::from_secs(1)).limit_fields(Some(LimitFields::RateLimit));
    let start = Instant::now();
    api.hold();
    let calls: Vec<_> = (0..200)
        .map(|_| {
            let (url, http, token) = (api.url("/"), http.clone(), token.clone());
            tokio::spawn(async move {
                while http.get(&url, &token).await.is_some() && start.elapsed() < Duration::from_millis(1500) {}
            })
        })
        .collect();
    api.until_calls(200).await;
    assert_eq!(api.max_concurrent_connections(), 200);
    api.release();
    for call in calls {
        call.await.unwrap();
    }
    // However slow the machine: each second began by its first call, and allows no more than a hundred.
    let windows = start.elapsed().as_secs() + 1;
    let (admitted, refused) = (api.answered(200), api.answered(429));
    assert!(admitted >= 100 && admitted as u64 <= 100 * windows, "{admitted} in {windows} s");
    assert_eq!((api.beyond_limit()["client client"], api.calls()), (refused, admitted + refused));
}

#[tokio::test]
async fn the_timeline_has_every_answer() {
    let (_server, api, http, token) = started().await;
    http.get(&api.url("/"), &token).await.unwrap();
    let start = Instant::now();
    api.limit(2, HOUR).fail_next(1, gatepass_testkit::Failure::dropped());
    for _ in 0..4 {
        http.get(&api.url("/"), &token).await;
    }
    let timeline = api.timeline(start);
    assert_eq!(timeline.iter().map(|(_, status)| *status).collect::<Vec<_>>(), [200, 200, 429]);
    assert!(timeline.is_sorted() && timeline[2].0 <= start.elapsed());
}
