//! What is read of a server besides tokens.

use super::*;

fn server(user: (u16, &'static str)) -> Server {
    Server::new(move |seen| {
        Ok(match &*seen.url {
            "https://auth.example.com/me" => answer(user.0, user.1),
            "https://auth.example.com/jwks" => answer(200, r#"{"keys":[]}"#),
            _ => answer(
                200,
                &format!(
                    r#"{{"issuer":"{ISSUER}","token_endpoint":"{TOKEN_URL}","userinfo_endpoint":"https://auth.example.com/me",
                    "jwks_uri":"https://auth.example.com/jwks"}}"#
                ),
            ),
        })
    })
}

fn client(server: &Server) -> Client<impl HttpService> {
    Client::new(server.transport(), AuthorizationServer::issuer(ISSUER), ClientAuth::none("me")).unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_user_endpoint_is_asked_with_the_token_and_the_keys_without() {
    let server = server((200, r#"{"sub":"ann"}"#));
    let client = client(&server);
    let set = TokenSet::new("a-token").issuer(ISSUER);
    assert_eq!(client.user_info(&set).await.unwrap(), r#"{"sub":"ann"}"#);
    assert_eq!(client.jwks().await.unwrap(), r#"{"keys":[]}"#);
    let seen = server.seen();
    let of = |path: &str| seen.iter().find(|seen| seen.url.ends_with(path)).unwrap();
    assert_eq!(of("/me").headers["authorization"], "Bearer a-token");
    assert!(of("/me").headers["authorization"].is_sensitive());
    assert!(!of("/jwks").headers.contains_key("authorization"));
    assert!(of("/jwks").headers.contains_key("user-agent"), "GitHub answers nobody without one");
}

#[tokio::test(start_paused = true)]
async fn x6_the_user_endpoint_of_one_server_never_sees_the_token_of_another() {
    let server = server((200, "{}"));
    let set = TokenSet::new("a-token").issuer("https://other.example.com");
    assert!(client(&server).user_info(&set).await.unwrap_err().is_misconfigured());
    assert!(server.seen().iter().all(|seen| !seen.url.ends_with("/me")));
}

#[tokio::test(start_paused = true)]
async fn what_a_user_endpoint_refuses_is_told_from_what_passes_by() {
    for (status, passes_by) in [(401, false), (403, false), (404, false), (302, false), (429, true), (503, true)] {
        let error = client(&server((status, "a-token"))).user_info(&TokenSet::new("a-token")).await.unwrap_err();
        assert_eq!(error.is_transient(), passes_by, "{status}: {error}");
        assert!(!error.to_string().contains("a-token"), "{error}");
    }
    let unknown = Client::new(
        server((200, "{}")).transport(),
        AuthorizationServer::token_endpoint(TOKEN_URL),
        ClientAuth::none("me"),
    )
    .unwrap();
    let error = unknown.user_info(&TokenSet::new("a")).await.unwrap_err();
    assert!(error.is_misconfigured() && error.to_string().contains("userinfo_endpoint"), "{error}");
    assert!(unknown.jwks().await.unwrap_err().to_string().contains("jwks_uri"));
}
