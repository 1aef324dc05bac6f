use gatepass::Error;

use crate::provider::Provider;

/// Where the site's own pages are.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    pub(crate) login: String,
    pub(crate) callback: String,
    pub(crate) logout: String,
    pub(crate) back_channel: String,
}

/// One of them. Providers are told by their place in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    /// Where people choose a provider, if there are several.
    Choose,
    Login(usize),
    Callback(usize),
    Logout,
    BackChannel(usize),
}

impl Default for Paths {
    fn default() -> Self {
        Self {
            login: "/login".to_owned(),
            callback: "/callback".to_owned(),
            logout: "/logout".to_owned(),
            back_channel: "/backchannel-logout".to_owned(),
        }
    }
}

impl Paths {
    /// # Errors
    /// Misconfigured: a path that is none, or two that are the same.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let all = [&self.login, &self.callback, &self.logout, &self.back_channel];
        for (at, path) in all.iter().enumerate() {
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./~".contains(&byte);
            let is_path = path.len() > 1 && path.starts_with('/') && !path.contains("//") && !path.ends_with('/');
            if !is_path || !path.bytes().all(fits) || path.split('/').any(|part| part == "." || part == "..") {
                return Err(Error::misconfigured(format!(
                    "`{}` cannot be the path of a page for signing in: write one like /auth/login",
                    path.escape_debug()
                )));
            }
            if all[..at].contains(path) {
                return Err(Error::misconfigured(format!("two of the pages for signing in have the path {path}")));
            }
        }
        Ok(())
    }

    /// # Errors
    /// Misconfigured: two that are the same once the providers' names are in them.
    pub(crate) fn check_all(&self, providers: &[Provider]) -> Result<(), Error> {
        let mut all = self.all(providers);
        all.sort_unstable();
        match all.windows(2).find(|two| two[0] == two[1]) {
            Some(two) => Err(Error::misconfigured(format!(
                "two of the pages for signing in have the path {}: name the provider otherwise, or change a path",
                two[0]
            ))),
            None => Ok(()),
        }
    }

    pub(crate) fn login_at(&self, provider: &Provider, is_only: bool) -> String {
        at(&self.login, provider, is_only)
    }

    pub(crate) fn callback_at(&self, provider: &Provider, is_only: bool) -> String {
        at(&self.callback, provider, is_only)
    }

    /// Which page a path is.
    pub(crate) fn find(&self, path: &str, providers: &[Provider]) -> Option<Page> {
        let of = |base: &str| -> Option<usize> {
            match (path.strip_prefix(base)?, providers) {
                ("", [_]) => Some(0),
                (rest, [_, _, ..]) => {
                    let name = rest.strip_prefix('/')?;
                    providers.iter().position(|provider| provider.name == name)
                }
                _ => None,
            }
        };
        if path == self.logout {
            return Some(Page::Logout);
        }
        if path == self.login && providers.len() > 1 {
            return Some(Page::Choose);
        }
        of(&self.login)
            .map(Page::Login)
            .or_else(|| of(&self.callback).map(Page::Callback))
            .or_else(|| of(&self.back_channel).filter(|at| providers[*at].back_channel).map(Page::BackChannel))
    }

    /// All of them, for a router.
    pub(crate) fn all(&self, providers: &[Provider]) -> Vec<String> {
        let is_only = providers.len() == 1;
        let mut all = vec![self.logout.clone()];
        if !is_only {
            all.push(self.login.clone());
        }
        for provider in providers {
            all.push(self.login_at(provider, is_only));
            all.push(self.callback_at(provider, is_only));
            if provider.back_channel {
                all.push(at(&self.back_channel, provider, is_only));
            }
        }
        all
    }
}

fn at(base: &str, provider: &Provider, is_only: bool) -> String {
    if is_only { base.to_owned() } else { format!("{base}/{}", provider.name) }
}

#[cfg(test)]
mod tests {
    use std::{future::Ready, task};

    use gatepass::{AuthorizationServer, ClientAuth, endpoint};
    use http::{Request, Response};

    use super::*;

    /// A transport that is never asked.
    #[derive(Clone)]
    struct Nowhere;

    impl tower_service::Service<Request<endpoint::Body>> for Nowhere {
        type Response = Response<String>;
        type Error = std::io::Error;
        type Future = Ready<Result<Response<String>, std::io::Error>>;

        fn poll_ready(&mut self, _: &mut task::Context<'_>) -> task::Poll<Result<(), std::io::Error>> {
            task::Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<endpoint::Body>) -> Self::Future {
            std::future::ready(Err(std::io::Error::other("nowhere")))
        }
    }

    fn named(name: &str) -> Provider {
        let server = AuthorizationServer::issuer("https://auth.example.com");
        Provider::new(name, endpoint::Client::new(Nowhere, server, ClientAuth::none("client")).unwrap())
    }

    #[test]
    fn a_provider_that_is_the_only_one_needs_no_name_in_paths() {
        let (paths, one) = (Paths::default(), [named("main")]);
        assert_eq!(paths.find("/login", &one), Some(Page::Login(0)));
        assert_eq!(paths.find("/callback", &one), Some(Page::Callback(0)));
        assert_eq!(paths.find("/logout", &one), Some(Page::Logout));
        for none in ["/login/main", "/login/", "/backchannel-logout", "/logout/main", "/Login", "/", ""] {
            assert_eq!(paths.find(none, &one), None, "{none}");
        }
        let watched = [named("main").back_channel_logout()];
        assert_eq!(paths.find("/backchannel-logout", &watched), Some(Page::BackChannel(0)));
    }

    #[test]
    fn rfc9700_3_each_of_several_providers_has_addresses_of_its_own() {
        let (paths, two) = (Paths::default(), [named("one"), named("two").back_channel_logout()]);
        assert_eq!(paths.find("/login", &two), Some(Page::Choose));
        assert_eq!(paths.find("/login/two", &two), Some(Page::Login(1)));
        assert_eq!(paths.find("/callback/one", &two), Some(Page::Callback(0)));
        assert_eq!(paths.find("/backchannel-logout/two", &two), Some(Page::BackChannel(1)));
        for none in ["/callback", "/callback/three", "/callback/one/", "/callback//one", "/backchannel-logout/one"] {
            assert_eq!(paths.find(none, &two), None, "{none}");
        }
    }

    #[test]
    fn each_page_for_a_router_is_found_again() {
        for providers in
            [vec![named("one").back_channel_logout()], vec![named("one"), named("two").back_channel_logout()]]
        {
            let paths = Paths::default();
            for path in paths.all(&providers) {
                assert!(paths.find(&path, &providers).is_some(), "{path}");
            }
            paths.check_all(&providers).unwrap();
        }
    }

    #[test]
    fn a_path_that_a_provider_makes_the_same_as_another_is_noticed() {
        let paths = Paths { login: "/auth".to_owned(), logout: "/auth/two".to_owned(), ..Paths::default() };
        paths.check().unwrap();
        paths.check_all(&[named("two")]).unwrap();
        let error = paths.check_all(&[named("one"), named("two")]).unwrap_err();
        assert!(error.is_misconfigured() && error.to_string().contains("/auth/two"), "{error}");
    }
}
