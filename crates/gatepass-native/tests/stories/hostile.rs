use std::time::Duration;

use gatepass_native::Outcome;
use tokio::{task::JoinHandle, time::timeout};

use crate::browser::{get, is_ours, listening, send, status, visit};

/// Whatever these send, the sign-in goes on and gets its own answer. The pages they got.
async fn goes_on_despite(requests: impl FnOnce(&str) -> Vec<JoinHandle<String>>) -> Vec<String> {
    let (listener, authority) = listening().await;
    let requests = requests(&authority);
    let callback = tokio::spawn(listener.callback(is_ours));
    let mut pages = Vec::new();
    for request in requests {
        let page = timeout(Duration::from_secs(5), request).await;
        pages.push(page.expect("one of them was taken for the callback").unwrap());
    }
    assert!(!callback.is_finished());

    let page = visit(&authority, "/callback?code=real&state=ours");
    let callback = callback.await.unwrap();
    assert_eq!(callback.query(), "code=real&state=ours");
    callback.answer(Outcome::Succeeded).await;
    assert_eq!(status(&page.await.unwrap()), 200);
    pages
}

#[tokio::test]
async fn rfc6749_10_12_a_foreign_or_missing_state_changes_nothing() {
    let pages = goes_on_despite(|authority| {
        [
            "/callback?code=a&state=theirs",
            "/callback?code=a",
            "/callback",
            "/callback?",
            "/callback?error=access_denied",
        ]
        .map(|target| visit(authority, target))
        .into()
    })
    .await;
    for page in pages {
        assert_eq!(status(&page), 400);
        assert!(page.contains("This is another sign-in"), "{page}");
    }
}

#[tokio::test]
async fn other_methods_are_not_allowed() {
    let pages = goes_on_despite(|authority| {
        let body = "code=a&state=ours";
        ["POST", "HEAD", "PUT", "OPTIONS"]
            .map(|method| {
                let head = format!("{method} /callback?{body} HTTP/1.1\r\nHost: {authority}\r\n");
                send(authority, format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()))
            })
            .into()
    })
    .await;
    for page in pages {
        assert_eq!(status(&page), 405);
        assert!(page.contains("allow: GET\r\n"), "{page}");
    }
}

#[tokio::test]
async fn other_paths_are_not_found() {
    let pages = goes_on_despite(|authority| {
        ["/", "/favicon.ico", "/callback/?state=ours", "/x?state=ours"].map(|target| visit(authority, target)).into()
    })
    .await;
    assert!(pages.iter().all(|page| status(page) == 404));
}

#[tokio::test]
async fn dns_rebinding_ends_at_the_host_header() {
    let pages = goes_on_despite(|authority| {
        let port = authority.rsplit(':').next().unwrap();
        let rebound = [
            get(&format!("evil.example:{port}"), "/callback?state=ours"),
            get(&format!("localhost:{port}"), "/callback?state=ours"),
            get("127.0.0.1", "/callback?state=ours"),
            get("evil.example", "http://evil.example/callback?state=ours"),
            format!("GET /callback?state=ours HTTP/1.1\r\nHost: {authority}\r\nHost: evil.example\r\n\r\n"),
            "GET /callback?state=ours HTTP/1.0\r\n\r\n".to_owned(),
        ];
        rebound.map(|request| send(authority, request)).into()
    })
    .await;
    for page in pages {
        assert!(page.contains(" 421 Misdirected Request\r\n"), "{page}");
    }
}

#[tokio::test]
async fn what_is_too_long_is_refused_and_told_so() {
    let pages = goes_on_despite(|authority| {
        let long = |bytes| format!("/callback?code={}&state=ours", "a".repeat(bytes));
        let header =
            format!("GET /callback?state=ours HTTP/1.1\r\nHost: {authority}\r\nX: {}\r\n\r\n", "a".repeat(200 * 1024));
        vec![visit(authority, &long(17 * 1024)), visit(authority, &long(1 << 20)), send(authority, header)]
    })
    .await;
    assert_eq!(status(&pages[0]), 414);
    assert!(matches!(status(&pages[1]), 414 | 431), "{}", pages[1]);
    assert_eq!(status(&pages[2]), 431);
}

#[tokio::test]
async fn what_is_no_http_is_turned_away() {
    let tls = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec();
    let pages = goes_on_despite(|authority| {
        let garbage = [
            tls,
            b"\0\0\0\0\r\n\r\n".to_vec(),
            b"hello\r\n\r\n".to_vec(),
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        ];
        garbage.map(|bytes| send(authority, bytes)).into()
    })
    .await;
    assert!(pages.iter().all(|page| !page.contains(" 200 ")), "{pages:?}");
}

#[tokio::test]
async fn header_injection_in_a_query_gets_nowhere() {
    let pages = goes_on_despite(|authority| {
        ["/callback?code=%0d%0aSet-Cookie:%20a=b&state=x", "/callback?error_description=%3Cscript%3E&state=<script>"]
            .map(|target| visit(authority, target))
            .into()
    })
    .await;
    for page in pages {
        assert!(!page.contains("Set-Cookie") && !page.contains("script%3E") && !page.contains("<script>\""), "{page}");
    }
}

#[tokio::test]
async fn rfc6749_4_1_2_a_callback_counts_once() {
    let (listener, authority) = listening().await;
    // Twice at once, as a browser does that fetches ahead; then again while the code is redeemed.
    let both = [(); 2].map(|()| visit(&authority, "/callback?code=a&state=ours"));
    let callback = listener.callback(is_ours).await;
    let replayed = visit(&authority, "/callback?code=a&state=ours").await.unwrap();
    assert_eq!(status(&replayed), 410);
    assert!(replayed.contains("This sign-in is over"), "{replayed}");

    // The one that lost has its page before the other has one.
    let [one, other] = both;
    while !one.is_finished() && !other.is_finished() {
        tokio::task::yield_now().await;
    }
    callback.answer(Outcome::Succeeded).await;
    let mut statuses = [status(&one.await.unwrap()), status(&other.await.unwrap())];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 410]);
}
