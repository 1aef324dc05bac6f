//! People sign in to web servers, in a browser: sites of these tests, and the examples as processes of their own.

use std::time::Duration;

use axum::{Router, routing::get};
use gatepass::{AuthorizationServer, ClientAuth, Origins, endpoint};
use gatepass_axum::{Failed, OnBehalf, Provider as At, Site, User};
use gatepass_reqwest::Transport;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

use super::{
    browser::Browser,
    program::{Home, Program, example},
    provider::Provider,
};

/// Longer than a test.
const LONG: Duration = Duration::from_secs(600);
const SHORT: Duration = Duration::from_secs(3);

/// A site of a test's own, on a port of its own, with a client at the provider.
struct Served {
    url: String,
    serving: JoinHandle<()>,
}

impl Served {
    async fn start(provider: &Provider, at: impl FnOnce(At, &str) -> At) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let client = register(provider, &url).await;
        let at = at(At::new("main", client).scope("openid offline_access api:read"), &url);
        let site = Site::builder(&url).provider(at).build().unwrap();
        let app = app(&site, provider);
        let serving = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, serving }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A client of this site, which the provider tells of sign-outs.
async fn register(provider: &Provider, url: &str) -> endpoint::Client<Transport> {
    let client = json!({
        "client_id": url,
        "client_secret": "site-secret",
        "redirect_uris": [format!("{url}/callback")],
        "post_logout_redirect_uris": [format!("{url}/")],
        "backchannel_logout_uri": format!("{url}/backchannel-logout"),
        "backchannel_logout_session_required": true,
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
    });
    provider.control("client", &client.to_string()).await;
    let server = AuthorizationServer::issuer(&provider.issuer);
    endpoint::Client::new(Transport::new().unwrap(), server, ClientAuth::basic(url, "site-secret")).unwrap()
}

/// Says who is there; calls the API for them.
fn app(site: &Site, provider: &Provider) -> Router {
    let api = site.reqwest(Origins::new([&provider.api]).unwrap(), reqwest::Client::builder()).unwrap();
    let me = format!("{}/me", provider.api);
    let call = async move |person: OnBehalf| {
        let answer = person.reqwest(&api).get(me.as_str()).send().await?;
        Ok::<_, Failed>((answer.status(), answer.text().await?))
    };
    Router::new()
        .route(
            "/",
            get(async |user: Option<User>| match user {
                Some(user) => format!("hello {}", user.name().unwrap_or(user.subject())),
                None => "hello stranger".to_owned(),
            }),
        )
        .route("/call", get(call))
        .merge(site.routes())
        .layer(site.layer())
}

async fn sign_in(browser: &Browser, url: &str, name: &str) {
    browser.goto(&format!("{url}/login")).await;
    browser.sign_in(name).await;
    browser.consent().await;
    browser.wait_for_text(&format!("hello {name}")).await;
}

/// As many calls at once as a page with many parts makes; how they were answered.
async fn calls_at_once(browser: &Browser, calls: usize) -> Value {
    let script = format!(
        "const all = await Promise.all([...Array({calls})].map(() => fetch('/call').then(answer => answer.status)));
         return all.filter(status => status === 200).length;"
    );
    browser.run(&script).await
}

#[tokio::test]
#[ignore = "needs Node.js and Chromium: run scripts/interop"]
async fn w7_parallel_fetches_of_a_page_across_three_expiries_cost_one_exchange_each() {
    let provider = Provider::start(SHORT).await;
    let served = Served::start(&provider, |at, _| at).await;
    let browser = Browser::start().await;
    sign_in(&browser, &served.url, "alice").await;
    let address = browser.url().await;
    assert_eq!(address, format!("{}/", served.url), "the code is gone from the address bar");
    assert_eq!(provider.token_requests().await, 1);
    for expiries in 1..=3 {
        tokio::time::sleep(SHORT + Duration::from_millis(300)).await;
        assert_eq!(calls_at_once(&browser, 20).await, 20);
        assert_eq!(provider.token_requests().await, 1 + expiries);
    }
}

/// An example of a web server, running, with a client at the provider. Where it is.
async fn running(name: &str, provider: &Provider, home: &Home) -> (Program, String) {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}");
    register(provider, &url).await;
    let mut command = example(name, provider, home);
    command.env("OAUTH_CLIENT_ID", &url).env("OAUTH_CLIENT_SECRET", "site-secret").env("OAUTH_CLIENT_AUTH", "basic");
    command.env("PORT", port.to_string()).env("OAUTH_POST_LOGOUT_URL", format!("{url}/"));
    command.env_remove("COOKIE_KEY").env_remove("PUBLIC_URL").env_remove("OAUTH_USER_URL");
    let mut program = Program::start(&mut command);
    assert_eq!(program.line("listening: ").await, format!("{url}/"));
    (program, url)
}

/// On a phone nothing has to be scrolled sideways.
async fn photograph(browser: &Browser, name: &str) {
    for (width, height, size) in [(390, 844, "phone"), (1280, 800, "desktop")] {
        browser.resize(width, height).await;
        browser.screenshot(&format!("{name}-{size}")).await;
        assert!(!browser.is_too_wide().await, "{name} at {width}");
    }
}

#[tokio::test]
#[ignore = "needs Node.js and Chromium: run scripts/interop"]
async fn w7_the_pages_of_web_login_say_who_is_there_and_what_the_api_says_to_them() {
    let provider = Provider::start(SHORT).await;
    let (browser, home) = (Browser::start().await, Home::new("web-login"));
    let (_program, url) = running("web_login", &provider, &home).await;
    browser.goto(&format!("{url}/")).await;
    browser.wait_for_text("Nobody is signed in").await;
    photograph(&browser, "web-login-nobody").await;
    // A page that needs somebody leads to the provider, and from there back to itself.
    browser.goto(&format!("{url}/api-call")).await;
    browser.sign_in("alice").await;
    browser.consent().await;
    browser.wait_for_text("What the API said").await;
    assert_eq!(browser.url().await, format!("{url}/api-call"));
    assert!(browser.text().await.contains("\"alice\""), "{}", browser.text().await);
    photograph(&browser, "web-login-api").await;

    tokio::time::sleep(SHORT + Duration::from_millis(300)).await;
    browser.goto(&format!("{url}/")).await;
    browser.wait_for_text("Hello, alice").await;
    photograph(&browser, "web-login-home").await;
    assert_eq!(provider.token_requests().await, 2);

    let other = browser.open_tab().await;
    browser.goto(&format!("{url}/logout")).await;
    browser.follow("form[action='/logout'] button").await;
    browser.end_session().await;
    browser.wait_for_text("Nobody is signed in").await;
    browser.switch_to(other).await;
    browser.focus().await;
    browser.wait_for_text("Nobody is signed in").await;
    browser.back().await;
    assert!(!browser.text().await.contains("alice"), "{}", browser.text().await);
}

#[tokio::test]
#[ignore = "needs Node.js and Chromium: run scripts/interop"]
async fn w10_the_scripts_of_web_spa_call_the_api_in_parallel_and_have_no_token() {
    let provider = Provider::start(SHORT).await;
    let (browser, home) = (Browser::start().await, Home::new("web-spa"));
    let (_program, url) = running("web_spa", &provider, &home).await;
    browser.goto(&format!("{url}/")).await;
    browser.wait_for_text("Nobody is signed in").await;
    photograph(&browser, "web-spa-nobody").await;
    browser.follow("#sign-in").await;
    browser.sign_in("alice").await;
    browser.consent().await;
    browser.wait_for_text("Hello, alice").await;
    for expiries in 1..=3 {
        tokio::time::sleep(SHORT + Duration::from_millis(300)).await;
        browser.click("#many").await;
        browser.wait_for_text(&format!("20 of 20 succeeded; the token's generation is {}", 1 + expiries)).await;
        assert_eq!(provider.token_requests().await, 1 + expiries);
    }
    photograph(&browser, "web-spa-many").await;
    assert_eq!(
        browser.run("return document.cookie + JSON.stringify([localStorage, sessionStorage]);").await,
        "[{},{}]"
    );
    let without_header = "return (await fetch('/api')).status;";
    assert_eq!(browser.run(without_header).await, 403);

    let other = browser.open_tab().await;
    browser.goto(&format!("{url}/")).await;
    browser.wait_for_text("Hello, alice").await;
    browser.follow("#sign-out button").await;
    browser.end_session().await;
    browser.switch_to(other).await;
    browser.focus().await;
    browser.wait_for_text("Nobody is signed in").await;
    assert_eq!(browser.run("return (await fetch('/api', { headers: { 'x-csrf': '1' } })).status;").await, 401);
}

#[tokio::test]
#[ignore = "needs Node.js and Chromium: run scripts/interop"]
async fn w8_signing_out_in_one_tab_is_seen_in_the_other_and_ends_all_at_the_provider() {
    let provider = Provider::start(LONG).await;
    let served = Served::start(&provider, |at, url| at.post_logout_redirect_uri(format!("{url}/"))).await;
    let url = &served.url;
    let browser = Browser::start().await;
    sign_in(&browser, url, "alice").await;
    let first = browser.open_tab().await;
    browser.goto(&format!("{url}/call")).await;
    browser.wait_for_text("alice").await;

    browser.goto(&format!("{url}/logout")).await;
    browser.follow("button").await;
    browser.end_session().await;
    browser.wait_for_text("hello stranger").await;
    assert_eq!(browser.url().await, format!("{url}/"));
    browser.switch_to(first).await;
    assert_eq!(calls_at_once(&browser, 5).await, 0);
    browser.goto(&format!("{url}/")).await;
    browser.wait_for_text("hello stranger").await;
    browser.back().await;
    assert!(!browser.text().await.contains("api:read"), "nothing personal is behind the back button");
    // The provider asks who it is: that session is over, too.
    browser.goto(&format!("{url}/login")).await;
    browser.sign_in("bob").await;
}

#[tokio::test]
#[ignore = "needs Node.js and Chromium: run scripts/interop"]
async fn w9_who_signs_out_at_the_provider_is_signed_out_here_and_so_are_their_jobs() {
    let provider = Provider::start(SHORT).await;
    let served = Served::start(&provider, |at, _| at.back_channel_logout()).await;
    let browser = Browser::start().await;
    sign_in(&browser, &served.url, "alice").await;
    assert_eq!(calls_at_once(&browser, 1).await, 1);
    let here = browser.open_tab().await;
    browser.goto(&format!("{}/session/end", provider.issuer)).await;
    browser.end_session().await;
    browser.wait_for_text("Sign-out Success").await;
    browser.switch_to(here).await;
    browser.goto(&format!("{}/", served.url)).await;
    browser.wait_for_text("hello stranger").await;
    assert_eq!(calls_at_once(&browser, 3).await, 0);
}
