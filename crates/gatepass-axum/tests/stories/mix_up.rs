//! Several providers: who chooses, and that the answer of one never ends a sign-in at another.

use gatepass_axum::{Builder, Provider, Site};
use gatepass_testkit::{AuthorizationServer, Iss};
use http::StatusCode;

use crate::{
    browser::Browser,
    world::{World, provider},
};

/// A site with a provider that is honest, and one that need not be.
async fn two() -> (World, AuthorizationServer) {
    let (auth, other) = (AuthorizationServer::start().await, AuthorizationServer::start().await);
    let providers = [provider("one", &auth).title("One & only"), provider("two", &other)];
    let world = World::of(auth, |site| providers.into_iter().fold(site, Builder::provider)).await;
    (world, other)
}

async fn state_and_iss(browser: &Browser, login: &str) -> (String, String) {
    let callback = browser.begin(login).await;
    let query = callback.split_once('?').unwrap().1;
    let part = |name: &str| query.split('&').find(|it| it.starts_with(name)).unwrap().to_owned();
    (part("state="), part("iss="))
}

#[tokio::test]
async fn people_choose_where_to_sign_in_and_come_back_to_where_they_were() {
    let (world, other) = two().await;
    let browser = world.browser();
    let needed = browser.get("/orders").await;
    assert_eq!(needed.location(), "/login?return_to=%2Forders");
    let page = browser.get(needed.location()).await;
    assert_eq!(page.status(), StatusCode::OK);
    assert!(
        page.text().contains("href=\"/login/one?return_to=%2Forders\">Sign in with One &amp; only<"),
        "{}",
        page.text()
    );
    assert!(page.text().contains("href=\"/login/two?return_to=%2Forders\">Sign in with two<"), "{}", page.text());
    assert!(!browser.get("/login?return_to=%2F%2Fevil.example").await.text().contains("evil"));

    let done = browser.sign_in("/login/two?return_to=%2Fme").await;
    assert_eq!((done.status(), done.location()), (StatusCode::SEE_OTHER, "/me"), "{}", done.text());
    assert_eq!(browser.get("/").await.text(), "hello Alice at two");
    assert_eq!((world.auth.token_requests(), other.token_requests()), (0, 1));
    assert!(browser.post("/logout").await.location().starts_with(&other.end_session_url()));
    assert_eq!((world.auth.arrived_at("/revoke"), other.arrived_at("/revoke")), (0, 1));
}

#[tokio::test]
async fn a_person_of_the_same_name_at_another_provider_is_another_person() {
    let (world, _other) = two().await;
    let browser = world.browser();
    browser.sign_in("/login/one").await;
    browser.post("/cart").await;
    browser.sign_in("/login/two").await;
    assert_eq!((browser.get("/").await.text(), browser.get("/cart").await.text()), ("hello Alice at two", "0"));
    assert_eq!((world.sessions.signed_in(), world.tokens.kept().await), (1, 1));
}

#[tokio::test]
async fn rfc9700_3_a_callback_at_the_other_providers_address_is_nobodys() {
    let (world, other) = two().await;
    let browser = world.browser();
    let callback = browser.begin("/login/one").await;
    let moved = browser.get(&callback.replacen("/callback/one", "/callback/two", 1)).await;
    assert_eq!(moved.status(), StatusCode::BAD_REQUEST);
    assert_eq!((world.auth.token_requests(), other.token_requests()), (0, 0));
    assert_eq!(browser.get("/callback").await.status(), StatusCode::NOT_FOUND);
    assert_eq!(browser.get("/callback/three").await.status(), StatusCode::NOT_FOUND);
    assert_eq!(browser.get(&callback).await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn rfc9207_4_a_code_of_one_with_the_state_of_the_other_goes_to_neither() {
    let (world, other) = two().await;
    let browser = world.browser();
    let (state, _) = state_and_iss(&browser, "/login/two").await;
    let (_, iss) = state_and_iss(&browser, "/login/one").await;
    // What the honest server answers, led to where the other's answer is waited for.
    let answer = browser.get(&format!("/callback/two?code=stolen&{state}&{iss}")).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert!(answer.text().contains("names another authorization server"), "{}", answer.text());
    assert_eq!((world.auth.token_requests(), other.token_requests()), (0, 0));
}

#[tokio::test]
async fn rfc9700_13_a_server_that_names_another_as_itself_is_not_believed() {
    let (world, other) = two().await;
    other.iss(Iss::Wrong(world.auth.issuer()));
    let browser = world.browser();
    let answer = browser.sign_in("/login/two").await;
    assert_eq!((answer.status(), other.token_requests()), (StatusCode::BAD_REQUEST, 0));
    let issuer = world.auth.issuer();
    other
        .iss(Iss::Correct)
        .edit_id_tokens(move |token| drop(token.claims.insert("iss".into(), issuer.as_str().into())));
    let answer = browser.sign_in("/login/two").await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "nor by an ID token");
    world.assert_nobody_is_signed_in(&browser, &answer).await;
}

#[tokio::test]
async fn who_signed_in_at_a_provider_that_is_gone_is_a_stranger_and_can_sign_out() {
    let (world, _other) = two().await;
    let browser = world.browser();
    browser.sign_in("/login/two").await;
    let only = |provider: Provider| {
        let site = Site::builder(crate::world::SITE).sessions(world.sessions.clone()).tokens(world.tokens.clone());
        crate::world::app(&site.provider(provider).build().unwrap(), &world.api)
    };
    let browser = browser.at(&only(provider("one", &world.auth)));
    assert!(!browser.is_signed_in().await);
    assert_eq!(browser.fetch("/orders").await.status(), StatusCode::UNAUTHORIZED);
    let out = browser.post("/logout").await;
    assert_eq!((out.status(), out.location()), (StatusCode::SEE_OTHER, "/"));
    assert_eq!(world.sessions.signed_in(), 0);
}
