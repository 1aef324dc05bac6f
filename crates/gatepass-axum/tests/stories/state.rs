//! Whose sign-in a callback ends: that of the browser which began it, once, and not for long.

use std::time::Duration;

use gatepass::store::SealKey;
use http::StatusCode;

use crate::{
    browser::Browser,
    world::{SITE, World, app, provider},
};

const COOKIE: &str = "sign-in-4180";

/// The callback with another value for a parameter, or without it.
fn with(callback: &str, name: &str, value: Option<&str>) -> String {
    let (path, query) = callback.split_once('?').unwrap();
    let mut changed = form_urlencoded::Serializer::new(String::new());
    for (key, old) in form_urlencoded::parse(query.as_bytes()) {
        match value {
            _ if key != name => drop(changed.append_pair(&key, &old)),
            Some(value) => drop(changed.append_pair(&key, value)),
            None => {}
        }
    }
    format!("{path}?{}", changed.finish())
}

async fn is_refused(browser: &Browser, callback: &str, why: &str) {
    let answer = browser.get(callback).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{why}: {}", answer.text());
    assert!(answer.text().contains("cannot be finished here") && answer.text().contains("/login"), "{why}");
}

#[tokio::test]
async fn rfc6749_11_a_callback_without_the_right_state_is_refused_and_its_code_kept() {
    let world = World::new().await;
    let browser = world.browser();
    let callback = browser.begin("/login").await;
    let other = browser.begin("/login").await;
    let state = callback.split("state=").nth(1).unwrap().split('&').next().unwrap();
    is_refused(&browser, &with(&callback, "state", Some("foreign")), "foreign").await;
    is_refused(&browser, &with(&callback, "state", Some("")), "empty").await;
    is_refused(&browser, &with(&callback, "state", None), "missing").await;
    is_refused(&browser, &with(&callback, "state", Some(&format!("{state} "))), "longer").await;
    is_refused(&browser, &with(&callback, "state", Some(&state[1..])), "shorter").await;
    is_refused(&browser, &with(&callback, "state", Some(&state.to_uppercase())), "in other letters").await;
    is_refused(&browser, &with(&callback, "state", Some(&"x".repeat(60_000))), "without end").await;
    is_refused(&browser, "/callback", "nothing at all").await;
    is_refused(&browser, "/callback?%ff=%00&&&=&state", "no query at all").await;
    assert_eq!((world.auth.token_requests(), world.sessions.signed_in()), (0, 0));

    // All that left the real ones alone.
    assert_eq!(browser.get(&callback).await.status(), StatusCode::SEE_OTHER);
    assert_eq!(browser.get(&other).await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn rfc9700_2_another_browsers_callback_signs_nobody_in() {
    let world = World::new().await;
    let mallory = world.browser();
    world.auth.sign_in_as("mallory");
    let callback = mallory.begin("/login").await;

    let (fresh, waiting) = (world.browser(), world.browser());
    let own = waiting.begin("/login").await;
    is_refused(&fresh, &callback, "nothing was begun here").await;
    is_refused(&waiting, &callback, "something else was begun here").await;
    assert_eq!(world.auth.token_requests(), 0);

    // Nor does a code that was put into one's own callback: it belongs to another verifier.
    let code = callback.split("code=").nth(1).unwrap().split('&').next().unwrap();
    let answer = waiting.get(&with(&own, "code", Some(code))).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    world.assert_nobody_is_signed_in(&waiting, &answer).await;
}

#[tokio::test]
async fn rfc6749_11_a_sign_in_waits_for_ten_minutes_and_no_longer() {
    let world = World::new().await;
    let (quick, slow) = (world.browser(), world.browser());
    let callbacks = (quick.begin("/login").await, slow.begin("/login").await);
    world.time.advance(Duration::from_secs(595));
    assert_eq!(quick.get(&callbacks.0).await.status(), StatusCode::SEE_OTHER);
    world.time.advance(Duration::from_secs(5));
    is_refused(&slow, &callbacks.1, "too late").await;
    assert_eq!(world.auth.token_requests(), 1);
}

#[tokio::test]
async fn rfc9700_11_a_callback_counts_once_even_for_who_kept_the_cookie() {
    let world = World::new().await;
    let browser = world.browser();
    let callback = browser.begin("/login").await;
    let kept = browser.copy();
    assert_eq!(browser.get(&callback).await.status(), StatusCode::SEE_OTHER);
    assert!(browser.cookie(COOKIE).is_none(), "used up");

    is_refused(&browser, &callback, "again").await;
    assert_eq!(browser.get("/me").await.text(), "alice", "the session is as it was");
    let again = kept.get(&callback).await;
    assert_eq!(again.status(), StatusCode::BAD_REQUEST);
    assert!(again.text().contains("finished already"), "{}", again.text());
    assert!(!kept.is_signed_in().await);
    assert_eq!(world.auth.token_requests(), 1);
}

#[tokio::test]
async fn rfc9700_15_a_cookie_that_was_changed_or_moved_opens_nothing() {
    let world = World::new().await;
    let browser = world.browser();
    let callback = browser.begin("/login").await;
    let (name, value) = browser.cookie(COOKIE).unwrap();
    let stranger = world.browser();
    let others = stranger.begin("/login").await;
    let (others_name, others_value) = stranger.cookie(COOKIE).unwrap();

    let mut flipped = value.clone().into_bytes();
    let middle = flipped.len() / 2;
    flipped[middle] = if flipped[middle] == b'A' { b'B' } else { b'A' };
    let wrong = [
        ("flipped", String::from_utf8(flipped).unwrap()),
        ("torn", value[..value.len() - 4].to_owned()),
        ("longer", format!("{value}AAAA")),
        ("of another sign-in", others_value.clone()),
        ("made up", "e30".to_owned()),
        ("empty", String::new()),
    ];
    for (why, wrong) in wrong {
        browser.set_cookie(&name, &wrong);
        is_refused(&browser, &callback, why).await;
    }
    // What was sealed for one sign-in, under the name by which another is looked for.
    browser.set_cookie(&others_name, &value);
    is_refused(&browser, &others, "renamed").await;
    assert_eq!(world.auth.token_requests(), 0);

    browser.set_cookie(&name, &value);
    assert_eq!(browser.get(&callback).await.status(), StatusCode::SEE_OTHER);
    assert_ne!(name, others_name);
}

#[tokio::test]
async fn rfc9700_15_a_cookie_opens_by_the_sites_keys_and_no_others() {
    let world = World::new().await;
    let key = |name: &str, byte| SealKey::new(name, [byte; 32]);
    let instance = |keys: Vec<SealKey>| {
        let builder = gatepass_axum::Site::builder(SITE).sessions(world.sessions.clone());
        let mut keys = keys.into_iter();
        let builder = builder.key(keys.next().unwrap());
        let builder = keys.fold(builder, gatepass_axum::Builder::also_open);
        app(&builder.provider(provider("main", &world.auth)).build().unwrap(), &world.api)
    };
    let before = instance(vec![key("old", 1)]);
    let (stranger, during) = (instance(vec![key("new", 2)]), instance(vec![key("new", 2), key("old", 1)]));
    let browser = world.browser_of(&before);
    let callback = browser.begin("/login").await;
    is_refused(&browser.copy().at(&stranger), &callback, "another key").await;
    assert_eq!(browser.copy().at(&during).get(&callback).await.status(), StatusCode::SEE_OTHER);

    // Whoever rolls out a key has instances that do not seal by it yet, and those open what the others seal.
    let ahead = instance(vec![key("old", 1), key("new", 2)]);
    let browser = world.browser_of(&stranger);
    let callback = browser.begin("/login").await;
    assert_eq!(browser.at(&ahead).get(&callback).await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn fifty_unfinished_sign_ins_leave_eight_cookies_and_the_last_ones_work() {
    let world = World::new().await;
    let browser = world.browser();
    let mut callbacks = Vec::new();
    for _ in 0..50 {
        callbacks.push(browser.begin("/login").await);
        assert!(browser.cookie_names().len() <= 8);
        world.time.advance(Duration::from_secs(1));
    }
    assert_eq!(browser.cookie_names().len(), 8);
    is_refused(&browser, &callbacks[41], "crowded out").await;
    assert_eq!(browser.get(&callbacks[42]).await.status(), StatusCode::SEE_OTHER);
    assert_eq!(browser.get(&callbacks[49]).await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn cookies_that_do_not_open_are_taken_away_by_the_next_sign_in() {
    let world = World::new().await;
    let browser = world.browser();
    browser.begin("/login").await;
    let (name, _) = browser.cookie(COOKIE).unwrap();
    browser.set_cookie(&name, "from before the restart");
    browser.begin("/login").await;
    assert!(!browser.cookie_names().contains(&name), "{:?}", browser.cookie_names());
}

/// Cookies do not know ports.
#[tokio::test]
async fn sites_on_one_machine_leave_each_others_sign_ins_alone() {
    let world = World::new().await;
    let browser = world.browser();
    let callback = browser.begin("/login").await;
    for port in ["", ":41", ":418", ":41800", ":4181"] {
        let site = gatepass_axum::Site::builder(format!("http://127.0.0.1{port}"));
        let neighbour = app(&site.provider(provider("main", &world.auth)).build().unwrap(), &world.api);
        let mut browser = browser.at(&neighbour);
        browser.origin = Box::leak(format!("http://127.0.0.1{port}").into_boxed_str());
        let done = browser.sign_in("/login").await;
        assert_eq!(done.status(), StatusCode::SEE_OTHER, "{port}");
        assert!(browser.is_signed_in().await, "{port}");
    }
    assert_eq!(browser.get(&callback).await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn the_longest_address_to_return_to_fits_into_a_cookie_and_a_longer_one_is_left_out() {
    let world = World::new().await;
    let browser = world.browser();
    let longest = format!("/{}", "a".repeat(1499));
    let sent = browser.get(&format!("/login?return_to={longest}")).await;
    let cookie = sent.set_cookies()[0].len();
    assert!(cookie <= 4096, "{cookie} bytes: browsers drop longer ones");
    let done = browser.get(&browser.at_provider(sent.location()).await).await;
    assert_eq!(done.location(), longest);

    let done = browser.sign_in(&format!("/login?return_to=/{}", "a".repeat(60_000))).await;
    assert_eq!((done.status(), done.location()), (StatusCode::SEE_OTHER, "/"));
}
