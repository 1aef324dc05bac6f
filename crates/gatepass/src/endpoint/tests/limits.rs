//! What a server cannot do to us: redirects, size, time (X4); and what another one is not sent (X6).

use super::*;

#[tokio::test(start_paused = true)]
async fn x4_a_redirect_is_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let server = Server::new(move |_| {
            let mut redirect = answer(status, "");
            let location = "https://evil.example/token".parse()?;
            redirect.headers_mut().insert("location", location);
            Ok(redirect)
        });
        let error = exchange(&server, told()).await.unwrap_err();
        assert!(error.is_misconfigured() && error.to_string().contains("redirects"), "{error}");
        assert_eq!(server.urls(), [TOKEN_URL]);
    }
}

#[tokio::test(start_paused = true)]
async fn x4_an_answer_larger_than_the_cap_is_not_read_to_its_end() {
    let read = Arc::new(Mutex::new(0));
    let transport = tower::service_fn({
        let read = read.clone();
        move |_: Request<Body>| {
            let read = read.clone();
            let endless = Pieces(move || {
                *read.lock().unwrap() += 65_536;
                Poll::Ready(Some(Bytes::from_static(&[b'x'; 65_536])))
            });
            ready(Ok::<_, BoxError>(Response::new(endless)))
        }
    });
    for (cap, most) in [(None, 1024 * 1024), (Some(100_000), 100_000)] {
        *read.lock().unwrap() = 0;
        let grant = ClientCredentials::new();
        let mut endpoint = TokenEndpoint::new(transport.clone(), told(), client(), grant).unwrap();
        if let Some(cap) = cap {
            endpoint = endpoint.max_answer(cap);
        }
        let error = endpoint.exchange(None).await.unwrap_err();
        assert!(error.is_transient() && error.to_string().contains("larger"), "{error}");
        assert!(*read.lock().unwrap() <= most + 65_536);
    }
}

#[tokio::test(start_paused = true)]
async fn x4_an_answer_in_pieces_is_put_together() {
    let transport = tower::service_fn(|_: Request<Body>| {
        let mut pieces = GOOD.as_bytes().chunks(7);
        let body = Pieces(move || Poll::Ready(pieces.next().map(Bytes::from_static)));
        ready(Ok::<_, BoxError>(Response::new(body)))
    });
    let grant = ClientCredentials::new();
    let endpoint = TokenEndpoint::new(transport, told(), client(), grant).unwrap();
    assert_eq!(access_token(&endpoint.exchange(None).await.unwrap()), "a-token");
}

#[tokio::test(start_paused = true)]
async fn x4_no_answer_in_time_is_transient() {
    for (timeout, seconds) in [(None, 10), (Some(Duration::from_secs(3)), 3)] {
        let transport = tower::service_fn(|_: Request<Body>| pending::<Result<Response<String>, BoxError>>());
        let grant = ClientCredentials::new();
        let mut endpoint = TokenEndpoint::new(transport, told(), client(), grant).unwrap();
        if let Some(timeout) = timeout {
            endpoint = endpoint.timeout(timeout);
        }
        let began = tokio::time::Instant::now();
        let error = endpoint.exchange(None).await.unwrap_err();
        assert!(error.is_transient() && error.to_string().contains("within"), "{error}");
        assert_eq!(began.elapsed(), Duration::from_secs(seconds));
    }
}

#[tokio::test(start_paused = true)]
async fn x4_an_answer_that_never_ends_its_body_is_transient() {
    let transport = tower::service_fn(|_: Request<Body>| {
        let body = Pieces(|| Poll::Pending);
        ready(Ok::<_, BoxError>(Response::new(body)))
    });
    let grant = ClientCredentials::new();
    let endpoint = TokenEndpoint::new(transport, told(), client(), grant).unwrap();
    assert!(endpoint.exchange(None).await.unwrap_err().is_transient());
}

#[tokio::test(start_paused = true)]
async fn f3_a_connection_that_drops_is_transient_and_its_cause_is_kept() {
    let server = Server::new(|_| Err(std::io::Error::other("connection reset").into()));
    let error = exchange(&server, told()).await.unwrap_err();
    assert!(error.is_transient());
    let cause = std::error::Error::source(&error).unwrap();
    assert_eq!(cause.to_string(), "connection reset");
}

#[tokio::test(start_paused = true)]
async fn an_error_of_ours_from_the_transport_stays_what_it_is() {
    let server = Server::new(|_| Err(Error::misconfigured("no TLS in this build").into()));
    let error = exchange(&server, told()).await.unwrap_err();
    assert!(error.is_misconfigured() && error.to_string().contains("no TLS"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn x6_a_refresh_token_is_not_sent_to_another_server_nor_by_another_client() {
    for (set, says) in [
        (refresh_set().issuer("https://other.example"), "another authorization server"),
        (refresh_set().client_id("other-client"), "another client"),
    ] {
        let server = Server::tokens(200, GOOD);
        let endpoint = endpoint(&server, found(), RefreshToken::new());
        let error = endpoint.exchange(Some(&set)).await.unwrap_err();
        assert!(error.is_misconfigured() && error.to_string().contains(says), "{error}");
        assert_eq!(server.urls(), [OAUTH_METADATA], "no token request");
    }
    let server = Server::tokens(200, GOOD);
    let endpoint = endpoint(&server, found(), RefreshToken::new());
    let own = refresh_set().issuer(ISSUER).client_id("my-client");
    assert!(endpoint.exchange(Some(&own)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn x6_a_told_token_endpoint_gets_a_refresh_token_of_an_issuer_only_under_its_name() {
    let set = refresh_set().issuer(ISSUER);
    let server = Server::tokens(200, GOOD);
    let told = AuthorizationServer::token_endpoint(TOKEN_URL);
    let unnamed = endpoint(&server, told.clone(), RefreshToken::new());
    let error = unnamed.exchange(Some(&set)).await.unwrap_err();
    assert!(error.is_misconfigured() && error.to_string().contains("named"), "{error}");
    assert!(server.urls().is_empty(), "no token request");

    let named = endpoint(&server, told.named(ISSUER), RefreshToken::new());
    let issued = named.exchange(Some(&set)).await.unwrap();
    assert_eq!(issued.issuer.as_deref(), Some(ISSUER));
}

/// A body that comes as a function says.
struct Pieces<F>(F);

impl<F> http_body::Body for Pieces<F>
where
    F: FnMut() -> Poll<Option<Bytes>> + Unpin,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        (self.0)().map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}

#[tokio::test(start_paused = true)]
async fn c7_a_token_that_was_long_on_its_way_is_not_used_after_its_end() {
    let transport = tower::service_fn(|_: Request<Body>| async {
        tokio::time::sleep(Duration::from_secs(5)).await; // issued at once, and then on its way
        Ok::<_, BoxError>(answer(200, GOOD))
    });
    let endpoint = TokenEndpoint::new(transport, told(), client(), ClientCredentials::new()).unwrap();
    let time = TestClock::new();
    let cell = TokenCell::builder(endpoint).clock(time.clock()).build();
    cell.get().await.unwrap();
    assert_eq!(cell.status().remaining, Some(Duration::from_secs(3595)));
    time.advance(Duration::from_secs(3595));
    assert!(cell.peek().is_none());
}
