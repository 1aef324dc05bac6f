//! The example `cli_login`, run as the program it is: what people paste, and machines that lack something.

use std::{
    path::PathBuf,
    process::{Output, Stdio},
    time::Duration,
};

use bytes::Bytes;
use gatepass_testkit::AuthorizationServer;
use http::{Request, header};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

const PATIENCE: Duration = Duration::from_secs(20);

/// A server, and the home of somebody who has the program.
struct Home {
    server: AuthorizationServer,
    folder: PathBuf,
}

impl Home {
    async fn new(name: &str) -> Self {
        let server = AuthorizationServer::start().await;
        server.add_public_client("app");
        let folder = std::env::temp_dir().join(format!("gatepass-cli-login-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self { server, folder }
    }

    /// The program, without a display.
    fn program(&self, arguments: &[&str]) -> Command {
        let mut path = std::env::current_exe().unwrap();
        path.pop();
        path.pop();
        path.push("examples");
        path.push(format!("cli_login{}", std::env::consts::EXE_SUFFIX));
        assert!(path.exists(), "{} is not built: run `cargo build --examples`", path.display());
        let mut command = Command::new(path);
        command.env_clear().env("HOME", &self.folder).env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("OAUTH_ISSUER", self.server.issuer());
        command.env("OAUTH_CLIENT_ID", "app").env("OAUTH_CLIENT_AUTH", "none");
        command.current_dir(&self.folder).args(arguments).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn is_empty(&self) -> bool {
        std::fs::read_dir(&self.folder).unwrap().next().is_none()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The program while it runs, and somebody at its terminal.
struct Running {
    child: Child,
    types: ChildStdin,
    prints: Lines<BufReader<ChildStdout>>,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let (types, prints) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, types, prints: BufReader::new(prints).lines() }
    }

    /// What follows `beginning` on the next line that begins so.
    async fn line(&mut self, beginning: &str) -> String {
        loop {
            let line = tokio::time::timeout(PATIENCE, self.prints.next_line()).await.expect("the program says more");
            let line = line.unwrap().expect("the program goes on");
            if let Some(rest) = line.strip_prefix(beginning) {
                return rest.to_owned();
            }
        }
    }

    async fn paste(&mut self, text: &str) {
        self.types.write_all(format!("{text}\n").as_bytes()).await.unwrap();
    }

    async fn end(self) -> Output {
        drop(self.types);
        self.child.wait_with_output().await.unwrap()
    }
}

/// Where a browser elsewhere ends: at an address that does not load there.
async fn leads_to(url: &str) -> String {
    let client: Client<HttpConnector, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let response = client.request(Request::get(url).body(Full::default()).unwrap()).await.unwrap();
    let location = response.headers()[header::LOCATION].to_str().unwrap().to_owned();
    let _ = response.into_body().collect().await;
    location
}

/// What it says on stderr: one line.
fn complaint(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && text.trim_end().lines().count() == 1, "{output:?}");
    text
}

#[tokio::test]
async fn the_address_of_the_callback_is_pasted_after_some_that_are_none() {
    let home = Home::new("pasted").await;
    let mut program = Running::start(home.program(&["--no-browser"]));
    let address = program.line("open: ").await;
    let callback = leads_to(&address).await;
    let (redirect_uri, query) = callback.split_once('?').unwrap();
    let whole = "paste the whole address";
    for (pasted, hint) in [
        ("hunter2", whole),
        ("", whole),
        (address.as_str(), "that is another address"),
        ("http://127.0.0.1:1/callback?code=hunter2&state=x", "that is another address"),
        (&format!("{redirect_uri}?code=hunter2&state=x"), "that address belongs to another sign-in"),
        (redirect_uri, "that has no answer"),
    ] {
        program.paste(pasted).await;
        program.line(hint).await;
    }
    assert_eq!(home.server.token_requests(), 0);
    // Cut off at its scheme, as browsers copy it.
    program.paste(redirect_uri.strip_prefix("http://").map(|bare| format!("{bare}?{query}")).unwrap().as_str()).await;
    program.line("signed in").await;
    assert!(program.end().await.status.success());

    let output = home.program(&["--no-browser"]).stdin(Stdio::null()).output().await.unwrap();
    assert!(output.status.success() && !String::from_utf8_lossy(&output.stdout).contains("open: "), "{output:?}");
    assert_eq!(home.server.token_requests(), 1);

    let output = home.program(&["--sign-out"]).output().await.unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "signed out\n");
    let output = home.program(&["--sign-out"]).output().await.unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "nobody was signed in\n");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_sign_in_on_another_device_opens_no_browser() {
    let home = Home::new("device").await;
    let (mark, script) = (home.folder.join("opened"), home.folder.join("browser"));
    std::fs::write(&script, format!("echo \"$1\" > {}", mark.display())).unwrap();
    for (arguments, opened) in [(&["--device"][..], false), (&["--no-browser"], false), (&[], true)] {
        let mut command = home.program(arguments);
        command.env("BROWSER", format!("/bin/sh {} %s", script.display()));
        let mut program = Running::start(command);
        if arguments == ["--device"] {
            program.line("Waiting").await;
        } else if opened {
            program.line("A browser was opened").await;
        } else {
            program.line("open: ").await;
        }
        assert_eq!(mark.exists(), opened, "{arguments:?}");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_home_that_is_no_whole_path_does_not_put_tokens_where_the_program_was_started() {
    let home = Home::new("homeless").await;
    let mut command = home.program(&["--no-browser"]);
    let output = tokio::time::timeout(PATIENCE, command.env("HOME", "relative").output()).await;
    let complaint = complaint(&output.expect("it ends").unwrap());
    assert!(complaint.contains("set HOME"), "{complaint}");
    assert!(home.is_empty() && home.server.arrivals().is_empty());
    // What is said in another way is enough.
    let mut command = home.program(&["--no-browser"]);
    command.env("HOME", "relative").env("XDG_DATA_HOME", &home.folder);
    Running::start(command).line("open: ").await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn without_a_keyring_it_says_so_in_one_line_and_writes_nothing() {
    let home = Home::new("keyring").await;
    let mut command = home.program(&["--no-browser", "--keyring"]);
    command.env("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", home.folder.join("no-bus").display()));
    let output = command.output().await.unwrap();
    let complaint = complaint(&output);
    assert!(complaint.contains("the keyring of this system cannot be used"), "{complaint}");
    assert!(complaint.contains("keep the tokens in a file"), "{complaint}");
    assert!(home.is_empty() && home.server.arrivals().is_empty());
}

/// As behind `| head`: it is neither a failure nor a panic.
#[cfg(unix)]
#[tokio::test]
async fn a_reader_that_has_gone_ends_it_quietly() {
    let home = Home::new("pipe").await;
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = home.program(&["--sign-out"]).stdout(writer).output().await.unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}
