//! What the adapter promises, told against servers that fail on command, over real sockets.

mod gate;
mod origins;
mod redirects;
mod refusals;
mod together;
mod token;
mod transport;
mod turns;
mod waits;

use gatepass::{AuthorizationServer, ClientAuth, Origins, TokenCell, TokenEndpoint, grant::ClientCredentials};
use gatepass_reqwest::{BearerMiddleware, Transport, reqwest_middleware::ClientWithMiddleware};
use gatepass_testkit::Api;

/// An authorization server and an API that accepts its tokens.
struct Stage {
    auth: gatepass_testkit::AuthorizationServer,
    api: Api,
}

impl Stage {
    async fn set() -> Self {
        provide_tls();
        let auth = gatepass_testkit::AuthorizationServer::start().await;
        let api = Api::start(&auth).await;
        Self { auth, api }
    }

    fn cell(&self) -> TokenCell {
        let server = AuthorizationServer::token_endpoint(self.auth.token_url());
        let client = ClientAuth::basic("client", "secret");
        let endpoint = TokenEndpoint::new(Transport::new().unwrap(), server, client, ClientCredentials::new());
        TokenCell::new(endpoint.unwrap())
    }

    fn origins(&self) -> Origins {
        Origins::new([self.api.origin()]).unwrap()
    }

    fn bearer(&self) -> BearerMiddleware {
        BearerMiddleware::new(self.cell(), self.origins())
    }

    fn http(&self) -> ClientWithMiddleware {
        client(self.bearer())
    }
}

fn client(bearer: BearerMiddleware) -> ClientWithMiddleware {
    bearer.client(reqwest::Client::builder()).unwrap()
}

/// The examples of this workspace build reqwest with a TLS that asks for its provider, even where all is plain http.
fn provide_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}
