//! Which requests get as far as the program, as a pure function of the request's head.

use http::{HeaderMap, Method, Uri, header};

/// Codes of more than 2 KB exist, and servers add what they like.
pub(crate) const MOST_QUERY: usize = 16 * 1024;

/// What a request has to look like.
#[derive(Debug)]
pub(super) struct Admission {
    authority: String,
    path: String,
}

/// Why a request gets no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is for another host: the browser followed a name that leads here (DNS rebinding).
    Host,
    Path,
    Method,
    TooLong,
    /// Its `state` is not that of this sign-in.
    Foreign,
    /// The sign-in has its answer, or is over.
    Over,
}

impl Admission {
    pub(super) fn new(authority: String, path: &str) -> Self {
        // A browser asks for / where a URL has no path.
        Self { authority, path: if path.is_empty() { "/".to_owned() } else { path.to_owned() } }
    }

    /// The query, if this may be the callback.
    pub(super) fn admit(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<String, Refusal> {
        let mut hosts = headers.get_all(header::HOST).iter();
        let host = hosts.next().ok_or(Refusal::Host)?;
        let is_ours = host.as_bytes() == self.authority.as_bytes() && hosts.next().is_none();
        if !is_ours || uri.authority().is_some_and(|authority| authority.as_str() != self.authority) {
            return Err(Refusal::Host);
        }
        if uri.path() != self.path {
            return Err(Refusal::Path);
        }
        if method != Method::GET {
            return Err(Refusal::Method);
        }
        let query = uri.query().unwrap_or_default();
        if query.len() > MOST_QUERY {
            return Err(Refusal::TooLong);
        }
        Ok(query.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admit(method: &str, uri: &str, hosts: &[&str]) -> Result<String, Refusal> {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(header::HOST, host.parse().unwrap());
        }
        let admission = Admission::new("127.0.0.1:4000".to_owned(), "/callback");
        admission.admit(&method.parse().unwrap(), &uri.parse().unwrap(), &headers)
    }

    #[test]
    fn the_callback_is_a_get_for_the_redirect_uri() {
        let ours = &["127.0.0.1:4000"][..];
        assert_eq!(admit("GET", "/callback?code=a&state=b", ours), Ok("code=a&state=b".to_owned()));
        assert_eq!(admit("GET", "http://127.0.0.1:4000/callback?code=a", ours), Ok("code=a".to_owned()));
        assert_eq!(admit("GET", "/callback", ours), Ok(String::new()));

        for path in ["/", "/callback/", "/callbac", "/Callback", "/%63allback", "/favicon.ico", "//callback"] {
            assert_eq!(admit("GET", path, ours), Err(Refusal::Path), "{path}");
        }
        for method in ["POST", "HEAD", "OPTIONS", "get"] {
            assert_eq!(admit(method, "/callback?code=a", ours), Err(Refusal::Method), "{method}");
        }
        assert_eq!(admit("GET", &format!("/callback?{}", "a".repeat(MOST_QUERY + 1)), ours), Err(Refusal::TooLong));
    }

    #[test]
    fn a_rebound_name_is_not_this_host() {
        for hosts in [
            &["evil.example:4000"][..],
            &["127.0.0.1"],
            &["127.0.0.1:4001"],
            &["localhost:4000"],
            &["127.0.0.1:4000.evil.example"],
            &["127.0.0.1:4000", "127.0.0.1:4000"],
            &["127.0.0.1:4000", "evil.example"],
            &[],
        ] {
            assert_eq!(admit("GET", "/callback?code=a", hosts), Err(Refusal::Host), "{hosts:?}");
        }
        let other = admit("GET", "http://evil.example/callback?code=a", &["127.0.0.1:4000"]);
        assert_eq!(other, Err(Refusal::Host));
    }

    #[test]
    fn a_redirect_uri_without_path_is_asked_for_as_root() {
        let headers = HeaderMap::from_iter([(header::HOST, "localhost".parse().unwrap())]);
        let admitted =
            Admission::new("localhost".to_owned(), "").admit(&Method::GET, &"/?code=a".parse().unwrap(), &headers);
        assert_eq!(admitted, Ok("code=a".to_owned()));
    }
}
