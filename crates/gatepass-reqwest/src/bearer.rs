use std::{any::type_name, borrow::Cow, fmt, hash::Hash, sync::Arc};

use gatepass::{Error, Gate, Origins, TokenCell, TokenMap, gate::Lane, retry::Rules};
use http::Extensions;
use reqwest::{Request, Url};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};

use crate::redirect::redirect_policy;

/// Puts a cell's token on the requests to some origins, and sends again what can be.
///
/// What it does with a request:
///
/// - to another origin: passes it on untouched, its response too (X1);
/// - with an `Authorization` of its own, which is the caller's: adds nothing and replays no 401; 429 and 503 as ever
///   (A5). That includes the one reqwest makes of a user name in the URL, but not
///   [`reqwest::ClientBuilder::default_headers`], which come later: the token goes before them;
/// - else it gets the token that is current. Who finds none waits for the one exchange that everybody shares; if none
///   can be had the request is not sent, and the error holds a [`gatepass::Error`] (F5): see
///   [`token_error`](crate::token_error).
///
/// A response that refuses the token has it dropped from the cell and carries a [`Refused`](gatepass::bearer::Refused)
/// with the parsed challenges in its extensions, as does a 403 with challenges. The request is then sent again, once,
/// if another token is there or may be had. The [`Rules`] say which other responses are sent again, how often and
/// after what wait; what is asked for and not done, because the wait is longer than they allow, stands as a
/// [`RetryAfter`](gatepass::RetryAfter) in the response's extensions. A request may bring a
/// [`Deadline`](gatepass::retry::Deadline) by [`with_extension`](reqwest_middleware::RequestBuilder::with_extension).
///
/// A body that cannot be cloned, a stream, is sent once, and its response returned as it is (A6).
///
/// # Redirects
///
/// reqwest follows them beneath any middleware, which sees the last response only. Two things follow:
///
/// - The token is reqwest's to protect. It takes `Authorization` out of a request that leaves the origin, but puts it
///   back for the next one if that stays where the last one went: an API with an open redirect then leaks it. Build
///   the client by [`BearerMiddleware::client`], with [`redirect_policy`](crate::redirect_policy) or with
///   [`Policy::none`](reqwest::redirect::Policy::none).
/// - A refusal counts only if the response is from the origin the request was sent to (A3). After a way out and back
///   the token was not sent, and a refusal counts all the same; it costs one exchange.
///
/// # Where it goes
///
/// The last of the middlewares, or at least within those that log, trace or cache. Within another one that sends
/// again, requests are repeated by both. reqwest's own time-out is for each attempt; all of them together end by
/// `Rules` and `Deadline`.
///
/// # Cancel safety
///
/// Dropping a request that waits for a token neither stops the exchange nor restarts it (C3).
#[derive(Clone, Debug)]
pub struct BearerMiddleware {
    cells: Cells,
    origins: Origins,
    rules: Option<Rules>,
    gate: Option<Gate>,
    tells: bool,
}

#[derive(Clone)]
enum Cells {
    One(TokenCell),
    Choose(Arc<Choose>),
}

type Choose = dyn Fn(&Request, &Extensions) -> Result<TokenCell, Error> + Send + Sync;

impl BearerMiddleware {
    /// Puts the token of `cell` on the requests to `origins`.
    pub fn new(cell: TokenCell, origins: Origins) -> Self {
        Self::with_cells(Cells::One(cell), origins)
    }

    /// The same with the cell chosen for each attempt: by the request, or by what
    /// [`with_extension`](reqwest_middleware::RequestBuilder::with_extension) brought along. A request to one of
    /// `origins` for which `choose` names no cell fails: it is not sent without a token (F5).
    pub fn choose<F>(choose: F, origins: Origins) -> Self
    where
        F: Fn(&Request, &Extensions) -> Option<TokenCell> + Send + Sync + 'static,
    {
        Self::with_choice(move |request, extensions| choose(request, extensions).ok_or_else(no_cell), origins)
    }

    /// The same with the cell that `map` has for a key, a `K`, that
    /// [`with_extension`](reqwest_middleware::RequestBuilder::with_extension) brought along. A request to one of
    /// `origins` without one fails (F5).
    ///
    /// ```
    /// use gatepass::{AuthorizationServer, ClientAuth, Origins, TokenCell, TokenEndpoint, TokenMap, grant::ClientCredentials};
    /// use gatepass_reqwest::{BearerMiddleware, Transport};
    ///
    /// #[derive(Clone, PartialEq, Eq, Hash)]
    /// struct Tenant(String);
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), gatepass::BoxError> {
    /// # let _ = rustls::crypto::ring::default_provider().install_default();
    /// # let auth = gatepass_testkit::AuthorizationServer::start().await;
    /// # let api = gatepass_testkit::Api::start(&auth).await;
    /// # let (issuer, api_url) = (auth.issuer().to_owned(), api.origin());
    /// let transport = Transport::new()?;
    /// let tenants = TokenMap::new(1000, move |tenant: &Tenant| {
    ///     let server = AuthorizationServer::issuer(&issuer); // https://auth.example.com
    ///     let grant = ClientCredentials::new().parameter("tenant", tenant.0.as_str());
    ///     let endpoint = TokenEndpoint::new(transport.clone(), server, ClientAuth::basic("client", "secret"), grant);
    ///     TokenCell::builder(endpoint.expect("checked at the start")).copies(1).build()
    /// });
    /// let bearer = BearerMiddleware::keyed(tenants, Origins::new([api_url])?); // https://api.example.com
    /// let http = bearer.client(reqwest::Client::builder())?;
    ///
    /// let request = http.get(format!("{api_url}/orders")).with_extension(Tenant("acme".to_owned()));
    /// assert_eq!(request.send().await?.status(), 200);
    /// # Ok(()) }
    /// ```
    pub fn keyed<K>(map: TokenMap<K>, origins: Origins) -> Self
    where
        K: Hash + Eq + Clone + Send + Sync + 'static,
    {
        let choose = move |_: &Request, extensions: &Extensions| match extensions.get::<K>() {
            Some(key) => Ok(map.get(key)),
            None => Err(no_key::<K>()),
        };
        Self::with_choice(choose, origins)
    }

    fn with_choice<F>(choose: F, origins: Origins) -> Self
    where
        F: Fn(&Request, &Extensions) -> Result<TokenCell, Error> + Send + Sync + 'static,
    {
        Self::with_cells(Cells::Choose(Arc::new(choose)), origins)
    }

    fn with_cells(cells: Cells, origins: Origins) -> Self {
        Self { cells, origins, rules: Some(Rules::new()), gate: None, tells: false }
    }

    /// Sends again by these rules instead of the usual ones.
    #[must_use]
    pub fn rules(mut self, rules: Rules) -> Self {
        self.rules = Some(rules);
        self
    }

    /// Sends nothing again. A refused token is dropped all the same, so the next request is right.
    #[must_use]
    pub fn no_retries(mut self) -> Self {
        self.rules = None;
        self
    }

    /// Has requests wait at this gate while the server that turned a sibling away wants to be left alone (R5). See
    /// [`gate`](gatepass::gate); the same one may serve a [`gatepass::BearerLayer`].
    ///
    /// A request that would wait beyond its [`Deadline`](gatepass::retry::Deadline) fails with an error that [is rate
    /// limited](Error::is_rate_limited), see [`token_error`](crate::token_error), and is not sent.
    #[must_use]
    pub fn gate(mut self, gate: Gate) -> Self {
        self.gate = Some(gate);
        self
    }

    /// Tells each request's [`Story`](gatepass::bearer::Story) in the extensions of its response. That allocates.
    #[must_use]
    pub fn stories(mut self) -> Self {
        self.tells = true;
        self
    }

    /// The client to `builder` with this around it, and with [`redirect_policy`] in place of its own redirect policy.
    ///
    /// For more middlewares, another redirect policy or an existing client, put this into a
    /// [`reqwest_middleware::ClientBuilder`] yourself; mind what is said on redirects [above](Self).
    ///
    /// # Errors
    /// Misconfigured, when reqwest cannot build the client.
    pub fn client(self, builder: reqwest::ClientBuilder) -> Result<ClientWithMiddleware, Error> {
        let client = builder
            .redirect(redirect_policy(self.origins.clone()))
            .build()
            .map_err(|error| Error::misconfigured("the reqwest client cannot be built").with_source(error))?;
        Ok(ClientBuilder::new(client).with(self).build())
    }

    /// Which of the origins that may get the token this URL is at.
    pub(crate) fn origin_of(&self, url: &Url) -> Option<usize> {
        self.origins.position(url.scheme(), url.host_str()?, url.port())
    }

    pub(crate) fn lane(&self, cell: &TokenCell, url: &Url) -> Option<Lane> {
        let host = url.host_str().unwrap_or_default();
        self.gate.as_ref().map(|gate| gate.lane(cell, url.scheme(), host, url.port()))
    }

    pub(crate) fn tells(&self) -> bool {
        self.tells
    }

    pub(crate) fn retry_rules(&self) -> Option<&Rules> {
        self.rules.as_ref()
    }

    /// # Errors
    /// Misconfigured, when no cell was chosen, or there is no key to choose one by.
    pub(crate) fn cell(&self, request: &Request, extensions: &Extensions) -> Result<Cow<'_, TokenCell>, Error> {
        match &self.cells {
            Cells::One(cell) => Ok(Cow::Borrowed(cell)),
            Cells::Choose(choose) => choose(request, extensions).map(Cow::Owned),
        }
    }
}

fn no_cell() -> Error {
    Error::misconfigured(
        "no token was chosen for a request to an origin that needs one: let the function given to \
         BearerMiddleware::choose name a cell for it, or send it with what has one (OnBehalf::reqwest, where people \
         sign in to a web server), or leave the origin out of the middleware's",
    )
}

fn no_key<K>() -> Error {
    Error::misconfigured(format!(
        "nothing says whose token a request to an origin that needs one takes: give it the key, a `{}`, by with_extension, or leave \
         the origin out of the middleware's",
        type_name::<K>()
    ))
}

/// Whether a request to this URL gets the token.
pub(crate) fn serves(origins: &Origins, url: &Url) -> bool {
    url.host_str().is_some_and(|host| origins.contains_parts(url.scheme(), host, url.port()))
}

impl fmt::Debug for Cells {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(cell) => cell.fmt(f),
            Self::Choose(_) => f.write_str("chosen for each attempt"),
        }
    }
}
