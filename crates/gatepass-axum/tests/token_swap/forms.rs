//! What an app may send.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;

use crate::world::{REDIRECT_URI, VERIFIER, World, refusal, send};

#[tokio::test]
async fn rfc6749_5_what_is_missing_repeated_or_too_large_is_said_to_be_so() {
    let world = World::start().await;
    let invalid = (400, "invalid_request".to_owned());
    for (path, form) in [
        ("/swap", ""),
        ("/swap", "code="),
        ("/swap", "refresh_token=a"),
        ("/swap", "code=a&code=b"),
        ("/swap", "code=a&code_verifier=short"),
        ("/swap", "code=a&redirect_uri=https://evil.example/"),
        ("/swap?code=a", "grant_type=authorization_code"),
        ("/refresh", "code=a"),
        ("/refresh", "refresh_token=a&refresh_token=a"),
        ("/refresh?refresh_token=a", "x"),
        ("/swap", &format!("code={}", "a".repeat(64 * 1024))),
        ("/refresh", &format!("refresh_token={}", "a".repeat(1024 * 1024))),
    ] {
        assert_eq!(refusal(&world.post(path, form).await), invalid, "{path} {}", &form[..form.len().min(50)]);
    }
    assert_eq!(world.server.token_requests(), 0);
}

#[tokio::test]
async fn only_forms_are_taken_and_only_by_post() {
    let world = World::start().await;
    for (content_type, body) in [("application/json", r#"{"code":"a"}"#), ("text/plain", "code=a")] {
        let request = Request::post(format!("{}/swap", world.origin)).header("content-type", content_type);
        let answer = send(request.body(Full::from(body)).unwrap()).await;
        assert_eq!(refusal(&answer), (415, "invalid_request".to_owned()));
    }
    for path in ["/swap?code=a", "/refresh?refresh_token=a"] {
        let request = Request::get(format!("{}{path}", world.origin)).body(Full::<Bytes>::default()).unwrap();
        assert_eq!(send(request).await.status(), 405);
    }
    assert_eq!(world.server.token_requests(), 0);
}

#[tokio::test]
async fn rfc6749_9_a_redirect_uri_goes_along_if_it_is_a_known_one() {
    let world = World::start_with("secret", |swap| swap.redirect_uri("http://[::1]/callback")).await;
    for sent in ["", REDIRECT_URI] {
        let code = world.code(false).await;
        let answer = world.post("/swap", &format!("code={code}&redirect_uri={sent}")).await;
        assert_eq!(answer.status(), 200, "{sent}");
        let request = world.server.journal().pop().unwrap();
        assert!(request.form.contains(&("redirect_uri".to_owned(), REDIRECT_URI.to_owned())));
    }
    // Known, on any port, but not where this code came to.
    let code = world.code(false).await;
    let answer = world.post("/swap", &format!("code={code}&redirect_uri=http://[::1]:8080/callback")).await;
    assert_eq!(refusal(&answer), (400, "invalid_grant".to_owned()));
}

#[tokio::test]
async fn rfc7636_a_code_with_a_challenge_needs_its_verifier() {
    let world = World::start().await;
    let code = world.code(true).await;
    for (more, status) in [
        (String::new(), 400),
        (format!("&code_verifier={}", "a".repeat(43)), 400),
        (format!("&code_verifier={VERIFIER}"), 200),
    ] {
        let answer = world.post("/swap", &format!("code={code}{more}")).await;
        assert_eq!(answer.status(), status, "{more}");
    }
}
