//! What a request with a fresh token pays: each peer above something that answers at once.
//!
//! Not all of them go above a tower service. So there are four floors, and what counts is how much longer a request
//! takes, and how many more allocations, than on the peer's own floor. A peer that only says what the header is gets
//! called in place, without the layer that a program would need around it.

use std::{convert::Infallible, hint::black_box, sync::Arc};

use async_trait::async_trait;
use azure_core::http::{
    AsyncRawResponse, Context as AzureContext, Method, Request as AzureRequest, StatusCode,
    policies::{Policy, PolicyResult},
};
use gatepass_testkit::AuthorizationServer;
use toolkit_http::HttpError;
use tower::{Layer, Service, ServiceExt, util::MapErr};
use tower_http::auth::AddAuthorizationLayer;

use crate::{
    harness::{Caller, Effort, Stack, Threads, URL, Upstream, measure, request, response},
    keeper::Keeper,
    peers::{
        aliri, aws::Aws, azure, by_hand, cf_gears, google::Google, huskarl::Huskarl, middle::Middle, ours, retry,
        yup::Yup,
    },
};

/// What was measured of one peer.
pub(crate) struct Cost {
    pub(crate) name: &'static str,
    pub(crate) floor: &'static str,
    /// Nanoseconds more than on the floor, on one thread and on two.
    pub(crate) one: f64,
    pub(crate) two: f64,
    pub(crate) allocations: f64,
}

const ORIGIN: &str = "https://api.example.com";

pub(crate) fn run(effort: Effort, wanted: impl Fn(&str) -> bool, details: bool) -> Vec<Cost> {
    // Servers, and the tasks of those who refresh in the background.
    let background = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let threads = Threads::new();
    let _entered = background.enter();
    let server = background.block_on(AuthorizationServer::start());
    server.add_client("client", "secret").token_length(800);
    let url = server.token_url();

    let floors = [
        ("tower", background.block_on(over_tower(&url))),
        ("reqwest 0.13", over_reqwest(&url)),
        ("reqwest 0.12", background.block_on(over_reqwest_012(&url))),
        ("azure_core", over_azure(&url)),
    ];
    let mut costs = Vec::new();
    for (floor, stacks) in floors {
        let mut stacks = stacks;
        let mut at = 0;
        stacks.retain(|stack| {
            at += 1;
            at == 1 || wanted(stack.name)
        });
        if stacks.len() == 1 {
            continue;
        }
        eprintln!("hot path over {floor} …");
        let scenes = measure(&threads, &stacks, effort);
        if details {
            for scene in &scenes {
                scene.print(&stacks, 0);
            }
        }
        let [kept, _, shared, _] = &scenes;
        costs.extend(stacks.iter().enumerate().skip(1).map(|(at, stack)| Cost {
            name: stack.name,
            floor,
            one: kept.added(at, 0),
            two: shared.added(at, 0),
            allocations: kept.allocated(at, 0),
        }));
    }
    costs
}

async fn over_tower(url: &str) -> Vec<Stack> {
    let bearer = ours::layer(url, ORIGIN);
    let token = "t".repeat(800);
    vec![
        Stack::new("no layer", Upstream),
        Stack::new(
            "tower-http AddAuthorization",
            AddAuthorizationLayer::bearer(&token).as_sensitive(true).layer(Upstream),
        ),
        keeping("arc-swap by hand", by_hand::Swapped::new(&token)),
        Stack::new("gatepass", bearer.layer(Upstream)),
        Stack::new("gatepass under Retry", bearer.retry(gatepass::RetryPolicy::new()).layer(Upstream)),
        Stack::new("cf-gears-toolkit-auth", cf_gears::layer(cf_gears::provider(url)).layer(fallible())),
        keeping("huskarl", Huskarl::new(url)),
        keeping("middle", Middle::new(url).await),
        keeping("google-cloud-auth", Google::new(url).await),
        keeping("aws-smithy-runtime", Aws::new(url)),
        keeping("yup-oauth2", Yup::new(url).await),
        keeping("Mutex by hand", by_hand::Locked::new(url)),
    ]
}

/// [`Upstream`] with the error that the layer of cf-gears-toolkit-auth wants.
fn fallible() -> MapErr<Upstream, fn(Infallible) -> HttpError> {
    MapErr::new(Upstream, |error| match error {})
}

fn keeping(name: &'static str, keeper: impl Keeper) -> Stack {
    Stack::calling(name, Keeping(keeper))
}

#[derive(Clone)]
struct Keeping<K>(K);

impl<K: Keeper> Caller for Keeping<K> {
    async fn call(&mut self, _turn: usize) {
        let mut upstream = Upstream;
        let upstream = upstream.ready().await.unwrap();
        let mut request = request();
        self.0.authorize(request.headers_mut()).await.unwrap();
        drop(black_box(upstream.call(request).await.unwrap()));
    }
}

/// The same twice: the two major versions of reqwest have their own middlewares.
macro_rules! over_reqwest {
    ($module:ident, $reqwest:ident, $middleware:ident) => {
        mod $module {
            use std::{future::Future, hint::black_box, pin::Pin};

            use http::Extensions;
            use $middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next, Result};
            use $reqwest::{Request, Response, ResponseBuilderExt};

            use crate::harness::{Caller, Stack, request, response};

            #[derive(Clone)]
            struct Sender(ClientWithMiddleware);

            impl Caller for Sender {
                async fn call(&mut self, _turn: usize) {
                    let request = Request::try_from(request().map(|_| "")).unwrap();
                    drop(black_box(self.0.execute(request).await.unwrap()));
                }
            }

            pub(super) fn stack(name: &'static str, middleware: impl Middleware) -> Stack {
                let client = ClientBuilder::new($reqwest::Client::new()).with(middleware).with(answer).build();
                Stack::calling(name, Sender(client))
            }

            type Answer<'a> = Pin<Box<dyn Future<Output = Result<Response>> + Send + 'a>>;

            pub(super) fn pass<'a>(request: Request, extensions: &'a mut Extensions, next: Next<'a>) -> Answer<'a> {
                Box::pin(next.run(request, extensions))
            }

            fn answer<'a>(request: Request, _extensions: &'a mut Extensions, _next: Next<'a>) -> Answer<'a> {
                let response = response().url(request.url().clone()).body("{}").unwrap();
                drop(black_box(request));
                Box::pin(async { Ok(Response::from(response)) })
            }
        }
    };
}

over_reqwest!(v013, reqwest, reqwest_middleware);
over_reqwest!(v012, reqwest_012, reqwest_middleware_04);

fn over_reqwest(url: &str) -> Vec<Stack> {
    vec![
        v013::stack("a middleware that does nothing", v013::pass),
        v013::stack("gatepass-reqwest, no_retries", ours::middleware(url, ORIGIN).no_retries()),
        v013::stack("gatepass-reqwest", ours::middleware(url, ORIGIN)),
        v013::stack("reqwest-retry", retry::middleware(3)),
    ]
}

async fn over_reqwest_012(url: &str) -> Vec<Stack> {
    vec![
        v012::stack("a middleware that does nothing", v012::pass),
        v012::stack("aliri_reqwest", aliri::middleware(url, "api.example.com").await),
    ]
}

fn over_azure(url: &str) -> Vec<Stack> {
    let [policy, last] = azure::policies(url, Arc::new(Last));
    vec![
        Stack::calling("no policy", Azure([last.clone()].into())),
        Stack::calling("azure_core", Azure([policy, last].into())),
    ]
}

#[derive(Clone)]
struct Azure(Arc<[Arc<dyn Policy>]>);

impl Caller for Azure {
    async fn call(&mut self, _turn: usize) {
        let mut request = AzureRequest::new(black_box(URL).parse().unwrap(), Method::Get);
        for (name, value) in self::request().headers() {
            request.insert_header(name.as_str().to_owned(), value.to_str().unwrap().to_owned());
        }
        let response = self.0[0].send(&AzureContext::new(), &mut request, &self.0[1..]).await;
        drop(black_box(response.unwrap()));
    }
}

#[derive(Debug)]
struct Last;

#[async_trait]
impl Policy for Last {
    async fn send(&self, _: &AzureContext, request: &mut AzureRequest, _: &[Arc<dyn Policy>]) -> PolicyResult {
        black_box(request);
        let (head, ()) = response().body(()).unwrap().into_parts();
        Ok(AsyncRawResponse::from_bytes(StatusCode::Ok, azure::headers(&head.headers), "{}"))
    }
}
