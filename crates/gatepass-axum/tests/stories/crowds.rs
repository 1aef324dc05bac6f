//! Many requests, and many people, at once.

use http::StatusCode;

use crate::{
    browser::Browser,
    world::{HOUR, MINUTE, World},
};

/// How many of so many requests at once are answered with 200.
async fn at_once(browsers: &[Browser], times: usize) -> usize {
    let requests: Vec<_> = (0..times)
        .flat_map(|_| browsers)
        .map(|browser| {
            let browser = browser.copy();
            tokio::spawn(async move { browser.get("/orders").await.status() == StatusCode::OK })
        })
        .collect();
    let mut good = 0;
    for request in requests {
        good += usize::from(request.await.unwrap());
    }
    good
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_requests_of_one_person_at_the_end_of_the_token_cost_one_exchange() {
    let world = World::new().await;
    let browser = [world.signed_in("ann").await];
    world.later(HOUR);
    assert_eq!((at_once(&browser, 100).await, world.auth.token_requests()), (100, 2));
    // And when the API has forgotten it.
    world.later(MINUTE);
    world.auth.revoke_access_tokens();
    assert_eq!((at_once(&browser, 100).await, world.auth.token_requests()), (100, 3));
    assert_eq!((world.auth.reuse_refused(), world.auth.max_concurrent_token_requests()), (0, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_people_with_twenty_requests_each_over_three_ends_cost_an_exchange_for_each_end() {
    let world = World::new().await;
    let mut people = Vec::new();
    for person in 0..50 {
        people.push(world.signed_in(&format!("person{person}")).await);
    }
    assert_eq!(world.auth.token_requests(), 50);
    for end in 1..=3 {
        world.later(HOUR);
        assert_eq!(at_once(&people, 20).await, 1000);
        assert_eq!(world.auth.token_requests(), 50 + 50 * end);
    }
    assert_eq!((world.auth.reuse_refused(), world.auth.families_revoked(), world.api.answered(401)), (0, 0, 0));
    for (person, browser) in people.iter().enumerate() {
        assert_eq!(browser.get("/me").await.text(), format!("person{person}"));
    }
    assert_eq!(world.tokens.kept().await, 50);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_instances_that_share_their_stores_renew_once_between_them() {
    let world = World::new().await;
    let (_site, other) = world.instance(&world.tokens, |provider| provider);
    let browser = world.signed_in("ann").await;
    for end in 1..=3 {
        world.later(HOUR);
        let both = [browser.clone(), browser.at(&other)];
        assert_eq!(at_once(&both, 20).await, 40);
        assert_eq!(world.auth.token_requests(), 1 + end);
    }
    assert_eq!(world.auth.reuse_refused(), 0);
}

/// In whatever order that happens to be.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_sign_out_among_requests_that_renew_leaves_nothing() {
    let world = World::new().await;
    for round in 0..20 {
        let browser = world.signed_in("ann").await;
        world.later(HOUR);
        let requests: Vec<_> = (0..8)
            .map(|number| {
                let browser = browser.copy();
                tokio::spawn(async move {
                    match number == round % 8 {
                        true => browser.post("/logout").await.status(),
                        false => browser.fetch("/orders").await.status(),
                    }
                })
            })
            .collect();
        for request in requests {
            let status = request.await.unwrap();
            let expected = [StatusCode::OK, StatusCode::SEE_OTHER, StatusCode::UNAUTHORIZED];
            assert!(expected.contains(&status), "{round}: {status}");
        }
        assert!(!browser.is_signed_in().await, "{round}");
        assert_eq!((world.sessions.signed_in(), world.tokens.kept().await), (0, 0), "{round}");
    }
    assert_eq!(world.auth.reuse_refused(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tabs_that_come_back_at_the_same_moment_are_all_signed_in() {
    let world = World::new().await;
    let browser = world.signed_in("ann").await;
    let mut callbacks = Vec::new();
    for _ in 0..6 {
        callbacks.push(browser.begin("/login").await);
    }
    let tabs: Vec<_> = callbacks
        .into_iter()
        .map(|callback| {
            let tab = browser.copy();
            tokio::spawn(async move { (tab.get(&callback).await.status(), tab.get("/me").await.text().to_owned()) })
        })
        .collect();
    for tab in tabs {
        assert_eq!(tab.await.unwrap(), (StatusCode::SEE_OTHER, "ann".to_owned()));
    }
}

/// More people than the site holds tokens for at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn people_beyond_what_is_held_at_once_are_found_in_the_store() {
    let world = World::with(|site| site.people(4)).await;
    let mut people = Vec::new();
    for person in 0..30 {
        people.push(world.signed_in(&format!("person{person}")).await);
    }
    for _ in 0..3 {
        assert_eq!(at_once(&people, 3).await, 90);
    }
    assert_eq!(world.auth.token_requests(), 30);
    world.later(HOUR);
    assert_eq!(at_once(&people, 3).await, 90);
    assert_eq!((world.auth.token_requests(), world.auth.reuse_refused()), (60, 0));
}
