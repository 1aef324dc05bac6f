use std::time::Duration;

use gatepass_testkit::{AuthorizationServer, Failure, RevokedBy, Rotation};

use crate::client::{CLIENT, Http};

#[tokio::test]
async fn a_refresh_token_is_superseded_when_it_is_used() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    let first = server.issue_refresh_token();
    let answer = http.refresh(&server, &first).await;
    assert_eq!(answer.status, 200);
    assert_ne!(answer.refresh_token(), first);
    assert!(!server.is_refreshable(&first));
    assert_eq!(http.refresh(&server, &answer.refresh_token()).await.status, 200);
    assert_eq!(server.families_revoked(), 0);
}

#[tokio::test]
async fn a_superseded_refresh_token_revokes_its_family() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    let first = server.issue_refresh_token();
    let bystander = server.issue_refresh_token();
    let answer = http.refresh(&server, &first).await;

    let reused = http.refresh(&server, &first).await;
    assert_eq!((reused.status.as_u16(), reused.text("error").as_str()), (400, "invalid_grant"));
    assert_eq!(server.families_revoked(), 1);
    assert!(!server.is_active(&answer.access_token()));
    let child = http.refresh(&server, &answer.refresh_token()).await;
    assert_eq!(child.text("error"), "invalid_grant");
    assert_eq!(http.refresh(&server, &bystander).await.status, 200);
}

#[tokio::test]
async fn an_answer_lost_after_rotation_costs_the_family_unless_there_is_a_grace() {
    let http = Http::new();
    for (grace, status) in [(Duration::ZERO, 400), (Duration::from_secs(60), 200)] {
        let server = AuthorizationServer::start().await;
        server.reuse_grace(grace).fail_next(1, Failure::dropped().after_processing());
        let token = server.issue_refresh_token();
        assert!(http.try_refresh(&server, &token).await.is_none());
        assert_eq!(server.tokens_issued(), 1);
        assert_eq!(http.refresh(&server, &token).await.status, status);
    }
}

#[tokio::test]
async fn an_answer_lost_before_the_grant_costs_nothing() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    server.fail_next(1, Failure::dropped());
    let token = server.issue_refresh_token();
    assert!(http.try_refresh(&server, &token).await.is_none());
    assert_eq!(http.refresh(&server, &token).await.status, 200);
    let statuses: Vec<_> = server.journal().iter().map(|it| (it.status, it.granted)).collect();
    assert_eq!(statuses, [(None, false), (Some(200), true)]);
}

#[tokio::test]
async fn a_token_is_lost_when_its_answer_is_or_when_the_client_has_gone() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    server.fail_next(1, Failure::dropped().after_processing()).fail_next(1, Failure::late(Duration::from_millis(1)));
    http.try_refresh(&server, &server.issue_refresh_token()).await;
    http.try_refresh(&server, &server.issue_refresh_token()).await;
    assert_eq!((server.tokens_issued(), server.tokens_lost(), server.dropped()), (2, 1, 1));

    server.hold();
    let waits = tokio::spawn({
        let (server, token) = (server.clone(), server.issue_refresh_token());
        async move { Http::new().try_refresh(&server, &token).await }
    });
    server.until_token_requests(3).await;
    waits.abort();
    while server.tokens_lost() < 2 {
        tokio::task::yield_now().await;
    }
    server.release().reset_journal();
    assert_eq!((server.tokens_issued(), server.tokens_lost(), server.statuses().len()), (0, 0, 0));
}

#[tokio::test]
async fn why_a_sign_in_ended_is_remembered() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    server.fail_next(1, Failure::dropped().after_processing());
    let (lost, known) = (server.issue_refresh_token(), server.issue_refresh_token());
    assert!(http.try_refresh(&server, &lost).await.is_none());
    http.refresh(&server, &known).await;
    for token in [&lost, &known] {
        assert_eq!(http.refresh(&server, token).await.status, 400);
    }
    let left = server.issue_refresh_token();
    http.post(&server.url("/revoke"), &format!("token={left}&{CLIENT}")).await;
    server.revoke_family(&server.issue_refresh_token());

    let revocations: Vec<_> = server.revocations().iter().map(|it| it.by).collect();
    assert!(matches!(revocations[0], RevokedBy::Reuse { answer_lost: true, .. }), "{revocations:?}");
    assert!(matches!(revocations[1], RevokedBy::Reuse { answer_lost: false, .. }), "{revocations:?}");
    assert_eq!(revocations[2..], [RevokedBy::Client, RevokedBy::Test]);
    assert_eq!((server.families_revoked(), server.reuse_refused()), (4, 2));
}

#[tokio::test]
async fn without_rotation_the_refresh_token_stays_good_whatever_the_answer_says() {
    let http = Http::new();
    for (rotation, answered) in [(Rotation::Repeat, None), (Rotation::Omit, Some("")), (Rotation::Empty, Some(""))] {
        let server = AuthorizationServer::start().await;
        server.rotation(rotation);
        let token = server.issue_refresh_token();
        for _ in 0..2 {
            let answer = http.refresh(&server, &token).await;
            assert_eq!(answer.refresh_token(), answered.unwrap_or(&token), "{rotation:?}");
            let is_there = answer.json().get("refresh_token").is_some();
            assert_eq!(is_there, rotation != Rotation::Omit);
        }
    }
}

#[tokio::test]
async fn reuse_goes_unpunished_when_it_is_not_detected() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    server.detect_reuse(false);
    let first = server.issue_refresh_token();
    let second = http.refresh(&server, &first).await.refresh_token();
    assert_eq!(http.refresh(&server, &first).await.text("error"), "invalid_grant");
    assert_eq!(http.refresh(&server, &second).await.status, 200);
}

#[tokio::test]
async fn access_tokens_can_be_revoked_alone_by_family_or_with_everything() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    let one = http.refresh(&server, &server.issue_refresh_token()).await;
    server.revoke_access_tokens();
    assert!(!server.is_active(&one.access_token()) && server.is_refreshable(&one.refresh_token()));

    let one = http.refresh(&server, &one.refresh_token()).await;
    let other = http.refresh(&server, &server.issue_refresh_token()).await;
    server.revoke_family(&one.access_token());
    assert!(!server.is_active(&one.access_token()) && !server.is_refreshable(&one.refresh_token()));
    assert!(server.is_active(&other.access_token()));

    server.revoke_everything();
    assert!(!server.is_active(&other.access_token()));
    assert!(!server.is_refreshable(&other.refresh_token()));
    assert_eq!(server.families_revoked(), 2);
}

#[tokio::test]
async fn a_refresh_retires_the_access_token_before_it_if_told() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    server.refresh_retires_access_token(true);
    let first = http.refresh(&server, &server.issue_refresh_token()).await;
    let second = http.refresh(&server, &first.refresh_token()).await;
    assert!(!server.is_active(&first.access_token()) && server.is_active(&second.access_token()));
}

#[tokio::test]
async fn a_refresh_may_narrow_the_scope_but_not_widen_it() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    let token = server.issue_refresh_token_to("client", Some("read write"));
    let form = |scope| format!("grant_type=refresh_token&refresh_token={token}&scope={scope}&{CLIENT}");
    let url = server.token_url();
    assert_eq!(http.post(&url, &form("admin")).await.unwrap().text("error"), "invalid_scope");
    assert!(server.is_refreshable(&token));
    assert_eq!(http.post(&url, &form("read")).await.unwrap().text("scope"), "read");
}
