use http::{HeaderMap, Method, Uri, header};

use crate::return_to;

/// What is known of a request when its answer turns out to be "sign in first".
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    uri: Uri,
    is_navigation: bool,
    /// The page the person is on, where the request itself cannot be returned to.
    referer: Option<String>,
}

impl Asked {
    pub(crate) fn of(method: &Method, uri: &Uri, headers: &HeaderMap) -> Self {
        let is_navigation = is_navigation(headers);
        // What a script asks for, or a form posts to, is no page to come back to.
        let can_return = is_navigation && (*method == Method::GET || *method == Method::HEAD);
        let referer = if can_return { None } else { headers.get(header::REFERER) };
        Self {
            uri: if can_return { uri.clone() } else { Uri::default() },
            is_navigation,
            referer: referer.and_then(|referer| referer.to_str().ok()).map(str::to_owned),
        }
    }

    /// Whether a person waits for a page, and not a script for an answer.
    pub(crate) fn is_navigation(&self) -> bool {
        self.is_navigation
    }

    /// The page to come back to.
    pub(crate) fn return_to(&self, origin: &str) -> Option<String> {
        match &self.referer {
            Some(referer) => {
                let path = referer.strip_prefix(origin)?;
                return_to::is_local(path).then(|| path.to_owned())
            }
            None => return_to::of(&self.uri),
        }
    }
}

/// Browsers say so (Fetch Metadata); older ones and other programs ask for HTML.
fn is_navigation(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match text("sec-fetch-mode") {
        Some(mode) => mode == "navigate",
        None => {
            text("accept").is_some_and(|accept| accept.contains("text/html"))
                && !headers.contains_key("x-requested-with")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: &Method, headers: &[(&'static str, &'static str)]) -> Asked {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        Asked::of(method, &Uri::from_static("/orders?page=2"), &headers)
    }

    #[test]
    fn a_page_is_told_from_what_a_script_asks_for() {
        let html = ("accept", "text/html,*/*;q=0.8");
        assert!(asked(&Method::GET, &[html]).is_navigation());
        assert!(asked(&Method::GET, &[("sec-fetch-mode", "navigate")]).is_navigation());
        assert!(!asked(&Method::GET, &[html, ("sec-fetch-mode", "cors")]).is_navigation());
        assert!(!asked(&Method::GET, &[html, ("x-requested-with", "XMLHttpRequest")]).is_navigation());
        assert!(!asked(&Method::GET, &[("accept", "*/*")]).is_navigation());
        assert!(!asked(&Method::GET, &[]).is_navigation());
    }

    #[test]
    fn a_page_is_returned_to_and_after_a_form_the_page_it_was_on() {
        let site = "https://app.example.com";
        let page = asked(&Method::GET, &[("sec-fetch-mode", "navigate")]);
        assert_eq!(page.return_to(site).as_deref(), Some("/orders?page=2"));
        let script = asked(&Method::GET, &[("sec-fetch-mode", "cors"), ("referer", "https://app.example.com/shop")]);
        assert_eq!(script.return_to(site).as_deref(), Some("/shop"));
        let posted = |referer| asked(&Method::POST, &[("referer", referer)]).return_to(site);
        assert_eq!(posted("https://app.example.com/cart").as_deref(), Some("/cart"));
        assert_eq!(posted("https://app.example.com.evil.example/cart"), None);
        assert_eq!(posted("https://app.example.com//evil.example"), None);
        assert_eq!(asked(&Method::POST, &[]).return_to(site).as_deref(), Some("/"));
    }
}
