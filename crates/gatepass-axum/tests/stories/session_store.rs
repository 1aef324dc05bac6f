//! A session store that fails, is used again after a restart, or can do little.

use gatepass_axum::Site;
use http::StatusCode;

use crate::{
    browser::Answer,
    stores::{Sessions, Tokens, WithoutCreate},
    world::{SITE, World, app, provider},
};

fn is_for_now(answer: &Answer, what: &str) {
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "{what}: {}", answer.text());
    assert!(!answer.text().contains("is away"), "what failed is in the log: {}", answer.text());
}

#[tokio::test]
async fn while_the_store_is_away_nobody_is_taken_for_somebody_or_nobody() {
    let world = World::new().await;
    let (browser, stranger) = (world.signed_in("ann").await, world.browser());
    world.sessions.is_away(true);
    for path in ["/", "/me", "/private", "/orders", "/id"] {
        let answer = browser.get(path).await;
        is_for_now(&answer, path);
        assert!(answer.headers().contains_key("retry-after"), "{path}");
        is_for_now(&browser.fetch(path).await, path);
    }
    assert_eq!(stranger.get("/").await.text(), "hello stranger", "who has no cookie is not looked for");
    assert_eq!(stranger.get("/me").await.status(), StatusCode::SEE_OTHER);
    world.sessions.is_away(false);
    assert_eq!((browser.get("/me").await.text(), browser.get("/orders").await.status()), ("ann", StatusCode::OK));
}

#[tokio::test]
async fn a_sign_out_that_the_store_does_not_hear_of_says_so_and_can_be_repeated() {
    let world = World::new().await;
    let browser = world.signed_in("ann").await;
    world.sessions.is_away(true);
    let answer = browser.post("/logout").await;
    is_for_now(&answer, "/logout");
    assert!(answer.text().contains("You are still signed in") && answer.text().contains("action=\"/logout\""));
    world.sessions.is_away(false);
    assert!(browser.is_signed_in().await);
    assert_eq!(browser.post("/logout").await.status(), StatusCode::SEE_OTHER);
    world.assert_nobody_is_signed_in(&browser, &answer).await;
}

/// The store fails at the first call of a callback, at the second, and so on.
#[tokio::test]
async fn a_store_that_fails_at_any_moment_of_a_sign_in_leaves_nobody_signed_in_by_half() {
    let world = World::new().await;
    for calls in 0.. {
        let browser = world.browser();
        let callback = browser.begin("/login").await;
        world.sessions.fail_after(calls);
        let answer = browser.get(&callback).await;
        world.sessions.is_away(false);
        if answer.status() == StatusCode::SEE_OTHER {
            assert!(calls > 2 && browser.is_signed_in().await);
            break;
        }
        is_for_now(&answer, "a moment");
        assert!(!browser.is_signed_in().await, "{calls}");
        assert_eq!((browser.cookie("session"), world.tokens.kept().await), (None, 0), "{calls} {}", answer.text());
    }
}

/// The same for somebody else's sign-out, and for each moment of a sign-out.
#[tokio::test]
async fn a_store_that_fails_at_any_moment_of_a_sign_out_never_says_that_it_is_done_when_it_is_not() {
    let world = World::new().await;
    for calls in 0.. {
        let browser = world.signed_in("ann").await;
        let kept = browser.copy();
        world.sessions.fail_after(calls);
        let answer = browser.post("/logout").await;
        world.sessions.is_away(false);
        if answer.status() == StatusCode::SEE_OTHER {
            assert!(!kept.is_signed_in().await && calls > 1);
            break;
        }
        is_for_now(&answer, "a moment");
        browser.post("/logout").await;
        assert!(!kept.is_signed_in().await, "{calls}");
    }
}

#[tokio::test]
async fn a_store_that_fails_at_any_moment_of_another_request_is_said_to_be_away() {
    let world = World::new().await;
    let browser = world.signed_in("ann").await;
    for calls in 0.. {
        world.sessions.fail_after(calls);
        let answer = browser.post("/cart").await;
        world.sessions.is_away(false);
        if answer.status() == StatusCode::OK {
            assert!(calls > 2 && answer.text() == "1", "{calls} {}", answer.text());
            break;
        }
        is_for_now(&answer, "a moment");
        assert!(answer.headers().contains_key("retry-after"), "{calls}");
    }
    assert_eq!(browser.get("/me").await.text(), "ann");
}

#[tokio::test]
async fn tokens_that_cannot_be_kept_sign_nobody_in() {
    let world = World::new().await;
    let browser = world.browser();
    world.tokens.is_away(true);
    let answer = browser.sign_in("/login").await;
    is_for_now(&answer, "the token store");
    world.tokens.is_away(false);
    world.assert_nobody_is_signed_in(&browser, &answer).await;
    assert_eq!(browser.sign_in("/login").await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn after_a_restart_that_lost_the_tokens_a_person_is_known_and_signs_in_for_what_needs_them() {
    let world = World::new().await;
    let browser = world.signed_in("ann").await;
    world.time.advance(crate::world::MINUTE);
    let (_site, restarted) = world.instance(&Tokens::default(), |provider| provider);
    let browser = browser.at(&restarted);
    assert_eq!((browser.get("/me").await.text(), browser.get("/private").await.text()), ("ann", "private"));
    let needed = browser.get("/orders?page=2").await;
    assert_eq!((needed.status(), needed.location()), (StatusCode::SEE_OTHER, "/login?return_to=%2Forders%3Fpage%3D2"));
    let script = browser.fetch_on("/orders?page=2", "/orders").await;
    assert_eq!(script.status(), StatusCode::UNAUTHORIZED);
    let said: serde_json::Value = serde_json::from_slice(&script.body).unwrap();
    assert_eq!((&said["error"], &said["sign_in"]), (&"sign_in_required".into(), &needed.location().into()));
    assert_eq!(browser.get("/me").await.text(), "ann", "and still they are known");

    browser.sign_in(needed.location()).await;
    assert_eq!(browser.get("/orders?page=2").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn after_a_restart_with_both_stores_nothing_has_changed() {
    let world = World::new().await;
    let browser = world.signed_in("ann").await;
    let (_site, restarted) = world.instance(&world.tokens, |provider| provider);
    let browser = browser.at(&restarted);
    assert_eq!(browser.get("/orders").await.status(), StatusCode::OK);
    assert_eq!(world.auth.token_requests(), 1);
    browser.post("/logout").await;
    world.assert_nobody_is_signed_in(&browser, &browser.get("/").await).await;
}

#[tokio::test]
async fn a_store_without_a_create_of_its_own_signs_people_in_and_out() {
    let world = World::new().await;
    let sessions = Sessions::default();
    let builder = Site::builder(SITE).sessions(WithoutCreate(sessions.clone())).provider(provider("main", &world.auth));
    let browser = world.browser_of(&app(&builder.build().unwrap(), &world.api));
    assert_eq!(browser.sign_in("/login").await.status(), StatusCode::SEE_OTHER);
    assert_eq!((browser.get("/me").await.text(), browser.get("/orders").await.status()), ("alice", StatusCode::OK));
    browser.post("/logout").await;
    assert!(!browser.is_signed_in().await);
    assert_eq!(sessions.signed_in(), 0);
}

/// At the same moment it may, as `Builder::sessions` says; afterwards not.
#[tokio::test]
async fn rfc9700_11_nor_does_a_callback_count_twice_with_such_a_store() {
    let world = World::new().await;
    let builder = Site::builder(SITE).sessions(WithoutCreate(Sessions::default()));
    let site = builder.provider(provider("main", &world.auth).back_channel_logout()).build().unwrap();
    let browser = world.browser_of(&app(&site, &world.api));
    let callback = browser.begin("/login").await;
    let kept = browser.copy();
    assert_eq!(browser.get(&callback).await.status(), StatusCode::SEE_OTHER);
    let again = kept.get(&callback).await;
    assert!(again.text().contains("finished already"), "{}", again.text());
    assert_eq!((world.auth.token_requests(), world.auth.families_revoked()), (1, 0));

    let order = format!("logout_token={}", world.auth.logout_token("client", Some("bob"), None));
    for status in [StatusCode::OK, StatusCode::BAD_REQUEST] {
        let answer = browser.request(http::Method::POST, "/backchannel-logout", &[], &order).await;
        assert_eq!(answer.status(), status, "{}", answer.text());
    }
    assert!(browser.is_signed_in().await);
}

#[tokio::test]
async fn rfc6750_7_no_token_is_in_a_session_or_a_cookie() {
    let world = World::new().await;
    let browser = world.signed_in("ann").await;
    let kept = world.tokens.text().await;
    let begins = |text: &str| ["at_", "rt_", "eyJ"].iter().position(|kind| text.starts_with(kind));
    let tokens: Vec<_> = kept.split(['"', '\\']).filter(|text| begins(text).is_some()).collect();
    assert!((0..3).all(|kind| tokens.iter().any(|token| begins(token) == Some(kind))), "{kept}");
    let cookies = format!("{:?}", browser.cookies.lock().unwrap());
    for text in [world.sessions.text(), cookies] {
        assert!(!tokens.iter().any(|token| text.contains(token)), "{text}");
    }
}
