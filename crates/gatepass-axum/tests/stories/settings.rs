//! Settings that cannot work: each is refused when the site is built, and the message says what to do.

use std::time::Duration;

use gatepass::{AuthorizationServer as Server, ClientAuth, endpoint::Client, store::SealKey};
use gatepass_axum::{Builder, Forward, Provider, Site};

use crate::world::http;

const APP: &str = "https://app.example.com";

fn named(name: &str) -> Provider {
    let auth = ClientAuth::basic("client", "hush");
    Provider::new(name, Client::new(http(), Server::issuer("https://auth.example.com"), auth).unwrap())
}

fn main() -> Provider {
    named("main").scope("openid")
}

fn with_key(origin: &str) -> Builder {
    Site::builder(origin).key(SealKey::new("2026", [7; 32]))
}

/// Why a site cannot be built.
fn refused(builder: Builder) -> String {
    let error = builder.build().unwrap_err();
    assert!(error.is_misconfigured(), "{error}");
    error.to_string()
}

#[test]
fn what_is_needed_and_no_more_makes_a_site() {
    assert_eq!(with_key(APP).provider(main()).build().unwrap().origin(), APP);
    for (given, origin) in [
        ("https://app.example.com/", APP),
        ("https://APP.example.com", APP),
        ("https://app.example.com:443", APP),
        ("https://app.example.com:8443", "https://app.example.com:8443"),
        ("http://localhost:4180", "http://localhost:4180"),
        ("http://127.0.0.1", "http://127.0.0.1"),
        ("http://[::1]:4180", "http://[::1]:4180"),
    ] {
        assert_eq!(with_key(given).provider(main()).build().unwrap().origin(), origin);
    }
    Site::builder("http://localhost:4180").provider(main()).build().unwrap();
}

#[test]
fn a_site_that_people_reach_needs_a_key() {
    let why = refused(Site::builder(APP).provider(main()));
    assert!(why.contains("openssl rand -base64 32") && why.contains("Builder::key"), "{why}");
}

#[test]
fn what_would_fail_at_each_sign_in_or_sign_out_fails_at_the_start() {
    for uri in ["nope", "javascript:alert(1)", "http://app.example.com/", "/", "my-app://out"] {
        let why = refused(with_key(APP).provider(main().post_logout_redirect_uri(uri)));
        assert!(why.contains(uri) && why.contains("https://app.example.com/"), "{why}");
    }
    with_key(APP).provider(main().post_logout_redirect_uri("https://app.example.com/bye")).build().unwrap();
    let why = refused(with_key(APP).provider(main().scope("\"x\"")));
    assert!(why.contains("scope"), "{why}");

    let site = with_key(APP).provider(main()).build().unwrap();
    for prefix in ["/login", "/callback"] {
        let error = Forward::new(&site, prefix, "https://api.example.com", ()).unwrap_err();
        assert!(error.is_misconfigured() && error.to_string().contains(prefix), "{error}");
    }
    Forward::new(&site, "/log", "https://api.example.com", ()).unwrap();
}

#[test]
fn an_address_that_is_none_or_not_safe_is_refused() {
    for (origin, why) in [
        ("", "it is no URL"),
        ("app.example.com", "it is no whole URL"),
        ("/app", "it is no whole URL"),
        ("https://", "it is no whole URL"),
        ("https://app.example.com/path", "it has a path or a query"),
        ("https://app.example.com?x=1", "it has a path or a query"),
        ("https://app.example.com#top", "it has a path or a query"),
        ("https://ann@app.example.com", "it has a user name in it"),
        ("http://app.example.com", "plain http is for loopback addresses only"),
        ("http://10.0.0.1:4180", "plain http is for loopback addresses only"),
        ("http://localhost.example.com", "plain http is for loopback addresses only"),
        ("ftp://app.example.com", "its scheme has to be https"),
        ("https://app.example.com:99999", "it is no URL"),
        ("https://app.example.com:", "it is no URL"),
        ("https://app example com", "it is no URL"),
        ("https://app.example.com\r\nx: y", "it is no URL"),
    ] {
        let said = refused(with_key(origin).provider(main()));
        assert!(said.contains(why) && said.contains("like https://app.example.com"), "{origin}: {said}");
        assert!(!said.contains('\r'), "{said}");
    }
}

#[test]
fn an_address_with_a_password_is_not_repeated() {
    let builder = with_key("https://ann:hush@app.example.com").provider(main());
    assert!(!format!("{builder:?}").contains("hush"), "{builder:?}");
    let why = refused(builder);
    assert!(why.contains("user name") && !why.contains("hush"), "{why}");
}

#[test]
fn providers_have_names_of_their_own_that_fit_into_addresses() {
    let why = refused(with_key(APP));
    assert!(why.contains("needs a provider"), "{why}");
    let why = refused(with_key(APP).provider(main()).provider(main()));
    assert!(why.contains("different names"), "{why}");
    for name in ["", "a b", "a/b", "a.b", "ä", "..", "a?b", "a\r\nb", &"x".repeat(65)] {
        let why = refused(with_key(APP).provider(named(name).scope("openid")));
        assert!(why.contains("letters, digits, - and _") && !why.contains('\r'), "{why}");
    }
    with_key(APP).provider(named("Main_2-b").scope("openid")).build().unwrap();
}

#[test]
fn a_provider_has_to_say_who_signs_in() {
    let why = refused(with_key(APP).provider(named("main").scope("read")));
    assert!(why.contains("scope openid") && why.contains("Provider::user"), "{why}");
    with_key(APP).provider(named("main").user(gatepass::provider::GITHUB.user)).build().unwrap();
    let why =
        refused(with_key(APP).provider(named("main").user(gatepass::provider::GITHUB.user).back_channel_logout()));
    assert!(why.contains("back-channel logout is part of OpenID Connect"), "{why}");
}

#[test]
fn the_sites_pages_have_paths_of_their_own() {
    let site = || with_key(APP).provider(main());
    for (builder, path) in [
        (site().login_path("/callback"), "/callback"),
        (site().logout_path("/login"), "/login"),
        (site().back_channel_logout_path("/logout"), "/logout"),
        (site().callback_path("/backchannel-logout"), "/backchannel-logout"),
    ] {
        let why = refused(builder);
        assert!(why.contains("two of the pages") && why.contains(path), "{why}");
    }
    for path in
        ["", "/", "login", "/login/", "//login", "/a//b", "/a b", "/a?b", "/{id}", "/:id", "/*", "/a/../b", "/ä"]
    {
        let why = refused(site().login_path(path));
        assert!(why.contains("write one like /auth/login"), "{path}: {why}");
    }
    site().login_path("/auth/login").callback_path("/auth/callback").logout_path("/auth/logout").build().unwrap();
}

/// With several providers their names follow the path.
#[test]
fn paths_do_not_clash_with_those_of_providers_either() {
    let site = || with_key(APP).provider(main()).provider(named("bye").scope("openid"));
    let why = refused(site().login_path("/auth").logout_path("/auth/bye"));
    assert!(why.contains("two of the pages") && why.contains("/auth/bye"), "{why}");
    let apart = [
        site().login_path("/auth").callback_path("/auth/main"),
        site().login_path("/auth").logout_path("/auth/out").callback_path("/auth/back"),
        // The only provider's name is in no path.
        with_key(APP).provider(main()).login_path("/auth").logout_path("/auth/main"),
    ];
    for builder in apart {
        // A router panics where two routes are the same.
        let _ = builder.build().unwrap().routes::<()>();
    }
}

#[test]
fn after_the_sign_out_people_are_on_a_page_of_the_site() {
    for path in ["", "bye", "//evil.example", "/\\evil.example", "https://evil.example", "/%2fevil.example"] {
        let why = refused(with_key(APP).provider(main()).after_sign_out(path));
        assert!(why.contains("a path of this site, like /"), "{why}");
    }
    with_key(APP).provider(main()).after_sign_out("/bye?x=1#top").build().unwrap();
}

#[test]
fn a_session_lives_for_a_while() {
    for builder in [with_key(APP).idle(Duration::ZERO), with_key(APP).ceiling(Duration::from_millis(999))] {
        let why = refused(builder.provider(main()));
        assert!(why.contains("set idle and ceiling"), "{why}");
    }
    with_key(APP).provider(main()).idle(Duration::MAX).ceiling(Duration::MAX).build().unwrap().layer();
}
