use std::net::SocketAddr;

use gatepass_native::{Loopback, Outcome, Pages};
use tokio::net::TcpStream;

use crate::browser::{authority, is_ours, listening, send, status, visit};

#[tokio::test]
async fn the_page_says_what_became_of_the_sign_in() {
    for (outcome, code, text) in [
        (Outcome::Succeeded, 200, "You are signed in"),
        (Outcome::Failed { denied: true, message: "you said no" }, 400, "Access was denied"),
        (Outcome::Failed { denied: false, message: "invalid_grant" }, 400, "The sign-in failed"),
    ] {
        let (listener, authority) = listening().await;
        let page = visit(&authority, "/callback?code=SplxlOBe&state=ours&iss=x&more=1");
        let callback = listener.callback(is_ours).await;
        assert_eq!(callback.query(), "code=SplxlOBe&state=ours&iss=x&more=1");
        assert!(!page.is_finished(), "the page came before the outcome was known");
        callback.answer(outcome).await;
        let page = page.await.unwrap();
        assert_eq!(status(&page), code, "{page}");
        assert!(page.contains(text) && !page.contains("SplxlOBe"), "{page}");
    }
}

#[tokio::test]
async fn when_answer_returns_the_page_has_been_sent_and_the_port_is_free() {
    let (listener, authority) = listening().await;
    let page = visit(&authority, "/callback?state=ours");
    listener.callback(is_ours).await.answer(Outcome::Succeeded).await;
    std::net::TcpListener::bind(&authority).expect("the port is free");
    assert_eq!(status(&page.await.unwrap()), 200);
}

#[tokio::test]
async fn a_callback_dropped_without_an_answer_shows_a_failure() {
    let (listener, authority) = listening().await;
    let page = visit(&authority, "/callback?state=ours");
    drop(listener.callback(is_ours).await);
    std::net::TcpListener::bind(&authority).expect("the port is free");
    let page = page.await.unwrap();
    assert!(page.contains("The sign-in failed") && page.contains("The program stopped"), "{page}");
}

#[tokio::test]
async fn a_tab_closed_early_does_not_lose_the_callback() {
    let (listener, authority) = listening().await;
    let tab = TcpStream::connect(&authority).await.unwrap();
    let request = crate::browser::get(&authority, "/callback?code=a&state=ours");
    assert_eq!(tab.try_write(request.as_bytes()).unwrap(), request.len());
    let callback = tokio::spawn(listener.callback(is_ours));
    let callback = callback.await.unwrap();
    drop(tab);
    assert_eq!(callback.query(), "code=a&state=ours");
    callback.answer(Outcome::Succeeded).await;
}

#[tokio::test]
async fn codes_of_many_kilobytes_arrive_whole() {
    let (listener, authority) = listening().await;
    let query = format!("code={}&state=ours", "x".repeat(15 * 1024));
    let cookies = format!("Cookie: a={}\r\n", "y".repeat(30 * 1024));
    let page = send(&authority, format!("GET /callback?{query} HTTP/1.1\r\nHost: {authority}\r\n{cookies}\r\n"));
    let callback = listener.callback(is_ours).await;
    assert_eq!(callback.query(), query);
    callback.answer(Outcome::Succeeded).await;
    assert_eq!(status(&page.await.unwrap()), 200);
}

#[tokio::test]
async fn rfc8252_7_3_the_redirect_uri_is_an_address_and_a_port() {
    let listener = Loopback::any_port().listen().await.unwrap();
    let address: SocketAddr = authority(listener.redirect_uri()).parse().unwrap();
    assert!(address.ip().is_loopback() && address.port() != 0);
    assert_eq!(listener.redirect_uri(), format!("http://{address}/callback"));

    let listener = Loopback::any_port().path("/signin-oidc").listen().await.unwrap();
    assert!(listener.redirect_uri().ends_with("/signin-oidc"));
    let error = Loopback::any_port().path("signin").listen().await.unwrap_err();
    assert!(error.is_misconfigured());
}

#[tokio::test]
async fn rfc8252_8_3_localhost_is_reached_by_both_families() {
    let listener = Loopback::any_port().path("").localhost().listen().await.unwrap();
    let authority = authority(listener.redirect_uri()).to_owned();
    assert_eq!(listener.redirect_uri(), format!("http://{authority}"), "no slash is added");
    let port: u16 = authority.strip_prefix("localhost:").unwrap().parse().unwrap();

    let other = send(&format!("[::1]:{port}"), crate::browser::get(&authority, "/?state=other"));
    let ours = tokio::spawn(listener.callback(is_ours));
    assert_eq!(status(&other.await.unwrap()), 400);
    let page = send(&format!("127.0.0.1:{port}"), crate::browser::get(&authority, "/?state=ours"));
    ours.await.unwrap().answer(Outcome::Succeeded).await;
    assert_eq!(status(&page.await.unwrap()), 200);
}

#[tokio::test]
async fn a_port_that_is_taken_is_named_before_anything_is_shown() {
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = held.local_addr().unwrap().port();
    for settings in [Loopback::port(port), Loopback::port(port).localhost()] {
        let error = settings.listen().await.unwrap_err();
        assert!(error.is_misconfigured() && error.to_string().contains(&format!("port {port}")), "{error}");
    }
    drop(held);
    let listener = Loopback::port(port).listen().await.unwrap();
    assert_eq!(listener.redirect_uri(), format!("http://127.0.0.1:{port}/callback"));
}

#[tokio::test]
async fn a_program_shows_its_own_pages_under_our_headers() {
    let pages = Pages::new("P").success("<h1>Hello</h1>").failure("<h1>Oh no: {reason}</h1>");
    for (outcome, text) in [
        (Outcome::Succeeded, "<h1>Hello</h1>"),
        (Outcome::Failed { denied: false, message: "a<b" }, "<h1>Oh no: a&lt;b</h1>"),
    ] {
        let listener = Loopback::any_port().pages(pages.clone()).listen().await.unwrap();
        let page = visit(authority(listener.redirect_uri()), "/callback?state=ours");
        listener.callback(is_ours).await.answer(outcome).await;
        let page = page.await.unwrap();
        assert!(page.contains(text), "{page}");
        assert!(page.contains("content-security-policy: default-src 'none'"), "{page}");
        assert!(page.contains("referrer-policy: no-referrer"), "{page}");
    }
}
