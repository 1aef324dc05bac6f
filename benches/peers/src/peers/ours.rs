//! gatepass, as in the docs of its crates.

use gatepass::{
    AuthorizationServer, BearerLayer, ClientAuth, Origins, TokenCell, TokenEndpoint, grant::ClientCredentials,
};
use gatepass_reqwest::{BearerMiddleware, Transport};

pub(crate) fn cell(token_url: &str) -> TokenCell {
    let server = AuthorizationServer::token_endpoint(token_url);
    let client = ClientAuth::basic("client", "secret");
    TokenCell::new(TokenEndpoint::new(Transport::new().unwrap(), server, client, ClientCredentials::new()).unwrap())
}

pub(crate) fn layer(token_url: &str, origin: &str) -> BearerLayer {
    BearerLayer::new(cell(token_url), Origins::new([origin]).unwrap())
}

pub(crate) fn middleware(token_url: &str, origin: &str) -> BearerMiddleware {
    BearerMiddleware::new(cell(token_url), Origins::new([origin]).unwrap())
}
