//! From the first redirect to the session.

use http::StatusCode;

use crate::world::World;

#[tokio::test]
async fn somebody_signs_in_sees_who_they_are_calls_an_api_and_signs_out() {
    let world = World::new().await;
    let browser = world.browser();
    assert_eq!(browser.get("/").await.text(), "hello stranger");

    let needed = browser.get("/orders?page=2").await;
    assert_eq!((needed.status(), needed.location()), (StatusCode::SEE_OTHER, "/login?return_to=%2Forders%3Fpage%3D2"));
    let done = browser.sign_in(needed.location()).await;
    assert_eq!((done.status(), done.location()), (StatusCode::SEE_OTHER, "/orders?page=2"), "{}", done.text());
    assert!(done.text().is_empty(), "the code is stripped from the address at once (6749-8)");
    assert_eq!(browser.get("/orders?page=2").await.status(), StatusCode::OK);
    assert!(browser.get("/").await.text().contains("at main"));
    assert_eq!(browser.get("/me").await.text(), "alice");
    assert_eq!(browser.get("/private").await.text(), "private");
    assert_eq!(world.auth.token_requests(), 1);

    let out = browser.post("/logout").await;
    assert_eq!(out.status(), StatusCode::SEE_OTHER);
    assert!(out.location().starts_with(&world.auth.end_session_url()), "{}", out.location());
    assert_eq!(world.auth.revocations().len(), 1);
    assert_eq!(browser.get("/").await.text(), "hello stranger");
    assert!(browser.cookie_names().is_empty(), "{:?}", browser.cookie_names());
}
