//! What is nobody's business: not in Debug, not in the log, however much of it is written.

use std::{
    fmt::{Debug, Write},
    sync::{Arc, Mutex},
};

use gatepass::store::SealKey;
use gatepass_axum::{Refused, Site};
use gatepass_testkit::Failure;
use http::StatusCode;
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

use crate::{
    browser::Browser,
    world::{HOUR, World},
};

/// Writes down everything that is traced, spans and all.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl Visit for Log {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = writeln!(self.0.lock().unwrap(), "  {field}={value:?}");
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let _ = writeln!(self.0.lock().unwrap(), "span {}", span.metadata().name());
        span.record(&mut self.clone());
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut self.clone());
    }

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let _ = writeln!(self.0.lock().unwrap(), "{} {}", metadata.level(), metadata.target());
        event.record(&mut self.clone());
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// The secrets of a sign-in, as they come by.
#[derive(Default)]
struct Secrets(Vec<String>);

impl Secrets {
    fn of_browser(&mut self, browser: &Browser) {
        self.0.extend(browser.cookies.lock().unwrap().values().cloned());
    }

    /// The values of a query's parameters.
    fn of_url(&mut self, url: &str) {
        let pairs = form_urlencoded::parse(url.split_once('?').unwrap_or_default().1.as_bytes());
        let secret = ["code", "state", "nonce", "id_token_hint", "code_challenge"];
        self.0.extend(pairs.filter(|(name, _)| secret.contains(&&**name)).map(|(_, value)| value.into_owned()));
    }

    async fn of_provider(&mut self, world: &World) {
        for request in world.auth.journal() {
            let form = ["code", "code_verifier", "refresh_token", "client_secret"];
            self.0.extend(form.iter().filter_map(|name| request.param(name)).map(str::to_owned));
        }
        for call in world.api.journal() {
            self.0.push(call.token.unwrap_or_default());
        }
        let kept = world.tokens.text().await;
        let is_token = |it: &&str| it.starts_with("rt_") || it.starts_with("at_") || it.starts_with("eyJ");
        self.0.extend(kept.split(['"', '\\']).filter(is_token).filter(|it| it.len() > 20).map(str::to_owned));
    }

    fn assert_none_in(&self, text: &str) {
        for secret in self.0.iter().filter(|secret| secret.len() > 10) {
            let at =
                text.find(secret.as_str()).map(|at| &text[at.saturating_sub(300)..(at + secret.len()).min(text.len())]);
            assert_eq!(at, None, "{secret} is in the log");
        }
        assert!(!text.contains("example.com"), "an address of a person is in the log");
    }
}

#[tokio::test]
async fn no_secret_is_in_the_log_at_its_most_talkative() {
    let log = Log::default();
    // While there is one listener only, a place that the thread of another test comes by first counts as one that nobody
    // listens to.
    let _second = tracing::Dispatch::new(Log::default());
    let guard = tracing::subscriber::set_default(log.clone());
    let world = World::new().await;
    let mut secrets = Secrets::default();
    let browser = world.browser();
    browser.post("/cart").await;
    secrets.of_browser(&browser);
    let sent = browser.get("/login?return_to=%2Fme").await;
    secrets.of_browser(&browser);
    secrets.of_url(sent.location());
    let callback = browser.at_provider(sent.location()).await;
    secrets.of_url(&callback);
    let kept = browser.copy();
    assert_eq!(browser.get(&callback).await.status(), StatusCode::SEE_OTHER);
    secrets.of_browser(&browser);
    assert_eq!(browser.get("/orders").await.status(), StatusCode::OK);
    // What goes wrong is what is written about.
    kept.get(&callback).await;
    kept.get(&callback.replacen("state=", "state=x", 1)).await;
    secrets.of_provider(&world).await;
    world.later(HOUR);
    world.auth.fail_next(1, Failure::oauth("temporarily_unavailable"));
    browser.get("/orders").await;
    world.time.advance(HOUR / 60);
    assert_eq!(browser.get("/orders").await.status(), StatusCode::OK);
    secrets.of_provider(&world).await;
    world.auth.fail_next(1, Failure::html(502));
    browser.copy().sign_in("/login").await;
    world.sessions.is_away(true);
    browser.get("/me").await;
    world.sessions.is_away(false);
    world.auth.fail_until_told_at("/revoke", Failure::status(400));
    let out = browser.post("/logout").await;
    secrets.of_url(out.location());
    drop(guard);

    let text = log.0.lock().unwrap().clone();
    assert!(text.contains("somebody signed in") && text.contains("tower_sessions"), "{text}");
    let found = secrets.0.iter().filter(|secret| secret.len() > 10).count();
    assert!(found > 20, "{found}: it is known what to look for");
    secrets.assert_none_in(&text);
}

#[tokio::test]
async fn no_secret_is_in_what_is_shown_for_debugging() {
    let world = World::with(|site| site.key(SealKey::new("2026", *b"do not tell this key to anybody!"))).await;
    let browser = world.signed_in("ann").await;
    let id = browser.get("/id").await.text().to_owned();
    let person = world.site.on_behalf_of(&id).unwrap();
    person.cell().get().await.unwrap();
    let mut secrets = Secrets::default();
    secrets.of_browser(&browser);
    secrets.of_provider(&world).await;
    secrets.0.push("do not tell this key to anybody!".to_owned());
    let builder =
        Site::builder("http://127.0.0.1:4180").key(SealKey::new("2026", *b"do not tell this key to anybody!"));
    let provider = crate::world::provider("main", &world.auth);
    let shown = [
        format!("{:?} {:#?}", world.site, world.site.layer()),
        format!("{:?} {:?}", world.site.service(), world.site.require_login()),
        format!("{person:?} {:?} {:?}", person.cell(), person.cell().status()),
        format!("{provider:?} {builder:?} {:?}", builder_error()),
        format!("{:?}", Refused::new("no")),
    ];
    for shown in shown {
        secrets.assert_none_in(&shown);
        assert!(!shown.contains("\"secret\"") && !shown.contains("100, 111, 32"), "{shown}");
    }
}

fn builder_error() -> gatepass::Error {
    Site::builder("https://app.example.com").build().unwrap_err()
}
