//! An example that runs as the program it is, and knows the servers by its environment only.

use std::{
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use gatepass_testkit::{Api, AuthorizationServer};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

const PATIENCE: Duration = Duration::from_secs(20);

/// Cargo builds the examples beside the tests. The port is any that is free.
pub(crate) fn example(name: &str) -> Command {
    let test = std::env::current_exe().unwrap();
    let built = test.parent().and_then(Path::parent).unwrap();
    let path: PathBuf = built.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(path.exists(), "{} is not built: run `cargo build --examples`", path.display());
    let mut command = Command::new(path);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("OAUTH_CLIENT_ID", "client").env("OAUTH_CLIENT_SECRET", "secret").env("PORT", "0");
    command
}

/// The example with this server, by its issuer, and with this API.
pub(crate) fn with(name: &str, server: &AuthorizationServer, api: &Api) -> Command {
    let mut command = example(name);
    command.env("OAUTH_ISSUER", server.issuer()).env("API_URL", api.url("/v1/me"));
    command
}

/// It is killed when it is dropped.
pub(crate) struct Program {
    child: Child,
    lines: UnboundedReceiver<String>,
    /// Where it listens, without a slash at the end.
    pub(crate) origin: String,
}

#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) succeeded: bool,
    pub(crate) stdout: Vec<String>,
    pub(crate) stderr: String,
}

impl Program {
    /// Started, and ready.
    pub(crate) async fn start(command: Command) -> Self {
        let mut program = Self::spawn(command);
        let first = tokio::time::timeout(PATIENCE, program.lines.recv()).await.expect("it is ready some time");
        let Some(first) = first else { panic!("it ended: {:?}", program.end().await) };
        let address = first.strip_prefix("listening: ").unwrap_or_else(|| panic!("{first}"));
        program.origin = address.trim_end_matches('/').to_owned();
        program
    }

    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = unbounded_channel();
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, lines, origin: String::new() }
    }

    /// What follows `beginning` on the next line that begins so.
    pub(crate) async fn line_after(&mut self, beginning: &str) -> String {
        loop {
            let line = tokio::time::timeout(PATIENCE, self.lines.recv()).await.expect("it says more");
            if let Some(rest) = line.expect("it goes on").strip_prefix(beginning) {
                return rest.to_owned();
            }
        }
    }

    /// What becomes of one that is not to start.
    pub(crate) async fn fail(command: Command) -> Ended {
        Self::spawn(command).end().await
    }

    #[cfg(unix)]
    pub(crate) fn tell(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{signal}"), &id]).status().unwrap().success());
    }

    pub(crate) async fn end(mut self) -> Ended {
        let mut stdout = Vec::new();
        let said = async {
            while let Some(line) = self.lines.recv().await {
                stdout.push(line);
            }
        };
        tokio::time::timeout(PATIENCE, said).await.expect("it ends");
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        Ended { succeeded: self.child.wait().unwrap().success(), stdout, stderr }
    }

    /// What it has written to stderr until it was killed.
    pub(crate) fn log(mut self) -> String {
        let _ = self.child.kill();
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        stderr
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// With a code, and one line that has this.
    pub(crate) fn failed_with(&self, hint: &str) -> bool {
        let is_one_line = self.stderr.trim_end().lines().count() == 1 && self.stderr.starts_with("error: ");
        !self.succeeded && is_one_line && self.stdout.is_empty() && self.stderr.contains(hint)
    }
}
