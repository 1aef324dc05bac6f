//! What the examples for one provider's API share: the API, its pages, and what a refusal means.

use std::{collections::HashSet, time::Duration};

use bytes::Bytes;
use gatepass::{
    AuthorizationServer, BearerLayer, BoxError, Error, Origins, RetryAfter, RetryPolicy, TokenCell, bearer::Refused,
    endpoint::HttpService, provider::Provider, retry::Rules,
};
use gatepass_native::{App, SignedOut};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use serde_json::Value;
use tower::{Service, ServiceBuilder, ServiceExt, util::BoxService};

/// How long the API may take for the head of an answer, and for the rest.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);
/// No page is longer than this, in bytes.
const LONGEST_PAGE: usize = 8 << 20;
/// Nobody has more pages than this: whoever is led further is led in circles.
const MOST_PAGES: usize = 1000;

/// The provider's authorization server, unless the environment names another one.
pub fn server_of(provider: &Provider) -> Result<AuthorizationServer, BoxError> {
    match (super::optional("OAUTH_TOKEN_URL"), super::optional("OAUTH_ISSUER")) {
        (None, None) => Ok(super::with_endpoints_from_env(provider.server())),
        _ => super::server_from_env(),
    }
}

/// A provider's API, called with a token that goes nowhere else.
pub struct Api {
    provider: &'static str,
    base: String,
    origins: Origins,
    headers: HeaderMap,
    client: BoxService<Request<Full<Bytes>>, Response<Incoming>, BoxError>,
}

impl Api {
    /// At `usual`, unless `API_URL` says otherwise.
    pub fn new(provider: &'static str, usual: &str, cell: TokenCell, rules: Rules) -> Result<Self, BoxError> {
        let base = super::optional("API_URL").unwrap_or_else(|| usual.to_owned());
        let (_, origins) = super::api_at(&base)?;
        let client = ServiceBuilder::new()
            .boxed()
            .layer(BearerLayer::new(cell, origins.clone()).retry(RetryPolicy::new().rules(rules)))
            .timeout(ANSWERS_WITHIN)
            .service(super::http_client());
        let base = base.trim_end_matches('/').to_owned();
        Ok(Self { provider, base, origins, headers: HeaderMap::new(), client })
    }

    /// Sends this header with each request.
    pub fn header(mut self, name: HeaderName, value: &'static str) -> Self {
        self.headers.insert(name, HeaderValue::from_static(value));
        self
    }

    pub fn url(&self, path: &str) -> Result<Uri, BoxError> {
        Ok(format!("{}{path}", self.base).parse()?)
    }

    /// The pages from this one on.
    pub fn pages(&self, first: Uri) -> Pages {
        Pages { provider: self.provider, origins: self.origins.clone(), seen: HashSet::new(), next: Some(first) }
    }

    /// Whatever is answered.
    pub async fn send(&mut self, url: &Uri) -> Result<Response<Bytes>, BoxError> {
        let mut request = Request::get(url.clone()).body(Full::default())?;
        *request.headers_mut() = self.headers.clone();
        let answer = async {
            let (head, body) = self.client.ready().await?.call(request).await?.into_parts();
            let body = tokio::time::timeout(ANSWERS_WITHIN, Limited::new(body, LONGEST_PAGE).collect()).await??;
            Ok(Response::from_parts(head, body.to_bytes()))
        };
        answer.await.map_err(|error: BoxError| match error.downcast_ref::<Error>() {
            Some(error) if error.is_reauth_required() => Error::reauth_required(format!(
                "{} refused the token, and it cannot be renewed: run this again to sign in again",
                self.provider
            ))
            .with_source(error.clone())
            .into(),
            Some(_) => error,
            None => format!("no answer from {}: {}; try again later", origin(url), super::one_line(&*error)).into(),
        })
    }

    /// What is answered, if that is JSON and a success.
    pub async fn get(&mut self, url: &Uri) -> Result<Value, BoxError> {
        let response = self.send(url).await?;
        self.read(url, &response)
    }

    pub fn read(&self, url: &Uri, response: &Response<Bytes>) -> Result<Value, BoxError> {
        if !response.status().is_success() {
            return Err(self.refusal(url, response));
        }
        serde_json::from_slice(response.body())
            .map_err(|error| format!("{} answered with something other than JSON: {error}", origin(url)).into())
    }

    fn refusal(&self, url: &Uri, response: &Response<Bytes>) -> BoxError {
        let (provider, status) = (self.provider, response.status());
        let said = message(response).map(|said| format!(": {said}")).unwrap_or_default();
        if status == StatusCode::TOO_MANY_REQUESTS {
            return match response.extensions().get::<RetryAfter>() {
                Some(asked) => too_many(provider, asked.wait()),
                None => format!("{provider} answers no more requests for now{said}; try again in a few minutes").into(),
            };
        }
        if response.extensions().get::<Refused>().is_some_and(Refused::token_is_bad) {
            // No reason to forget what is kept: it may be that a new token could not be had just now.
            return format!(
                "{provider} refuses the token ({status}{said}), and a new one was refused too or could not be had: try \
                 again later; if it stays so, sign out and in again, or see whether the app is still allowed there"
            )
            .into();
        }
        format!("{}{} answered {status}{said}", origin(url), url.path()).into()
    }
}

/// Addresses of pages, one after the other, each as the page before it named it.
///
/// A link comes from a body or a header that others may have written: it is followed within the API's own origin only,
/// and not for ever.
pub struct Pages {
    provider: &'static str,
    origins: Origins,
    seen: HashSet<Uri>,
    next: Option<Uri>,
}

impl Iterator for Pages {
    type Item = Uri;

    fn next(&mut self) -> Option<Uri> {
        let url = self.next.take()?;
        self.seen.insert(url.clone());
        Some(url)
    }
}

impl Pages {
    /// The page that comes next.
    pub fn follow(&mut self, link: &str) -> Result<(), BoxError> {
        let provider = self.provider;
        let url: Uri = link
            .parse()
            .map_err(|_| format!("the link to the next page is no URL: `{}`; the list ends here", printable(link)))?;
        if !self.origins.contains(&url) {
            return Err(format!(
                "the link to the next page leads away from {provider}'s API, to {}: it was not followed, and no token was \
                 sent there",
                origin(&url)
            )
            .into());
        }
        if self.seen.contains(&url) || self.seen.len() >= MOST_PAGES {
            return Err(format!(
                "{provider}'s pages lead in circles: stopped after {}, the list may be incomplete",
                self.seen.len()
            )
            .into());
        }
        self.next = Some(url);
        Ok(())
    }
}

/// `account_page` is where a person ends what a provider cannot be told to end.
pub async fn sign_out(app: &App<impl HttpService>, account_page: &str) -> Result<(), BoxError> {
    match app.sign_out().await? {
        SignedOut::Revoked => super::say("signed out"),
        SignedOut::WasNot => super::say("nobody was signed in"),
        SignedOut::NotRevoked(error) => Err(format!("signed out here, but not there: {error}").into()),
        _ => super::say(format!("signed out here; to take back what the program may do, go to {account_page}")),
    }
}

pub fn too_many(provider: &str, wait: Duration) -> BoxError {
    let (words, seconds) = (in_words(wait), wait.as_secs());
    format!("{provider} wants no more requests for {words} ({seconds} s): run this again after that").into()
}

pub fn in_words(time: Duration) -> String {
    let minutes = time.as_secs().div_ceil(60);
    match time.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        120..7200 => format!("{minutes} min"),
        _ => format!("{} h {} min", minutes / 60, minutes % 60),
    }
}

/// What the API says about a failure: `message`, or that of an `error`.
pub fn message(response: &Response<Bytes>) -> Option<String> {
    let body: Value = serde_json::from_slice(response.body()).ok()?;
    let said = [&body["error"]["message"], &body["message"], &body["error_description"], &body["error"]];
    said.into_iter().find_map(Value::as_str).map(printable)
}

/// A text of the API that does nothing to a terminal: people call their playlists as they like.
pub fn printable(text: &str) -> String {
    let acts = |c: char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().take(300).map(|c| if acts(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// Without a user name, a password, a path or a query.
fn origin(url: &Uri) -> String {
    let port = url.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}", url.scheme_str().unwrap_or("?"), printable(url.host().unwrap_or("?")))
}
