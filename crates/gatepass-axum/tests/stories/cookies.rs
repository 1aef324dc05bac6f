//! What cookies look like, where people reach the site and on one's own machine.

use gatepass::store::SealKey;
use gatepass_axum::Site;
use http::StatusCode;

use crate::world::{World, app, provider};

fn attributes(cookie: &str) -> Vec<String> {
    let mut attributes: Vec<_> = cookie.split("; ").skip(1).map(str::to_owned).collect();
    attributes.sort_unstable();
    attributes
}

#[tokio::test]
async fn rfc10017_2_cookies_are_for_this_host_and_for_no_script() {
    let world = World::new().await;
    world.auth.register_redirect_uri("client", "https://app.example.com/callback");
    let builder = Site::builder("https://app.example.com").key(SealKey::new("2026", [7; 32]));
    let site = builder.provider(provider("main", &world.auth)).build().unwrap();
    let mut browser = world.browser_of(&app(&site, &world.api));
    browser.origin = "https://app.example.com";

    let sent = browser.get("/login").await;
    let [sign_in] = sent.set_cookies()[..] else { panic!("{:?}", sent.set_cookies()) };
    assert!(sign_in.starts_with("__Host-sign-in-"), "{sign_in}");
    assert_eq!(attributes(sign_in), ["HttpOnly", "Max-Age=600", "Path=/", "SameSite=Lax", "Secure"]);

    let done = browser.get(&browser.at_provider(sent.location()).await).await;
    assert_eq!(done.status(), StatusCode::SEE_OTHER);
    let mut cookies = done.set_cookies();
    cookies.sort_unstable();
    let [session, removed] = cookies[..] else { panic!("{cookies:?}") };
    assert!(session.starts_with("__Host-session="), "{session}");
    assert_eq!(attributes(session), ["HttpOnly", "Max-Age=43200", "Path=/", "SameSite=Lax", "Secure"]);
    assert!(removed.starts_with("__Host-sign-in-"), "{removed}");
    // A browser refuses what takes it away, too, without all of these.
    assert_eq!(attributes(removed), ["HttpOnly", "Max-Age=0", "Path=/", "SameSite=Lax", "Secure"]);

    let out = browser.post("/logout").await;
    let [session] = out.set_cookies()[..] else { panic!("{:?}", out.set_cookies()) };
    let gone = attributes(session);
    assert!(session.starts_with("__Host-session=;"), "{session}");
    assert!(gone.contains(&"Path=/".to_owned()) && gone.contains(&"Max-Age=0".to_owned()), "{session}");
    assert!(gone.contains(&"Secure".to_owned()), "a browser does not take it otherwise: {session}");
}

#[tokio::test]
async fn on_ones_own_machine_cookies_have_the_port_in_their_names() {
    let world = World::new().await;
    let browser = world.browser();
    let sent = browser.get("/login").await;
    let done = browser.get(&browser.at_provider(sent.location()).await).await;
    let cookies = [sent.set_cookies(), done.set_cookies()].concat();
    assert_eq!(cookies.len(), 3);
    for cookie in cookies {
        assert!(cookie.starts_with("sign-in-4180-") || cookie.starts_with("session-4180="), "{cookie}");
        let attributes = attributes(cookie);
        assert!(attributes.contains(&"HttpOnly".to_owned()) && attributes.contains(&"SameSite=Lax".to_owned()));
        assert!(!attributes.contains(&"Secure".to_owned()) && !cookie.contains("Domain"), "{cookie}");
    }
}

/// The cookie of `localhost` is not sent to `127.0.0.1`, where the provider leads back to.
#[tokio::test]
async fn who_comes_by_another_name_of_the_machine_is_led_to_the_right_one_first() {
    let world = World::new().await;
    let mut browser = world.browser();
    browser.origin = "http://localhost:4180";
    let led = browser.get("/login?return_to=%2Fme").await;
    assert_eq!((led.status(), led.location()), (StatusCode::SEE_OTHER, "http://127.0.0.1:4180/login?return_to=%2Fme"));
    assert!(led.set_cookies().is_empty());
    // A host that is none of this machine's is a proxy's matter, and nowhere to be led to.
    browser.origin = "http://evil.example";
    assert!(browser.get("/login").await.location().starts_with(&world.auth.authorization_url()));
}
