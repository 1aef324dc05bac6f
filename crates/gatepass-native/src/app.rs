use std::{
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use gatepass::{
    Error, TokenCell, TokenEndpoint,
    cell::Builder,
    endpoint::{Client, HttpService},
    grant::{AuthorizationRequest, RefreshToken},
    store::{FileStore, TokenStore},
};

use crate::{Loopback, ShowSteps, Step, Terminal, place};

/// A program that people sign in to. See the [crate docs](crate).
#[derive(Clone)]
#[must_use]
pub struct App<S> {
    pub(crate) name: String,
    pub(crate) client: Client<S>,
    pub(crate) request: AuthorizationRequest,
    pub(crate) way: Way,
    pub(crate) loopback: Loopback,
    pub(crate) takes_pasted: Option<bool>,
    pub(crate) deadline: Duration,
    steps: Arc<Mutex<dyn ShowSteps + Send>>,
    stored: Option<Arc<dyn Fn(Builder) -> Builder + Send + Sync>>,
    subject: String,
    cell: Arc<OnceLock<TokenCell>>,
}

/// How the person gets to the authorization server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// The program opens the browser.
    Browser,
    /// The person opens the address that is shown.
    Shown,
    /// On another device.
    Device,
}

impl<S: HttpService> App<S> {
    /// A program with a name that the person knows it by: the pages say it, and the folder of its tokens is called so.
    pub fn new(name: impl Into<String>, client: Client<S>) -> Self {
        Self {
            name: name.into(),
            client,
            request: AuthorizationRequest::new(""),
            way: Way::Browser,
            loopback: Loopback::any_port(),
            takes_pasted: None,
            deadline: Duration::from_secs(5 * 60),
            steps: Arc::new(Mutex::new(Terminal::stderr())),
            stored: None,
            subject: String::new(),
            cell: Arc::default(),
        }
    }

    /// Asks for one scope, or several separated by spaces. May be called again.
    pub fn scope(self, scope: impl AsRef<str>) -> Self {
        let request = self.request.clone().scope(scope);
        self.request(request)
    }

    /// What is asked for, with everything that an [`AuthorizationRequest`] may have: scopes, a `prompt`, parameters of
    /// the server's own. Its redirect URI does not count: [`loopback`](Self::loopback) says where the callback comes.
    pub fn request(mut self, request: AuthorizationRequest) -> Self {
        self.request = request;
        self.cell = Arc::default();
        self
    }

    /// Where tokens are kept from one start to the next. Unless this says otherwise: in a file that only this user can
    /// read, `tokens.json` in a folder of the program's name, among those that the platform keeps for programs' data
    /// (`~/.local/share` or `XDG_DATA_HOME`, `~/Library/Application Support`, `%APPDATA%`).
    pub fn store(mut self, store: impl TokenStore) -> Self {
        let store = Arc::new(store);
        self.stored = Some(Arc::new(move |builder| builder.store(store.clone())));
        self.cell = Arc::default();
        self
    }

    /// Keeps the tokens in the same file, encrypted with a key that the operating system's keyring keeps: Keychain,
    /// Credential Manager, or whatever answers for the Secret Service on Linux. The key is made when there is none.
    ///
    /// # Errors
    /// Misconfigured, when there is no keyring or it is not for this program.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[cfg(feature = "keyring")]
    pub async fn keyring(self) -> Result<Self, Error> {
        let file = FileStore::new(place::of(&self.name, "tokens.sealed.json")?);
        let key = crate::keyring::key(&self.name, &file).await?;
        Ok(self.store(gatepass::store::Sealed::new(file, key)))
    }

    /// Whose tokens these are, where one program has several accounts: any name that tells them apart.
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = subject.into();
        self.cell = Arc::default();
        self
    }

    /// Where the callback comes: `http://127.0.0.1:ANY/callback` unless this says otherwise.
    pub fn loopback(mut self, loopback: Loopback) -> Self {
        self.loopback = loopback;
        self
    }

    /// Opens no browser: the person opens the address that is shown.
    pub fn without_browser(mut self) -> Self {
        self.way = Way::Shown;
        self
    }

    /// Signs in by a code that the person enters on another device (RFC 8628).
    pub fn device(mut self) -> Self {
        self.way = Way::Device;
        self
    }

    /// Whether the address of the callback may be pasted, a line on stdin, in case the browser is on another machine.
    /// Unless this says otherwise: when no browser was opened and stdin is a terminal. Where it may, lines of stdin are
    /// read until the sign-in ends; on other systems than Unix, one more is read then, and lost.
    pub fn pasted(mut self, pasted: bool) -> Self {
        self.takes_pasted = Some(pasted);
        self
    }

    /// How long somebody may take to sign in in the browser: 5 min unless set, a day at the longest. A code for another device has a time of
    /// its own.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline.min(Duration::from_secs(24 * 3600));
        self
    }

    /// What tells the person what to do; [`Terminal::stderr`] unless this says otherwise.
    pub fn steps(mut self, steps: impl ShowSteps + Send + 'static) -> Self {
        self.steps = Arc::new(Mutex::new(steps));
        self
    }

    /// The cell, without asking anybody: it has what was kept, or fails with
    /// [`is_reauth_required`](Error::is_reauth_required) when it is asked for a token. Does no I/O.
    ///
    /// All calls give handles to one cell.
    ///
    /// # Errors
    /// Misconfigured: a name that no folder can have, no home directory, parameters that do not go together.
    pub fn cell(&self) -> Result<TokenCell, Error> {
        if let Some(cell) = self.cell.get() {
            return Ok(cell.clone());
        }
        let source = TokenEndpoint::of(self.client.clone(), RefreshToken::from(&self.request))?;
        let builder = TokenCell::builder(source).subject(&self.subject).name(&self.name);
        let builder = match &self.stored {
            Some(store) => store(builder),
            None => builder.store(FileStore::new(place::of(&self.name, "tokens.json")?)),
        };
        Ok(self.cell.get_or_init(|| builder.build()).clone())
    }
}

impl<S> App<S> {
    pub(crate) fn show(&self, step: Step) {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner).show(step);
    }
}

impl<S> fmt::Debug for App<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("name", &self.name)
            .field("client", &self.client)
            .field("request", &self.request)
            .field("way", &self.way)
            .field("subject", &self.subject)
            .finish_non_exhaustive()
    }
}
