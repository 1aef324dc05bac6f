use http::{Response, header, request::Parts, uri::Authority};

use super::{
    cookie::{Begun, crowded_out},
    trouble::Trouble,
};
use crate::{
    pages::{self, Page},
    provider::Provider,
    return_to,
    site::Site,
};

/// Sends somebody to the provider.
pub(crate) async fn begin(site: &Site, provider: &Provider, parts: &Parts) -> Response<String> {
    if let Some(elsewhere) = at_the_right_host(site, parts) {
        return elsewhere;
    }
    let return_to = return_to::asked_for(parts.uri.query())
        .filter(|path| !site.serves(path.split(['?', '#']).next().unwrap_or_default()))
        .unwrap_or_else(|| "/".to_owned());
    let pending = match provider.authority.authorize(&provider.request).await {
        Ok(pending) => pending,
        Err(error) => return Trouble::of(error).page(site, Some(&return_to)),
    };
    let mut response = pages::redirect(pending.url());
    let mut begun = Begun { pending, provider: provider.name.clone(), return_to, at: site.now() };
    match begun.cookie(site) {
        Ok(cookie) => {
            for old in crowded_out(site, &parts.headers, &cookie) {
                response.headers_mut().append(header::SET_COOKIE, old);
            }
            response.headers_mut().append(header::SET_COOKIE, cookie);
            response
        }
        Err(error) => Trouble::of(error).page(site, Some(&begun.return_to)),
    }
}

/// Where there are several providers: which one?
pub(crate) fn choose(site: &Site, parts: &Parts) -> Response<String> {
    let return_to = return_to::asked_for(parts.uri.query());
    let mut page = Page::new("Sign in");
    for provider in &site.shared.providers {
        let login = site.shared.paths.login_at(provider, false);
        page = page
            .link(&return_to::login_at(&login, return_to.as_deref()), &format!("Sign in with {}", provider.shown_as()));
    }
    page.answer(http::StatusCode::OK)
}

/// On one's own machine a site is opened by `localhost` as easily as by `127.0.0.1`, and the cookie of one is not sent to
/// the other, where the provider leads back to. Another port is that of a proxy, and so may be the host then: sent away,
/// they would come here again. Elsewhere the host is not looked at.
fn at_the_right_host(site: &Site, parts: &Parts) -> Option<Response<String>> {
    let host = parts.headers.get(header::HOST)?.to_str().ok()?;
    let right = site.origin().strip_prefix("http://")?;
    let is_loopback = gatepass::Origins::new([format!("http://{host}")]).is_ok();
    let port = |of: &str| Some(of.parse::<Authority>().ok()?.port_u16().unwrap_or(80));
    let path = parts.uri.path_and_query()?.as_str();
    (is_loopback && host != right && port(host) == port(right) && return_to::is_local(path))
        .then(|| pages::redirect(&format!("{}{path}", site.origin())))
}
