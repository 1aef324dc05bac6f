//! Refresh tokens that are good at this server only.

use gatepass::store::SealKey;

use crate::world::{World, refusal, text};

fn key(byte: u8) -> SealKey {
    SealKey::new("2026", [byte; 32])
}

async fn signed_in(world: &World) -> String {
    let code = world.code(false).await;
    let swapped = world.post("/swap", &format!("code={code}")).await;
    assert_eq!(swapped.status(), 200);
    text(&swapped, "refresh_token")
}

#[tokio::test]
async fn a_sealed_refresh_token_is_good_here_and_nowhere_else() {
    let world = World::start_with("secret", |swap| swap.sealed(key(1))).await;
    let mut token = signed_in(&world).await;
    for _ in 0..2 {
        assert!(!world.server.is_refreshable(&token) && !token.starts_with("rt_"), "{token}");
        let refreshed = world.refresh(&token).await;
        assert!(world.server.is_active(&text(&refreshed, "access_token")));
        token = text(&refreshed, "refresh_token");
    }
}

#[tokio::test]
async fn what_is_not_sealed_by_this_server_is_refused_without_asking() {
    let world = World::start_with("secret", |swap| swap.sealed(key(1))).await;
    let other = World::start_with("secret", |swap| swap.sealed(key(2))).await;
    let (foreign, bare) = (signed_in(&other).await, world.server.issue_refresh_token());
    let own = signed_in(&world).await;
    let changed = own.replace(['a', 'A'], "b");
    let requests = world.server.token_requests();
    for token in [&foreign, &bare, &changed, "made-up", "{}"] {
        assert_eq!(refusal(&world.refresh(token).await), (400, "invalid_grant".to_owned()), "{token}");
    }
    assert_eq!(world.server.token_requests(), requests);
    assert_eq!(world.refresh(&own).await.status(), 200);
}

#[tokio::test]
async fn keys_change_one_after_the_other() {
    let old = World::start_with("secret", |swap| swap.sealed(key(1))).await;
    let token = signed_in(&old).await;
    let new = World::start_with("secret", |swap| swap.sealed(key(2)).also_open(key(1))).await;
    // It opens; the other authorization server does not know it.
    assert_eq!(refusal(&new.refresh(&token).await).1, "invalid_grant");
    assert_eq!(new.server.token_requests(), 1);
}

#[tokio::test]
async fn two_refreshes_with_one_sealed_token_get_the_same_text() {
    let world = World::start_with("secret", |swap| swap.sealed(key(1))).await;
    let token = signed_in(&world).await;
    let (first, second) = tokio::join!(world.refresh(&token), world.refresh(&token));
    assert_eq!(first.status(), 200);
    assert_eq!(text(&first, "refresh_token"), text(&second, "refresh_token"));
    assert_eq!(world.server.token_requests(), 2);
}
