//! Which origins may receive the token (X1).
//!
//! ```
//! use gatepass::Origins;
//!
//! # fn main() -> Result<(), gatepass::Error> {
//! let origins = Origins::new(["https://api.example.com", "http://127.0.0.1:8080"])?;
//! assert!(origins.contains(&"https://API.example.com:443/v1?q=1".parse().unwrap()));
//! assert!(!origins.contains(&"https://api.example.com.evil.example/".parse().unwrap()));
//! assert!(!origins.contains(&"http://api.example.com/".parse().unwrap()));
//!
//! let error = Origins::new(["http://api.example.com"]).unwrap_err();
//! assert!(error.is_misconfigured());
//! # Ok(()) }
//! ```

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

use http::{Uri, uri::Authority};

use crate::error::Error;

/// A list of origins: scheme, host and port, compared exactly. See the [module docs](crate::origins).
#[derive(Clone, PartialEq, Eq)]
pub struct Origins(Arc<[Origin]>);

/// Scheme, host and port of a server (RFC 6454).
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Host and port, as most URIs write them: lower case, the usual port left out.
    authority: Box<str>,
    https: bool,
    /// In lower case; an IPv6 address stands in brackets.
    host: Box<str>,
    port: u16,
}

impl Origins {
    /// Origins like `https://api.example.com` or `https://api.example.com:8443`. Plain `http` is accepted for loopback
    /// addresses and `localhost`.
    ///
    /// # Errors
    /// Misconfigured, naming the origin that is none and what to write instead.
    pub fn new<I>(origins: I) -> Result<Self, Error>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        Self::collect(origins, false)
    }

    /// The same, accepting `http` anywhere: whoever is on the path can read the token and use it.
    ///
    /// # Errors
    /// As for [`Origins::new`].
    pub fn dangerous_with_plain_http<I>(origins: I) -> Result<Self, Error>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        Self::collect(origins, true)
    }

    fn collect<I>(origins: I, plain_http: bool) -> Result<Self, Error>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        let origins: Arc<[Origin]> =
            origins.into_iter().map(|origin| Origin::new(origin.as_ref(), plain_http)).collect::<Result<_, _>>()?;
        if origins.is_empty() {
            return Err(Error::misconfigured(
                "no origin was given, so no request would get the token: name at least one, like https://api.example.com",
            ));
        }
        Ok(Self(origins))
    }

    /// Whether a request to this URI may carry the token. A URI without scheme or authority is at none of these
    /// origins.
    #[inline]
    pub fn contains(&self, uri: &Uri) -> bool {
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return false;
        };
        // To take an authority apart costs more than all else that `Bearer` does; first see whether it has to be.
        let written = authority.as_str();
        self.0.iter().any(|origin| origin.is_written(scheme, written))
            || has_sound_port(authority) && self.contains_parts(scheme, authority.host(), authority.port_u16())
    }

    /// The same for a URL that was taken apart by another parser. An IPv6 host stands in brackets; no port is the
    /// scheme's default.
    #[inline]
    pub fn contains_parts(&self, scheme: &str, host: &str, port: Option<u16>) -> bool {
        self.position(scheme, host, port).is_some()
    }

    /// Which of these it is, counted from 0: two URLs with the same answer are of the same origin.
    #[inline]
    pub fn position(&self, scheme: &str, host: &str, port: Option<u16>) -> Option<usize> {
        self.0.iter().position(|origin| origin.is(scheme, host, port))
    }
}

impl Origin {
    pub(crate) fn new(text: &str, plain_http: bool) -> Result<Self, Error> {
        let wrong = |why: &str| {
            let shown: String = text.chars().filter(|c| !c.is_control()).take(100).collect();
            // What stands before an @ may be a password.
            let shown = shown.rsplit('@').next().unwrap_or_default();
            Error::misconfigured(format!("`{shown}` is not an origin that may get a token: {why}"))
        };
        let uri: Uri = text.parse().map_err(|_| wrong("write scheme and host, like https://api.example.com"))?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(wrong("write the scheme too, like https://api.example.com"));
        };
        if authority.as_str().contains('@') {
            return Err(wrong("leave out user name and password"));
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(wrong("leave out path and query: a token is for a whole origin"));
        }
        let https = scheme.eq_ignore_ascii_case("https");
        if !https && !scheme.eq_ignore_ascii_case("http") {
            return Err(wrong("its scheme has to be https"));
        }
        if authority.host().contains('*') {
            return Err(wrong("name each host: there are no wildcards"));
        }
        if authority.host().is_empty() || !has_sound_port(authority) {
            return Err(wrong("write a host and, if needed, a port up to 65535"));
        }
        if !https && !plain_http && !is_loopback(authority.host()) {
            return Err(wrong("plain http is for loopback addresses only; use https"));
        }
        let host = authority.host().to_ascii_lowercase();
        let (_, default_port) = scheme_of(https);
        let port = authority.port_u16().unwrap_or(default_port);
        let usual = if port == default_port { host.clone() } else { format!("{host}:{port}") };
        Ok(Self { authority: usual.into(), https, host: host.into(), port })
    }

    /// Whether this is the origin, letter by letter. If not, it may still be, written in another way.
    #[inline]
    fn is_written(&self, scheme: &str, authority: &str) -> bool {
        *authority == *self.authority && scheme == scheme_of(self.https).0
    }

    #[inline]
    fn is(&self, scheme: &str, host: &str, port: Option<u16>) -> bool {
        let (own_scheme, default_port) = scheme_of(self.https);
        port.unwrap_or(default_port) == self.port
            && (*host == *self.host || host.eq_ignore_ascii_case(&self.host) || is_same_ipv6(host, &self.host))
            && (scheme == own_scheme || scheme.eq_ignore_ascii_case(own_scheme))
    }
}

/// Name and default port.
#[inline]
fn scheme_of(https: bool) -> (&'static str, u16) {
    if https { ("https", 443) } else { ("http", 80) }
}

/// Whether the port is left out or a number up to 65535: another one must not pass for the default port.
#[inline]
fn has_sound_port(authority: &Authority) -> bool {
    authority.port_u16().is_some() || authority.as_str().ends_with(authority.host())
}

/// IPv6 addresses have many spellings.
fn is_same_ipv6(one: &str, other: &str) -> bool {
    fn parse(host: &str) -> Option<Ipv6Addr> {
        host.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
    }
    one.starts_with('[') && parse(one).is_some_and(|one| parse(other) == Some(one))
}

/// Whether a URL's host is this machine: a loopback address, or `localhost`.
pub(crate) fn is_loopback(host: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    match address.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, _) = scheme_of(self.https);
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Origins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(origin: &str, uri: &str) -> bool {
        Origins::new([origin]).unwrap().contains(&uri.parse().unwrap())
    }

    #[test]
    fn x1_scheme_host_and_port_have_to_be_the_same() {
        let api = "https://api.example.com";
        for same in [
            "https://api.example.com",
            "https://api.example.com:443/a",
            "HTTPS://API.EXAMPLE.COM/a?b",
            "https://u:p@api.example.com/",
        ] {
            assert!(contains(api, same), "{same}");
        }
        for other in [
            "http://api.example.com/",
            "https://api.example.com:8443/",
            "https://api.example.com.evil.example/",
            "https://evil.example/?u=https://api.example.com",
            "https://api.example.com@evil.example/",
            "https://api.example.com:443@evil.example/",
            "https://xapi.example.com/",
            "https://api.example.com./",
            "https://api.example.com:99999/",
            "https://api.example.com:/",
            "/path",
            "api.example.com:443",
        ] {
            assert!(!contains(api, other), "{other}");
        }
        assert!(contains("http://[::1]:80", "http://[::1]/x"));
        assert!(contains("https://[2001:db8::1]", "https://[2001:DB8:0:0:0:0:0:1]/x"));
        assert!(!contains("https://[2001:db8::1]", "https://[2001:db8::2]/x"));
    }

    #[test]
    fn x1_plain_http_is_for_loopback_only() {
        for good in ["http://127.0.0.1", "http://127.8.9.1:81", "http://[::1]:5000", "http://localhost:3000/"] {
            assert!(Origins::new([good]).is_ok(), "{good}");
        }
        for bad in
            ["http://api.example.com", "http://10.0.0.1", "http://localhost.evil.example", "http://[2001:db8::1]"]
        {
            let error = Origins::new([bad]).unwrap_err();
            assert!(error.is_misconfigured() && error.to_string().contains("https"), "{error}");
            assert!(Origins::dangerous_with_plain_http([bad]).is_ok(), "{bad}");
        }
    }

    #[test]
    fn x1_what_is_no_origin_is_refused_with_what_to_write() {
        for (bad, hint) in [
            ("api.example.com", "scheme"),
            ("", "scheme"),
            ("https://", "scheme"),
            ("https://api.example.com/v1", "path"),
            ("https://api.example.com?x=1", "query"),
            ("ftp://api.example.com", "https"),
            ("https://user:hunter2@api.example.com", "user name"),
            ("https://api.example.com:99999", "port"),
            ("https://api .example.com", "host"),
            ("https://*.example.com", "wildcards"),
        ] {
            let error = Origins::new([bad]).unwrap_err().to_string();
            assert!(error.contains(hint), "{bad}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        assert!(Origins::new([] as [&str; 0]).is_err());
    }
}
