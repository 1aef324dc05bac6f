use std::{
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError, atomic::AtomicUsize},
    time::Duration,
};

use gatepass::{
    Error, TokenCell, TokenEndpoint,
    endpoint::{Client, HttpService},
    grant::{AuthorizationRequest, RefreshToken},
    store::{FileStore, TokenStore},
};

use crate::{
    Loopback, ShowSteps, Step, Terminal,
    kept::{AnyOwner, Kept},
    place,
};

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
    kept: Option<Arc<dyn Kept>>,
    subject: String,
    pub(crate) account: Arc<Account>,
}

/// What all clones of a program share that have the same account.
pub(crate) struct Account {
    cell: OnceLock<TokenCell>,
    /// Held while somebody is asked; what came of it last.
    pub(crate) turn: tokio::sync::Mutex<Result<(), Error>>,
    /// How often somebody was asked.
    pub(crate) answers: AtomicUsize,
    /// How often somebody signed out.
    pub(crate) departures: AtomicUsize,
}

impl Default for Account {
    fn default() -> Self {
        Self {
            cell: OnceLock::new(),
            turn: tokio::sync::Mutex::new(Ok(())),
            answers: AtomicUsize::new(0),
            departures: AtomicUsize::new(0),
        }
    }
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
            kept: None,
            subject: String::new(),
            account: Arc::default(),
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
        self.account = Arc::default();
        self
    }

    /// Where tokens are kept from one start to the next. Unless this says otherwise: in a file that only this user can
    /// read, `tokens.json` in a folder of the program's name, among those that the platform keeps for programs' data
    /// (`~/.local/share` or `XDG_DATA_HOME`, `~/Library/Application Support`, `%APPDATA%`).
    pub fn store(mut self, store: impl TokenStore) -> Self {
        self.kept = Some(Arc::new(Arc::new(store)));
        self.account = Arc::default();
        self
    }

    /// Keeps the tokens in the same folder, in `tokens.sealed.json`, encrypted with a key that the operating system's
    /// keyring keeps: Keychain, Credential Manager, or whatever answers for the Secret Service on Linux. The key is made
    /// when there is none. If it gets lost, so do the tokens: [`sign_out`](Self::sign_out), and sign in again.
    ///
    /// # Errors
    /// Misconfigured, when there is no keyring or it is not for this program. Transient, when it does not answer within a
    /// minute: it may wait to be unlocked, where nobody sees it.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[cfg(feature = "keyring")]
    pub async fn keyring(self) -> Result<Self, Error> {
        let file = FileStore::new(place::of(&self.name, "tokens.sealed.json")?);
        let key = crate::keyring::key(self.name.trim(), &file).await?;
        Ok(self.store(gatepass::store::Sealed::new(file, key)))
    }

    /// Whose tokens these are, where one program has several accounts: any name that tells them apart.
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = subject.into();
        self.account = Arc::default();
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

    /// How long somebody may take to sign in in the browser: 5 min unless set, a day at the longest. A code for another
    /// device has a time of its own.
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
        if let Some(cell) = self.account.cell.get() {
            return Ok(cell.clone());
        }
        let builder = TokenCell::builder(self.source()?).subject(&self.subject).name(&self.name);
        let builder = self.kept()?.with(builder);
        Ok(self.account.cell.get_or_init(|| builder.build()).clone())
    }

    /// Finds out whether what a sign-in brings can be kept (S9), whosever is there now: it would be replaced.
    pub(crate) async fn check_store(&self) -> Result<(), Error> {
        let kept = self.kept()?;
        let reader = TokenCell::builder(AnyOwner::of(&self.source()?)).subject(&self.subject);
        kept.with(reader).build().token_set().await?;
        kept.check().await
    }

    fn source(&self) -> Result<TokenEndpoint<S, RefreshToken>, Error> {
        TokenEndpoint::of(self.client.clone(), RefreshToken::from(&self.request))
    }

    fn kept(&self) -> Result<Arc<dyn Kept>, Error> {
        match &self.kept {
            Some(kept) => Ok(kept.clone()),
            None => Ok(Arc::new(Arc::new(FileStore::new(place::of(&self.name, "tokens.json")?)))),
        }
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
