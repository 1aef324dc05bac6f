//! Chromium without a window, driven through chromedriver: what a person does at the provider's pages.

use std::{
    fmt::Display,
    fs,
    future::Future,
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use fantoccini::{Client, ClientBuilder, Locator, elements::Element, error::CmdError, wd::WindowHandle};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

/// How long one step may take, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(50);

const LOGIN: &str = "input[name=login]";
const CONSENT: &str = "input[name=prompt][value=consent]";
const SUBMIT: &str = "button.login-submit";

/// One browser with a profile of its own, so nobody is signed in. It ends when this is dropped, and when the test is killed.
pub(crate) struct Browser {
    page: Client,
    _driver: Driver,
}

impl Browser {
    /// As large as a desktop's window: 1280 by 800.
    pub(crate) async fn start() -> Self {
        let driver = Driver::start();
        let capabilities = driver.capabilities();
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities.as_object().unwrap().clone());
        let page = tokio::time::timeout(PATIENCE, builder.connect(&format!("http://127.0.0.1:{}", driver.port)))
            .await
            .expect("Chromium starts in time")
            .expect("Chromium starts");
        let browser = Self { page, _driver: driver };
        browser.resize(1280, 800).await;
        browser
    }

    pub(crate) async fn goto(&self, url: &str) {
        self.step(&format!("going to {url}"), self.page.goto(url)).await;
    }

    /// At the login page: any name will do.
    pub(crate) async fn sign_in(&self, name: &str) {
        self.fill(LOGIN, name).await;
        self.fill("input[name=password]", "any").await;
        self.leave_by(SUBMIT).await;
    }

    /// At the consent page: yes.
    pub(crate) async fn consent(&self) {
        self.wait_for(CONSENT).await;
        self.leave_by(SUBMIT).await;
    }

    /// At any page of the provider: no.
    pub(crate) async fn deny(&self) {
        self.leave_by("a[href$='/abort'], button[name=abort]").await;
    }

    /// Types a device's code where the device said (unless the address has it in it), compares it with the one that the page
    /// then shows, and says that it is right. The login page is next, or the consent page for who is signed in.
    pub(crate) async fn confirm_device(&self, verification_uri: &str, user_code: &str) {
        self.goto(verification_uri).await;
        let first = self.wait_for("input[type=text][name=user_code], code").await;
        if self.step("reading the device's page", first.tag_name()).await == "input" {
            self.fill("input[name=user_code]", user_code).await;
            self.leave_by("button[form='op.deviceInputForm']").await;
        }
        let shown = self.wait_for("code").await;
        let shown = self.step("reading the device's code", shown.text()).await;
        if shown != user_code {
            self.fail("comparing the device's code", format!("it is {user_code}, not {shown}")).await;
        }
        self.leave_by("button[autofocus][form='op.deviceConfirmForm']").await;
    }

    /// All of it: the code, the sign-in as `alice` unless somebody is signed in, the consent.
    pub(crate) async fn approve_device(&self, verification_uri: &str, user_code: &str) {
        self.confirm_device(verification_uri, user_code).await;
        let next = self.wait_for(&format!("{LOGIN}, {CONSENT}")).await;
        if self.step("reading the next page", next.attr("name")).await.as_deref() == Some("login") {
            self.sign_in("alice").await;
        }
        self.consent().await;
        self.wait_for_text("Sign-in Success").await;
    }

    /// At the provider's sign-out page: yes, sign me out there too.
    pub(crate) async fn end_session(&self) {
        self.leave_by("button[name=logout][value=yes], button[autofocus]").await;
    }

    /// Clicks what leads to another page.
    pub(crate) async fn follow(&self, css: &str) {
        self.leave_by(css).await;
    }

    /// Clicks what changes this page.
    pub(crate) async fn click(&self, css: &str) {
        let element = self.wait_for(css).await;
        self.step(&format!("clicking {css}"), element.click()).await;
    }

    pub(crate) async fn back(&self) {
        self.step("going back", self.page.back()).await;
    }

    /// Opens another tab of the same person, and goes on there. What is here is found again by [`Self::switch_to`].
    pub(crate) async fn open_tab(&self) -> WindowHandle {
        let here = self.step("asking which tab this is", self.page.window()).await;
        let tab = self.step("opening a tab", self.page.new_window(true)).await;
        self.switch_to(tab.handle).await;
        here
    }

    pub(crate) async fn switch_to(&self, tab: WindowHandle) {
        self.step("going to a tab", self.page.switch_to_window(tab)).await;
    }

    /// Runs a script of the page and waits for what its promise brings: the body of an async function.
    pub(crate) async fn run(&self, script: &str) -> Value {
        let script = format!(
            "const done = arguments[0]; (async () => {{ {script} }})().then(done, error => done(String(error)));"
        );
        self.step("running a script", self.page.execute_async(&script, Vec::new())).await
    }

    /// Looks at the tab again: without a window, nothing else tells the page. It may reload itself then.
    pub(crate) async fn focus(&self) {
        let script = "setTimeout(() => window.dispatchEvent(new Event('focus')), 0)";
        self.step("looking again", self.page.execute(script, Vec::new())).await;
    }

    /// Whether the page is wider than the window: a phone would have to be scrolled sideways.
    pub(crate) async fn is_too_wide(&self) -> bool {
        let script = "return document.documentElement.scrollWidth > document.documentElement.clientWidth";
        self.step("measuring", self.page.execute(script, Vec::new())).await == Value::Bool(true)
    }

    /// Until the page shows this.
    pub(crate) async fn wait_for_text(&self, text: &str) {
        let shown = async {
            while !self.text().await.contains(text) {
                tokio::time::sleep(POLL).await;
            }
        };
        if tokio::time::timeout(PATIENCE, shown).await.is_err() {
            self.fail("waiting", format!("\"{text}\" did not come")).await;
        }
    }

    /// What a person can read of the page.
    pub(crate) async fn text(&self) -> String {
        let script = "return document.body ? document.body.innerText : ''";
        let shown = self.step("reading the page", self.page.execute(script, Vec::new())).await;
        shown.as_str().unwrap_or_default().to_owned()
    }

    pub(crate) async fn url(&self) -> String {
        self.step("reading the address", self.page.current_url()).await.into()
    }

    /// The page itself gets this size: 390 by 844 is a phone, 1280 by 800 a desktop.
    pub(crate) async fn resize(&self, width: u32, height: u32) {
        // The window has a toolbar, although nobody sees it.
        let toolbar = self.page.execute("return outerHeight - innerHeight", Vec::new());
        let toolbar = self.step("measuring", toolbar).await.as_u64().and_then(|height| u32::try_from(height).ok());
        self.step("resizing", self.page.set_window_size(width, height + toolbar.unwrap_or_default())).await;
        let wanted = json!([width, height]);
        let resized = async {
            while self.step("measuring", self.page.execute("return [innerWidth, innerHeight]", Vec::new())).await
                != wanted
            {
                tokio::time::sleep(POLL).await;
            }
        };
        if tokio::time::timeout(PATIENCE, resized).await.is_err() {
            self.fail("resizing", format!("it does not become {wanted}")).await;
        }
    }

    /// Into `target/screenshots/NAME.png`.
    pub(crate) async fn screenshot(&self, name: &str) {
        let png = self.step("photographing", self.page.screenshot()).await;
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).with_file_name("screenshots");
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join(format!("{name}.png")), png).unwrap();
    }

    async fn fill(&self, css: &str, text: &str) {
        let field = self.wait_for(css).await;
        self.step(&format!("emptying {css}"), field.clear()).await;
        self.step(&format!("typing into {css}"), field.send_keys(text)).await;
    }

    /// Clicks, and waits until the page with this element is gone: the next one may have one like it.
    async fn leave_by(&self, css: &str) {
        let element = self.wait_for(css).await;
        self.step(&format!("clicking {css}"), element.click()).await;
        let gone = async {
            while element.tag_name().await.is_ok() {
                tokio::time::sleep(POLL).await;
            }
        };
        if tokio::time::timeout(PATIENCE, gone).await.is_err() {
            self.fail(&format!("clicking {css}"), "the page stays").await;
        }
    }

    async fn wait_for(&self, css: &str) -> Element {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.page.find(Locator::Css(css)).await {
                Ok(element) => return element,
                // Not only "no such element": while one page goes and the next one comes, there are other errors.
                Err(_) if Instant::now() < deadline => tokio::time::sleep(POLL).await,
                Err(error) => self.fail(&format!("waiting for {css}"), error).await,
            }
        }
    }

    async fn step<T>(&self, what: &str, command: impl Future<Output = Result<T, CmdError>>) -> T {
        match tokio::time::timeout(PATIENCE, command).await {
            Ok(Ok(value)) => value,
            Ok(Err(error)) => self.fail(what, error).await,
            Err(_) => self.fail(what, "it took too long").await,
        }
    }

    /// Ends the test with what the page showed.
    async fn fail(&self, what: &str, why: impl Display) -> ! {
        let script = "return location.href + '\\n' + (document.body ? document.body.innerText : '')";
        let page = tokio::time::timeout(PATIENCE, self.page.execute(script, Vec::new())).await;
        let page = match page {
            Ok(Ok(Value::String(page))) => page,
            other => format!("{other:?}"),
        };
        panic!("{what}: {why}\n--- the page:\n{page}\n---");
    }
}

/// chromedriver, and through it Chromium.
struct Driver {
    process: Child,
    port: u16,
    profile: PathBuf,
    _stdout: BufReader<ChildStdout>,
}

impl Driver {
    fn start() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let profile = format!("chromium-{}-{count}", std::process::id());
        // A killed test drops nothing: then the kernel ends chromedriver (setpriv is of util-linux), and Chromium ends with
        // the pipe to it.
        let mut process = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "chromedriver", "--port=0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("util-linux has to be installed");
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        Self {
            port: port(&mut stdout),
            profile: PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(profile),
            process,
            _stdout: stdout,
        }
    }

    /// Chromium ends first, and so it no longer writes into its profile.
    fn shut_down(&self) -> io::Result<()> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"GET /shutdown HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")?;
        stream.read_to_end(&mut Vec::new()).map(drop)
    }

    fn capabilities(&self) -> Value {
        let profile = format!("--user-data-dir={}", self.profile.display());
        json!({
            "timeouts": { "pageLoad": 15_000, "script": 5_000, "implicit": 0 }, // below PATIENCE: chromedriver says more
            "goog:chromeOptions": { "args": [
                "--headless=new",
                "--no-sandbox",
                "--disable-dev-shm-usage",
                "--disable-gpu",
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost, EXCLUDE ::1",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--no-first-run",
                "--disable-quic",
                "--remote-debugging-pipe",
                profile,
            ] },
        })
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.shut_down();
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.profile);
    }
}

/// chromedriver takes a free port and says which.
fn port(stdout: &mut impl BufRead) -> u16 {
    for line in stdout.lines() {
        let line = line.unwrap();
        if let Some((_, port)) = line.split_once("started successfully on port ") {
            return port.trim_end_matches('.').parse().unwrap();
        }
    }
    panic!("chromedriver has to be installed: scripts/interop sees to it");
}
