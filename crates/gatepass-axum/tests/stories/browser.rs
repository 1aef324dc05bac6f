//! A person's browser: it keeps the cookies of one site and follows nothing by itself.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use axum::{Router, body::Body};
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::world::Http;

#[derive(Clone)]
pub(crate) struct Browser {
    pub(crate) app: Router,
    pub(crate) cookies: Arc<Mutex<BTreeMap<String, String>>>,
    pub(crate) http: Http,
    pub(crate) origin: &'static str,
}

pub(crate) struct Answer {
    pub(crate) parts: http::response::Parts,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn status(&self) -> StatusCode {
        self.parts.status
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    pub(crate) fn location(&self) -> &str {
        self.parts.headers.get(header::LOCATION).map_or("", |location| location.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn set_cookies(&self) -> Vec<&str> {
        self.parts.headers.get_all(header::SET_COOKIE).iter().map(|value| value.to_str().unwrap()).collect()
    }
}

impl Browser {
    /// Opens a page.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.request(Method::GET, path, &[("accept", "text/html"), ("sec-fetch-mode", "navigate")], "").await
    }

    /// Asks as a script does.
    pub(crate) async fn fetch(&self, path: &str) -> Answer {
        let headers = [("accept", "*/*"), ("sec-fetch-mode", "cors"), ("sec-fetch-site", "same-origin")];
        self.request(Method::GET, path, &headers, "").await
    }

    /// The same by a script of this page.
    pub(crate) async fn fetch_on(&self, page: &str, path: &str) -> Answer {
        let page = format!("{}{page}", self.origin);
        let headers =
            [("accept", "*/*"), ("sec-fetch-mode", "cors"), ("sec-fetch-site", "same-origin"), ("referer", &*page)];
        self.request(Method::GET, path, &headers, "").await
    }

    /// Submits a form of the site.
    pub(crate) async fn post(&self, path: &str) -> Answer {
        let headers = [("accept", "text/html"), ("sec-fetch-mode", "navigate"), ("sec-fetch-site", "same-origin")];
        self.request(Method::POST, path, &headers, "").await
    }

    pub(crate) async fn request(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("host", self.host());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let cookies: Vec<String> =
            self.cookies.lock().unwrap().iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        let response = self.app.clone().oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let answer = Answer { parts, body: body.collect().await.unwrap().to_bytes().to_vec() };
        let mut kept = self.cookies.lock().unwrap();
        for cookie in answer.set_cookies() {
            let (pair, attributes) = cookie.split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            match attributes.to_lowercase().contains("max-age=0") {
                true => drop(kept.remove(name)),
                false => drop(kept.insert(name.to_owned(), value.to_owned())),
            }
        }
        drop(kept);
        answer
    }

    fn host(&self) -> &str {
        self.origin.split_once("://").unwrap().1
    }

    /// Goes to the provider and comes back with its answer: the path of the callback, with its query.
    pub(crate) async fn at_provider(&self, url: &str) -> String {
        let request = Request::get(url).body(gatepass::endpoint::Body::default()).unwrap();
        let answer = self.http.request(request).await.unwrap();
        let location = answer.headers()[header::LOCATION].to_str().unwrap();
        location.strip_prefix(self.origin).unwrap_or_else(|| panic!("sent to {location}")).to_owned()
    }

    /// Begins a sign-in: the address of the callback that would end it.
    pub(crate) async fn begin(&self, login: &str) -> String {
        let sent = self.get(login).await;
        assert_eq!(sent.status(), StatusCode::SEE_OTHER, "{}", sent.text());
        self.at_provider(sent.location()).await
    }

    /// A whole sign-in, up to the answer of the callback.
    pub(crate) async fn sign_in(&self, login: &str) -> Answer {
        let callback = self.begin(login).await;
        self.get(&callback).await
    }

    pub(crate) fn cookie(&self, prefix: &str) -> Option<(String, String)> {
        let cookies = self.cookies.lock().unwrap();
        cookies.iter().find(|(name, _)| name.starts_with(prefix)).map(|(name, value)| (name.clone(), value.clone()))
    }

    /// Another window with what this one has now; what becomes of it stays its own.
    pub(crate) fn copy(&self) -> Self {
        let cookies = self.cookies.lock().unwrap().clone();
        Self { cookies: Arc::new(Mutex::new(cookies)), ..self.clone() }
    }

    /// The same browser, at another instance of the site.
    pub(crate) fn at(&self, app: &Router) -> Self {
        Self { app: app.clone(), ..self.clone() }
    }

    /// Whether the site knows who it is.
    pub(crate) async fn is_signed_in(&self) -> bool {
        self.get("/").await.text() != "hello stranger"
    }

    pub(crate) fn set_cookie(&self, name: &str, value: &str) {
        self.cookies.lock().unwrap().insert(name.to_owned(), value.to_owned());
    }

    pub(crate) fn cookie_names(&self) -> Vec<String> {
        self.cookies.lock().unwrap().keys().cloned().collect()
    }
}
