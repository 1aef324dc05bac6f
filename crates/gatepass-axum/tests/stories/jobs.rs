//! Calls for somebody while no request of theirs is there.

use crate::world::{HOUR, World};

#[tokio::test]
async fn a_job_goes_on_after_the_request_and_after_a_restart() {
    let world = World::new().await;
    let browser = world.signed_in("ann").await;
    let id = browser.get("/id").await.text().to_owned();
    let person = world.site.on_behalf_of(&id).unwrap();
    assert_eq!(person.id(), id);
    let token = person.cell().get().await.unwrap();
    world.later(HOUR);
    assert_ne!(person.cell().get().await.unwrap().expose(), token.expose());
    assert_eq!(world.auth.token_requests(), 2);

    let (restarted, _) = world.instance(&world.tokens, |provider| provider);
    let person = restarted.on_behalf_of(&id).unwrap();
    person.cell().get().await.unwrap();
    assert_eq!(world.auth.token_requests(), 2, "the token that is kept does");
    world.later(HOUR);
    person.cell().get().await.unwrap();
    assert_eq!((world.auth.token_requests(), world.auth.reuse_refused()), (3, 0));
}

#[tokio::test]
async fn a_job_ends_with_the_sign_out() {
    let world = World::new().await;
    let browser = world.signed_in("ann").await;
    let id = browser.get("/id").await.text().to_owned();
    let (held, (other, _)) =
        (world.site.on_behalf_of(&id).unwrap(), world.instance(&world.tokens, |provider| provider));
    held.cell().get().await.unwrap();
    browser.post("/logout").await;
    let exchanges = world.auth.token_requests();
    for person in [held, world.site.on_behalf_of(&id).unwrap(), other.on_behalf_of(&id).unwrap()] {
        let error = person.cell().get().await.unwrap_err();
        assert!(error.is_reauth_required(), "{error}");
    }
    assert_eq!((world.auth.token_requests(), world.tokens.kept().await), (exchanges, 0));
}

#[tokio::test]
async fn a_job_outlives_the_session_where_the_site_says_so_and_ends_by_who_owns_it() {
    let world = World::with(gatepass_axum::Builder::jobs_outlive_sessions).await;
    let browser = world.signed_in("ann").await;
    let id = browser.get("/id").await.text().to_owned();
    let person = world.site.on_behalf_of(&id).unwrap();
    let done = browser.sign_in("/login").await;
    assert_eq!(done.location(), "/", "the same person again: {}", done.text());
    person.cell().refresh().await.unwrap();
    for _ in 0..3 {
        world.later(HOUR);
    }
    assert_eq!(browser.get("/").await.text(), "hello stranger", "nobody was there for too long");
    person.cell().get().await.unwrap();
    assert_eq!(world.tokens.kept().await, 2);

    person.cell().remove().await.unwrap();
    assert!(person.cell().get().await.unwrap_err().is_reauth_required());
    assert_eq!(world.tokens.kept().await, 1);
}

#[tokio::test]
async fn ids_of_nobody_are_errors() {
    let world = World::new().await;
    for id in ["", ".", "main", "other.x", "x.main", "Main.x", "\u{0}", "main\u{0}.x", &"x".repeat(100_000)] {
        let error = world.site.on_behalf_of(id).unwrap_err();
        assert!(error.is_reauth_required() && error.to_string().contains("sign in again"), "{id:.20}: {error}");
    }
    for id in ["main.", "main.x", "main..", "main.AAAAAAAAAAAAAAAAAAAAAA", &format!("main.{}", "x".repeat(100_000))] {
        let error = world.site.on_behalf_of(id).unwrap().cell().get().await.unwrap_err();
        assert!(error.is_reauth_required(), "{id:.20}: {error}");
    }
    assert_eq!(world.auth.token_requests(), 0);
}
