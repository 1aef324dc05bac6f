//! Who takes part, and what has to be said about each.

use std::{sync::Arc, time::Duration};

use gatepass::{Bearer, RetryPolicy};
use reqwest_middleware_04::ClientBuilder;
use toolkit_auth::oauth2::BearerAuthAutoRefreshService;
use toolkit_http::HttpError;
use tower::{Layer, retry::Retry, util::MapErr};

use super::{
    Calling, Lazily, Running,
    above::{Last, Middlewares, Policies, Sending, Tower, Transport},
};
use crate::{
    keeper::Error,
    peers::{
        aliri, aws::Aws, azure, by_hand, cf_gears, google::Google, huskarl::Huskarl, middle::Middle, ours, yup::Yup,
    },
    scenes::{Effort, Peer, Scene, Servers, run},
};

/// One that runs.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    /// Whether building it waits for its first token, so that it never comes without one.
    pub(crate) has_token: bool,
    pub(crate) run: fn(Scene, Effort) -> Running,
}

pub(crate) const LINEUP: [Entry; 10] = [
    entry::<Gatepass>(),
    entry::<CfGears>(),
    entry::<Huskarl>(),
    Entry { has_token: true, ..entry::<Middle>() },
    Entry { has_token: true, ..entry::<Aliri>() },
    entry::<Google>(),
    entry::<Azure>(),
    entry::<Aws>(),
    entry::<Yup>(),
    entry::<by_hand::Locked>(),
];

const fn entry<P: Peer + 'static>() -> Entry {
    Entry { name: P::NAME, has_token: false, run: |scene, effort| Box::pin(run::<P>(scene, effort)) }
}

struct Gatepass;

impl Peer for Gatepass {
    const NAME: &'static str = "gatepass";
    type Client = Tower<Retry<RetryPolicy, Bearer<Sending>>>;

    fn client(servers: &Servers) -> Self::Client {
        let layer = ours::layer(&servers.token_url(), &servers.api_origin());
        Tower(layer.retry(RetryPolicy::new()).layer(Sending(servers.http())))
    }
}

struct CfGears;

impl Peer for CfGears {
    const NAME: &'static str = "cf-gears-toolkit-auth";
    type Client = Tower<BearerAuthAutoRefreshService<MapErr<Sending, fn(Error) -> HttpError>>>;

    fn client(servers: &Servers) -> Self::Client {
        let provider = cf_gears::short_lived(&servers.token_url());
        let sending = MapErr::new(Sending(servers.http()), HttpError::Transport as fn(Error) -> HttpError);
        Tower(cf_gears::layer(provider).layer(sending))
    }
}

impl Peer for Huskarl {
    const NAME: &'static str = "huskarl";
    const RENEWS_BEFORE: Duration = Duration::from_secs(1);
    type Client = Calling<Self>;

    fn client(servers: &Servers) -> Self::Client {
        Calling::new(Self::short_lived(&servers.token_url()), servers.http())
    }
}

impl Peer for Middle {
    const NAME: &'static str = "middle";
    const ANSWERS_401: bool = false;
    type Client = Lazily<Calling<Self>>;

    fn client(servers: &Servers) -> Self::Client {
        let (token_url, http) = (servers.token_url(), servers.http());
        Lazily::new(move || {
            let (token_url, http) = (token_url.clone(), http.clone());
            async move { Calling::new(Self::new(&token_url).await, http) }
        })
    }
}

struct Aliri;

impl Peer for Aliri {
    const NAME: &'static str = "aliri_reqwest";
    const ANSWERS_401: bool = false;
    type Client = Lazily<Middlewares>;

    fn client(servers: &Servers) -> Self::Client {
        let (token_url, http) = (servers.token_url(), servers.http());
        Lazily::new(move || {
            let (token_url, last) = (token_url.clone(), Last(http.clone()));
            async move {
                let middleware = aliri::middleware(&token_url, "127.0.0.1").await;
                Middlewares(ClientBuilder::new(reqwest_012::Client::new()).with(middleware).with(last).build())
            }
        })
    }
}

impl Peer for Google {
    const NAME: &'static str = "google-cloud-auth";
    const ANSWERS_401: bool = false;
    type Client = Lazily<Calling<Self>>;

    fn client(servers: &Servers) -> Self::Client {
        let (token_url, http) = (servers.token_url(), servers.http());
        Lazily::new(move || {
            let (token_url, http) = (token_url.clone(), http.clone());
            async move { Calling::new(Self::new(&token_url).await, http) }
        })
    }
}

struct Azure;

impl Peer for Azure {
    const NAME: &'static str = "azure_core";
    const RENEWS_BEFORE: Duration = Duration::from_secs(300);
    type Client = Policies;

    fn client(servers: &Servers) -> Self::Client {
        let policies = azure::policies(&servers.token_url(), Arc::new(Transport(servers.http())));
        Policies(Arc::new(policies))
    }
}

impl Peer for Aws {
    const NAME: &'static str = "aws-smithy-runtime";
    const ANSWERS_401: bool = false;
    type Client = Calling<Self>;

    fn client(servers: &Servers) -> Self::Client {
        Calling::new(Self::short_lived(&servers.token_url()), servers.http())
    }
}

impl Peer for Yup {
    const NAME: &'static str = "yup-oauth2";
    const RENEWS_BEFORE: Duration = Duration::from_secs(60);
    type Client = Lazily<Calling<Self>>;

    fn client(servers: &Servers) -> Self::Client {
        let (token_url, http) = (servers.token_url(), servers.http());
        Lazily::new(move || {
            let (token_url, http) = (token_url.clone(), http.clone());
            async move { Calling::new(Self::new(&token_url).await, http) }
        })
    }
}

impl Peer for by_hand::Locked {
    const NAME: &'static str = "Mutex by hand";
    type Client = Calling<Self>;

    fn client(servers: &Servers) -> Self::Client {
        Calling::new(Self::new(&servers.token_url()), servers.http())
    }
}
