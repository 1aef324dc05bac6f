//! What a provider's answer may say, and how often it is heard.

use gatepass_testkit::{Consent, Iss, Metadata};
use http::StatusCode;

use crate::world::World;

#[tokio::test]
async fn rfc6749_15_an_error_is_a_page_that_says_what_to_do() {
    let world = World::new().await;
    for (consent, status, text) in [
        (Consent::Deny, StatusCode::FORBIDDEN, "cancelled, or not allowed"),
        (Consent::Error("server_error".into()), StatusCode::SERVICE_UNAVAILABLE, "Try again in a moment"),
        (Consent::Error("temporarily_unavailable".into()), StatusCode::SERVICE_UNAVAILABLE, "Try again in a moment"),
        (Consent::Error("invalid_scope".into()), StatusCode::INTERNAL_SERVER_ERROR, "Tell whoever runs this site"),
        (Consent::Error("unauthorized_client".into()), StatusCode::INTERNAL_SERVER_ERROR, "its log says what is wrong"),
        (Consent::Error("login_required".into()), StatusCode::BAD_REQUEST, "start it again"),
        (Consent::Error("made_up".into()), StatusCode::BAD_REQUEST, "start it again"),
    ] {
        let browser = world.browser();
        world.auth.consent(consent.clone());
        let answer = browser.sign_in("/login?return_to=%2Fme").await;
        assert_eq!(answer.status(), status, "{consent:?}");
        assert!(answer.text().contains(text), "{consent:?}: {}", answer.text());
        assert!(
            answer.text().contains("href=\"/login?return_to=%2Fme\""),
            "it goes on where it was to: {}",
            answer.text()
        );
        assert!(browser.cookie_names().is_empty(), "it was answered");
        world.assert_nobody_is_signed_in(&browser, &answer).await;
    }
    assert_eq!(world.auth.token_requests(), 0);
}

#[tokio::test]
async fn rfc6749_15_nothing_of_an_error_is_html() {
    let world = World::new().await;
    let evil = "%3Cscript%3Ealert(1)%3C/script%3E%22%3E%3Cimg%20src%3Dx%3E";
    for error in ["access_denied", "made_up", evil] {
        let browser = world.browser();
        let callback = browser.begin("/login").await;
        let kept = callback.split(['?', '&']).filter(|it| it.starts_with("state") || it.starts_with("iss"));
        let kept = kept.collect::<Vec<_>>().join("&");
        let answer = browser
            .get(&format!("/callback?{kept}&error={error}&error_description={evil}&error_uri=javascript:alert(1)"))
            .await;
        assert!(answer.status().is_client_error());
        let text = answer.text();
        assert!(!text.contains("<script") && !text.contains("<img") && !text.contains("javascript:"), "{text}");
        assert!(answer.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
        assert_eq!(answer.headers()["referrer-policy"], "same-origin");
    }
}

#[tokio::test]
async fn rfc9207_1_an_answer_of_another_issuer_is_not_used_and_its_error_not_believed() {
    let world = World::new().await;
    world.auth.iss(Iss::Wrong("https://evil.example".into()));
    for consent in [Consent::Approve, Consent::Deny, Consent::Error("server_error".into())] {
        let browser = world.browser();
        world.auth.consent(consent);
        let answer = browser.sign_in("/login").await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{}", answer.text());
        assert!(answer.text().contains("names another authorization server"), "{}", answer.text());
        world.assert_nobody_is_signed_in(&browser, &answer).await;
    }
    assert_eq!(world.auth.token_requests(), 0);
}

#[tokio::test]
async fn rfc9207_2_an_answer_without_the_issuer_that_was_promised_is_not_used() {
    let world = World::new().await;
    world.auth.iss(Iss::Missing);
    let browser = world.browser();
    let answer = browser.sign_in("/login").await;
    assert_eq!((answer.status(), world.auth.token_requests()), (StatusCode::BAD_REQUEST, 0), "{}", answer.text());
    world.assert_nobody_is_signed_in(&browser, &answer).await;
}

#[tokio::test]
async fn rfc9207_3_an_issuer_that_was_not_promised_may_come_and_has_to_be_right() {
    let world = World::new().await;
    let promise = "authorization_response_iss_parameter_supported";
    world.auth.oauth_metadata(Metadata::Member(promise.into(), "false".into()));
    for (iss, status) in [
        (Iss::Missing, StatusCode::SEE_OTHER),
        (Iss::Correct, StatusCode::SEE_OTHER),
        (Iss::Wrong(format!("{}/", world.auth.issuer())), StatusCode::BAD_REQUEST),
    ] {
        world.auth.iss(iss);
        let answer = world.browser().sign_in("/login").await;
        assert_eq!(answer.status(), status, "{}", answer.text());
    }
}

#[tokio::test]
async fn a_parameter_that_comes_twice_makes_the_answer_nobodys() {
    let world = World::new().await;
    for twice in ["code=x", "state=x", "iss=x", "error=access_denied&error=x"] {
        let browser = world.browser();
        let callback = browser.begin("/login").await;
        let answer = browser.get(&format!("{callback}&{twice}")).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{twice}");
        // Before as well as behind.
        let answer = browser.get(&callback.replacen('?', &format!("?{twice}&"), 1)).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{twice}");
        world.assert_nobody_is_signed_in(&browser, &answer).await;
    }
    assert_eq!(world.auth.token_requests(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rfc6749_12_a_callback_that_comes_32_times_at_once_redeems_its_code_once() {
    let world = World::new().await;
    let browser = world.browser();
    browser.post("/cart").await;
    let callback = browser.begin("/login").await;
    let tabs = (0..32).map(|_| {
        let (tab, callback) = (browser.copy(), callback.clone());
        tokio::spawn(async move {
            let answer = tab.get(&callback).await;
            (tab, answer.status(), answer.text().contains("finished already"))
        })
    });
    let (mut done, mut refused) = (Vec::new(), 0);
    for tab in tabs.collect::<Vec<_>>() {
        match tab.await.unwrap() {
            (tab, StatusCode::SEE_OTHER, _) => done.push(tab),
            (_, StatusCode::BAD_REQUEST, true) => refused += 1,
            (_, status, _) => panic!("{status}"),
        }
    }
    assert_eq!((done.len(), refused, world.auth.token_requests()), (1, 31, 1));
    assert_eq!((world.sessions.signed_in(), world.tokens.kept().await), (1, 1));
    assert_eq!((done[0].get("/me").await.text(), done[0].get("/cart").await.text()), ("alice", "1"));
}

#[tokio::test]
async fn who_closes_the_window_meanwhile_is_not_signed_in_and_begins_again() {
    let world = World::new().await;
    let browser = world.browser();
    let callback = browser.begin("/login").await;
    world.auth.hold();
    let (tab, waiting) = (browser.copy(), callback.clone());
    let window = tokio::spawn(async move { tab.get(&waiting).await.status() });
    world.auth.until_token_requests(1).await;
    window.abort();
    assert!(window.await.unwrap_err().is_cancelled());
    world.auth.release();
    let again = browser.get(&callback).await;
    assert!(again.text().contains("finished already"), "{}", again.text());
    world.assert_nobody_is_signed_in(&browser, &again).await;
    assert_eq!(browser.sign_in("/login").await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_code_that_the_provider_does_not_take_leads_to_a_new_sign_in() {
    let world = World::new().await;
    let browser = world.browser();
    let callback = browser.begin("/login").await;
    world.auth.advance(crate::world::HOUR);
    let answer = browser.get(&callback).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert!(answer.text().contains("start the sign-in again: its code was refused"), "{}", answer.text());
    world.assert_nobody_is_signed_in(&browser, &answer).await;
    assert_eq!(browser.sign_in("/login").await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn pages_answer_the_methods_that_they_are_for() {
    let world = World::new().await;
    let browser = world.browser();
    for (path, allowed) in [("/login", "GET"), ("/callback", "GET")] {
        let answer = browser.post(path).await;
        assert_eq!(
            (answer.status(), &answer.headers()["allow"]),
            (StatusCode::METHOD_NOT_ALLOWED, &allowed.parse().unwrap())
        );
    }
    let answer = browser.request(http::Method::DELETE, "/logout", &[], "").await;
    assert_eq!(
        (answer.status(), answer.headers()["allow"].to_str().unwrap()),
        (StatusCode::METHOD_NOT_ALLOWED, "GET, POST")
    );
    assert_eq!(browser.get("/backchannel-logout").await.status(), StatusCode::NOT_FOUND, "it was not turned on");
}
