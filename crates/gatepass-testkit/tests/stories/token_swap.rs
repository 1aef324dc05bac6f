//! Token swap: the server holds the secret for an app.

use gatepass_testkit::AuthorizationServer;

use crate::{
    browsers::{REDIRECT_URI, VERIFIER, sign_in},
    client::Http,
};

async fn code(http: &Http, server: &AuthorizationServer) -> String {
    let query = format!("response_type=code&client_id=client&redirect_uri={REDIRECT_URI}&scope=read");
    http.open(&format!("{}?{query}", server.authorization_url())).await.sent_back("code").unwrap()
}

#[tokio::test]
async fn a_code_is_swapped_for_tokens_without_a_type_and_with_a_lifetime_in_text() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    let code = code(&http, &server).await;
    let swapped = http.post(&server.url("/swap"), &format!("code={code}")).await.unwrap();
    assert_eq!((swapped.status.as_u16(), swapped.text("expires_in").as_str()), (200, "3600"));
    assert!(swapped.json().get("token_type").is_none() && swapped.text("scope") == "read");
    assert!(server.is_active(&swapped.access_token()));

    let form = format!("refresh_token={}", swapped.refresh_token());
    for _ in 0..2 {
        let refreshed = http.post(&server.url("/refresh"), &form).await.unwrap();
        assert_eq!((refreshed.status.as_u16(), refreshed.text("expires_in").as_str()), (200, "3600"));
        let json = refreshed.json();
        assert!(json.get("token_type").is_none() && json.get("refresh_token").is_none());
        assert!(server.is_active(&refreshed.access_token()));
    }
    assert_eq!((server.tokens_issued(), server.token_requests()), (3, 0));
}

#[tokio::test]
async fn a_code_is_swapped_once_and_only_for_what_it_was_given_for() {
    let (server, http) = (AuthorizationServer::start().await, Http::new());
    let plain = code(&http, &server).await;
    let with_pkce = sign_in(&http, &server, "").await.sent_back("code").unwrap();
    for (form, status) in [
        ("code=made-up".to_owned(), 400),
        (format!("code={plain}&redirect_uri=http://127.0.0.1/"), 400),
        (format!("code={plain}&redirect_uri={REDIRECT_URI}"), 200),
        (format!("code={plain}&redirect_uri={REDIRECT_URI}"), 400),
        (format!("code={with_pkce}"), 400),
        (format!("code={with_pkce}&code_verifier={VERIFIER}"), 200),
    ] {
        let answer = http.post(&server.url("/swap"), &form).await.unwrap();
        assert_eq!(answer.status, status, "{form}");
        assert_eq!(answer.text("error"), if status == 200 { "" } else { "invalid_grant" });
    }
    assert_eq!(server.families_revoked(), 1);
    let refused = http.post(&server.url("/refresh"), "refresh_token=made-up").await.unwrap();
    assert_eq!((refused.status.as_u16(), refused.text("error").as_str()), (400, "invalid_grant"));
}
