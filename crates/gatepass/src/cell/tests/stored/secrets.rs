//! X5: all that can be seen of a cell, searched for its secrets.

use std::fmt::{Debug, Write as _};

use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use tower::{BoxError, Service, ServiceBuilder, ServiceExt, service_fn};
use tracing::{
    field::{Field, Visit},
    span,
};
use tracing_subscriber::layer::{self, Layer, SubscriberExt};

use super::*;
use crate::{
    AuthorizationServer, BearerLayer, ClientAuth, Origins, RetryPolicy, TokenEndpoint,
    endpoint::Body,
    grant::{Grant, JwtBearer, RefreshToken},
    meter::tests::Page,
};

/// In each secret, and in nothing else.
const MARK: &str = "s3cr3t";

/// Of `client` and its secret, as the header has it.
const BASIC: &str = "Y2xpZW50OnMzY3IzdC1jbGllbnQ";

/// All that was shown, by whatever way.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<String>>);

impl Seen {
    fn note(&self, text: impl Debug) {
        writeln!(self.0.lock().unwrap(), "{text:?}").unwrap();
    }

    fn cell(&self, cell: &TokenCell) {
        let status = cell.status();
        self.note((cell, &status));
        self.note(format_args!("{status}"));
        for error in [&status.last_error, &status.unsaved].into_iter().flatten() {
            self.error(error);
        }
    }

    fn error(&self, error: &(dyn std::error::Error + 'static)) {
        self.note(error);
        let mut next = Some(error);
        while let Some(error) = next {
            self.note(format_args!("{error}"));
            next = error.source();
        }
    }

    fn text(&self) -> String {
        self.0.lock().unwrap().clone()
    }
}

impl Visit for Seen {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.note(format_args!("{} = {value:?}", field.name()));
    }
}

impl<S: tracing::Subscriber> Layer<S> for Seen {
    fn on_new_span(&self, span: &span::Attributes<'_>, _: &span::Id, _: layer::Context<'_, S>) {
        self.note(span.metadata());
        span.record(&mut self.clone());
    }

    fn on_record(&self, _: &span::Id, values: &span::Record<'_>, _: layer::Context<'_, S>) {
        values.record(&mut self.clone());
    }

    fn on_event(&self, event: &tracing::Event<'_>, _: layer::Context<'_, S>) {
        self.note(event.metadata());
        event.record(&mut self.clone());
    }
}

/// How a server misbehaves that shows all it was sent, wherever it can.
#[derive(Clone, Copy)]
enum Echo {
    Json(u16, &'static str),
    Html(u16),
    Nothing,
}

/// An authorization server that does as it is told, and else issues what it never issued before.
#[derive(Clone, Default)]
struct Issuer(Arc<Mutex<(VecDeque<Echo>, usize)>>);

impl Issuer {
    fn then(&self, echo: Echo) {
        self.0.lock().unwrap().0.push_back(echo);
    }

    async fn answer(self, request: Request<Body>) -> Result<Response<String>, BoxError> {
        let (head, body) = request.into_parts();
        let form = String::from_utf8(body.collect().await?.to_bytes().to_vec())?;
        let sent = format!("{form} {:?}", head.headers.get(header::AUTHORIZATION).map(|value| value.to_str()));
        let (echo, number) = {
            let mut told = self.0.lock().unwrap();
            told.1 += 1;
            (told.0.pop_front(), told.1)
        };
        let (status, body) = match echo {
            None => (
                200,
                format!(
                    r#"{{"access_token":"{MARK}-access-{number}","refresh_token":"{MARK}-refresh-{number}","expires_in":3600}}"#
                ),
            ),
            Some(Echo::Json(status, error)) => {
                let sent = sent.replace('"', "'");
                let uri = format!("https://auth.example.com/why?{form}");
                (status, format!(r#"{{"error":"{error}","error_description":"{sent}","error_uri":"{uri}"}}"#))
            }
            Some(Echo::Html(status)) => (status, format!("<html><h1>{sent}</h1></html>")),
            Some(Echo::Nothing) => return Err("the connection was reset".into()),
        };
        let mut response = Response::new(body);
        *response.status_mut() = StatusCode::from_u16(status)?;
        Ok(response)
    }

    fn cell(&self, grant: impl Grant, store: &TestStore) -> Builder {
        let issuer = self.clone();
        let server = AuthorizationServer::token_endpoint("https://auth.example.com/token");
        let client = ClientAuth::basic("client", format!("{MARK}-client"));
        let transport = service_fn(move |request| issuer.clone().answer(request));
        let source = TokenEndpoint::new(transport, server, client, grant).unwrap();
        TokenCell::builder(source).clock(TestClock::new().clock()).store(store.clone()).name("billing")
    }
}

/// An API that refuses the first token it is sent, and quotes it.
fn api(cell: &TokenCell) -> impl Service<Request<String>, Response = Response<String>, Error = BoxError> {
    let refused = Arc::new(Mutex::new(None));
    let answer = move |headers: &HeaderMap| {
        let token = headers[header::AUTHORIZATION].to_str().unwrap().to_owned();
        let mut response = Response::new(String::new());
        if *refused.lock().unwrap().get_or_insert_with(|| token.clone()) == token {
            let challenge = format!(r#"Bearer error="invalid_token", error_description="{token}""#);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge.parse().unwrap());
            *response.status_mut() = StatusCode::UNAUTHORIZED;
        }
        response
    };
    let bearer = BearerLayer::new(cell.clone(), Origins::new(["https://api.example.com"]).unwrap());
    ServiceBuilder::new().layer(bearer.retry(RetryPolicy::new())).service(service_fn(
        move |request: Request<String>| {
            let response = answer(request.headers());
            async move { Ok::<_, BoxError>(response) }
        },
    ))
}

#[tokio::test(start_paused = true)]
async fn x5_no_secret_in_spans_events_metrics_errors_and_status_whatever_goes_wrong() {
    let (seen, page) = (Seen::default(), Page::default());
    let _recording = page.open();
    // With one dispatcher, a place is asked about by whichever thread comes there first, for all.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let _tracing = tracing::subscriber::set_default(tracing_subscriber::registry().with(seen.clone()));

    let (issuer, store) = (Issuer::default(), TestStore::new());
    let first = TokenSet::from_refresh_token(format!("{MARK}-refresh-0"));
    let cell = issuer.cell(RefreshToken::new(), &store).start_from(first).build();
    seen.note(issuer.cell(RefreshToken::new(), &store));

    // A cold start, and a 401.
    let request = Request::get("https://api.example.com/").body(String::new()).unwrap();
    let response = api(&cell).oneshot(request).await.unwrap();
    assert_eq!((response.status(), cell.status().generation), (StatusCode::OK, 2));
    seen.cell(&cell);

    // The store fails with a rotated token in hand, and comes back.
    pass(HOUR).await;
    store.go_away_after_writes(1);
    cell.get().await.unwrap();
    assert!(cell.status().unsaved.is_some());
    seen.cell(&cell);
    store.come_back();
    cell.settled().await;
    store.go_away();
    seen.error(&cell.put(TokenSet::new(format!("{MARK}-put")).refresh_token(format!("{MARK}-put"))).await.unwrap_err());
    seen.cell(&cell);
    store.come_back();

    // Servers that quote what they were sent, and one that is cut off.
    for echo in [
        Echo::Json(503, "server_error"),
        Echo::Html(502),
        Echo::Json(429, "slow_down"),
        Echo::Nothing,
        Echo::Json(401, "invalid_client"),
        Echo::Json(400, "unheard_of"),
        // What the cell started from takes the place of the first; the second is the end.
        Echo::Json(400, "invalid_grant"),
        Echo::Json(400, "invalid_grant"),
    ] {
        issuer.then(echo);
        pass(HOUR).await;
        match cell.refresh().await {
            Ok(token) => seen.note(token),
            Err(error) => seen.error(&error),
        }
        seen.cell(&cell);
        if let Err(error) = cell.get().await {
            seen.error(&error);
        }
    }
    assert_eq!(cell.status().state, State::ReauthRequired);

    // An assertion.
    let assertion = JwtBearer::new(|| Ok(Secret::new(format!("{MARK}-assertion"))));
    let other = issuer.cell(assertion, &store).subject("other").build();
    issuer.then(Echo::Json(400, "invalid_request"));
    issuer.then(Echo::Json(503, "server_error"));
    for _ in 0..3 {
        match other.get().await {
            Ok(token) => seen.note(token),
            Err(error) => seen.error(&error),
        }
        seen.cell(&other);
        pass(secs(60)).await;
    }
    seen.note(page.figures());

    let text = seen.text();
    for there in
        ["token_exchange", "could not be stored", "the grant is dead", "gatepass_exchanges_total", "invalid_client"]
    {
        assert!(text.contains(there), "{there}: {text}");
    }
    let shown: Vec<_> = text.lines().filter(|line| line.contains(MARK) || line.contains(BASIC)).collect();
    assert!(shown.is_empty(), "{shown:#?}");
}

#[tokio::test(start_paused = true)]
async fn the_status_on_one_line_says_how_the_cell_stands() {
    let (server, store, time) = (Server::new(), TestStore::new(), TestClock::new());
    let cell = builder(&server.client(), &store, &time).name("billing").build();
    assert_eq!(cell.status().to_string(), "billing: empty, generation 0");
    cell.get().await.unwrap();
    assert_eq!(cell.status().to_string(), "billing: fresh, generation 1, ends in 3600 s");
    server.then(Next::Fails(Error::transient("the token endpoint\nanswered 503")));
    pass(HOUR - secs(30)).await;
    cell.get().await.unwrap();
    let line = cell.status().to_string();
    assert!(line.starts_with("billing: due, generation 1, ends in 29 s, next attempt in "), "{line}");
    assert!(line.ends_with("; the last exchange failed: the token endpointanswered 503"), "{line}");
    server.revoke();
    pass(HOUR).await;
    assert!(cell.get().await.is_err());
    let line = cell.status().to_string();
    assert!(line.starts_with("billing: reauth_required, generation 1") && line.lines().count() == 1, "{line}");
}
