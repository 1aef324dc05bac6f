//! An example that somebody runs: what it prints, line by line, and how it ends.

use std::{path::PathBuf, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines},
    process::{Child, ChildStderr, ChildStdout, Command},
};

use super::provider::Provider;

const PATIENCE: Duration = Duration::from_secs(20);

/// A person's home, where programs keep what they keep. Gone with the test.
pub(crate) struct Home(PathBuf);

impl Home {
    pub(crate) fn new(name: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("home-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &PathBuf {
        &self.0
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The command of an example, as scripts/interop built it, for the client `native` unless told.
pub(crate) fn example(name: &str, provider: &Provider, home: &Home) -> Command {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.push(format!("examples/{name}"));
    assert!(path.exists(), "{} is not built: run scripts/interop", path.display());
    let mut command = Command::new(path);
    for variable in
        ["OAUTH_TOKEN_URL", "OAUTH_AUTH_URL", "OAUTH_CLIENT_SECRET", "DISPLAY", "WAYLAND_DISPLAY", "BROWSER"]
    {
        command.env_remove(variable);
    }
    command.env("OAUTH_ISSUER", &provider.issuer).env("OAUTH_CLIENT_ID", "native").env("OAUTH_CLIENT_AUTH", "none");
    command.env("OAUTH_SCOPES", "openid offline_access api:read").env("API_URL", format!("{}/me", provider.api));
    command.env("HOME", home.path()).env("XDG_DATA_HOME", home.path().join("data"));
    command
}

/// The same command in a desktop's session that has a keyring (gnome-keyring), unlocked.
pub(crate) fn with_keyring(command: &Command) -> Command {
    // It says that it is there before it can be found: who asks sooner has D-Bus start another one, which is locked.
    let script = "printf test | gnome-keyring-daemon --unlock --components=secrets --daemonize >/dev/null 2>&1
        for try in $(seq 100); do
            dbus-send --session --print-reply --dest=org.freedesktop.DBus /org/freedesktop/DBus \
                org.freedesktop.DBus.NameHasOwner string:org.freedesktop.secrets 2>/dev/null | grep -q true && break
            sleep 0.1
        done
        exec \"$0\" \"$@\"";
    let command = command.as_std();
    let mut session = Command::new("dbus-run-session");
    session.args(["--", "sh", "-c", script]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => session.env(name, value),
            None => session.env_remove(name),
        };
    }
    session
}

pub(crate) struct Program {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    stderr: ChildStderr,
    printed: Vec<String>,
}

/// How it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) succeeded: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Program {
    pub(crate) fn start(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let stderr = child.stderr.take().unwrap();
        Self { child, lines, stderr, printed: Vec::new() }
    }

    /// What follows `start` on the first line that begins so.
    pub(crate) async fn line(&mut self, start: &str) -> String {
        let found = async {
            while let Some(line) = self.lines.next_line().await.unwrap() {
                self.printed.push(line.clone());
                if let Some(rest) = line.trim().strip_prefix(start) {
                    return rest.to_owned();
                }
            }
            let mut stderr = String::new();
            self.stderr.read_to_string(&mut stderr).await.unwrap();
            panic!("no line `{start}…`, but: {:?} {stderr}", self.printed);
        };
        tokio::time::timeout(PATIENCE, found).await.expect("the line comes in time")
    }

    pub(crate) async fn end(mut self) -> Ended {
        let ended = async {
            let mut stderr = String::new();
            while let Some(line) = self.lines.next_line().await.unwrap() {
                self.printed.push(line);
            }
            self.stderr.read_to_string(&mut stderr).await.unwrap();
            let succeeded = self.child.wait().await.unwrap().success();
            Ended { succeeded, stdout: self.printed.join("\n"), stderr }
        };
        tokio::time::timeout(PATIENCE, ended).await.expect("it ends in time")
    }

    /// The same, of one that has to succeed: what the API said.
    pub(crate) async fn answer(self) -> serde_json::Value {
        let ended = self.end().await;
        assert!(ended.succeeded, "{ended:?}");
        let line = ended.stdout.lines().last().unwrap_or_default();
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
    }
}
