//! People sign in: what goes to the server, and what its answers mean.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicUsize, Ordering},
};

use super::*;
use crate::grant::{AuthorizationCode, AuthorizationRequest, DeviceAuthorization, PendingAuthorization};

const REDIRECT: &str = "http://127.0.0.1:4180/callback";
const ENDPOINTS: &str = r#""authorization_endpoint":"https://auth.example.com/authorize?tenant=x",
    "device_authorization_endpoint":"https://auth.example.com/device",
    "pushed_authorization_request_endpoint":"https://auth.example.com/par",
    "revocation_endpoint":"https://auth.example.com/revoke""#;

/// Answers all but the metadata by a function.
fn signing_in<F>(more: &'static str, answers: F) -> Server
where
    F: Fn(&Seen) -> Response<String> + Send + Sync + 'static,
{
    Server::new(move |seen| {
        Ok(match seen.method {
            Method::GET => {
                answer(200, &format!(r#"{{"issuer":"{ISSUER}","token_endpoint":"{TOKEN_URL}",{ENDPOINTS}{more}}}"#))
            }
            _ => answers(seen),
        })
    })
}

fn public(server: &Server) -> Client<impl HttpService + use<>> {
    Client::new(server.transport(), found(), ClientAuth::none("my-app")).unwrap()
}

fn parameters(query: &str) -> HashMap<String, String> {
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

fn query_of(pending: &PendingAuthorization) -> HashMap<String, String> {
    parameters(pending.url().split_once('?').unwrap().1)
}

/// The last request that was posted.
fn posted(server: &Server) -> (String, HashMap<String, String>) {
    let seen = server.seen().into_iter().rfind(|seen| seen.method == Method::POST).unwrap();
    (seen.url, parameters(&seen.body))
}

#[tokio::test(start_paused = true)]
async fn a_sign_in_goes_by_the_browser_and_ends_in_a_set() {
    let server = signing_in("", |_| answer(200, r#"{"access_token":"a-token","refresh_token":"r","expires_in":3600}"#));
    let client = public(&server);
    let request = AuthorizationRequest::new(REDIRECT).scope("read").resource("https://api.example.com/");
    let pending = client.authorize(&request).await.unwrap();
    assert!(pending.url().starts_with("https://auth.example.com/authorize?tenant=x&"), "{} (6749-4)", pending.url());
    let sent = query_of(&pending);
    assert_eq!((&*sent["client_id"], &*sent["scope"]), ("my-app", "read"));

    let grant = pending.answer(&format!("code=c0de&state={}", sent["state"])).unwrap();
    let set = client.exchange(&grant, None).await.unwrap();
    let (url, form) = posted(&server);
    assert_eq!((&*url, &*form["code"], &*form["client_id"]), (TOKEN_URL, "c0de", "my-app"));
    assert_eq!(form["resource"], "https://api.example.com/", "(8707-3)");
    let verifier = crate::grant::Pkce::from_verifier(form["code_verifier"].as_str()).unwrap();
    assert_eq!(verifier.challenge(), sent["code_challenge"]);
    assert_eq!((set.issuer.as_deref(), set.client_id.as_deref()), (Some(ISSUER), Some("my-app")), "(X6)");
    assert_eq!(set.scope.as_deref(), Some("read"));
}

#[tokio::test(start_paused = true)]
async fn a_refused_code_asks_for_another_sign_in_and_is_not_shown() {
    let server = signing_in("", |_| {
        answer(400, r#"{"error":"invalid_grant","error_description":"code c0de-of-mine was used before"}"#)
    });
    let client = public(&server);
    let pending = client.authorize(&AuthorizationRequest::new(REDIRECT)).await.unwrap();
    let state = query_of(&pending)["state"].clone();
    let grant = pending.answer(&format!("code=c0de-of-mine&state={state}")).unwrap();
    let error = client.exchange(&grant, None).await.unwrap_err();
    assert!(error.is_reauth_required() && error.to_string().contains("start the sign-in again"), "{error}");
    assert!(!error.to_string().contains("c0de-of-mine"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn rfc9126_1_to_4_a_request_is_left_at_the_server_when_it_requires_that() {
    let answers =
        |_: &Seen| answer(201, r#"{"request_uri":"urn:example:bwc4JK-ESC0w8acc191e-Y1LTC2","expires_in":90}"#);
    for (more, request) in [
        (r#","require_pushed_authorization_requests":true"#, AuthorizationRequest::new(REDIRECT)),
        ("", AuthorizationRequest::new(REDIRECT).pushed()),
    ] {
        let server = signing_in(more, answers);
        let client = Client::new(server.transport(), found(), client()).unwrap();
        let pending = client.authorize(&request.scope("read")).await.unwrap();
        let mut sent: Vec<_> = query_of(&pending).into_iter().collect();
        sent.sort();
        let expected =
            [("client_id", "my-client"), ("request_uri", "urn:example:bwc4JK-ESC0w8acc191e-Y1LTC2"), ("tenant", "x")];
        assert!(sent.iter().map(|(name, value)| (&**name, &**value)).eq(expected), "{sent:?}");
        let (url, form) = posted(&server);
        assert_eq!(url, "https://auth.example.com/par");
        assert!(form.contains_key("state") && form.contains_key("code_challenge") && !form.contains_key("request_uri"));
        let seen = server.seen().pop().unwrap();
        assert!(seen.headers.contains_key("authorization"), "authenticated as at the token endpoint");
        assert!(pending.answer(&format!("code=c&state={}", form["state"])).is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn rfc6749_5_a_pushed_request_names_the_client_once_however_it_proves_itself() {
    for auth in [client(), ClientAuth::post("my-client", "cl1ent-s3cret"), ClientAuth::none("my-client")] {
        let server = signing_in("", |_| answer(201, r#"{"request_uri":"urn:example:x","expires_in":90}"#));
        let client = Client::new(server.transport(), found(), auth.clone()).unwrap();
        client.authorize(&AuthorizationRequest::new(REDIRECT).pushed()).await.unwrap();
        let body = server.seen().pop().unwrap().body;
        assert_eq!(body.matches("client_id=my-client").count(), 1, "{auth:?}: {body}");
        client.authorize_device(&DeviceAuthorization::new()).await.unwrap_err();
        let body = server.seen().pop().unwrap().body;
        assert_eq!(body.matches("client_id=my-client").count(), 1, "{auth:?}: {body}");
    }
}

#[tokio::test(start_paused = true)]
async fn rfc9126_4_and_5_a_push_that_fails_is_an_error_and_not_a_plain_request() {
    for (status, body, is_transient) in [
        (400, r#"{"error":"invalid_request","error_description":"no such redirect_uri"}"#, false),
        (401, r#"{"error":"invalid_client"}"#, false),
        (405, "", false),
        (413, "", false),
        (429, "", true),
        (503, "<html>", true),
        (201, r#"{"expires_in":90}"#, true),
    ] {
        let server = signing_in(r#","require_pushed_authorization_requests":true"#, move |_| answer(status, body));
        let error = public(&server).authorize(&AuthorizationRequest::new(REDIRECT)).await.unwrap_err();
        assert_eq!(error.is_transient(), is_transient, "{status}: {error:?}");
        assert!(error.is_transient() || error.is_misconfigured());
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_server_does_not_offer_is_said_with_what_to_do() {
    let server = Server::tokens(200, GOOD);
    let client = public(&server);
    let errors = [
        client.authorize(&AuthorizationRequest::new(REDIRECT)).await.unwrap_err(),
        client.authorize(&AuthorizationRequest::new("/callback")).await.unwrap_err(),
        client.authorize_device(&DeviceAuthorization::new()).await.unwrap_err(),
        client.revoke(&TokenSet::new("a")).await.unwrap_err(),
    ];
    for (error, hint) in errors.iter().zip(["authorization endpoint", "registered", "browser", "lives to its end"]) {
        assert!(error.is_misconfigured() && error.to_string().contains(hint), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn rfc6749_23_an_authorization_endpoint_without_tls_is_not_used() {
    let plain = r#","authorization_endpoint":"http://auth.example.com/authorize""#;
    let server = Server::new(move |_| {
        Ok(answer(200, &format!(r#"{{"issuer":"{ISSUER}","token_endpoint":"{TOKEN_URL}"{plain}}}"#)))
    });
    let error = public(&server).authorize(&AuthorizationRequest::new(REDIRECT)).await.unwrap_err();
    assert!(error.is_misconfigured() && error.to_string().contains("https"), "{error}");
    assert!(public(&server).metadata().await.is_ok(), "what is not used does no harm");
}

/// A device's story: what the token endpoint answers, poll by poll.
fn device(script: &'static [(u16, &'static str)]) -> (Server, Arc<AtomicUsize>) {
    let polls = Arc::new(AtomicUsize::new(0));
    let counter = polls.clone();
    let server = signing_in("", move |seen| {
        if seen.url.ends_with("/device") {
            let body = r#"{"device_code":"dev1ce-code","user_code":"WDJB-MJHT","verification_uri":"https://auth.example.com/go",
                "expires_in":60}"#;
            return answer(200, body);
        }
        let at = counter.fetch_add(1, Ordering::Relaxed);
        let (status, body) = script[at.min(script.len() - 1)];
        answer(status, body)
    });
    (server, polls)
}

const PENDING: (u16, &str) = (400, r#"{"error":"authorization_pending"}"#);

#[tokio::test(start_paused = true)]
async fn rfc8628_2_and_3_polls_keep_the_interval_and_slow_down() {
    let script = &[PENDING, (400, r#"{"error":"slow_down"}"#), PENDING, (200, GOOD)];
    let (server, polls) = device(script);
    let client = public(&server);
    let code = client.authorize_device(&DeviceAuthorization::new().scope("read")).await.unwrap();
    let (_, form) = posted(&server);
    assert_eq!((&*form["client_id"], &*form["scope"]), ("my-app", "read"));

    let started = tokio::time::Instant::now();
    let set = client.poll(&code).await.unwrap();
    assert_eq!(started.elapsed().as_secs(), 5 + 5 + 10 + 10);
    assert_eq!(polls.load(Ordering::Relaxed), 4);
    assert_eq!((set.issuer.as_deref(), set.scope.as_deref()), (Some(ISSUER), Some("read")));
    let (_, form) = posted(&server);
    assert_eq!((&*form["device_code"], &*form["client_id"]), ("dev1ce-code", "my-app"), "(8628-7)");
}

#[tokio::test(start_paused = true)]
async fn rfc8628_2_and_3_polls_go_on_where_errors_come_with_200_as_githubs_do() {
    const SCRIPT: &[(u16, &str)] = &[(200, PENDING.1), (200, r#"{"error":"slow_down","interval":10}"#), (200, GOOD)];
    let (server, polls) = device(SCRIPT);
    let client = public(&server);
    let code = client.authorize_device(&DeviceAuthorization::new()).await.unwrap();
    let started = tokio::time::Instant::now();
    assert!(client.poll(&code).await.is_ok());
    assert_eq!((started.elapsed().as_secs(), polls.load(Ordering::Relaxed)), (5 + 5 + 10, 3));
}

#[tokio::test(start_paused = true)]
async fn rfc8628_4_an_outage_slows_the_polls_down_and_passes() {
    let (server, polls) = device(&[(503, "<html>"), (502, ""), (200, GOOD)]);
    let client = public(&server);
    let code = client.authorize_device(&DeviceAuthorization::new()).await.unwrap();
    let started = tokio::time::Instant::now();
    let _ = client.poll(&code).await.unwrap();
    assert_eq!((started.elapsed().as_secs(), polls.load(Ordering::Relaxed)), (5 + 10 + 20, 3));
}

#[tokio::test(start_paused = true)]
async fn rfc8628_5_a_code_that_nobody_approves_ends() {
    let (server, polls) = device(&[PENDING]);
    let client = public(&server);
    let code = client.authorize_device(&DeviceAuthorization::new()).await.unwrap();
    let started = tokio::time::Instant::now();
    let error = client.poll(&code).await.unwrap_err();
    assert!(error.is_reauth_required() && error.to_string().contains("60s"), "{error}");
    assert!(started.elapsed() <= Duration::from_secs(60) && polls.load(Ordering::Relaxed) == 11);
}

#[tokio::test(start_paused = true)]
async fn rfc8628_5_no_and_too_late_end_the_polls_at_once() {
    for (said, is_denied) in [
        ("access_denied", true),
        ("authorization_declined", true), // Microsoft's
        ("expired_token", false),
        ("invalid_grant", false),
        ("bad_verification_code", false), // Microsoft's
        ("incorrect_device_code", false), // GitHub's
    ] {
        let body: &'static str = format!(r#"{{"error":"{said}"}}"#).leak();
        let (server, polls) = device(Vec::leak(vec![(400, body)]));
        let client = public(&server);
        let code = client.authorize_device(&DeviceAuthorization::new()).await.unwrap();
        let error = client.poll(&code).await.unwrap_err();
        assert!(error.is_reauth_required() && error.is_denied() == is_denied, "{error:?}");
        assert_eq!(polls.load(Ordering::Relaxed), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn c8_a_busy_server_that_asks_for_an_hour_does_not_end_the_sign_in() {
    let polls = Arc::new(AtomicUsize::new(0));
    let server = signing_in("", move |seen| {
        if seen.url.ends_with("/device") {
            let body = r#"{"device_code":"d","user_code":"u","verification_uri":"https://a.example","interval":5000,"expires_in":900}"#;
            return answer(200, body);
        }
        let mut busy = answer(429, "");
        busy.headers_mut().insert("retry-after", "3600".parse().unwrap());
        if polls.fetch_add(1, Ordering::Relaxed) == 0 { busy } else { answer(200, GOOD) }
    });
    let client = public(&server);
    let code = client.authorize_device(&DeviceAuthorization::new()).await.unwrap();
    let set = client.poll(&code).await.unwrap();
    assert_eq!(access_token(&set), "a-token");
}

/// In an outage some other server may answer in its place.
#[tokio::test(start_paused = true)]
async fn f3_metadata_that_is_away_for_a_while_does_not_end_a_sign_in_that_began() {
    let polls = AtomicUsize::new(0);
    let server = Server::new(move |seen| {
        let polled = polls.load(Ordering::Relaxed);
        Ok(match (&*seen.url, &seen.method) {
            (_, &Method::GET) if polled > 0 => answer(404, "<html>"),
            (_, &Method::GET) => {
                answer(200, &format!(r#"{{"issuer":"{ISSUER}","token_endpoint":"{TOKEN_URL}",{ENDPOINTS}}}"#))
            }
            (TOKEN_URL, _) if polls.fetch_add(1, Ordering::Relaxed) == 0 => return Err("connection reset".into()),
            (TOKEN_URL, _) => answer(200, GOOD),
            _ => answer(
                200,
                r#"{"device_code":"d","user_code":"u","verification_uri":"https://a.example","expires_in":900}"#,
            ),
        })
    });
    let client = public(&server);
    let code = client.authorize_device(&DeviceAuthorization::new()).await.unwrap();
    assert!(client.poll(&code).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn x6_a_code_goes_to_the_server_and_from_the_client_that_the_sign_in_began_with() {
    let server = signing_in("", |_| answer(200, GOOD));
    let begun = public(&server);
    let code = async |client: &Client<_>| {
        let pending = client.authorize(&AuthorizationRequest::new(REDIRECT)).await.unwrap();
        let state = query_of(&pending)["state"].clone();
        pending.answer(&format!("code=c0de&state={state}")).unwrap()
    };
    let elsewhere = AuthorizationServer::token_endpoint("https://other.example/token").named("https://other.example");
    for other in [
        Client::new(server.transport(), elsewhere, ClientAuth::none("my-app")).unwrap(),
        Client::new(server.transport(), found(), ClientAuth::none("another-app")).unwrap(),
    ] {
        let error = other.exchange(&code(&begun).await, None).await.unwrap_err();
        assert!(error.is_misconfigured(), "{error:?}");
    }
    assert!(server.seen().iter().all(|seen| seen.method == Method::GET), "the code was not sent");
    assert!(begun.exchange(&code(&begun).await, None).await.is_ok());
}

/// GitHub's, with status 200.
#[tokio::test(start_paused = true)]
async fn a_code_that_was_used_or_has_ended_asks_for_another_sign_in_by_whatever_name() {
    for code in ["invalid_grant", "bad_verification_code"] {
        let body: &'static str = format!(r#"{{"error":"{code}"}}"#).leak();
        let server = signing_in("", move |_| answer(200, body));
        let error = public(&server).exchange(&AuthorizationCode::new("c0de", REDIRECT), None).await.unwrap_err();
        assert!(error.is_reauth_required() && !error.is_denied(), "{error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn x5_a_code_is_not_shown_in_the_spelling_it_was_sent_in() {
    let echo =
        r#"{"error":"invalid_grant","error_description":"code=4%2F0AdQt8qh&x of 4/0AdQt8qh or 4/0A\u0000dQt8qh"}"#;
    let server = signing_in("", move |_| answer(400, echo));
    let error = public(&server).exchange(&AuthorizationCode::new("4/0AdQt8qh", REDIRECT), None).await.unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(error.is_reauth_required() && !shown.contains("0AdQt8qh"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn rfc7009_1_to_4_a_set_is_revoked_by_the_client_it_belongs_to() {
    let revoke = async |status: u16, body: &'static str| {
        let server = signing_in("", move |_| {
            let mut response = answer(status, body);
            response.headers_mut().insert("retry-after", "7".parse().unwrap());
            response
        });
        let client = Client::new(server.transport(), found(), client()).unwrap();
        let result = client.revoke(&refresh_set().issuer(ISSUER)).await;
        (result, server)
    };
    let (result, server) = revoke(200, "whatever <it> says").await;
    assert!(result.is_ok());
    let (url, form) = posted(&server);
    assert_eq!((&*url, &*form["token"]), ("https://auth.example.com/revoke", "r3fresh-t0ken"));
    assert!(server.seen().pop().unwrap().headers.contains_key("authorization"));

    let error = revoke(503, "").await.0.unwrap_err();
    assert!(error.is_transient() && error.retry_after() == Some(Duration::from_secs(7)), "{error:?}");
    let error = revoke(400, r#"{"error":"unsupported_token_type"}"#).await.0.unwrap_err();
    assert!(error.is_misconfigured() && !error.to_string().contains("r3fresh"), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn x6_a_set_of_another_server_is_not_sent_to_be_revoked() {
    let server = signing_in("", |_| answer(200, ""));
    let error = public(&server).revoke(&refresh_set().issuer("https://other.example")).await.unwrap_err();
    assert!(error.is_misconfigured());
    assert!(server.seen().iter().all(|seen| seen.method == Method::GET));
}

#[tokio::test(start_paused = true)]
async fn a_token_swap_is_asked_at_its_two_urls_and_its_answers_are_taken() {
    let server = Server::new(|seen| {
        Ok(match &*seen.url {
            "https://my.example/swap" => {
                answer(200, r#"{"access_token":"first","expires_in":"3600","refresh_token":"r3fresh"}"#)
            }
            "https://my.example/refresh" => answer(200, r#"{"access_token":"second","expires_in":"3600"}"#),
            _ => answer(404, ""),
        })
    });
    let at = AuthorizationServer::token_swap("https://my.example/swap", "https://my.example/refresh")
        .authorization_endpoint("https://auth.example.com/authorize");
    let client = Client::new(server.transport(), at, ClientAuth::none("my-app")).unwrap();
    let pending = client.authorize(&AuthorizationRequest::new(REDIRECT)).await.unwrap();
    let state = query_of(&pending)["state"].clone();
    let grant = pending.answer(&format!("code=c0de&state={state}")).unwrap();
    let set = client.exchange(&grant, None).await.unwrap();
    assert_eq!(server.seen().pop().unwrap().body, "code=c0de&redirect_uri=http%3A%2F%2F127.0.0.1%3A4180%2Fcallback");

    let cell = TokenCell::new(TokenEndpoint::of(client, RefreshToken::new()).unwrap());
    cell.put(set).await.unwrap();
    assert_eq!(cell.get().await.unwrap().expose(), "first");
    assert_eq!(cell.refresh().await.unwrap().expose(), "second");
    let seen = server.seen().pop().unwrap();
    assert_eq!(seen.body, "refresh_token=r3fresh");
    assert!(!seen.headers.contains_key("authorization"));
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_wrong_is_said_where_something_was_refused() {
    let server = Server::new(|seen| {
        let mut response = answer(if seen.method == Method::GET { 200 } else { 400 }, r#"{"error":"invalid_grant"}"#);
        response.headers_mut().insert("date", "Sun, 06 Nov 1994 08:49:37 GMT".parse().unwrap());
        Ok(response)
    });
    let error = exchange(&server, told()).await.unwrap_err();
    assert!(error.to_string().contains("this machine's clock is") && error.to_string().contains("ahead"), "{error}");
}
