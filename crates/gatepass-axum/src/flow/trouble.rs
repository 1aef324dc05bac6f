use gatepass::Error;
use http::{Response, StatusCode, header};

use crate::{
    builder::{Refusal, Refused},
    failed::Chain,
    pages::Page,
    retry_after::retry_after,
    return_to,
    site::Site,
};

/// Why somebody is not signed in, as the page that says so.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The callback is none that this browser waits for: another browser's, an old one, or made up.
    Foreign,
    /// It came before.
    Used,
    /// Nobody is signed in, for this reason.
    Failed(Error),
    /// Nobody is signed in, since this site cannot keep it.
    Kept(Error),
    /// The provider knows them, and this site does not want them, with what they read.
    Refused(String),
    /// They did not give what the site needs.
    Missing(Vec<String>),
}

impl Trouble {
    pub(crate) fn of(error: Error) -> Self {
        Self::Failed(error)
    }

    /// The page, with a way to try again.
    pub(crate) fn page(self, site: &Site, return_to: Option<&str>) -> Response<String> {
        let again = return_to::login_at(&site.shared.paths.login, return_to);
        let mut wait = None;
        let (status, page) = match self {
            Self::Foreign => (
                StatusCode::BAD_REQUEST,
                Page::new("This sign-in cannot be finished here").text(
                    "It was started in another browser, more than ten minutes ago, or cookies are off. Nothing has changed. \
                     Start it again from here.",
                ),
            ),
            Self::Used => (
                StatusCode::BAD_REQUEST,
                Page::new("This sign-in is finished already")
                    .text("Its answer counts once. If you are signed in, go on; else start again."),
            ),
            Self::Refused(message) => (StatusCode::FORBIDDEN, Page::new("You are not signed in").text(&message)),
            Self::Missing(scopes) => (
                StatusCode::FORBIDDEN,
                Page::new("Not everything was allowed").text(&format!(
                    "This site cannot work without what it asked for: {}. Sign in again, and allow it.",
                    scopes.join(", ")
                )),
            ),
            Self::Kept(error) => {
                tracing::error!(error = %Chain(&error), "nobody can be signed in: what is needed for it cannot be kept");
                wait = error.retry_after().filter(|_| error.is_transient());
                let status = match error.is_transient() {
                    true => StatusCode::SERVICE_UNAVAILABLE,
                    false => StatusCode::INTERNAL_SERVER_ERROR,
                };
                let page = Page::new("Nobody can be signed in right now").text(
                    "This site cannot keep the sign-in. Nothing has changed. Try again in a moment, or tell whoever runs it: its \
                     log says what is wrong.",
                );
                (status, page)
            }
            Self::Failed(error) if error.is_denied() => {
                tracing::info!(code = error.code(), "somebody did not want to sign in, or was not allowed to");
                failed(&error)
            }
            Self::Failed(error) => {
                tracing::warn!(error = %Chain(&error), code = error.code(), "a sign-in failed");
                wait = error.retry_after().filter(|_| error.is_transient());
                failed(&error)
            }
        };
        let page = page.link(&again, "Sign in again").quiet_link(&site.shared.after_sign_out, "To the start page");
        let mut response = page.answer(status);
        if let Some(wait) = wait {
            response.headers_mut().insert(header::RETRY_AFTER, retry_after(Some(wait)));
        }
        response
    }
}

impl From<Refused> for Trouble {
    fn from(Refused(refusal): Refused) -> Self {
        match refusal {
            Refusal::Person(message) => Self::Refused(message),
            Refusal::Failed(error) => Self::Failed(error),
        }
    }
}

/// What is wrong with the settings is for who runs the site, and is in the log. The rest a person may read: it says what
/// to do, and is shown as text.
fn failed(error: &Error) -> (StatusCode, Page) {
    if error.is_denied() {
        let page =
            Page::new("Nobody was signed in").text("The sign-in was cancelled, or not allowed, at the provider.");
        return (StatusCode::FORBIDDEN, page);
    }
    if error.is_transient() {
        let page = Page::new("Signing in does not work right now")
            .text("The provider does not answer, or not as it should. Nothing has changed. Try again in a moment.");
        return (StatusCode::SERVICE_UNAVAILABLE, page);
    }
    if error.is_misconfigured() {
        let page = Page::new("Signing in is not set up right").text(
            "The provider and this site do not fit together. Tell whoever runs this site: its log says what is wrong.",
        );
        return (StatusCode::INTERNAL_SERVER_ERROR, page);
    }
    (StatusCode::BAD_REQUEST, Page::new("The sign-in did not succeed").text(&error.to_string()))
}
