//! The person and their browser: what they were shown, and what they did.

use std::{future::Future, sync::Arc};

use bytes::Bytes;
use gatepass_native::Step;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::sync::watch;

/// A person whom programs ask to sign in. Clones are the same person.
#[derive(Clone)]
pub(crate) struct Person {
    follows: bool,
    seen: Arc<watch::Sender<Seen>>,
}

#[derive(Default)]
struct Seen {
    steps: Vec<Step>,
    pages: Vec<Page>,
}

/// Where a browser ended.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) text: String,
}

impl Person {
    /// One who opens each address that is shown and goes where it leads.
    pub(crate) fn willing() -> Self {
        Self { follows: true, seen: Arc::default() }
    }

    /// One who only looks: the test does the rest.
    pub(crate) fn idle() -> Self {
        Self { follows: false, ..Self::willing() }
    }

    /// What is given to `App::steps`.
    pub(crate) fn watches(&self) -> impl FnMut(Step) + Send + 'static {
        let person = self.clone();
        move |step| {
            if let (Step::Open { url, .. }, true) = (&step, person.follows) {
                tokio::spawn(person.clone().opens(url.clone()));
            }
            person.seen.send_modify(|seen| seen.steps.push(step));
        }
    }

    /// How often this person was asked to sign in.
    pub(crate) fn was_asked(&self) -> usize {
        let asks = |step: &&Step| matches!(step, Step::Open { .. } | Step::Device { .. });
        self.seen.borrow().steps.iter().filter(asks).count()
    }

    /// What was shown, those steps that only count the time left out.
    pub(crate) fn steps(&self) -> Vec<Step> {
        let counts = |step: &&Step| matches!(step, Step::Waiting { .. });
        self.seen.borrow().steps.iter().filter(|step| !counts(step)).cloned().collect()
    }

    /// The address that was shown last, as soon as there is one for the time `times`.
    pub(crate) async fn address(&self, times: usize) -> String {
        self.until(|seen| {
            let mut urls = seen.steps.iter().filter_map(|step| match step {
                Step::Open { url, .. } => Some(url.clone()),
                _ => None,
            });
            urls.nth(times - 1)
        })
        .await
    }

    /// The user code that was shown first.
    pub(crate) async fn user_code(&self) -> String {
        self.until(|seen| {
            seen.steps.iter().find_map(|step| match step {
                Step::Device { user_code, .. } => Some(user_code.clone()),
                _ => None,
            })
        })
        .await
    }

    /// The page where the browser ended the last of so many times.
    pub(crate) async fn page(&self, times: usize) -> Page {
        self.until(|seen| seen.pages.get(times - 1).cloned()).await
    }

    async fn opens(self, url: String) {
        let page = open(&url).await;
        self.seen.send_modify(|seen| seen.pages.push(page));
    }

    async fn until<T>(&self, what: impl Fn(&Seen) -> Option<T>) -> T {
        let mut seen = self.seen.subscribe();
        let seen = seen.wait_for(|seen| what(seen).is_some()).await.unwrap();
        what(&seen).unwrap()
    }
}

/// Opens a URL and goes where it leads.
pub(crate) async fn open(url: &str) -> Page {
    let mut url = url.to_owned();
    loop {
        match get(&url).await {
            (_, Some(next)) => url = next,
            (page, None) => return page,
        }
    }
}

/// Where a URL leads, without going there.
pub(crate) async fn leads_to(url: &str) -> String {
    let (page, next) = get(url).await;
    next.unwrap_or_else(|| panic!("{} is the end: {}", page.status, page.text))
}

fn get(url: &str) -> impl Future<Output = (Page, Option<String>)> {
    let client: Client<HttpConnector, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let response = client.request(Request::get(url).body(Full::default()).unwrap());
    async move {
        let (parts, body) = response.await.unwrap().into_parts();
        let location = parts.headers.get(header::LOCATION).map(|it| it.to_str().unwrap().to_owned());
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        (Page { status: parts.status, text }, location)
    }
}

/// A parameter of the query of a URL, as it stands there.
pub(crate) fn parameter<'a>(url: &'a str, name: &str) -> Option<&'a str> {
    let (_, query) = url.split_once('?')?;
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

/// The redirect URI in the address of a sign-in.
pub(crate) fn redirect_uri(address: &str) -> String {
    parameter(address, "redirect_uri").unwrap().replace("%3A", ":").replace("%2F", "/")
}

/// Host and port of a URL.
pub(crate) fn authority(url: &str) -> &str {
    url.strip_prefix("http://").unwrap().split(['/', '?']).next().unwrap()
}
