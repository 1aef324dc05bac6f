//! What happens when everybody wants a token at once: the first moment, an expiry, a revocation, an outage.
//!
//! Ten thousand callers, real sockets on loopback, a token endpoint that takes its time. What the scenes are says
//! [`Scene`]; how they are measured, the folder `scenes`, which knows nothing of gatepass, so that others can be put
//! through the same.
//!
//! ```text
//! cargo bench --bench storms                        # a bit more than a minute
//! cargo bench --bench storms -- --quick             # a first impression
//! cargo bench --bench storms -- --scene outage      # one of them
//! ```
//!
//! The figures of all scenes go to `target/storms/gatepass.json` too. The last line is for machines. Fails if a count is not what is
//! promised; times are printed beside what is promised, for they are the machine's as well.

mod promises;
mod scenes;

use std::{env, path::Path, process::ExitCode};

use bytes::Bytes;
use gatepass::{
    AuthorizationServer, BearerLayer, BoxError, ClientAuth, Origins, RetryPolicy, TokenCell, TokenEndpoint,
    grant::ClientCredentials,
};
use http::{Request, Response};
use http_body_util::Full;
use hyper_util::{client::legacy, rt::TokioExecutor};
use tower::{ServiceBuilder, ServiceExt, service_fn, util::BoxCloneSyncService};

use self::scenes::{Client, Effort, Peer, Scene, Servers, run, save, table};

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut figures = Vec::new();
    for scene in scenes_asked_for() {
        figures.push(runtime.block_on(run::<Gatepass>(scene, effort_asked_for())));
    }
    print!("{}", table(Gatepass::NAME, &figures));
    if is_bench() && figures.len() == Scene::ALL.len() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/storms");
        match save(Gatepass::NAME, &figures, &folder) {
            Ok(path) => println!("figures: {}", path.display()),
            Err(error) => println!("figures: not saved: {error}"),
        }
    }
    promises::print_times(&figures);
    let broken = promises::broken(&figures);
    for promise in &broken {
        eprintln!("not as promised: {promise}");
    }
    println!("{}", promises::for_machines(&figures));
    if is_bench() && !broken.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// For `cargo bench` enough to believe, otherwise (`cargo test --benches`) just that it runs.
fn effort_asked_for() -> Effort {
    match is_bench() {
        false => Effort::tiny(),
        true if is_given("--quick") => Effort::quick(),
        true => Effort::full(),
    }
}

fn scenes_asked_for() -> Vec<Scene> {
    let asked = env::args().skip_while(|argument| argument != "--scene").nth(1);
    let scenes: Vec<Scene> =
        Scene::ALL.into_iter().filter(|scene| asked.as_ref().is_none_or(|asked| asked == scene.word())).collect();
    assert!(!scenes.is_empty(), "no such scene; there are: {}", Scene::ALL.map(Scene::word).join(", "));
    scenes
}

fn is_bench() -> bool {
    is_given("--bench") && !is_given("--test")
}

fn is_given(flag: &str) -> bool {
    env::args().any(|argument| argument == flag)
}

/// Our layers over the shared client.
#[derive(Clone)]
struct Gatepass(BoxCloneSyncService<Request<Full<Bytes>>, Response<Full<Bytes>>, BoxError>);

impl Client for Gatepass {
    async fn call(&self, url: &str) -> Result<u16, String> {
        let request = Request::get(url).body(Full::default()).map_err(|error| error.to_string())?;
        let response = self.0.clone().oneshot(request).await.map_err(|error| error.to_string())?;
        Ok(response.status().as_u16())
    }
}

impl Peer for Gatepass {
    const NAME: &'static str = "gatepass";
    type Client = Self;

    fn client(servers: &Servers) -> Self {
        let to_the_server = legacy::Client::builder(TokioExecutor::new()).retry_canceled_requests(false).build_http();
        let server = AuthorizationServer::token_endpoint(servers.token_url());
        let client = ClientAuth::basic("client", "secret");
        let endpoint = TokenEndpoint::new(to_the_server, server, client, ClientCredentials::new()).unwrap();
        let origins = Origins::new([servers.api_origin()]).unwrap();
        let bearer = BearerLayer::new(TokenCell::new(endpoint), origins);
        let http = servers.http();
        let http = service_fn(move |request| {
            let http = http.clone();
            async move { http.send(request).await }
        });
        Self(BoxCloneSyncService::new(ServiceBuilder::new().layer(bearer.retry(RetryPolicy::new())).service(http)))
    }
}
