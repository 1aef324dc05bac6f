//! Metadata: where it is asked for, when again, and whose it has to be.

use super::*;

#[tokio::test(start_paused = true)]
async fn rfc8414_metadata_is_asked_for_in_order_until_one_place_has_it() {
    for (place, expected) in [OAUTH_METADATA, OPENID_METADATA, OTHER_METADATA].into_iter().zip(1..) {
        for missing in [answer(404, &metadata("https://other.example")), answer(200, "<html>"), answer(302, "")] {
            let server = Server::new(move |seen| {
                Ok(match seen.url.as_str() {
                    TOKEN_URL => answer(200, GOOD),
                    url if url == place => answer(200, &metadata(ISSUER)),
                    _ => missing.clone(),
                })
            });
            let set = exchange(&server, found()).await.unwrap();
            assert_eq!(set.issuer.as_deref(), Some(ISSUER));
            let mut urls = server.urls();
            assert_eq!(urls.pop().unwrap(), TOKEN_URL);
            assert_eq!(urls, [OAUTH_METADATA, OPENID_METADATA, OTHER_METADATA][..expected]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rfc8414_metadata_is_fetched_once_and_without_the_clients_secret() {
    let server = Server::tokens(200, GOOD);
    let endpoint = endpoint(&server, found(), ClientCredentials::new());
    for _ in 0..3 {
        assert!(endpoint.exchange(None).await.is_ok());
    }
    assert_eq!(server.urls(), [OAUTH_METADATA, TOKEN_URL, TOKEN_URL, TOKEN_URL]);
    let first = &server.seen()[0];
    assert_eq!((&first.method, first.body.as_str()), (&Method::GET, ""));
    assert!(!first.headers.contains_key("authorization"));
}

#[tokio::test(start_paused = true)]
async fn rfc8414_an_issuer_that_is_not_the_one_asked_for_is_refused_before_anything_secret_is_sent() {
    let server = Server::new(|_| Ok(answer(200, &metadata("https://evil.example"))));
    let error = exchange(&server, found()).await.unwrap_err();
    assert!(error.is_misconfigured() && error.to_string().contains("evil.example"), "{error}");
    assert_eq!(server.urls(), [OAUTH_METADATA]);

    let accepting = found().dangerous_accept_issuer("https://evil.example");
    let server = Server::new(|seen| {
        Ok(match seen.url.as_str() {
            TOKEN_URL => answer(200, GOOD),
            _ => answer(200, &metadata("https://evil.example")),
        })
    });
    let set = exchange(&server, accepting).await.unwrap();
    assert_eq!(set.issuer.as_deref(), Some("https://evil.example"));
}

#[tokio::test(start_paused = true)]
async fn rfc8414_no_metadata_anywhere_says_what_to_do() {
    let server = Server::new(|_| Ok(answer(404, "")));
    let error = exchange(&server, found()).await.unwrap_err();
    assert!(error.is_misconfigured(), "{error}");
    for place in [OAUTH_METADATA, OPENID_METADATA, OTHER_METADATA] {
        assert!(error.to_string().contains(place), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn f3_metadata_that_cannot_be_read_now_is_transient_and_nothing_else_is_asked() {
    for status in [429, 500, 502, 503] {
        let server = Server::new(move |_| Ok(answer(status, "")));
        assert!(exchange(&server, found()).await.unwrap_err().is_transient());
        assert_eq!(server.urls(), [OAUTH_METADATA], "{status}");
    }
    let server = Server::new(|_| Err("connection refused".into()));
    assert!(exchange(&server, found()).await.unwrap_err().is_transient());
}

#[tokio::test(start_paused = true)]
async fn f3_a_token_endpoint_that_cannot_be_reached_is_looked_for_again() {
    let server = Server::new(|seen| match &*seen.url {
        TOKEN_URL => Err("connection refused".into()),
        _ => Ok(answer(200, &metadata(ISSUER))),
    });
    let endpoint = endpoint(&server, found(), ClientCredentials::new());
    for _ in 0..2 {
        assert!(endpoint.exchange(None).await.unwrap_err().is_transient());
    }
    assert_eq!(server.urls(), [OAUTH_METADATA, TOKEN_URL, OAUTH_METADATA, TOKEN_URL]);
}

#[tokio::test(start_paused = true)]
async fn c8_the_retry_after_of_the_metadata_reaches_the_error() {
    let server = Server::new(|_| {
        let mut busy = answer(503, "");
        busy.headers_mut().insert("retry-after", http::HeaderValue::from_static("7"));
        Ok(busy)
    });
    let error = exchange(&server, found()).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
}

#[tokio::test(start_paused = true)]
async fn f2_after_a_wrong_setting_the_metadata_is_read_again() {
    let moved = Arc::new(Mutex::new(false));
    let is_moved = moved.clone();
    let server = Server::new(move |seen| {
        let moved = *is_moved.lock().unwrap();
        let new_url = "https://auth.example.com/v2/token";
        Ok(match seen.url.as_str() {
            OAUTH_METADATA if moved => answer(200, &metadata(ISSUER).replace(TOKEN_URL, new_url)),
            OAUTH_METADATA => answer(200, &metadata(ISSUER)),
            TOKEN_URL if moved => answer(404, ""),
            _ => answer(200, GOOD),
        })
    });
    let endpoint = endpoint(&server, found(), ClientCredentials::new());
    assert!(endpoint.exchange(None).await.is_ok());
    *moved.lock().unwrap() = true;
    assert!(endpoint.exchange(None).await.unwrap_err().is_misconfigured());
    assert!(endpoint.exchange(None).await.is_ok());
    assert_eq!(server.urls().last().unwrap(), "https://auth.example.com/v2/token");
}

#[tokio::test(start_paused = true)]
async fn f3_after_a_passing_failure_the_metadata_is_not_read_again() {
    let server = Server::tokens(503, "");
    let endpoint = endpoint(&server, found(), ClientCredentials::new());
    for _ in 0..2 {
        assert!(endpoint.exchange(None).await.unwrap_err().is_transient());
    }
    assert_eq!(server.urls(), [OAUTH_METADATA, TOKEN_URL, TOKEN_URL]);
}
