//! Sends requests as a page of the site does, and signs in as a person does.

use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response, request::Builder};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::Value;

use crate::site::{Running, http};

/// An answer, read whole.
pub(crate) type Answer = Response<Bytes>;

impl Running {
    /// A request of Alice's, by a script of the site.
    pub(crate) fn request(&self, method: &str, path: &str) -> Builder {
        Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.origin))
            .header("cookie", &self.cookie)
            .header("sec-fetch-site", "same-origin")
            .header("x-csrf", "1")
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        send(self.request("GET", path), Body::empty()).await
    }

    /// The same for who calls the site as a service.
    pub(crate) fn asks<B>(&self, path: &str, body: B) -> Request<B> {
        Request::get(path).header("cookie", &self.cookie).header("x-csrf", "1").body(body).unwrap()
    }
}

/// Opens `/login`, is sent to the provider, which approves at once, and comes back. The session's cookie.
pub(crate) async fn sign_in(origin: &str) -> String {
    let open = |url: &str| Request::get(url).header("accept", "text/html").header("sec-fetch-mode", "navigate");
    let sent = send(open(&format!("{origin}/login")), Body::empty()).await;
    let at_provider = send(open(location(&sent)), Body::empty()).await;
    let back = open(location(&at_provider)).header("cookie", &set_cookies(&sent)[0]);
    let done = send(back, Body::empty()).await;
    assert_eq!((done.status().as_u16(), location(&done)), (303, "/"), "{done:?}");
    set_cookies(&done).into_iter().find(|cookie| cookie.starts_with("session-")).unwrap()
}

pub(crate) async fn send(request: Builder, body: Body) -> Answer {
    whole(begin(request, body).await).await
}

/// The head of the answer; its body is to come.
pub(crate) async fn begin(request: Builder, body: Body) -> Response<Incoming> {
    http().request(request.body(body).unwrap()).await.unwrap()
}

pub(crate) async fn whole<B>(answer: Response<B>) -> Answer
where
    B: http_body::Body<Data = Bytes, Error: std::fmt::Debug>,
{
    let (parts, body) = answer.into_parts();
    Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
}

pub(crate) fn json(answer: &Answer) -> Value {
    serde_json::from_slice(answer.body()).unwrap_or_else(|_| panic!("{answer:?}"))
}

fn location(answer: &Answer) -> &str {
    answer.headers().get("location").unwrap_or_else(|| panic!("{answer:?}")).to_str().unwrap()
}

/// What the browser keeps of them: `name=value`.
pub(crate) fn set_cookies(answer: &Answer) -> Vec<String> {
    let cookies = answer.headers().get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap());
    cookies.map(|cookie| cookie.split(';').next().unwrap().to_owned()).collect()
}

/// The status, and the error that is told; it has to come with what to do.
pub(crate) fn refusal(answer: &Answer) -> (u16, String) {
    let json = json(answer);
    assert_eq!(answer.headers()["content-type"], "application/json");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    assert!(json["message"].as_str().is_some_and(|message| message.len() > 20), "{json}");
    (answer.status().as_u16(), json["error"].as_str().unwrap().to_owned())
}

/// The site's 401 for a script: where to sign in is in it.
pub(crate) fn assert_sign_in_required(answer: &Answer) {
    assert_eq!(refusal(answer), (401, "sign_in_required".to_owned()), "{answer:?}");
    let sign_in = json(answer)["sign_in"].as_str().unwrap().to_owned();
    assert!(sign_in.split('?').next() == Some("/login"), "{sign_in}");
    let challenge = answer.headers()["www-authenticate"].to_str().unwrap();
    assert!(challenge.starts_with("Cookie"), "it is the site's answer, not the API's: {challenge}");
}
