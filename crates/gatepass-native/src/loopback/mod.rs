//! A server on this machine that takes the callback: where the browser ends after a sign-in (RFC 8252 section 7.3).
//!
//! ```
//! use gatepass_native::{Loopback, Outcome, Pages};
//! # use tokio::{io::{AsyncReadExt, AsyncWriteExt}, net::TcpStream};
//! # async fn open(redirect_uri: &str) -> tokio::task::JoinHandle<String> {
//! #     let host = redirect_uri["http://".len()..].split('/').next().unwrap().to_owned();
//! #     let mut browser = TcpStream::connect(&host).await.unwrap();
//! #     let request = format!("GET /callback?code=SplxlOBe&state=af0ifjsldkj HTTP/1.1\r\nHost: {host}\r\n\r\n");
//! #     browser.write_all(request.as_bytes()).await.unwrap();
//! #     tokio::spawn(async move { let mut page = String::new(); browser.read_to_string(&mut page).await.unwrap(); page })
//! # }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), gatepass::Error> {
//! let listener = Loopback::any_port().pages(Pages::new("My Program")).listen().await?;
//! let redirect_uri = listener.redirect_uri().to_owned(); // belongs into the authorization request
//! # let page = open(&redirect_uri).await;
//!
//! // ... the browser is sent to the authorization server ...
//! let callback = listener.callback(|query| query.contains("state=af0ifjsldkj")).await;
//! assert_eq!(callback.query(), "code=SplxlOBe&state=af0ifjsldkj");
//!
//! // ... the code is redeemed; only then the browser is told, so that what it shows is true ...
//! callback.answer(Outcome::Succeeded).await;
//! # assert!(page.await.unwrap().contains("You can close this tab and go back to My Program."));
//! # Ok(()) }
//! ```
//!
//! It is made for an audience that includes the other programs of this machine and every page that the browser shows:
//!
//! - It listens on loopback addresses only, and no longer than the sign-in takes (8252-4).
//! - It answers `GET` for the one path, with the `Host` of the redirect URI: a name that was rebound to this machine is
//!   turned away. Everything else gets a page that tells nothing.
//! - A callback counts when the program says so, which compares `state`, and it counts once (8252-6, 9700-11). Any other
//!   changes nothing.
//! - A query may have 16 KiB. A whole head may have 64 KiB at least and 128 KiB at most, since browsers send the cookies
//!   of every port along. A connection has ten seconds to send it; of more than 32 connections the oldest that has not
//!   is closed.
//! - The pages load nothing, are stored nowhere, send no `Referer`, and take the query out of the address bar.
//!
//! # What it cannot do
//!
//! - Another program that runs as the same person may listen on a fixed port before this one does, and gets the
//!   callback. PKCE keeps it from redeeming the code; [`Loopback::any_port`] keeps it from knowing the port.
//! - It understands `response_mode=query` alone, not `form_post` nor `fragment`.

mod admission;
mod bind;
mod connection;
mod listener;
mod page;
mod server;
mod settings;

pub(crate) use self::admission::MOST_QUERY;
pub use self::{
    listener::{Callback, Listener, Outcome},
    page::Pages,
    settings::Loopback,
};
