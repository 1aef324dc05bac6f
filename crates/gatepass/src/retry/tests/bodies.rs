//! What an attempt sends is what the caller gave (A6).

use super::*;

/// A body that is not `Clone` and not empty.
#[derive(Debug)]
struct Once(String);

fn once() -> Request<Once> {
    Request::post(API).body(Once("the body".to_owned())).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a6_a_body_that_cannot_be_cloned_gets_its_response_and_the_next_request_a_new_token() {
    let (cell, issued) = cell();
    let probe = script(&[(401, &[("x-original", "yes")])]);
    let layer = BearerLayer::new(cell, api()).retry(RetryPolicy::never());
    let service = layer.layer(probe.with_body::<Once>());
    let response = service.clone().oneshot(once()).await.unwrap();
    assert_eq!((response.status().as_u16(), response.headers().contains_key("x-original")), (401, true));
    assert_eq!(service.oneshot(once()).await.unwrap().status(), 200);
    assert_eq!((probe.tokens(), issued.load(SeqCst)), (vec!["token-1".to_owned(), "token-2".to_owned()], 2));
}

#[tokio::test(start_paused = true)]
async fn a6_a_function_clones_what_it_can() {
    for (text, requests) in [("the body", 2), ("a stream", 1)] {
        let (cell, _) = cell();
        let probe = script(&[(401, &[])]);
        let clone = |body: &Once| (body.0 != "a stream").then(|| Once(body.0.clone()));
        let layer = BearerLayer::new(cell, api()).retry(RetryPolicy::clone_body(clone));
        let request = Request::post(API).body(Once(text.to_owned())).unwrap();
        let response = layer.layer(probe.with_body()).oneshot(request).await.unwrap();
        assert_eq!(response.status() == 200, requests == 2);
        assert_eq!(probe.count(), requests);
    }
}

#[tokio::test(start_paused = true)]
async fn a6_an_empty_body_is_sent_again_and_another_is_not() {
    for (body, requests) in [("", 2), ("the body", 1)] {
        let (cell, _) = cell();
        let probe = script(&[(401, &[])]);
        let layer = BearerLayer::new(cell, api()).retry(RetryPolicy::empty_bodies());
        let request = Request::post(API).body(Full::<bytes::Bytes>::from(body)).unwrap();
        let response = layer.layer(probe.with_body()).oneshot(request).await.unwrap();
        assert_eq!(response.status() == 200, requests == 2);
        assert_eq!(probe.count(), requests);
    }
}

#[tokio::test(start_paused = true)]
async fn a6_the_body_that_is_sent_again_is_whole() {
    let bodies = Arc::new(std::sync::Mutex::new(Vec::new()));
    let service = tower::service_fn({
        let bodies = bodies.clone();
        move |request: Request<Full<bytes::Bytes>>| {
            let bodies = bodies.clone();
            async move {
                let body = request.into_body().collect().await?.to_bytes();
                let mut bodies = bodies.lock().unwrap();
                bodies.push(body);
                let code = if bodies.len() < 3 { 429 } else { 200 };
                Ok::<_, BoxError>(response(code, &[("retry-after", "1")]))
            }
        }
    });
    let service = RetryLayer::new(RetryPolicy::new()).layer(service);
    let request = Request::post(API).body(Full::from("the whole body")).unwrap();
    assert_eq!(service.oneshot(request).await.unwrap().status(), 200);
    assert_eq!(*bodies.lock().unwrap(), ["the whole body"; 3]);
}

#[tokio::test(start_paused = true)]
async fn a_copy_for_the_next_attempt_has_everything_but_what_bearer_added() {
    #[derive(Clone, Debug, PartialEq)]
    struct Tag(u8);
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let service = tower::service_fn({
        let seen = seen.clone();
        move |request: Request<Empty<bytes::Bytes>>| {
            let (parts, _) = request.into_parts();
            let mut seen = seen.lock().unwrap();
            let code = if seen.is_empty() { 401 } else { 200 };
            let tag = parts.extensions.get::<Tag>().cloned();
            seen.push((parts.method, parts.uri, parts.version, parts.headers["x-own"].clone(), tag));
            std::future::ready(Ok::<_, BoxError>(status(code)))
        }
    });
    let (cell, _) = cell();
    let service = BearerLayer::new(cell, api()).retry(RetryPolicy::new()).layer(service);
    let request = Request::delete("https://api.example.com/v1?q=1")
        .version(http::Version::HTTP_2)
        .header("x-own", "kept")
        .extension(Tag(7))
        .body(Empty::new())
        .unwrap();
    let response: Response<String> = service.oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let seen = seen.lock().unwrap();
    assert_eq!(seen[0], seen[1]);
    assert_eq!((&seen[1].0, seen[1].2, &seen[1].4), (&Method::DELETE, http::Version::HTTP_2, &Some(Tag(7))));
}
