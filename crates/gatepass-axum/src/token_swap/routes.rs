use std::{fmt, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::State, routing::post};
use gatepass::{
    Error, Secret, TokenSet,
    endpoint::{Client, HttpService},
    grant::{AuthorizationCode, Pkce, RefreshToken},
    store::SealKey,
};
use http::{Request, Response};

use super::{
    answer::{Issued, Refused},
    flights::Flights,
    form::Form,
    redirect_uris::RedirectUris,
};

/// Before a refresh is tried a second time that was refused without a reason (F1).
const DOUBT: Duration = Duration::from_millis(500);

/// Swaps codes and refresh tokens for apps. See the [module docs](super).
#[must_use]
pub struct TokenSwap<S> {
    client: Client<S>,
    redirect_uris: RedirectUris,
    seals: Option<SealKey>,
    opens: Vec<SealKey>,
    flights: Flights<Issued>,
}

impl<S> TokenSwap<S> {
    /// By this client, which has the secret. A code is one that came to `redirect_uri`, unless the app says otherwise.
    pub fn new(client: Client<S>, redirect_uri: impl Into<String>) -> Self {
        let redirect_uris = RedirectUris::new(redirect_uri.into());
        Self { client, redirect_uris, seals: None, opens: Vec::new(), flights: Flights::default() }
    }

    /// Another redirect URI that an app may name. They are compared byte by byte; `http://127.0.0.1/callback`, without
    /// a port, stands for every port of that address (RFC 8252 section 7.3).
    pub fn redirect_uri(mut self, redirect_uri: impl Into<String>) -> Self {
        self.redirect_uris.add(redirect_uri.into());
        self
    }

    /// Hands out refresh tokens sealed, so that one that is stolen is good at this server only, which can refuse it.
    /// From then on those handed out before are refused, and people sign in again; so they do when the key is lost.
    pub fn sealed(mut self, key: SealKey) -> Self {
        self.seals = Some(key);
        self
    }

    /// Takes what was sealed with this key, too: an older one, or the next.
    pub fn also_open(mut self, key: SealKey) -> Self {
        self.opens.push(key);
        self
    }
}

impl<S: HttpService> TokenSwap<S> {
    /// `/swap` and `/refresh`, to be merged into a router or nested.
    pub fn routes(self) -> Router {
        Router::new().route("/swap", post(swap::<S>)).route("/refresh", post(refresh::<S>)).with_state(Arc::new(self))
    }

    async fn swap(&self, form: Form) -> Result<Issued, Refused> {
        let code = form.code.ok_or(Refused::invalid_request("send the `code` that the sign-in brought"))?;
        let sent = form.redirect_uri.as_ref().map(Secret::expose);
        let redirect_uri = self.redirect_uris.choose(sent).ok_or(Refused::invalid_request(
            "send a `redirect_uri` that this server knows: its operator adds it by TokenSwap::redirect_uri",
        ))?;
        let mut grant = AuthorizationCode::new(code, redirect_uri);
        if let Some(verifier) = form.code_verifier {
            let wrong = "send a `code_verifier` of 43 to 128 letters, digits and -._~";
            grant = grant.pkce(Pkce::from_verifier(verifier).map_err(|_| Refused::invalid_request(wrong))?);
        }
        let set = self.client.exchange(&grant, None).await;
        self.issued(set).map_err(|error| Refused::of(&error, "start the sign-in again: its code was refused"))
    }

    async fn refresh(self: Arc<Self>, form: Form) -> Result<Issued, Refused> {
        let refused = "sign in again: the refresh token was refused";
        let sent = form.refresh_token.ok_or(Refused::invalid_request("send the `refresh_token`"))?;
        // What does not open is refused in the words of the authorization server: it is none of a thief's business why.
        let token = self.opened(sent).ok_or(Refused::invalid_grant(refused))?;
        let exchange = || {
            let (swap, token) = (self.clone(), token.clone());
            async move { swap.issued(swap.exchange(token).await) }
        };
        self.flights.join(token.clone(), exchange).await.map_err(|error| Refused::of(&error, refused))
    }

    /// F1: what is refused twice without a reason is refused.
    async fn exchange(&self, token: Secret) -> Result<TokenSet, Error> {
        let (grant, presented) = (RefreshToken::new(), TokenSet::from_refresh_token(token));
        match self.client.exchange(&grant, Some(&presented)).await {
            Err(error) if error.doubts_the_grant() => tokio::time::sleep(DOUBT).await,
            result => return result,
        }
        match self.client.exchange(&grant, Some(&presented)).await {
            Err(error) if error.doubts_the_grant() => {
                Err(Error::reauth_required("sign in again: the refresh token was refused twice").with_source(error))
            }
            result => result,
        }
    }

    /// What came, as it is handed out.
    fn issued(&self, set: Result<TokenSet, Error>) -> Result<Issued, Error> {
        let mut issued = Issued::new(set?)?;
        if let (Some(key), Some(token)) = (&self.seals, &issued.refresh_token) {
            issued.refresh_token = Some(key.seal(&self.context(), token)?.into());
        }
        Ok(issued)
    }

    /// A refresh token as the authorization server knows it.
    fn opened(&self, sent: Secret) -> Option<Secret> {
        let context = self.context();
        let opened = self.seals.iter().chain(&self.opens).find_map(|key| key.open(&context, sent.expose()));
        opened.or_else(|| self.seals.is_none().then_some(sent))
    }

    /// What is sealed for one client opens for no other.
    fn context(&self) -> String {
        format!("gatepass token swap, {}", self.client.id())
    }
}

async fn swap<S: HttpService>(State(swap): State<Arc<TokenSwap<S>>>, request: Request<Body>) -> Response<Body> {
    let issued = async { swap.swap(Form::read(request).await?).await };
    issued.await.map_or_else(|refused| refused.answer(), |issued| issued.answer())
}

async fn refresh<S: HttpService>(State(swap): State<Arc<TokenSwap<S>>>, request: Request<Body>) -> Response<Body> {
    let issued = async { swap.refresh(Form::read(request).await?).await };
    issued.await.map_or_else(|refused| refused.answer(), |issued| issued.answer())
}

impl<S> fmt::Debug for TokenSwap<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSwap")
            .field("client", &self.client)
            .field("redirect_uris", &self.redirect_uris)
            .field("seals", &self.seals)
            .field("opens", &self.opens)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        sync::atomic::{AtomicUsize, Ordering},
    };

    use gatepass::{AuthorizationServer, ClientAuth, endpoint};
    use tower::{ServiceExt, service_fn};

    use super::*;

    /// What an app is told, and how often it was asked, when the first answers are refusals with this text.
    async fn refused_first(times: usize, text: &'static str) -> (u16, usize) {
        let asked = Arc::<AtomicUsize>::default();
        let count = asked.clone();
        let http = service_fn(move |_: Request<endpoint::Body>| {
            let before = count.fetch_add(1, Ordering::SeqCst);
            let issued = Response::new(r#"{"access_token":"a"}"#.to_owned());
            let refused = Response::builder().status(400).body(text.to_owned()).unwrap();
            async move { Ok::<_, Infallible>(if before < times { refused } else { issued }) }
        });
        let server = AuthorizationServer::token_endpoint("https://auth.example.com/token");
        let client = Client::new(http, server, ClientAuth::basic("my-app", "s3cr3t")).unwrap();
        let request = Request::post("/refresh").header("content-type", "application/x-www-form-urlencoded");
        let request = request.body(Body::from("refresh_token=r")).unwrap();
        let answer = TokenSwap::new(client, "my-app://callback").routes().oneshot(request).await.unwrap();
        (answer.status().as_u16(), asked.load(Ordering::SeqCst))
    }

    #[tokio::test(start_paused = true)]
    async fn f1_a_refusal_without_a_reason_counts_when_it_repeats() {
        for text in ["", "{}", r#"{"error":"invalid_request"}"#] {
            assert_eq!(refused_first(2, text).await, (400, 2), "{text}");
            assert_eq!(refused_first(1, text).await, (200, 2), "{text}");
        }
        assert_eq!(refused_first(1, r#"{"error":"invalid_grant"}"#).await, (400, 1));
    }
}
