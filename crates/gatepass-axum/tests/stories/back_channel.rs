//! The end of a session, by the provider (OpenID Connect Back-Channel Logout).

use gatepass_axum::Provider;
use gatepass_testkit::{IdToken, Signing};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    browser::Answer,
    world::{HOUR, World, seconds},
};

async fn world() -> World {
    World::at(Provider::back_channel_logout, |site| site).await
}

async fn post(world: &World, body: &str) -> Answer {
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    world.browser().request(Method::POST, "/backchannel-logout", &headers, body).await
}

async fn order(world: &World, token: &str) -> Answer {
    post(world, &format!("logout_token={token}")).await
}

/// As if whoever signs in from then on had done so a while ago: orders count by the second.
fn long_ago(world: &World) {
    world.auth.edit_id_tokens(|token| drop(token.claims.insert("iat".into(), (now() - 30).into())));
}

fn now() -> u64 {
    seconds(std::time::SystemTime::now())
}

#[tokio::test]
async fn oidc_3_an_order_by_sid_ends_that_session_and_no_other() {
    let world = world().await;
    let (one, two) = (world.signed_in("ann").await, world.signed_in("ann").await);
    let sids = world.auth.sids_of("ann");
    let answer = order(&world, &world.auth.logout_token("client", Some("ann"), Some(&sids[0]))).await;
    assert_eq!((answer.status(), &answer.headers()["cache-control"]), (StatusCode::OK, &"no-store".parse().unwrap()));
    assert!(!one.is_signed_in().await && two.is_signed_in().await);
    assert_eq!((world.sessions.signed_in(), world.tokens.kept().await), (1, 1));
    let answer = order(&world, &world.auth.logout_token("client", None, Some(&sids[1]))).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(!two.is_signed_in().await);
}

#[tokio::test]
async fn oidc_3_an_order_by_sub_ends_all_sessions_of_that_person() {
    let world = world().await;
    let (one, two, bob) = (world.signed_in("ann").await, world.signed_in("ann").await, world.signed_in("bob").await);
    assert_eq!(order(&world, &world.auth.logout_token("client", Some("ann"), None)).await.status(), StatusCode::OK);
    assert!(!one.is_signed_in().await && !two.is_signed_in().await && bob.is_signed_in().await);
    assert_eq!(one.fetch("/orders").await.status(), StatusCode::UNAUTHORIZED);
}

/// Not every provider that names the session in its orders has named it in the ID token.
#[tokio::test]
async fn oidc_3_an_order_by_both_ends_sessions_of_that_person_whose_sid_is_not_known() {
    let world = world().await;
    let (known, bob) = (world.signed_in("ann").await, world.signed_in("bob").await);
    world.auth.edit_id_tokens(|token| drop(token.claims.remove("sid")));
    let unknown = world.signed_in("ann").await;
    let id = unknown.get("/id").await.text().to_owned();
    let job = world.site.on_behalf_of(&id).unwrap();
    let sid = world.auth.sids_of("ann").pop().unwrap();
    let answer = order(&world, &world.auth.logout_token("client", Some("ann"), Some(&sid))).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(job.cell().refresh().await.unwrap_err().is_reauth_required());
    assert!(!unknown.is_signed_in().await && known.is_signed_in().await && bob.is_signed_in().await);
}

#[tokio::test]
async fn oidc_3_an_order_holds_on_all_instances() {
    let world = world().await;
    let (site, other) = world.instance(&world.tokens, Provider::back_channel_logout);
    let browser = world.signed_in("ann").await.at(&other);
    let id = browser.get("/id").await.text().to_owned();
    let job = site.on_behalf_of(&id).unwrap();
    job.cell().get().await.unwrap();
    assert_eq!(order(&world, &world.auth.logout_token("client", Some("ann"), None)).await.status(), StatusCode::OK);
    let exchanges = world.auth.token_requests();
    world.later(HOUR);
    let error = job.cell().get().await.unwrap_err();
    assert!(error.is_reauth_required(), "{error}");
    assert_eq!(world.auth.token_requests(), exchanges, "what was ordered holds for jobs too");
    assert!(!browser.is_signed_in().await);
    assert_eq!((world.sessions.signed_in(), world.tokens.kept().await), (0, 0));
}

#[tokio::test]
async fn oidc_3_who_signs_in_again_after_the_order_is_signed_in() {
    let world = world().await;
    long_ago(&world);
    let before = world.signed_in("ann").await;
    let token = world.auth.logout_token_with("client", |token| {
        token.claims.insert("sub".into(), "ann".into());
        token.claims.insert("iat".into(), (now() - 10).into());
    });
    assert_eq!(order(&world, &token).await.status(), StatusCode::OK);
    assert!(!before.is_signed_in().await);
    world.auth.edit_id_tokens(|_| {});
    let after = world.signed_in("ann").await;
    assert!(after.is_signed_in().await);
    // An older one that was under way for longer takes nothing back, in either direction.
    let token = world.auth.logout_token_with("client", |token| {
        token.claims.insert("sub".into(), "ann".into());
        token.claims.insert("iat".into(), (now() - 20).into());
    });
    assert_eq!(order(&world, &token).await.status(), StatusCode::OK);
    assert!(after.is_signed_in().await && !before.is_signed_in().await);
    assert_eq!(after.get("/orders").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn oidc_3_an_order_is_taken_once() {
    let world = world().await;
    long_ago(&world);
    world.signed_in("ann").await;
    let token = world.auth.logout_token_with("client", |token| {
        token.claims.insert("sub".into(), "ann".into());
        token.claims.insert("iat".into(), (now() - 10).into());
    });
    assert_eq!(order(&world, &token).await.status(), StatusCode::OK);
    world.auth.edit_id_tokens(|_| {});
    let browser = world.signed_in("ann").await;
    let again = order(&world, &token).await;
    assert_eq!(again.status(), StatusCode::BAD_REQUEST);
    assert!(again.text().contains("came before"), "{}", again.text());
    assert!(browser.is_signed_in().await);
}

#[tokio::test]
async fn oidc_3_a_wrong_order_ends_nothing() {
    let world = world().await;
    let browser = world.signed_in("ann").await;
    type Edit = fn(&mut IdToken);
    let set = |token: &mut IdToken, name: &str, value: Value| drop(token.claims.insert(name.to_owned(), value));
    let wrong: [(&str, Edit); 14] = [
        ("iss", |token| drop(token.claims.insert("iss".into(), "https://evil.example".into()))),
        ("aud", |token| drop(token.claims.insert("aud".into(), "another".into()))),
        ("nonce", |token| drop(token.claims.insert("nonce".into(), "n".into()))),
        ("no events", |token| drop(token.claims.remove("events"))),
        ("another event", |token| drop(token.claims.insert("events".into(), json!({"https://evil.example": {}})))),
        ("no jti", |token| drop(token.claims.remove("jti"))),
        ("no iat", |token| drop(token.claims.remove("iat"))),
        ("expired", |token| drop(token.claims.insert("exp".into(), (now() - 61).into()))),
        ("old", |token| drop(token.claims.insert("iat".into(), (now() - 661).into()))),
        ("from the future", |token| drop(token.claims.insert("iat".into(), (now() + 600).into()))),
        ("typ", |token| drop(token.header.insert("typ".into(), "at+jwt".into()))),
        ("another key", |token| token.signing = Signing::AnotherKey),
        ("no signature", |token| token.signing = Signing::None),
        ("the client's secret", |token| token.signing = Signing::Hmac("secret".to_owned())),
    ];
    for (why, edit) in wrong {
        let token = world.auth.logout_token_with("client", |token| {
            set(token, "sub", "ann".into());
            edit(token);
        });
        let answer = order(&world, &token).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{why}");
        let said: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(said["error"], "invalid_request", "{why}");
        assert!(!answer.text().contains("eyJ") && !answer.text().contains("ann"), "{why}: {}", answer.text());
        assert_eq!(answer.headers()["cache-control"], "no-store");
    }
    let nobody = world.auth.logout_token_with("client", |_| {});
    let good = world.auth.logout_token("client", Some("ann"), None);
    for body in [
        format!("logout_token={nobody}"),
        String::new(),
        "logout_token=".to_owned(),
        "logout_token=a.b.c".to_owned(),
        "logout_token=%ff%00".to_owned(),
        format!("token={good}"),
        format!("logout_token={good}&logout_token={good}"),
        format!("logout_token={good}.x"),
    ] {
        assert_eq!(post(&world, &body).await.status(), StatusCode::BAD_REQUEST, "{body:.40}");
    }
    assert_eq!(browser.get("/me").await.text(), "ann");
    assert_eq!(order(&world, &good).await.status(), StatusCode::OK, "none of that used it up");
    assert!(!browser.is_signed_in().await);
}

/// An ID token is not an order, though it is signed by the same key and for the same client.
#[tokio::test]
async fn oidc_3_an_id_token_is_no_order() {
    let world = world().await;
    let browser = world.signed_in("ann").await;
    let hint = world.signed_in("ann").await.post("/logout").await;
    let id_token = hint.location().split("id_token_hint=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    assert_eq!(order(&world, &id_token).await.status(), StatusCode::BAD_REQUEST);
    assert!(browser.is_signed_in().await);
}

#[tokio::test]
async fn oidc_3_an_order_that_could_not_be_followed_is_followed_when_it_comes_again() {
    let world = world().await;
    for calls in 0.. {
        let browser = world.signed_in("ann").await;
        let sid = world.auth.sids_of("ann").pop().unwrap();
        let token = world.auth.logout_token("client", None, Some(&sid));
        world.sessions.fail_after(calls);
        let answer = order(&world, &token).await;
        world.sessions.is_away(false);
        if answer.status() == StatusCode::OK {
            assert!(calls > 0 && !browser.is_signed_in().await);
            break;
        }
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "{calls}: {}", answer.text());
        order(&world, &token).await;
        assert!(!browser.is_signed_in().await, "{calls}");
    }
}

#[tokio::test]
async fn an_order_has_64_kib_at_most() {
    let world = world().await;
    let most = "x".repeat(64 * 1024 - "logout_token=".len());
    assert_eq!(order(&world, &most).await.status(), StatusCode::BAD_REQUEST);
    assert_eq!(order(&world, &format!("{most}x")).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(world.browser().get("/backchannel-logout").await.status(), StatusCode::METHOD_NOT_ALLOWED);
}
