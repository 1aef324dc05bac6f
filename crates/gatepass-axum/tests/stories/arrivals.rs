//! Who is let in: by what they gave, and by what the site says of them.

use std::sync::{Arc, Mutex};

use axum::{Router, routing::get};
use gatepass::Error;
use gatepass_axum::{Refused, User};
use http::StatusCode;

use crate::world::World;

#[tokio::test]
async fn a_site_may_refuse_somebody_and_say_why() {
    let world = World::with(|site| {
        site.on_sign_in(async |arrival| match arrival.user.subject() {
            "mallory" => Err(Refused::new("Nobody <b>called</b> Mallory, please")),
            _ => Ok(arrival.user),
        })
    })
    .await;
    world.auth.sign_in_as("mallory");
    let browser = world.browser();
    let answer = browser.sign_in("/login?return_to=%2Fme").await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert!(answer.text().contains("Nobody &lt;b&gt;called&lt;/b&gt; Mallory, please"), "{}", answer.text());
    assert!(answer.text().contains("href=\"/login?return_to=%2Fme\"") && answer.text().contains("To the start page"));
    world.assert_nobody_is_signed_in(&browser, &answer).await;
    world.revoked(1).await;
    world.sign_in(&browser, "ann").await;
}

#[tokio::test]
async fn who_is_signed_in_and_then_refused_as_somebody_else_stays_who_they_were() {
    let world = World::with(|site| {
        site.on_sign_in(async |arrival| match arrival.user.subject() {
            "mallory" => Err(Refused::new("no")),
            _ => Ok(arrival.user),
        })
    })
    .await;
    let browser = world.signed_in("ann").await;
    world.auth.sign_in_as("mallory");
    assert_eq!(browser.sign_in("/login").await.status(), StatusCode::FORBIDDEN);
    assert_eq!((browser.get("/me").await.text(), browser.get("/orders").await.status()), ("ann", StatusCode::OK));
}

#[tokio::test]
async fn a_look_up_that_fails_signs_nobody_in_and_shows_nothing_of_itself() {
    let failure: Arc<Mutex<Error>> = Arc::new(Mutex::new(Error::transient("the table `people` is locked")));
    let next = failure.clone();
    let world = World::with(|site| {
        site.on_sign_in(move |_| {
            let failure = next.lock().unwrap().clone();
            async move { Err(failure.into()) }
        })
    })
    .await;
    for (error, status) in [
        (Error::transient("the table `people` is locked"), StatusCode::SERVICE_UNAVAILABLE),
        (Error::misconfigured("there is no table `people`"), StatusCode::INTERNAL_SERVER_ERROR),
    ] {
        *failure.lock().unwrap() = error;
        let browser = world.browser();
        let answer = browser.sign_in("/login").await;
        assert_eq!(answer.status(), status);
        assert!(!answer.text().contains("table"), "{}", answer.text());
        world.assert_nobody_is_signed_in(&browser, &answer).await;
    }
}

#[tokio::test]
async fn what_a_site_adds_is_there_for_the_whole_session() {
    let world = World::with(|site| {
        site.on_sign_in(async |mut arrival| {
            arrival.user.add("role", "chief")?;
            arrival.user.add("may_renew", arrival.tokens.refresh_token.is_some())?;
            Ok(arrival.user)
        })
    })
    .await;
    let role =
        get(async |user: User| format!("{:?} {:?}", user.added::<String>("role"), user.added::<bool>("may_renew")));
    let app = Router::new().route("/role", role).merge(world.site.routes()).layer(world.site.layer());
    let browser = world.browser_of(&app);
    browser.sign_in("/login").await;
    for _ in 0..2 {
        assert_eq!(browser.get("/role").await.text(), "Some(\"chief\") Some(true)");
    }
}

#[tokio::test]
async fn rfc6749_10_the_scope_that_was_granted_is_what_counts() {
    let seen: Arc<Mutex<Vec<Option<String>>>> = Arc::default();
    let see = seen.clone();
    let world = World::with(|site| {
        site.on_sign_in(move |arrival| {
            see.lock().unwrap().push(arrival.tokens.scope.as_deref().map(str::to_owned));
            async move { Ok(arrival.user) }
        })
    })
    .await;
    world.signed_in("ann").await;
    world.auth.granted_scope(Some("openid"));
    world.signed_in("ann").await;
    world.auth.granted_scope(None).member("scope", None);
    world.signed_in("ann").await;
    let asked = Some("openid profile email read".to_owned());
    assert_eq!(*seen.lock().unwrap(), [asked.clone(), Some("openid".to_owned()), asked]);
}

#[tokio::test]
async fn rfc6749_10_without_a_required_scope_nobody_is_signed_in() {
    let world = World::at(|provider| provider.require_scope("read write"), |site| site).await;
    assert!(world.signed_in("ann").await.is_signed_in().await);
    world.auth.revoke_everything();
    let world = World::at(|provider| provider.require_scope("read write"), |site| site).await;
    let browser = world.browser();
    for (granted, missing) in
        [("openid read", "write"), ("openid writer reader", "read, write"), ("openid", "read, write")]
    {
        world.auth.granted_scope(Some(granted));
        let answer = browser.sign_in("/login").await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{granted}");
        assert!(answer.text().contains(&format!("what it asked for: {missing}. Sign in again")), "{}", answer.text());
        world.assert_nobody_is_signed_in(&browser, &answer).await;
    }
    world.auth.granted_scope(None).member("scope", None);
    assert_eq!(browser.sign_in("/login").await.status(), StatusCode::SEE_OTHER, "nothing said is all granted");
}
