//! From the first redirect to the session, when all goes well.

use gatepass::{AuthorizationServer as Server, ClientAuth, endpoint::Client, provider::UserEndpoint};
use gatepass_axum::Provider;
use gatepass_testkit::AuthorizationServer;
use http::StatusCode;

use crate::world::{World, http};

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

#[tokio::test]
async fn rfc6749_8_the_callback_shows_nothing_and_leads_on_at_once() {
    let world = World::new().await;
    let browser = world.browser();
    let done = browser.sign_in("/login?return_to=%2Fme").await;
    assert_eq!((done.status(), done.location(), done.text()), (StatusCode::SEE_OTHER, "/me", ""));
    assert_eq!(done.headers()["cache-control"], "no-store");
    assert_eq!(done.headers()["referrer-policy"], "same-origin");
}

#[tokio::test]
async fn rfc6749_26_rfc9700_1_nobody_is_led_to_another_site() {
    let world = World::new().await;
    let elsewhere = [
        "https%3A%2F%2Fevil.example",
        "%2F%2Fevil.example",
        "%2F%5Cevil.example",
        "https%3Aevil.example",
        "%2F%252fevil.example",
        "%2F%09%2Fevil.example",
        "%2F%0A%2Fevil.example",
        "%2F.%2F%2Fevil.example",
        "javascript%3Aalert(1)",
        // Nor round in a circle.
        "%2Flogin",
        "%2Flogout",
        "%2Fcallback%3Fcode%3Dx",
    ];
    for elsewhere in elsewhere {
        let browser = world.browser();
        let done = browser.sign_in(&format!("/login?return_to={elsewhere}")).await;
        assert_eq!((done.status(), done.location()), (StatusCode::SEE_OTHER, "/"), "{elsewhere}");
    }
    // Nor is it when the request for a page is what is wrong.
    let browser = world.browser();
    for path in ["//evil.example/me", "/%2fevil.example", "/\\evil.example"] {
        let Ok(_) = path.parse::<http::Uri>() else { continue };
        let answer = browser.get(path).await;
        assert!(!answer.location().contains("evil"), "{path}: {}", answer.location());
    }
}

#[tokio::test]
async fn rfc7636_4_rfc9700_4_each_sign_in_has_a_verifier_of_its_own_and_two_tabs_both_complete() {
    let world = World::new().await;
    let browser = world.browser();
    let (one, two) = (browser.begin("/login?return_to=%2Fme").await, browser.begin("/login?return_to=%2Fcart").await);
    let (second, first) = (browser.get(&two).await, browser.get(&one).await);
    assert_eq!((second.status(), second.location()), (StatusCode::SEE_OTHER, "/cart"), "{}", second.text());
    assert_eq!((first.status(), first.location()), (StatusCode::SEE_OTHER, "/me"), "{}", first.text());
    assert!(browser.is_signed_in().await);
    assert_eq!((world.sessions.signed_in(), world.tokens.kept().await), (1, 1), "the first is over with the second");

    let asked: Vec<_> = world.auth.arrivals().into_iter().filter(|it| it.path == "/authorize").collect();
    let challenges: Vec<_> = asked.iter().map(|it| it.param("code_challenge").unwrap().to_owned()).collect();
    let journal = world.auth.journal();
    let verifiers: Vec<_> = journal.iter().map(|it| it.param("code_verifier").unwrap()).collect();
    assert!(asked.iter().all(|it| it.param("code_challenge_method") == Some("S256")));
    assert!(challenges[0] != challenges[1] && verifiers[0] != verifiers[1]);
    assert!(asked.iter().all(|it| it.param("code_verifier").is_none() && it.param("nonce").is_some()));
    assert!(asked[0].param("state") != asked[1].param("state") && asked[0].param("nonce") != asked[1].param("nonce"));
}

#[tokio::test]
async fn rfc10017_1_the_site_proves_itself_and_uses_the_code_grant() {
    let world = World::new().await;
    world.signed_in("ann").await;
    let journal = world.auth.journal();
    assert_eq!(journal[0].grant_type(), Some("authorization_code"));
    assert!(journal[0].has_authorization && journal[0].param("client_secret").is_none());
    assert_eq!(world.auth.last_arrival("/authorize").unwrap().param("response_type"), Some("code"));
}

/// As Spotify and GitHub do it: no metadata, no ID token, an address that says who it is.
fn without_openid(auth: &AuthorizationServer) -> Provider {
    let server = Server::token_endpoint(auth.token_url())
        .authorization_endpoint(auth.authorization_url())
        .userinfo_endpoint(auth.userinfo_url());
    let client = Client::new(http(), server, ClientAuth::basic("client", "secret")).unwrap();
    Provider::new("main", client).scope("read").user(UserEndpoint {
        url: auth.userinfo_url().into(),
        subject: "/sub".into(),
        names: vec!["/display_name".into(), "/name".into()].into(),
        email: Some("/email".into()),
        picture: None,
    })
}

#[tokio::test]
async fn a_provider_without_openid_says_at_its_user_endpoint_who_signed_in() {
    let auth = AuthorizationServer::start().await;
    let provider = without_openid(&auth);
    let world = World::of(auth, |builder| builder.provider(provider)).await;
    let browser = world.signed_in("ann").await;
    assert_eq!((browser.get("/").await.text(), browser.get("/me").await.text()), ("hello Ann at main", "ann"));
    assert_eq!(browser.get("/orders").await.status(), StatusCode::OK);
    assert_eq!((world.auth.user_info_requests(), world.auth.jwks_requests()), (1, 0));

    // There is nothing of a session at the provider to end, and no address that ends tokens.
    let out = browser.post("/logout").await;
    assert_eq!((out.status(), out.location()), (StatusCode::SEE_OTHER, "/"));
    world.assert_nobody_is_signed_in(&browser, &out).await;
}

#[tokio::test]
async fn a_user_endpoint_that_says_nobody_signs_nobody_in() {
    let auth = AuthorizationServer::start().await;
    let provider = without_openid(&auth);
    let world = World::of(auth, |builder| builder.provider(provider)).await;
    let browser = world.browser();
    world.auth.edit_user_info(|claims| drop(claims.remove("sub")));
    let answer = browser.sign_in("/login").await;
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    world.assert_nobody_is_signed_in(&browser, &answer).await;
}

#[tokio::test]
async fn names_that_the_id_token_leaves_out_come_from_the_user_endpoint() {
    let world = World::new().await;
    world.auth.edit_id_tokens(|token| token.claims.retain(|name, _| !name.contains("name") && name != "email"));
    let browser = world.signed_in("ann").await;
    assert_eq!(browser.get("/").await.text(), "hello Ann at main");
    assert_eq!(world.auth.user_info_requests(), 1);
}

#[tokio::test]
async fn a_user_endpoint_that_speaks_of_somebody_else_is_not_believed() {
    let world = World::new().await;
    world.auth.edit_id_tokens(|token| token.claims.retain(|name, _| !name.contains("name") && name != "email"));
    world.auth.edit_user_info(|claims| {
        claims.insert("sub".into(), "mallory".into());
        claims.insert("name".into(), "Mallory".into());
    });
    let browser = world.signed_in("ann").await;
    assert_eq!((browser.get("/").await.text(), browser.get("/me").await.text()), ("hello ann at main", "ann"));
}
