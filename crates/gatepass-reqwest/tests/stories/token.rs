use std::collections::HashMap;

use gatepass::{Error, Token, TokenCell, TokenMap, TokenSet};
use gatepass_reqwest::{BearerMiddleware, token_error};
use gatepass_testkit::Failure;
use tokio::task::JoinSet;

use crate::{Stage, client};

#[tokio::test(flavor = "multi_thread")]
async fn c2_two_hundred_calls_without_a_token_make_one_token_request() {
    let stage = Stage::set().await;
    let http = stage.http();
    stage.auth.hold();
    let mut calls = JoinSet::new();
    for n in 0..200 {
        calls.spawn(http.get(stage.api.url(&format!("/orders/{n}"))).send());
    }
    stage.auth.until_token_requests(1).await;
    stage.auth.release();
    while let Some(response) = calls.join_next().await {
        assert_eq!(response.unwrap().unwrap().status(), 200);
    }
    assert_eq!((stage.auth.token_requests(), stage.api.answered(200)), (1, 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a2_calls_that_meet_a_revoked_token_share_one_more_token_request_and_none_fails() {
    let stage = Stage::set().await;
    let http = stage.http();
    http.get(stage.api.url("/")).send().await.unwrap();
    stage.auth.revoke_access_tokens();
    let mut calls = JoinSet::new();
    for _ in 0..50 {
        calls.spawn(http.get(stage.api.url("/orders")).send());
    }
    while let Some(response) = calls.join_next().await {
        assert_eq!(response.unwrap().unwrap().status(), 200);
    }
    assert_eq!(stage.auth.token_requests(), 2);
}

#[tokio::test]
async fn f5_without_a_token_nothing_is_sent_and_the_error_says_why() {
    let stage = Stage::set().await;
    stage.auth.fail_until_told(Failure::oauth("invalid_client"));
    let error = stage.http().get(stage.api.url("/")).send().await.unwrap_err();
    let why = token_error(&error).expect("it is the token's error");
    assert!(why.is_misconfigured() && why.code() == Some("invalid_client"));
    assert_eq!(error.to_string(), why.to_string());
    assert_eq!(stage.api.calls(), 0);
}

#[tokio::test]
async fn f5_what_reqwest_fails_for_is_no_token_error() {
    let stage = Stage::set().await;
    let http = stage.http();
    stage.api.stop().await;
    let error = http.get(stage.api.url("/")).send().await.unwrap_err();
    assert!(error.is_connect() && token_error(&error).is_none());
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct User(&'static str);

#[tokio::test]
async fn f5_the_cell_is_chosen_for_each_request_and_none_is_an_error() {
    let stage = Stage::set().await;
    stage.api.fail_until_told(Failure::raw(http::Response::new("ok")));
    let cells: HashMap<_, _> = ["ann", "bob"].map(|user| (user, TokenCell::new(Token::new(user).unwrap()))).into();
    let choose =
        move |_: &reqwest::Request, extensions: &http::Extensions| cells.get(extensions.get::<User>()?.0).cloned();
    let http = client(BearerMiddleware::choose(choose, stage.origins()));

    for user in ["ann", "bob", "ann"] {
        let request = http.get(stage.api.url("/")).with_extension(User(user));
        request.send().await.unwrap();
    }
    let sent: Vec<_> = stage.api.journal().iter().map(|call| call.token.clone().unwrap()).collect();
    assert_eq!(sent, ["ann", "bob", "ann"]);

    let error = http.get(stage.api.url("/")).send().await.unwrap_err();
    assert!(token_error(&error).unwrap().is_misconfigured());
    assert_eq!(stage.api.calls(), 3);
}

#[tokio::test]
async fn f5_the_key_of_each_request_names_the_cell_and_none_is_an_error() {
    let stage = Stage::set().await;
    stage.api.fail_until_told(Failure::raw(http::Response::new("ok")));
    let users = TokenMap::new(8, |user: &User| TokenCell::new(Token::new(user.0).unwrap()));
    let http = client(BearerMiddleware::keyed(users.clone(), stage.origins()));

    for user in ["ann", "bob", "ann"] {
        let request = http.get(stage.api.url("/")).with_extension(User(user));
        request.send().await.unwrap();
    }
    let sent: Vec<_> = stage.api.journal().iter().map(|call| call.token.clone().unwrap()).collect();
    assert_eq!(sent, ["ann", "bob", "ann"]);
    assert_eq!(users.len(), 2);

    let error = http.get(stage.api.url("/")).send().await.unwrap_err();
    let why = token_error(&error).unwrap();
    assert!(why.is_misconfigured() && why.to_string().contains("User"), "{why}");
    assert_eq!(stage.api.calls(), 3);
}

#[tokio::test]
async fn a5_the_callers_own_authorization_stays_and_its_401_is_its_own() {
    let stage = Stage::set().await;
    let http = stage.http();
    let request = http.get(stage.api.url("/")).bearer_auth("mine");
    assert_eq!(request.send().await.unwrap().status(), 401);
    let with_password = stage.api.url("/").replace("http://", "http://ann:pw@");
    assert_eq!(http.get(with_password).send().await.unwrap().status(), 401);

    let journal = stage.api.journal();
    assert_eq!(journal.len(), 2);
    assert_eq!(journal[0].token.as_deref(), Some("mine"));
    assert!(journal[1].headers["authorization"].as_bytes().starts_with(b"Basic "));
    assert_eq!(stage.auth.token_requests(), 0);
}

#[tokio::test]
async fn a5_a_call_with_its_own_authorization_waits_out_a_429_all_the_same() {
    use gatepass_testkit::RetryAfter;

    let stage = Stage::set().await;
    let own = stage.cell().get().await.unwrap();
    stage.api.fail_next(1, Failure::too_many_requests(RetryAfter::Seconds(0)));
    let request = stage.http().get(stage.api.url("/")).bearer_auth(own.expose());
    assert_eq!(request.send().await.unwrap().status(), 200);
    assert_eq!(stage.api.calls(), 2);
}

#[tokio::test]
async fn x5_the_token_is_shown_nowhere() {
    let stage = Stage::set().await;
    let cell = TokenCell::new(|_current| async { Ok::<_, Error>(TokenSet::new("eyJhbGciOi")) });
    cell.get().await.unwrap();
    let bearer = BearerMiddleware::new(cell, stage.origins());
    let shown = format!("{bearer:?}");
    assert!(!shown.contains("eyJ"), "{shown}");
}
