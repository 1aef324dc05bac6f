//! Which redirect URIs a code may have come to.

/// Compared byte by byte (RFC 6749 section 3.1.2), the port of a loopback address apart.
#[derive(Clone, Debug)]
pub(super) struct RedirectUris {
    first: String,
    others: Vec<String>,
}

impl RedirectUris {
    pub(super) fn new(first: String) -> Self {
        Self { first, others: Vec::new() }
    }

    pub(super) fn add(&mut self, other: String) {
        self.others.push(other);
    }

    /// The one that was sent, if it is one of these; the first, if none was.
    pub(super) fn choose<'a>(&'a self, sent: Option<&'a str>) -> Option<&'a str> {
        let Some(sent) = sent else { return Some(&self.first) };
        let mut known = std::iter::once(&self.first).chain(&self.others);
        known.any(|known| known == sent || is_same_but_for_the_port(known, sent)).then_some(sent)
    }
}

/// `http://127.0.0.1/callback` stands for all ports: programs take one that is free (RFC 8252 section 7.3).
fn is_same_but_for_the_port(known: &str, sent: &str) -> bool {
    ["http://127.0.0.1", "http://[::1]"].into_iter().any(|loopback| {
        let (Some(known), Some(sent)) = (known.strip_prefix(loopback), sent.strip_prefix(loopback)) else {
            return false;
        };
        let Some(sent) = sent.strip_prefix(':') else { return false };
        let path = sent.trim_start_matches(|c: char| c.is_ascii_digit());
        let port = &sent[..sent.len() - path.len()];
        path == known && (path.is_empty() || path.starts_with('/')) && port.parse::<u16>().is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc6749_9_redirect_uris_are_compared_to_the_letter() {
        let mut uris = RedirectUris::new("my-app://callback".to_owned());
        uris.add("https://app.example.com/callback".to_owned());
        assert_eq!(uris.choose(None), Some("my-app://callback"));
        for known in ["my-app://callback", "https://app.example.com/callback"] {
            assert_eq!(uris.choose(Some(known)), Some(known));
        }
        for other in [
            "my-app://callback/",
            "MY-APP://callback",
            "https://app.example.com:443/callback",
            "https://evil.example/",
            "x",
        ] {
            assert_eq!(uris.choose(Some(other)), None, "{other}");
        }
    }

    #[test]
    fn rfc8252_7_3_a_loopback_address_without_a_port_stands_for_all_ports() {
        let uris = RedirectUris::new("http://127.0.0.1/callback".to_owned());
        for sent in ["http://127.0.0.1/callback", "http://127.0.0.1:1/callback", "http://127.0.0.1:65535/callback"] {
            assert_eq!(uris.choose(Some(sent)), Some(sent));
        }
        for other in [
            "http://127.0.0.1:/callback",
            "http://127.0.0.1:65536/callback",
            "http://127.0.0.1:80x/callback",
            "http://127.0.0.1:80@evil.example/callback",
            "http://127.0.0.1.evil.example/callback",
            "http://127.0.0.1:80/other",
            "http://[::1]:80/callback",
        ] {
            assert_eq!(uris.choose(Some(other)), None, "{other}");
        }
        assert_eq!(RedirectUris::new("http://127.0.0.1:80/a".to_owned()).choose(Some("http://127.0.0.1:81/a")), None);
        assert_eq!(
            RedirectUris::new("http://127.0.0.1".to_owned()).choose(Some("http://127.0.0.1:81")),
            Some("http://127.0.0.1:81")
        );
    }
}
