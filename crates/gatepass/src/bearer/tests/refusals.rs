//! Which responses refuse the token, and what that does to the cell (A2, A3, C1).

use super::*;

#[tokio::test(start_paused = true)]
async fn a_401_heals_the_cell_before_the_caller_sees_it() {
    let (cell, issued) = cell();
    let probe = refusing(&["token-1"]);
    let service = layer(&cell).layer(probe.clone());
    let response = service.clone().oneshot(request(API)).await.unwrap();
    assert!(cell.peek().is_none(), "dropped already");
    assert_eq!((response.status().as_u16(), response.body().as_str()), (401, "status 401"));
    let refused = response.extensions().get::<Refused>().unwrap();
    assert!(refused.token_is_bad() && refused.can_replay() && refused.challenges().is_empty());
    assert_eq!(service.oneshot(request(API)).await.unwrap().status(), 200);
    assert_eq!((probe.tokens().join(" "), issued.load(SeqCst)), ("token-1 token-2".to_owned(), 2));
}

#[tokio::test(start_paused = true)]
async fn a2_a_401_that_comes_late_does_not_drop_the_newer_token() {
    let (cell, issued) = cell();
    let probe = Probe::slow(Duration::from_secs(10), |seen| {
        Ok(status(if seen.token() == Some("token-1") { 401 } else { 200 }))
    });
    cell.get().await.unwrap();
    let mut service = layer(&cell).layer(probe);
    let late = service.ready().await.unwrap().call(request(API));
    cell.refresh().await.unwrap();
    let response = late.await.unwrap();
    assert!(response.extensions().get::<Refused>().unwrap().can_replay());
    assert_eq!(cell.peek().unwrap().expose(), "token-2");
    assert_eq!(issued.load(SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn a3_insufficient_scope_keeps_the_token_and_carries_the_challenge() {
    let (cell, _) = cell();
    for code in [401, 403] {
        let probe = Probe::new(move |_| {
            let challenge = r#"Bearer error="insufficient_scope", scope="admin""#;
            Ok(response(code, &[("www-authenticate", challenge)]))
        });
        let response = layer(&cell).layer(probe).oneshot(request(API)).await.unwrap();
        let refused = response.extensions().get::<Refused>().unwrap();
        assert!(!refused.token_is_bad() && !refused.can_replay());
        let challenge = refused.challenges().find("Bearer").unwrap();
        assert_eq!(challenge.scope(), Some("admin"));
        assert_eq!(cell.peek().unwrap().expose(), "token-1");
    }
}

#[tokio::test(start_paused = true)]
async fn a3_a_challenge_for_another_scheme_is_not_about_our_token() {
    let (cell, _) = cell();
    let probe = Probe::new(|_| Ok(response(401, &[("www-authenticate", "Basic realm=\"x\"")])));
    let response = layer(&cell).layer(probe).oneshot(request(API)).await.unwrap();
    assert!(!response.extensions().get::<Refused>().unwrap().token_is_bad());
    assert!(cell.peek().is_some());
}

#[tokio::test(start_paused = true)]
async fn grpc_status_16_in_the_head_refuses_the_token() {
    let (cell, _) = cell();
    let probe = Probe::new(|_| Ok(response(200, &[("grpc-status", "16")])));
    let refused = layer(&cell).layer(probe).oneshot(request(API)).await.unwrap();
    assert!(refused.extensions().get::<Refused>().unwrap().can_replay());
    assert!(cell.peek().is_none());
    for other in ["0", "7", "160"] {
        let probe = Probe::new(move |_| Ok(response(200, &[("grpc-status", other)])));
        let fine = layer(&cell).layer(probe).oneshot(request(API)).await.unwrap();
        assert!(fine.extensions().is_empty());
        assert!(cell.peek().is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn c1_no_other_response_is_tagged_and_a_407_is_not_ours() {
    let (cell, issued) = cell();
    for code in [200, 204, 302, 400, 403, 404, 407, 429, 500, 503] {
        let probe = Probe::new(move |_| {
            let proxy = ("proxy-authenticate", "Bearer error=\"invalid_token\"");
            Ok(response(code, &[proxy]))
        });
        let response = layer(&cell).layer(probe).oneshot(request(API)).await.unwrap();
        assert!(response.extensions().is_empty(), "{code}");
    }
    assert_eq!(issued.load(SeqCst), 1);
    assert_eq!(cell.status().state, State::Fresh);
}
