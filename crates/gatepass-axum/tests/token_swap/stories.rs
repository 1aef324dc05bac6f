//! What apps do.

use gatepass::{
    AuthorizationServer as Server, ClientAuth, TokenCell, TokenEndpoint, TokenSet,
    endpoint::Client,
    grant::{AuthorizationRequest, RefreshToken},
};
use gatepass_testkit::Rotation;
use http::Request;
use http_body_util::Full;

use crate::world::{REDIRECT_URI, VERIFIER, World, http, json, refusal, request, send, text};

/// The client of gatepass that asks a token swap.
fn app(world: &World) -> Client<crate::world::Http> {
    let server = Server::token_swap(format!("{}/swap", world.origin), format!("{}/refresh", world.origin))
        .authorization_endpoint(world.server.authorization_url());
    Client::new(http(), server, ClientAuth::none("client")).unwrap()
}

async fn signed_in(world: &World, pkce: bool) -> TokenSet {
    let app = app(world);
    let asked = AuthorizationRequest::new(REDIRECT_URI).scope("read").pkce(pkce);
    let pending = app.authorize(&asked).await.unwrap();
    let answer = send(Request::get(pending.url()).body(Full::default()).unwrap()).await;
    let (_, query) = answer.headers()["location"].to_str().unwrap().split_once('?').unwrap();
    app.exchange(&pending.answer(query).unwrap(), None).await.unwrap()
}

#[tokio::test]
async fn the_token_swap_client_signs_in_and_stays_signed_in() {
    for pkce in [true, false] {
        let world = World::start().await;
        let set = signed_in(&world, pkce).await;
        assert_eq!((set.scope.as_deref(), set.token_type.as_deref()), (Some("read"), Some("Bearer")));
        let source = TokenEndpoint::of(app(&world), RefreshToken::new()).unwrap();
        let cell = TokenCell::builder(source).start_from(set).build();
        let first = cell.get().await.unwrap();
        for _ in 0..2 {
            let next = cell.refresh().await.unwrap();
            assert!(world.server.is_active(next.expose()) && next.expose() != first.expose());
        }
        assert_eq!((world.server.families_revoked(), world.server.token_requests()), (0, 3));
    }
}

#[tokio::test]
async fn rfc6749_16_a_swap_is_answered_like_a_token_request() {
    let world = World::start().await;
    let code = world.code(true).await;
    let answer =
        world.post("/swap", &format!("code={code}&code_verifier={VERIFIER}&redirect_uri={REDIRECT_URI}")).await;
    assert_eq!((answer.status().as_u16(), &answer.headers()["pragma"]), (200, &"no-cache".parse().unwrap()));
    let swapped = json(&answer);
    assert_eq!((&swapped["token_type"], &swapped["scope"]), (&"Bearer".into(), &"read".into()));
    assert!((3598..=3600).contains(&swapped["expires_in"].as_u64().unwrap()), "{swapped}");
    assert!(world.server.is_active(swapped["access_token"].as_str().unwrap()));
    let request = world.server.journal().pop().unwrap();
    assert!(request.has_authorization, "the secret is this server's");

    let answer = world.refresh(swapped["refresh_token"].as_str().unwrap()).await;
    let refreshed = json(&answer);
    assert!(world.server.is_active(refreshed["access_token"].as_str().unwrap()));
    assert_ne!(refreshed["refresh_token"], swapped["refresh_token"]);
}

#[tokio::test]
async fn a_refresh_token_that_stays_good_is_not_repeated() {
    let world = World::start().await;
    world.server.rotation(Rotation::Omit);
    let token = world.server.issue_refresh_token();
    assert!(json(&world.refresh(&token).await).get("refresh_token").is_none());
}

#[tokio::test]
async fn two_refreshes_with_one_token_cost_one_and_get_the_same_answer() {
    let world = World::start().await;
    let token = world.server.issue_refresh_token();
    world.server.hold();
    let release = async {
        world.server.until_token_requests(1).await;
        world.server.release();
    };
    let (first, second, ()) = tokio::join!(world.refresh(&token), world.refresh(&token), release);
    assert_eq!((first.status(), second.status()), (200.try_into().unwrap(), 200.try_into().unwrap()));
    for member in ["access_token", "refresh_token"] {
        assert_eq!(text(&first, member), text(&second, member));
    }
    // And so does who comes a little later, for the answer got lost.
    assert_eq!(text(&world.refresh(&token).await, "refresh_token"), text(&first, "refresh_token"));
    assert_eq!((world.server.token_requests(), world.server.families_revoked()), (1, 0));
    assert_eq!(world.refresh(&text(&first, "refresh_token")).await.status(), 200);
}

#[tokio::test]
async fn an_app_that_hangs_up_gets_its_answer_when_it_comes_again() {
    let world = World::start().await;
    let token = world.server.issue_refresh_token();
    world.server.hold();
    let url = format!("{}/refresh", world.origin);
    let hung_up = tokio::spawn(send(request(&url, &format!("refresh_token={token}"))));
    world.server.until_token_requests(1).await;
    hung_up.abort();
    assert!(hung_up.await.unwrap_err().is_cancelled());
    world.server.release();
    assert_eq!(world.refresh(&token).await.status(), 200);
    assert_eq!((world.server.token_requests(), world.server.tokens_lost()), (1, 0));
}

#[tokio::test]
async fn a_code_is_good_once() {
    let world = World::start().await;
    let code = world.code(false).await;
    let swapped = world.post("/swap", &format!("code={code}")).await;
    assert_eq!(swapped.status(), 200);
    assert_eq!(refusal(&world.post("/swap", &format!("code={code}")).await), (400, "invalid_grant".to_owned()));
    assert_eq!(refusal(&world.refresh(&text(&swapped, "refresh_token")).await), (400, "invalid_grant".to_owned()));
}

#[tokio::test]
async fn apps_that_do_not_know_each_other_do_not_share() {
    let world = World::start().await;
    let (alice, bob) = (world.server.issue_refresh_token(), world.server.issue_refresh_token());
    let (alice, bob) = tokio::join!(world.refresh(&alice), world.refresh(&bob));
    assert_ne!(text(&alice, "access_token"), text(&bob, "access_token"));
    assert_eq!(world.server.token_requests(), 2);
}
