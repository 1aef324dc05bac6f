use std::borrow::Cow;

use gatepass::Error;

use super::{bind, listener::Listener, page::Pages};

/// Where the callback is awaited. A value; [`listen`](Self::listen) opens the port. See the
/// [module docs](crate::loopback).
#[derive(Clone, Debug)]
pub struct Loopback {
    port: u16,
    path: Cow<'static, str>,
    localhost: bool,
    pages: Pages,
}

impl Loopback {
    /// Listens on `127.0.0.1`, or on `[::1]` where there is no IPv4, on a port that is free. Authorization servers have
    /// to accept any port in the loopback redirect URI of a native program (RFC 8252 section 7.3).
    pub const fn any_port() -> Self {
        Self::port(0)
    }

    /// The same on this port, for servers that compare the port too.
    pub const fn port(port: u16) -> Self {
        Self { port, path: Cow::Borrowed("/callback"), localhost: false, pages: Pages::unnamed() }
    }

    /// The path of the redirect URI, `/callback` unless told. It begins with `/` and has neither query nor fragment.
    /// Empty is for redirect URIs that are registered without one, like `http://localhost`.
    #[must_use]
    pub fn path(mut self, path: impl Into<Cow<'static, str>>) -> Self {
        self.path = path.into();
        self
    }

    /// Calls it `http://localhost` instead of `http://127.0.0.1`, and listens on `127.0.0.1` and `[::1]` both, on the
    /// same port.
    ///
    /// Only for servers that insist, as Microsoft's do. It is not recommended (RFC 8252 section 8.3): what `localhost`
    /// leads to is up to the resolver and its files, a firewall may treat the name in another way than the address, and
    /// the port has to be free on both addresses, or the browser may end at another program.
    #[must_use]
    pub const fn localhost(mut self) -> Self {
        self.localhost = true;
        self
    }

    /// What the browser shows in the end.
    #[must_use]
    pub fn pages(mut self, pages: Pages) -> Self {
        self.pages = pages;
        self
    }

    /// The same with the program's name on its pages, unless they have one.
    pub(crate) fn named(mut self, program: &str) -> Self {
        self.pages = self.pages.or_named(program);
        self
    }

    /// Opens the port. Do it before the browser is sent anywhere.
    ///
    /// # Errors
    /// Misconfigured when the port is taken or not allowed, naming it, or when the path is none. Transient when the
    /// system has no socket to give.
    ///
    /// # Panics
    /// Outside of a tokio runtime with I/O and time enabled.
    #[allow(clippy::unused_async, reason = "needs a runtime, which an async function cannot be without")]
    pub async fn listen(&self) -> Result<Listener, Error> {
        check_path(&self.path)?;
        let (sockets, address) = if self.localhost { bind::both(self.port)? } else { bind::one(self.port)? };
        let host = if self.localhost { "localhost".to_owned() } else { in_url(address.ip()) };
        // Browsers leave out the port that is usual, and registered redirect URIs do too.
        let authority = if address.port() == 80 { host } else { format!("{host}:{}", address.port()) };
        Ok(Listener::start(sockets, authority, &self.path, self.pages.clone()))
    }
}

fn in_url(address: std::net::IpAddr) -> String {
    match address {
        std::net::IpAddr::V4(address) => address.to_string(),
        std::net::IpAddr::V6(address) => format!("[{address}]"),
    }
}

fn check_path(path: &str) -> Result<(), Error> {
    let wrong =
        |why| Err(Error::misconfigured(format!("the path of the redirect URI {why}; write one like /callback")));
    if path.is_empty() {
        return Ok(());
    }
    if !path.starts_with('/') {
        return wrong("has to begin with /");
    }
    if path.contains(['?', '#']) {
        return wrong("has a query or a fragment");
    }
    if path.bytes().any(|byte| !byte.is_ascii_graphic() || b"\"<>\\^`{|}".contains(&byte)) {
        return wrong("has characters that a URL cannot have");
    }
    // Browsers resolve these before they ask.
    if path.split('/').any(|segment| matches!(segment, "." | "..")) {
        return wrong("has a segment . or ..");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_what_a_browser_asks_for_unchanged() {
        for good in ["", "/", "/callback", "/a/b%20c/", "/signin-oidc", "/a.b", "/..."] {
            assert!(check_path(good).is_ok(), "{good}");
        }
        for bad in ["callback", "/a?b", "/a#b", "/a b", "/a\r\nb", "/ä", "/a/../b", "/.", "http://127.0.0.1/", "/a\"b"]
        {
            let error = check_path(bad).unwrap_err();
            assert!(error.is_misconfigured() && error.to_string().contains("/callback"), "{bad}: {error}");
        }
    }
}
