//! A browser in its simplest form: bytes out, bytes in.

use gatepass_native::{Listener, Loopback};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
};

/// Host and port of a redirect URI.
pub(crate) fn authority(redirect_uri: &str) -> &str {
    redirect_uri.strip_prefix("http://").unwrap().split('/').next().unwrap()
}

/// A listener on any port, and its authority.
pub(crate) async fn listening() -> (Listener, String) {
    let listener = Loopback::any_port().listen().await.unwrap();
    let authority = authority(listener.redirect_uri()).to_owned();
    (listener, authority)
}

/// The answer of this sign-in.
pub(crate) fn is_ours(query: &str) -> bool {
    query.split('&').any(|pair| pair == "state=ours")
}

pub(crate) fn get(authority: &str, target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: {authority}\r\n\r\n")
}

/// Sends the bytes and reads the answer to its end. The answer, in a task of its own.
pub(crate) fn send(address: &str, request: impl Into<Vec<u8>>) -> JoinHandle<String> {
    let (address, request) = (address.to_owned(), request.into());
    tokio::spawn(async move {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&request).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8(answer).unwrap()
    })
}

/// Opens the URL path and query at the listener of this authority.
pub(crate) fn visit(authority: &str, target: &str) -> JoinHandle<String> {
    send(authority, get(authority, target))
}

/// 0 when there is none.
pub(crate) fn status(answer: &str) -> u16 {
    answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok()).unwrap_or(0)
}
