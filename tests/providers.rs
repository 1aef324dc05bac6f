//! The examples for one provider's API, run as the programs they are, against an API that pages as that provider's does.

use std::{
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    extract::Request,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use gatepass_testkit::{AuthorizationServer, ExpiresIn, Failure};
use http::{HeaderMap, StatusCode, header};
use http_body_util::Empty;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::json;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn spotify_finds_artists_without_anybody_signing_in() {
    let world = World::start().await;
    let api = MockApi::start(&world.server, |_, call| {
        assert_eq!(call.path, "/v1/search?type=artist&limit=10&q=Miles+%26+more");
        ok(&json!({"artists": {"items": [
            {"name": "Miles Davis", "external_urls": {"spotify": "https://open.spotify.com/artist/1"}},
            {"name": "Mi\u{1b}[31mles"},
        ], "next": null}}))
    })
    .await;
    let mut command = world.spotify(&api);
    command.env("OAUTH_CLIENT_ID", "client").env("OAUTH_CLIENT_SECRET", "secret").args(["--search", "Miles & more"]);
    let ended = Program::start(command).end().await;
    assert!(ended.succeeded && ended.stderr.is_empty(), "{ended:?}");
    assert_eq!(ended.stdout[0], "Miles Davis  https://open.spotify.com/artist/1");
    assert!(ended.stdout[1].starts_with("Mi\u{fffd}[31mles"), "{ended:?}");
    let request = world.server.journal().pop().unwrap();
    assert_eq!((request.grant_type(), request.has_authorization), (Some("client_credentials"), true));
}

#[tokio::test]
async fn spotify_that_takes_no_token_at_all_is_not_asked_for_ever() {
    let world = World::start().await;
    let other = AuthorizationServer::start().await;
    let api = MockApi::start(&other, |_, _| ok(&json!({}))).await;
    let mut command = world.spotify(&api);
    command.env("OAUTH_CLIENT_ID", "client").env("OAUTH_CLIENT_SECRET", "secret");
    let ended = Program::start(command).end().await;
    assert!(ended.failed_with(&["refuses the token", "401", "Bad credentials"]), "{ended:?}");
    assert_eq!(world.server.token_requests(), 2);
}

#[tokio::test]
async fn spotify_lists_every_page_in_order_and_the_next_start_asks_nobody() {
    let world = World::start().await;
    let api = MockApi::start(&world.server, playlists(3)).await;
    for sign_ins in [1, 1] {
        let ended = world.list_playlists(&api).await;
        assert!(ended.succeeded && ended.stderr.is_empty(), "{ended:?}");
        let listed = ended.after("Ada has these playlists:");
        assert_eq!(listed, ["    1  of page 0  (7)", "    2  of page 1  (7)", "    3  of page 2  (7)", "3 in all"]);
        assert_eq!(world.server.arrived_at("/authorize"), sign_ins);
    }
    assert_eq!(api.paths()[..4], ["/v1/me", "/v1/me/playlists?limit=50", "/v1/page/1", "/v1/page/2"]);
    let sign_in = &world.server.journal()[0];
    assert!(!sign_in.has_authorization && sign_in.param("code_verifier").is_some());
    assert_eq!(sign_in.param("client_id"), Some("app"));
}

#[tokio::test]
async fn spotify_shows_a_page_before_it_asks_for_the_next() {
    let world = World::start().await;
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let paged = playlists(2);
    let held = gate.clone();
    let api = MockApi::start_async(&world.server, move |base, call| {
        let (gate, answer) = (held.clone(), paged(base, call));
        let waits = call.path == "/v1/page/1";
        async move {
            if waits {
                gate.acquire().await.unwrap().forget();
            }
            answer
        }
    })
    .await;
    let mut program = Program::start(world.playlists(&api));
    program.sign_in().await;
    program.line_with("of page 0").await;
    gate.add_permits(1);
    program.line_with("of page 1").await;
    assert!(program.end().await.succeeded);
}

#[tokio::test]
async fn spotify_waits_out_a_429_in_the_middle() {
    let world = World::start().await;
    let paged = playlists(3);
    let api = MockApi::start(&world.server, move |base, call| match (call.path.as_str(), call.times) {
        ("/v1/page/1", 1) => (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "1")], "").into_response(),
        _ => paged(base, call),
    })
    .await;
    let ended = world.list_playlists(&api).await;
    assert!(ended.succeeded && ended.stdout.last().unwrap() == "3 in all", "{ended:?}");
    let at = api.seen_at("/v1/page/1");
    assert!(at.len() == 2 && at[1] - at[0] >= Duration::from_secs(1), "{at:?}");
}

#[tokio::test]
async fn spotify_ends_at_once_when_it_is_to_wait_for_an_hour() {
    let world = World::start().await;
    let paged = playlists(3);
    let api = MockApi::start(&world.server, move |base, call| match call.path.as_str() {
        "/v1/page/1" => (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "3600")], "").into_response(),
        _ => paged(base, call),
    })
    .await;
    let ended = world.list_playlists(&api).await;
    assert!(ended.failed_with(&["Spotify", "60 min", "3600 s", "run this again"]), "{ended:?}");
    assert_eq!(api.seen_at("/v1/page/1").len(), 1);
    // What came before is there.
    assert!(ended.stdout.last().unwrap().contains("of page 0"), "{ended:?}");
}

#[tokio::test]
async fn x1_spotify_follows_no_link_to_another_server() {
    let world = World::start().await;
    let elsewhere = MockApi::start_open(|_, _| ok(&json!({"items": [], "next": null}))).await;
    let port = elsewhere.address.port();
    for (link, shown) in [
        (elsewhere.url("/v1/page/1"), elsewhere.url("")),
        (format!("{}@127.0.0.1:{port}/v1", elsewhere.url("")), elsewhere.url("")),
        ("https://127.0.0.1/v1/page/1".to_owned(), "https://127.0.0.1".to_owned()),
        ("//evil.example/v1".to_owned(), "?".to_owned()),
        ("not a url".to_owned(), "no URL".to_owned()),
    ] {
        let (next, paged) = (link.clone(), playlists(3));
        let api = MockApi::start(&world.server, move |base, call| match call.path.as_str() {
            "/v1/me/playlists?limit=50" => ok(&json!({"items": [], "next": next})),
            _ => paged(base, call),
        })
        .await;
        let ended = world.list_playlists(&api).await;
        assert!(ended.failed_with(&["link to the next page", &shown]), "{link}: {ended:?}");
        assert_eq!(api.paths().len(), 2);
    }
    assert_eq!(elsewhere.paths(), [""; 0], "nothing was sent there, with or without a token");
}

#[tokio::test]
async fn spotify_is_not_led_in_circles() {
    let world = World::start().await;
    let paged = playlists(1);
    let circle = MockApi::start(&world.server, move |base, call| match call.path.as_str() {
        "/v1/me" => paged(base, call),
        _ => ok(&json!({"items": [], "next": format!("{base}/v1/page/again")})),
    })
    .await;
    let ended = world.list_playlists(&circle).await;
    assert!(ended.failed_with(&["in circles", "stopped after 2"]), "{ended:?}");

    let paged = playlists(1);
    let endless = MockApi::start(&world.server, move |base, call| match call.path.as_str() {
        "/v1/me" => paged(base, call),
        _ => ok(&json!({"items": [], "next": format!("{base}/v1/page/{}", call.all)})),
    })
    .await;
    let ended = world.list_playlists(&endless).await;
    assert!(ended.failed_with(&["in circles", "stopped after 1000"]), "{ended:?}");
}

#[tokio::test]
async fn spotify_heals_when_the_token_is_revoked_between_two_pages() {
    let world = World::start().await;
    let (server, paged) = (world.server.clone(), playlists(3));
    let api = MockApi::start(&world.server, move |base, call| {
        if call.path == "/v1/me/playlists?limit=50" {
            server.revoke_access_tokens();
        }
        paged(base, call)
    })
    .await;
    let ended = world.list_playlists(&api).await;
    assert!(ended.succeeded && ended.stdout.last().unwrap() == "3 in all", "{ended:?}");
    assert_eq!((world.server.arrived_at("/authorize"), world.server.token_requests()), (1, 2));

    // The renewed token was kept.
    assert!(world.list_playlists(&api).await.succeeded);
    assert_eq!(world.server.arrived_at("/authorize"), 1);
}

#[tokio::test]
async fn spotify_keeps_what_a_renewal_under_way_brings() {
    let world = World::start().await;
    // A renewal is due when the last page is asked for, and takes longer than that.
    world.server.token_lifetime(Duration::from_secs(3)).member("refresh_in", Some("1"));
    world.server.delay(Duration::from_millis(700));
    let paged = playlists(2);
    let api = MockApi::start_async(&world.server, move |base, call| {
        let (answer, is_first) = (paged(base, call), call.path == "/v1/me/playlists?limit=50");
        async move {
            if is_first {
                tokio::time::sleep(Duration::from_millis(1800)).await;
            }
            answer
        }
    })
    .await;
    assert!(world.list_playlists(&api).await.succeeded);
    assert!(world.server.token_requests() >= 2, "{}", world.server.token_requests());
    assert_eq!(world.server.tokens_lost(), 0);
}

#[tokio::test]
async fn spotify_says_to_sign_in_again_and_the_next_start_does() {
    let world = World::start().await;
    let api = MockApi::start(&world.server, playlists(1)).await;
    assert!(world.list_playlists(&api).await.succeeded);
    world.server.revoke_everything();
    let ended = world.list_playlists(&api).await;
    assert!(ended.failed_with(&["sign"]), "{ended:?}");
    assert!(world.list_playlists(&api).await.succeeded);
    assert_eq!(world.server.arrived_at("/authorize"), 2);
}

#[tokio::test]
async fn spotify_forgets_nobody_because_the_token_endpoint_is_away() {
    let world = World::start().await;
    let api = MockApi::start(&world.server, playlists(1)).await;
    assert!(world.list_playlists(&api).await.succeeded);
    world.server.revoke_access_tokens().fail_until_told(Failure::status(503));
    let ended = world.list_playlists(&api).await;
    assert!(ended.failed_with(&["503"]), "{ended:?}");
    world.server.recover();
    assert!(world.list_playlists(&api).await.succeeded);
    assert_eq!(world.server.arrived_at("/authorize"), 1);
}

#[tokio::test]
async fn spotify_signs_out() {
    let world = World::start().await;
    let api = MockApi::start(&world.server, playlists(1)).await;
    assert!(world.list_playlists(&api).await.succeeded);
    for said in ["signed out", "nobody was signed in"] {
        let mut command = world.spotify(&api);
        command.arg("--sign-out");
        let ended = Program::start(command).end().await;
        assert!(ended.succeeded && ended.stdout[0].starts_with(said), "{ended:?}");
    }
    assert!(world.list_playlists(&api).await.succeeded);
    assert_eq!(world.server.arrived_at("/authorize"), 2);
}

#[tokio::test]
async fn a_refusal_is_told_in_the_apis_own_words() {
    let world = World::start().await;
    let api = MockApi::start(&world.server, |_, _| {
        let said = json!({"error": {"status": 403, "message": "User not registered\nin the dashboard"}});
        (StatusCode::FORBIDDEN, said.to_string()).into_response()
    })
    .await;
    let ended = world.list_playlists(&api).await;
    assert!(ended.failed_with(&["/v1/me answered 403", "User not registered"]), "{ended:?}");
}

#[tokio::test]
async fn failures_are_one_line_that_says_what_to_do() {
    let world = World::start().await;
    let api = MockApi::start(&world.server, playlists(1)).await;
    for (example, arguments, variable, value, hint) in [
        ("spotify", "", "OAUTH_CLIENT_ID", "", "OAUTH_CLIENT_ID is not set"),
        ("spotify", "", "OAUTH_CLIENT_SECRET", "", "OAUTH_CLIENT_SECRET is not set"),
        ("spotify", "", "OAUTH_CLIENT_SECRET", "wrong-one", "check its identifier, its secret"),
        ("spotify", "", "OAUTH_TOKEN_URL", "http://auth.example.com/token", "https"),
        ("spotify", "", "API_URL", "http://api.example.com", "plain http is for loopback"),
        ("spotify", "", "API_URL", "nonsense", "write a whole URL"),
        ("spotify", "", "API_URL", "http://127.0.0.1:1/v1", "no answer from http://127.0.0.1:1"),
        ("spotify", "--me", "PORT", "x", "a number from 1 to 65535"),
        ("spotify", "--me", "API_URL", "http://api.example.com", "plain http is for loopback"),
        ("spotify", "--search", "X", "", "--search TEXT"),
        ("spotify", "--no-browser", "X", "", "--me --no-browser"),
        ("github", "", "OAUTH_CLIENT_ID", "", "OAUTH_CLIENT_ID is not set"),
        ("github", "--browser", "OAUTH_CLIENT_SECRET", "", "OAUTH_CLIENT_SECRET is not set"),
        ("github", "--no-browser", "X", "", "goes with --browser"),
        ("github", "--list", "X", "", "--sign-out"),
        ("github", "", "OAUTH_DEVICE_URL", "http://auth.example.com/device", "https"),
        ("github", "", "API_URL", "http://api.example.com", "plain http is for loopback"),
    ] {
        let mut command = world.example(example, &api, "/v1");
        command.env("OAUTH_CLIENT_ID", "client").env("OAUTH_CLIENT_SECRET", "secret").env(variable, value);
        command.args(Some(arguments).filter(|it| !it.is_empty()));
        let ended = Program::start(command).end().await;
        assert!(ended.failed_with(&[hint]), "{example} {arguments} {variable}={value}: {ended:?}");
        assert!(ended.stdout.is_empty() && !ended.stderr.contains("wrong-one"), "{ended:?}");
    }
    assert_eq!(api.paths(), [""; 0]);
}

#[tokio::test]
async fn github_signs_in_by_code_and_lists_two_pages() {
    let world = World::start_as_github().await;
    let api = MockApi::start(&world.server, repositories).await;
    // GitHub says with 200 that nobody has entered the code yet.
    world.server.fail_next(1, Failure::json(200, r#"{"error":"authorization_pending","error_uri":"https://docs"}"#));
    let mut program = Program::start(world.github(&api));
    world.approve(&mut program).await;
    let ended = program.end().await;
    assert!(ended.succeeded && ended.stderr.is_empty(), "{ended:?}");
    let listed = ended.after("ada has these repositories:");
    assert_eq!(listed, ["    1  ada/engine", "    2  ada/notes  (private)", "    3  ada/poems", "3 in all"]);
    assert_eq!(world.server.token_requests(), 2);
    let asked = world.server.journal().pop().unwrap();
    assert_eq!((asked.param("client_id"), asked.param("client_secret")), (Some("app"), None));
    for headers in api.headers() {
        assert_eq!(headers[header::ACCEPT], "application/vnd.github+json");
        assert!(!headers[header::USER_AGENT].is_empty());
    }

    // The token has no end and nothing to renew it with: it does for every start from now on.
    world.server.advance(HOUR * 24 * 365);
    let ended = Program::start(world.github(&api)).end().await;
    assert!(ended.succeeded && ended.stdout.last().unwrap() == "3 in all", "{ended:?}");
    assert_eq!((world.server.arrived_at("/device_authorization"), world.server.token_requests()), (1, 2));
}

#[tokio::test]
async fn github_signs_in_by_the_browser_too() {
    let world = World::start_as_github().await;
    let api = MockApi::start(&world.server, repositories).await;
    let mut command = world.github(&api);
    command.env("OAUTH_CLIENT_ID", "client").env("OAUTH_CLIENT_SECRET", "secret").args(["--browser", "--no-browser"]);
    let mut program = Program::start(command);
    program.sign_in().await;
    let ended = program.end().await;
    assert!(ended.succeeded && ended.stdout.last().unwrap() == "3 in all", "{ended:?}");
    let asked = world.server.journal().pop().unwrap();
    assert_eq!((asked.grant_type(), asked.param("client_secret")), (Some("authorization_code"), Some("secret")));
}

#[tokio::test]
async fn github_says_that_its_token_was_refused_and_the_next_start_signs_in() {
    let world = World::start_as_github().await;
    let api = MockApi::start(&world.server, repositories).await;
    assert!(world.list_repositories(&api).await.succeeded);
    world.server.revoke_everything();
    let ended = Program::start(world.github(&api)).end().await;
    assert!(ended.failed_with(&["refused", "sign in again"]), "{ended:?}");
    assert!(world.list_repositories(&api).await.succeeded);
    assert_eq!(world.server.arrived_at("/device_authorization"), 2);
}

#[tokio::test]
async fn x1_github_follows_no_link_to_another_server() {
    let world = World::start_as_github().await;
    let elsewhere = MockApi::start_open(|_, _| ok(&json!([]))).await;
    let link = format!("<{}>; rel=\"next\"", elsewhere.url("/user/repos?page=2"));
    let api = MockApi::start(&world.server, move |base, call| match call.path.as_str() {
        "/user" => repositories(base, call),
        _ => ([("link", link.clone())], "[]").into_response(),
    })
    .await;
    let ended = world.list_repositories(&api).await;
    assert!(ended.failed_with(&["link to the next page", &elsewhere.url("")]), "{ended:?}");
    assert_eq!(elsewhere.paths(), [""; 0]);
}

#[tokio::test]
async fn github_says_when_to_come_back() {
    let world = World::start_as_github().await;
    let reset = (SystemTime::now() + Duration::from_secs(600)).duration_since(UNIX_EPOCH).unwrap().as_secs();
    let at = format!("{:02}:{:02} UTC", reset / 3600 % 24, reset / 60 % 60);
    let reset = reset.to_string();
    for (status, headers, said, hints) in [
        (403, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", &reset)][..], "", &["10 min", &at][..]),
        (429, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", &reset)], "", &["10 min", &at]),
        (403, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "99999999999999999999")], "", &["in an hour"]),
        (403, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "0")], "", &["in 0 s"]),
        (403, &[("retry-after", "90")], "", &["90 s"]),
        (429, &[("retry-after", "1")], "", &["1 s"]),
        (403, &[], "You have exceeded a secondary rate limit", &["60 s"]),
        (403, &[("x-ratelimit-remaining", "12")], "Resource not accessible", &["answered 403", "not accessible"]),
    ] {
        let headers: Vec<_> = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let api = MockApi::start(&world.server, move |_, _| {
            let mut response = json!({"message": said}).to_string().into_response();
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            for (name, value) in &headers {
                response.headers_mut().insert(http::HeaderName::try_from(name).unwrap(), value.parse().unwrap());
            }
            response
        })
        .await;
        let ended = world.list_repositories(&api).await;
        assert!(ended.failed_with(hints), "{status} {said}: {ended:?}");
        assert_eq!(api.paths(), ["/user"]);
    }
    assert_eq!(world.server.arrived_at("/device_authorization"), 1, "the token was good all along");
}

/// Pages of one playlist each, as Spotify links them.
fn playlists(pages: usize) -> impl Fn(&str, &Call) -> Response + Clone {
    move |base, call| {
        let page = match call.path.as_str() {
            "/v1/me" => return ok(&json!({"display_name": "Ada", "id": "ada"})),
            "/v1/me/playlists?limit=50" => 0,
            path => path.rsplit('/').next().unwrap().parse::<usize>().unwrap(),
        };
        let next = (page + 1 < pages).then(|| format!("{base}/v1/page/{}", page + 1));
        // `tracks` became `items`; both are to be met.
        let size = if page % 2 == 0 { "tracks" } else { "items" };
        ok(&json!({"items": [{"name": format!("of page {page}"), size: {"total": 7}}], "next": next}))
    }
}

/// Two pages, as GitHub links them: by number, beneath another path.
fn repositories(base: &str, call: &Call) -> Response {
    let (page, links) = match call.path.as_str() {
        "/user" => return ok(&json!({"login": "ada"})),
        "/user/repos?per_page=100&sort=full_name" => {
            let links = format!(
                "<{base}/user/1/repos?page=9,8>; rel=\"last\", <{base}/user/1/repos?page=2>; title=\"a, b\"; rel=\"next\""
            );
            (json!([{"full_name": "ada/engine"}, {"full_name": "ada/notes", "private": true}]), links)
        }
        "/user/1/repos?page=2" => {
            (json!([{"full_name": "ada/poems"}]), format!("<{base}/user/1/repos?page=1>; rel=\"prev\""))
        }
        path => panic!("{path}"),
    };
    ([("link", links)], page.to_string()).into_response()
}

fn ok(json: &serde_json::Value) -> Response {
    json.to_string().into_response()
}

/// The authorization server, and a home for the tokens that is gone afterwards.
struct World {
    server: AuthorizationServer,
    home: PathBuf,
}

impl World {
    async fn start() -> Self {
        static COUNT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let server = AuthorizationServer::start().await;
        server.add_public_client("app");
        let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let home = std::env::temp_dir().join(format!("gatepass-providers-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&home).unwrap();
        Self { server, home }
    }

    /// Its tokens do not end, and cannot be renewed.
    async fn start_as_github() -> Self {
        let world = Self::start().await;
        world.server.token_lifetime(HOUR * 24 * 3650).expires_in(ExpiresIn::Missing);
        world.server.member("refresh_token", None).member("scope", Some(r#""gist,repo""#));
        world
    }

    fn example(&self, name: &str, api: &MockApi, base: &str) -> Command {
        let mut command = Command::new(example(name));
        for (variable, _) in std::env::vars_os() {
            if variable.to_str().is_some_and(|it| it.starts_with("OAUTH_") || it == "PORT" || it == "API_URL") {
                command.env_remove(variable);
            }
        }
        command
            .env("HOME", &self.home)
            .env("XDG_DATA_HOME", self.home.join("data"))
            .env("OAUTH_CLIENT_ID", "app")
            .env("OAUTH_TOKEN_URL", self.server.token_url())
            .env("OAUTH_AUTH_URL", self.server.authorization_url())
            .env("OAUTH_DEVICE_URL", self.server.device_authorization_url())
            .env("API_URL", api.url(base));
        command
    }

    fn spotify(&self, api: &MockApi) -> Command {
        self.example("spotify", api, "/v1")
    }

    fn playlists(&self, api: &MockApi) -> Command {
        let mut command = self.spotify(api);
        command.args(["--me", "--no-browser"]);
        command
    }

    async fn list_playlists(&self, api: &MockApi) -> Ended {
        let mut program = Program::start(self.playlists(api));
        program.sign_in_if_asked().await;
        program.end().await
    }

    fn github(&self, api: &MockApi) -> Command {
        self.example("github", api, "/")
    }

    async fn list_repositories(&self, api: &MockApi) -> Ended {
        let mut program = Program::start(self.github(api));
        self.approve(&mut program).await;
        program.end().await
    }

    /// Enters the code that the program shows, if it shows one.
    async fn approve(&self, program: &mut Program) {
        while let Some(line) = program.line().await {
            if self.server.approve(line.trim()) || line.starts_with("ada") {
                return;
            }
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.home);
    }
}

/// Cargo builds the examples beside the tests.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let built = test.parent().and_then(Path::parent).unwrap();
    let path = built.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(path.exists(), "{} is not built: run `cargo build --examples`", path.display());
    path
}

/// An example that runs. It is killed when it is dropped, or has run for too long.
struct Program {
    child: Child,
    lines: UnboundedReceiver<String>,
    seen: Vec<String>,
}

#[derive(Debug)]
struct Ended {
    succeeded: bool,
    stdout: Vec<String>,
    stderr: String,
}

impl Program {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = unbounded_channel();
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, lines, seen: Vec::new() }
    }

    async fn line(&mut self) -> Option<String> {
        let line = tokio::time::timeout(Duration::from_secs(60), self.lines.recv()).await;
        let line = line.unwrap_or_else(|_| panic!("it neither said anything nor ended; so far: {:?}", self.seen))?;
        self.seen.push(line.clone());
        Some(line)
    }

    async fn line_with(&mut self, text: &str) -> String {
        while let Some(line) = self.line().await {
            if line.contains(text) {
                return line;
            }
        }
        panic!("no line has {text:?}: {:?}", self.seen);
    }

    /// Does what a person does with the address that is shown: the server approves at once.
    async fn sign_in(&mut self) {
        let line = self.line_with("open: ").await;
        browse(line.trim_start_matches("open: ")).await;
    }

    async fn sign_in_if_asked(&mut self) {
        while let Some(line) = self.line().await {
            if let Some(url) = line.strip_prefix("open: ") {
                return browse(url).await;
            }
            if line.starts_with("Ada") {
                return;
            }
        }
    }

    async fn end(mut self) -> Ended {
        while self.line().await.is_some() {}
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        let status = self.child.wait().unwrap();
        Ended { succeeded: status.success(), stdout: std::mem::take(&mut self.seen), stderr }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// With a code, and one line that has all of these.
    fn failed_with(&self, hints: &[&str]) -> bool {
        let is_one_line = self.stderr.trim_end().lines().count() == 1 && self.stderr.starts_with("error: ");
        !self.succeeded && is_one_line && hints.iter().all(|hint| self.stderr.contains(hint))
    }

    /// The lines after this one.
    fn after(&self, line: &str) -> &[String] {
        let at = self.stdout.iter().position(|it| it == line).unwrap_or_else(|| panic!("no line {line:?}: {self:?}"));
        &self.stdout[at + 1..]
    }
}

/// Opens a URL as a browser does, which follows redirects.
async fn browse(url: &str) {
    let client: Client<HttpConnector, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let mut url = url.to_owned();
    for _ in 0..5 {
        let response = client.get(url.parse().unwrap()).await.unwrap();
        match response.headers().get(header::LOCATION) {
            Some(location) => url = location.to_str().unwrap().to_owned(),
            None => return assert!(response.status().is_success(), "{url}: {}", response.status()),
        }
    }
    panic!("{url} redirects for ever");
}

/// An API that takes the server's tokens, or (open) whatever comes, and answers by a function of what was asked.
struct MockApi {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    serving: tokio::task::JoinHandle<()>,
}

/// What is asked.
struct Call {
    path: String,
    /// How often this was asked with a good token, this time included, and how often anything was.
    times: usize,
    all: usize,
}

/// What arrived with a good token.
struct Seen {
    path: String,
    headers: HeaderMap,
    at: Instant,
}

impl MockApi {
    async fn start(
        server: &AuthorizationServer,
        answer: impl Fn(&str, &Call) -> Response + Clone + Send + Sync + 'static,
    ) -> Self {
        Self::start_async(server, move |base, call| std::future::ready(answer(base, call))).await
    }

    async fn start_async<F>(
        server: &AuthorizationServer,
        answer: impl Fn(&str, &Call) -> F + Clone + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Response> + Send + 'static,
    {
        Self::serve(Some(server.clone()), answer).await
    }

    async fn start_open(answer: impl Fn(&str, &Call) -> Response + Clone + Send + Sync + 'static) -> Self {
        Self::serve(None, move |base, call| std::future::ready(answer(base, call))).await
    }

    async fn serve<F>(
        server: Option<AuthorizationServer>,
        answer: impl Fn(&str, &Call) -> F + Clone + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Response> + Send + 'static,
    {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let arrived = seen.clone();
        let router = Router::new().fallback(move |request: Request| {
            let (server, arrived, answer) = (server.clone(), arrived.clone(), answer.clone());
            async move {
                if let Some(server) = &server {
                    let value = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
                    let token = value.and_then(|value| value.strip_prefix("Bearer "));
                    if !token.is_some_and(|token| server.is_active(token)) {
                        // As GitHub does it: without a challenge.
                        let said = json!({"message": "Bad credentials"}).to_string();
                        return (StatusCode::UNAUTHORIZED, said).into_response();
                    }
                }
                let path = request.uri().path_and_query().unwrap().to_string();
                let (parts, _) = request.into_parts();
                let call = {
                    let mut seen = lock(&arrived);
                    seen.push(Seen { path: path.clone(), headers: parts.headers, at: Instant::now() });
                    Call { times: seen.iter().filter(|it| it.path == path).count(), all: seen.len(), path }
                };
                let answer = answer(&format!("http://{address}"), &call);
                answer.await
            }
        });
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, seen, serving }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn paths(&self) -> Vec<String> {
        lock(&self.seen).iter().map(|seen| seen.path.clone()).collect()
    }

    fn headers(&self) -> Vec<HeaderMap> {
        lock(&self.seen).iter().map(|seen| seen.headers.clone()).collect()
    }

    fn seen_at(&self, path: &str) -> Vec<Instant> {
        lock(&self.seen).iter().filter(|seen| seen.path == path).map(|seen| seen.at).collect()
    }
}

impl Drop for MockApi {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
