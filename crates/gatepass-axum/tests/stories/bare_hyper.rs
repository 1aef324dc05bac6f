//! The same without axum: tower's builder, a service of one's own and hyper on a socket.

use std::convert::Infallible;

use gatepass::ClientAuth;
use gatepass_axum::{OnBehalf, Provider, Site, User};
use gatepass_testkit::AuthorizationServer;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tower::{ServiceBuilder, ServiceExt, service_fn};

use crate::world::{Http, http};

type Body = Full<bytes::Bytes>;

/// Serves one site; where it is.
async fn serve(auth: &AuthorizationServer) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let server = gatepass::AuthorizationServer::issuer(auth.issuer());
    let client = gatepass::endpoint::Client::new(http(), server, ClientAuth::basic("client", "secret")).unwrap();
    let provider = Provider::new("main", client).scope("openid profile");
    let site = Site::builder(&origin).provider(provider).build().unwrap();

    let private = ServiceBuilder::new().layer(site.require_login()).service(service_fn(private::<Incoming, Body>));
    let pages = {
        let site = site.clone();
        service_fn(move |request: Request<Incoming>| {
            let (site, private) = (site.clone(), private.clone());
            async move {
                if site.serves(request.uri().path()) {
                    return site.service().oneshot(request).await.map(|response| response.map(Body::from));
                }
                match request.uri().path() {
                    "/private" => private.oneshot(request).await,
                    _ => Ok(Response::new(Body::from("for everybody"))),
                }
            }
        })
    };
    let service = ServiceBuilder::new().layer(site.layer()).service(pages);
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let service = service.clone();
            let service = hyper::service::service_fn(move |request| service.clone().oneshot(request));
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), service));
        }
    });
    origin
}

/// A page for those who are signed in. Not an async closure: rustc 1.95 fails on one in such a stack when it builds
/// incrementally.
async fn private<B, R: From<String> + Default>(request: Request<B>) -> Result<Response<R>, Infallible> {
    let person = match OnBehalf::find(request.extensions()).await {
        Ok(person) => person,
        Err(rejection) => return Ok(rejection.response()),
    };
    let user = User::find(request.extensions()).await.unwrap().unwrap();
    let token = person.cell().peek().unwrap().generation();
    Ok(Response::new(format!("{}, with token {token}", user.subject()).into()))
}

struct Person {
    http: Http,
    cookies: Vec<(String, String)>,
}

impl Person {
    async fn send(&mut self, method: &str, url: &str) -> (StatusCode, String, String) {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = Request::builder().method(method).uri(url).header("accept", "text/html");
        let request = request.header("cookie", cookies.join("; ")).body(gatepass::endpoint::Body::default());
        let (parts, body) = self.http.request(request.unwrap()).await.unwrap().into_parts();
        for cookie in parts.headers.get_all(header::SET_COOKIE) {
            let (pair, attributes) = cookie.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.retain(|(kept, _)| kept != name);
            if !attributes.contains("Max-Age=0") {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        let location = parts.headers.get(header::LOCATION).map_or("", |it| it.to_str().unwrap()).to_owned();
        let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        (parts.status, location, body)
    }
}

#[tokio::test]
async fn a_site_needs_no_axum() {
    let auth = AuthorizationServer::start().await;
    let origin = serve(&auth).await;
    let mut person = Person { http: http(), cookies: Vec::new() };
    let (status, _, page) = person.send("GET", &origin).await;
    assert_eq!((status, page.as_str()), (StatusCode::OK, "for everybody"));
    let (status, login, _) = person.send("GET", &format!("{origin}/private")).await;
    assert_eq!((status, login.as_str()), (StatusCode::SEE_OTHER, "/login?return_to=%2Fprivate"));

    let (status, provider, _) = person.send("GET", &format!("{origin}{login}")).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    let (_, callback, _) = person.send("GET", &provider).await;
    assert!(callback.starts_with(&format!("{origin}/callback?")), "{callback}");
    let (status, back, _) = person.send("GET", &callback).await;
    assert_eq!((status, back.as_str()), (StatusCode::SEE_OTHER, "/private"));
    let (status, _, page) = person.send("GET", &format!("{origin}{back}")).await;
    assert_eq!((status, page.as_str()), (StatusCode::OK, "alice, with token 1"));

    let (status, to, _) = person.send("POST", &format!("{origin}/logout")).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert!(to.starts_with(&auth.end_session_url()) && person.cookies.is_empty(), "{to} {:?}", person.cookies);
    let (status, ..) = person.send("GET", &format!("{origin}/private")).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
}

/// The layer forgotten is an answer that says so in the log, and no panic.
#[tokio::test]
async fn without_the_layer_the_pages_say_that_the_site_is_not_set_up_right() {
    let auth = AuthorizationServer::start().await;
    let site = Site::builder("http://127.0.0.1:4180").provider(crate::world::provider("main", &auth)).build().unwrap();
    for path in ["/login", "/callback", "/logout"] {
        let request = Request::get(path).body(String::new()).unwrap();
        let answer = site.service().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR, "{path}");
    }
    let request = Request::get("/elsewhere").body(String::new()).unwrap();
    assert_eq!(site.service().oneshot(request).await.unwrap().status(), StatusCode::NOT_FOUND);
    let guarded = ServiceBuilder::new().layer(site.require_login()).service(service_fn(private::<String, String>));
    let answer = guarded.oneshot(Request::get("/").body(String::new()).unwrap()).await.unwrap();
    assert_eq!((answer.status(), answer.body().contains("private")), (StatusCode::INTERNAL_SERVER_ERROR, false));
}
