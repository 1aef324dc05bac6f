//! As much of a browser as the pages need: it keeps cookies, follows redirects and says where a request comes from.

use std::{collections::BTreeMap, sync::Mutex};

use http::{HeaderMap, Method, StatusCode, header};
use reqwest::{Client, Url, redirect::Policy};
use serde_json::Value;

pub(crate) struct Browser {
    client: Client,
    /// Of 127.0.0.1: cookies do not know ports.
    cookies: Mutex<BTreeMap<String, String>>,
    origin: String,
}

#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    /// Where it ended.
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Browser {
    /// One that opens the pages of this site.
    pub(crate) fn new(origin: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().redirect(Policy::none()).build().unwrap();
        Self { client, cookies: Mutex::default(), origin: origin.to_owned() }
    }

    /// Opens a page.
    pub(crate) async fn open(&self, path: &str) -> Page {
        let first = self.send(Method::GET, &self.at(path), &[("sec-fetch-site", "none")], true).await;
        self.follow(first).await
    }

    /// Opens any address, wherever it leads.
    pub(crate) async fn visit(&self, url: &str) -> Page {
        let first = self.visit_once(url).await;
        self.follow(first).await
    }

    pub(crate) async fn visit_once(&self, url: &str) -> Page {
        self.send(Method::GET, &Url::parse(url).unwrap(), &[("sec-fetch-site", "none")], true).await
    }

    /// Presses a button of one of the site's pages.
    pub(crate) async fn press(&self, path: &str) -> Page {
        let first = self.post(path, &[("sec-fetch-site", "same-origin"), ("origin", &self.origin)]).await;
        self.follow(first).await
    }

    /// Opens a page, and goes nowhere from there.
    pub(crate) async fn step(&self, path: &str) -> Page {
        self.send(Method::GET, &self.at(path), &[("sec-fetch-site", "none")], true).await
    }

    pub(crate) async fn post(&self, path: &str, headers: &[(&str, &str)]) -> Page {
        self.send(Method::POST, &self.at(path), headers, true).await
    }

    /// What a script of the site's pages gets.
    pub(crate) async fn fetch(&self, path: &str, headers: &[(&str, &str)]) -> Page {
        let headers = [&[("sec-fetch-site", "same-origin")], headers].concat();
        self.send(Method::GET, &self.at(path), &headers, false).await
    }

    pub(crate) async fn status(&self) -> Value {
        self.fetch("/status.json", &[]).await.json()
    }

    pub(crate) fn cookie_names(&self) -> Vec<String> {
        self.cookies.lock().unwrap().keys().cloned().collect()
    }

    fn at(&self, path: &str) -> Url {
        Url::parse(&format!("{}{path}", self.origin)).unwrap()
    }

    async fn follow(&self, mut page: Page) -> Page {
        for _ in 0..10 {
            let Some(location) = page.headers.get(header::LOCATION) else { return page };
            let next = page.url.join(location.to_str().unwrap()).unwrap();
            page = self.send(Method::GET, &next, &[("sec-fetch-site", "cross-site")], true).await;
        }
        panic!("{} redirects for ever", page.url);
    }

    async fn send(&self, method: Method, url: &Url, headers: &[(&str, &str)], navigates: bool) -> Page {
        let mut request = self.client.request(method, url.clone());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mode = if navigates { "navigate" } else { "cors" };
        let cookies: Vec<String> =
            self.cookies.lock().unwrap().iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request = request.header(header::COOKIE, cookies.join("; "));
        }
        let response = request.header("sec-fetch-mode", mode).send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        for cookie in headers.get_all(header::SET_COOKIE) {
            self.keep(cookie.to_str().unwrap());
        }
        Page { status, url: url.clone(), headers, body: response.text().await.unwrap() }
    }

    fn keep(&self, cookie: &str) {
        let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
        let mut cookies = self.cookies.lock().unwrap();
        if cookie.contains("Max-Age=0") {
            cookies.remove(name);
        } else {
            assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
            cookies.insert(name.to_owned(), value.to_owned());
        }
    }
}

impl Page {
    #[track_caller]
    pub(crate) fn shows(&self, texts: &[&str]) -> &Self {
        for text in texts {
            assert!(self.body.contains(text), "no {text:?} at {} ({}): {}", self.url, self.status, self.body);
        }
        self
    }

    #[track_caller]
    pub(crate) fn hides(&self, texts: &[&str]) -> &Self {
        for text in texts {
            assert!(!self.body.contains(text), "{text:?} at {}: {}", self.url, self.body);
        }
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// What the page says to a fact.
    #[track_caller]
    pub(crate) fn fact(&self, id: &str) -> &str {
        let start = format!("<dd id=\"{id}\">");
        let at = self.body.find(&start).unwrap_or_else(|| panic!("no {id} at {}: {}", self.url, self.body));
        self.body[at + start.len()..].split("</dd>").next().unwrap()
    }

    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name}: {:?}", self.headers)).to_str().unwrap()
    }
}
