//! What strangers and providers say.

use gatepass_testkit::Metadata;
use http::{Method, StatusCode};

use super::{Records, browser};
use crate::world::{World, provider};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

async fn with_back_channel() -> World {
    let auth = gatepass_testkit::AuthorizationServer::start().await;
    let provider = provider("main", &auth).back_channel_logout();
    World::of(auth, |builder| builder.provider(provider)).await
}

#[tokio::test]
async fn w9_an_order_is_followed_though_who_brings_it_hangs_up_at_once() {
    let world = with_back_channel().await;
    let alice = world.signed_in("alice").await;
    // The provider is asked for the new key.
    world.auth.rotate_signing_key();
    let order = format!("logout_token={}", world.auth.logout_token("client", Some("alice"), None));
    let brought = tokio::spawn({
        let provider = browser(&world.app);
        async move {
            let request = provider.request(Method::POST, "/backchannel-logout", &[FORM], &order);
            tokio::pin!(request);
            std::future::poll_fn(|cx| {
                let _ = request.as_mut().poll(cx);
                std::task::Poll::Ready(())
            })
            .await;
        }
    });
    brought.await.unwrap();
    let mut status = StatusCode::OK;
    for _ in 0..1000 {
        status = alice.get("/me").await.status();
        if status != StatusCode::OK {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn w9_an_order_stands_in_a_store_that_saves_only_what_it_has() {
    let auth = gatepass_testkit::AuthorizationServer::start().await;
    let provider = provider("main", &auth).back_channel_logout();
    let world = World::of(auth, |builder| builder.provider(provider).sessions(Records::default())).await;
    // Who signs in within the second of an order is taken for signed in before it.
    for later in [0, 30] {
        let put_off = move |token: &mut gatepass_testkit::IdToken| {
            let issued_at = token.claims["iat"].as_u64().unwrap();
            token.claims.insert("iat".to_owned(), (issued_at + later).into());
        };
        world.auth.edit_id_tokens(put_off);
        let alice = world.signed_in("alice").await;
        assert_eq!(alice.get("/me").await.text(), "alice", "{later}");
        let order = world.auth.logout_token_with("client", |token| {
            token.claims.insert("sub".to_owned(), "alice".into());
            put_off(token);
        });
        let order = format!("logout_token={order}");
        let followed = browser(&world.app).request(Method::POST, "/backchannel-logout", &[FORM], &order).await;
        assert_eq!(followed.status(), StatusCode::OK, "{}", followed.text());
        assert_eq!(alice.get("/me").await.status(), StatusCode::SEE_OTHER, "{later}");
    }
}

#[tokio::test]
async fn w9_an_order_that_names_a_session_ends_those_of_the_person_that_have_no_name() {
    let world = with_back_channel().await;
    let named = world.signed_in("alice").await;
    world.auth.edit_id_tokens(|token| drop(token.claims.remove("sid")));
    let (nameless, bob) = (world.signed_in("alice").await, world.signed_in("bob").await);
    let order = format!("logout_token={}", world.auth.logout_token("client", Some("alice"), Some("another")));
    let followed = browser(&world.app).request(Method::POST, "/backchannel-logout", &[FORM], &order).await;
    assert_eq!(followed.status(), StatusCode::OK);
    assert_eq!(nameless.get("/me").await.status(), StatusCode::SEE_OTHER, "it may be this one");
    assert_eq!(named.get("/me").await.text(), "alice", "it is not this one");
    assert_eq!(bob.get("/me").await.text(), "bob");
}

#[tokio::test]
async fn w1_no_other_callback_than_the_one_redeems_anything_or_takes_anything_away() {
    let world = World::new().await;
    let browser = world.browser();
    let callback = browser.begin("/login").await;
    let query = callback.split_once('?').unwrap().1;
    let without_state: String =
        query.split('&').filter(|pair| !pair.starts_with("state=")).collect::<Vec<_>>().join("&");
    for wrong in [
        format!("{callback}&state=x"),
        format!("/callback?state=x&{query}"),
        format!("{callback}&{query}"),
        format!("{callback}&code=x"),
        format!("{callback}&iss=https://evil.example&iss=x"),
        callback.replace("&iss=", "%00&iss="),
        format!("/callback?{without_state}"),
        format!("/callback?{without_state}&state="),
        format!("/callback?{without_state}&state=%00"),
        format!("/callback?{without_state}&state={}", "s".repeat(60_000)),
        format!("/callback?{}", query.replace("state=", "STATE=")),
        "/callback?%ff=%ff&state=%ff".to_owned(),
        "/callback".to_owned(),
    ] {
        let answer = browser.get(&wrong).await;
        let shown: String = wrong.chars().take(200).collect();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{shown}");
        assert!(answer.text().contains("Nothing has changed"), "{shown}: {}", answer.text());
    }
    for method in [Method::HEAD, Method::POST, Method::PUT, Method::OPTIONS] {
        let answer = browser.request(method, &callback, &[], "").await;
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
    assert_eq!(world.auth.token_requests(), 0);
    assert_eq!(browser.get(&callback).await.location(), "/");
}

#[tokio::test]
async fn w11_who_brings_rubbish_does_not_learn_the_settings() {
    let world = with_back_channel().await;
    let stranger = world.browser();
    let rubbish = async || stranger.request(Method::POST, "/backchannel-logout", &[FORM], "logout_token=a.b.c").await;
    let issuer = world.auth.issuer();
    let wrong = || Metadata::WrongIssuer("https://wrong.example".into());
    world.auth.oauth_metadata(wrong()).openid_configuration(wrong());
    let answer = rubbish().await;
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR, "{}", answer.text());
    assert!(!answer.text().contains(&issuer) && !answer.text().contains("wrong.example"), "{}", answer.text());
    world.auth.stop().await;
    let answer = rubbish().await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "{}", answer.text());
    assert!(!answer.text().contains("127.0.0.1"), "{}", answer.text());
}

#[tokio::test]
async fn rfc6749_23_an_id_token_does_not_go_to_a_sign_out_page_without_tls() {
    let world = World::new().await;
    let plain = || Metadata::Member("end_session_endpoint".into(), "http://auth.example.com/out".into());
    world.auth.oauth_metadata(plain()).openid_configuration(plain());
    let browser = world.signed_in("alice").await;
    assert_eq!(browser.post("/logout").await.location(), "/");
}
