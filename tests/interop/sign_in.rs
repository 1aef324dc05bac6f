//! People sign in to programs, in a browser: the example `cli_login` and others as processes of their own.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::process::Command;

use super::{
    browser::Browser,
    program::{Home, Program, example, with_keyring},
    provider::Provider,
};

/// Longer than a test.
const LONG: Duration = Duration::from_secs(600);
const SHORT: Duration = Duration::from_secs(3);

const PHONE: (u32, u32) = (390, 844);
const DESKTOP: (u32, u32) = (1280, 800);

fn login(provider: &Provider, home: &Home, options: &[&str]) -> Command {
    let mut command = example("cli_login", provider, home);
    command.args(options);
    command
}

/// Starts it, and goes where it says.
async fn opened(browser: &Browser, provider: &Provider, home: &Home) -> Program {
    let mut program = Program::start(&mut login(provider, home, &["--no-browser"]));
    browser.goto(&program.line("open: ").await).await;
    program
}

/// Starts it, signs in as `alice`, and sees the page that says so.
async fn sign_in(browser: &Browser, provider: &Provider, home: &Home) -> serde_json::Value {
    let program = opened(browser, provider, home).await;
    browser.sign_in("alice").await;
    browser.consent().await;
    browser.wait_for_text("You can close this tab").await;
    program.answer().await
}

async fn photograph(browser: &Browser, name: &str) {
    for ((width, height), size) in [(PHONE, "phone"), (DESKTOP, "desktop")] {
        browser.resize(width, height).await;
        browser.screenshot(&format!("{name}-{size}")).await;
    }
}

#[tokio::test]
#[ignore = "needs Node.js and Chromium: run scripts/interop"]
async fn s9_somebody_signs_in_once_and_the_program_goes_on_without_asking() {
    let provider = Provider::start(SHORT).await;
    let (browser, home) = (Browser::start().await, Home::new("once"));
    let answer = sign_in(&browser, &provider, &home).await;
    assert_eq!((&answer["token"]["account"], &answer["token"]["client_id"]), (&"alice".into(), &"native".into()));
    let address = browser.url().await;
    assert!(address.ends_with("/callback"), "the code is gone from the address bar: {address}");
    photograph(&browser, "signed-in").await;

    // At once with the stored token; after its end with a refresh; by three processes at a time with one.
    let again = Program::start(&mut login(&provider, &home, &["--no-browser"])).answer().await;
    assert_eq!(again["token"]["account"], "alice");
    assert_eq!(provider.token_requests().await, 1);
    for refreshes in 2..4 {
        tokio::time::sleep(SHORT + Duration::from_millis(200)).await;
        let programs = [(); 3].map(|()| Program::start(&mut login(&provider, &home, &["--no-browser"])).answer());
        for answer in join_all(programs).await {
            assert_eq!(answer["token"]["account"], "alice");
        }
        assert_eq!(provider.token_requests().await, refreshes);
    }
}

#[tokio::test]
#[ignore = "needs Node.js and Chromium: run scripts/interop"]
async fn s4_a_person_may_say_no_and_is_told_so() {
    let provider = Provider::start(LONG).await;
    let (browser, home) = (Browser::start().await, Home::new("denied"));
    let program = opened(&browser, &provider, &home).await;
    browser.sign_in("alice").await;
    browser.deny().await;
    browser.wait_for_text("aborted interaction").await;
    photograph(&browser, "denied").await;
    let ended = program.end().await;
    assert!(!ended.succeeded && ended.stderr.contains("denied") && ended.stderr.lines().count() == 1, "{ended:?}");
    assert_eq!(provider.token_requests().await, 0);

    // And may think again.
    let program = opened(&browser, &provider, &home).await;
    browser.consent().await;
    assert_eq!(program.answer().await["token"]["account"], "alice");
}

#[tokio::test]
#[ignore = "needs Node.js and Chromium: run scripts/interop"]
async fn s10_who_signed_out_is_asked_again_and_the_tokens_have_ended() {
    let provider = Provider::start(LONG).await;
    let (browser, home) = (Browser::start().await, Home::new("out"));
    sign_in(&browser, &provider, &home).await;
    let ended = Program::start(&mut login(&provider, &home, &["--sign-out"])).end().await;
    assert!(ended.succeeded && ended.stdout.contains("signed out"), "{ended:?}");
    let left = provider.control("revoke-refresh", r#"{"account":"alice"}"#).await;
    assert_eq!(left["refresh_tokens"], 0, "the server ended it already");
    let ended = Program::start(&mut login(&provider, &home, &["--sign-out"])).end().await;
    assert!(ended.succeeded && ended.stdout.contains("nobody"), "{ended:?}");

    let program = opened(&browser, &provider, &home).await;
    browser.consent().await;
    assert_eq!(program.answer().await["token"]["account"], "alice");
}

#[tokio::test]
#[ignore = "needs Node.js and Chromium: run scripts/interop"]
async fn f1_a_session_that_the_server_ended_leads_to_another_sign_in() {
    let provider = Provider::start(SHORT).await;
    let (browser, home) = (Browser::start().await, Home::new("ended"));
    sign_in(&browser, &provider, &home).await;
    provider.control("revoke-refresh", r#"{"account":"alice"}"#).await;
    tokio::time::sleep(SHORT + Duration::from_millis(200)).await;
    let program = opened(&browser, &provider, &home).await;
    browser.consent().await;
    assert_eq!(program.answer().await["token"]["account"], "alice");
}

#[tokio::test]
#[ignore = "needs Node.js and Chromium: run scripts/interop"]
async fn rfc8628_a_device_without_a_browser_waits_for_its_code_to_be_approved() {
    let provider = Provider::start(LONG).await;
    let browser = Browser::start().await;
    for approved in [true, false] {
        let home = Home::new(if approved { "device" } else { "device-denied" });
        let mut program = Program::start(&mut login(&provider, &home, &["--device"]));
        let address = program.line("http://").await;
        let address = format!("http://{address}");
        program.line("and enter this code").await;
        let code = loop {
            // The code stands alone on its line.
            let line = program.line("").await;
            if !line.is_empty() {
                break line;
            }
        };
        if approved {
            browser.approve_device(&address, &code).await;
            assert_eq!(program.answer().await["token"]["account"], "alice");
            let again = Program::start(&mut login(&provider, &home, &["--device"])).answer().await;
            assert_eq!(again["token"]["account"], "alice");
        } else {
            browser.confirm_device(&address, &code).await;
            browser.deny().await;
            let ended = program.end().await;
            assert!(!ended.succeeded && ended.stderr.contains("denied"), "{ended:?}");
        }
    }
}

#[tokio::test]
#[ignore = "needs Node.js and Chromium: run scripts/interop"]
async fn rfc8252_2_the_system_browser_is_what_opens() {
    let provider = Provider::start(LONG).await;
    let (browser, home) = (Browser::start().await, Home::new("browser"));
    let opened = home.path().join("opened");
    let script = home.path().join("a-browser");
    std::fs::write(
        &script,
        format!("#!/bin/sh\necho \"$1\" > '{0}.part' && mv '{0}.part' '{0}'\necho noise\n", opened.display()),
    )
    .unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let mut program = Program::start(login(&provider, &home, &[]).env("BROWSER", &script));
    program.line("A browser was opened").await;
    let url = std::fs::read_to_string(&opened).unwrap();
    browser.goto(url.trim()).await;
    browser.sign_in("alice").await;
    browser.consent().await;
    let ended = program.end().await;
    assert!(ended.succeeded && !ended.stdout.contains("noise"), "{ended:?}");
}

#[tokio::test]
#[ignore = "needs Node.js, Chromium and gnome-keyring: run scripts/interop"]
async fn the_tokens_are_sealed_with_a_key_of_the_keyring() {
    let provider = Provider::start(LONG).await;
    let (browser, home) = (Browser::start().await, Home::new("keyring"));
    let mut program = Program::start(&mut with_keyring(&login(&provider, &home, &["--keyring", "--no-browser"])));
    browser.goto(&program.line("open: ").await).await;
    browser.sign_in("alice").await;
    browser.consent().await;
    assert_eq!(program.answer().await["token"]["account"], "alice");
    let kept = std::fs::read_to_string(home.path().join("data/gatepass-cli-login/tokens.sealed.json")).unwrap();
    assert!(kept.contains("keyring") && !kept.contains("access_token") && !kept.contains("refresh_token\""), "{kept}");

    let again = Program::start(&mut with_keyring(&login(&provider, &home, &["--keyring"]))).answer().await;
    assert_eq!(again["token"]["account"], "alice");
    assert_eq!(provider.token_requests().await, 1);

    let mut without = login(&provider, &home, &["--keyring"]);
    let without = Program::start(without.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/no/such/bus")).end().await;
    assert!(
        !without.succeeded && without.stderr.lines().count() == 1 && without.stderr.contains("keyring"),
        "{without:?}"
    );
}

#[tokio::test]
#[ignore = "needs Node.js and Chromium: run scripts/interop"]
async fn rfc9126_a_server_that_wants_requests_pushed_gets_them_pushed() {
    let provider = Provider::start(LONG).await;
    let (browser, home) = (Browser::start().await, Home::new("pushed"));
    let mut program =
        Program::start(login(&provider, &home, &["--no-browser", "--push"]).env("OAUTH_CLIENT_ID", "pushed"));
    let url = program.line("open: ").await;
    assert!(url.contains("request_uri=") && !url.contains("code_challenge"), "{url}");
    browser.goto(&url).await;
    browser.sign_in("alice").await;
    browser.consent().await;
    assert_eq!(program.answer().await["token"]["client_id"], "pushed");
}

#[tokio::test]
#[ignore = "needs Node.js and Chromium: run scripts/interop"]
async fn a_program_may_have_pages_of_its_own() {
    let provider = Provider::start(LONG).await;
    let (browser, home) = (Browser::start().await, Home::new("pages"));
    for says_yes in [true, false] {
        let mut program = Program::start(&mut example("cli_custom_page", &provider, &home));
        browser.goto(&program.line("open: ").await).await;
        if says_yes {
            browser.sign_in("alice").await;
            browser.consent().await;
        } else {
            browser.deny().await;
        }
        browser.wait_for_text(if says_yes { "Moored" } else { "Turned back" }).await;
        photograph(&browser, if says_yes { "own-page-signed-in" } else { "own-page-denied" }).await;
        assert_eq!(program.end().await.succeeded, says_yes);
    }
}
