//! A private redis-server, for tests of any crate: include it with `#[path]`. Needs std alone.

#![allow(dead_code, reason = "every test program uses a part of it")]

use std::{
    env, fs,
    io::{self, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// On a free port of the loopback interface, with a directory of its own; both end with it.
pub(crate) struct RedisServer {
    process: Option<Child>,
    port: u16,
    dir: PathBuf,
    arguments: Vec<String>,
}

impl RedisServer {
    /// Empty, without a password, keeping nothing on disk.
    pub(crate) fn start() -> Self {
        Self::start_with([])
    }

    /// With more arguments, such as `--requirepass`.
    pub(crate) fn start_with<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Self {
        let arguments: Vec<_> = arguments.into_iter().map(str::to_owned).collect();
        for _ in 0..20 {
            let port = free_port();
            let dir = env::temp_dir().join(format!("gatepass-redis-{}-{port}", std::process::id()));
            fs::create_dir_all(&dir).unwrap();
            let mut server = Self { process: None, port, dir, arguments: arguments.clone() };
            if server.run() {
                return server;
            }
        }
        panic!("redis-server did not start: {arguments:?}");
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// With the user info `user`, such as `:password`.
    pub(crate) fn url_for(&self, user: &str) -> String {
        format!("redis://{user}@127.0.0.1:{}", self.port)
    }

    /// Its directory, which it also works in.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// As a crash does it.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Again after [`kill`](Self::kill), on the same port.
    pub(crate) fn restart(&mut self) {
        self.kill();
        assert!(self.run(), "redis-server did not start again on port {}", self.port);
    }

    /// False if the port was taken meanwhile.
    fn run(&mut self) -> bool {
        let port = self.port.to_string();
        let child = Command::new("redis-server")
            .args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .arg("--dir")
            .arg(&self.dir)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.process = Some(match child {
            Ok(child) => child,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                panic!("redis-server is missing; install it: apt-get update && apt-get install -y redis-server")
            }
            Err(error) => panic!("redis-server: {error}"),
        });
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline {
            let answers = answers(self.port);
            if self.process.as_mut().is_some_and(|process| process.try_wait().unwrap().is_some()) {
                return false;
            }
            if answers {
                return true;
            }
            sleep(Duration::from_millis(3));
        }
        false
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// Also when all it says is that it wants a password.
fn answers(port: u16) -> bool {
    let ping = || -> io::Result<bool> {
        let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        connection.set_read_timeout(Some(Duration::from_secs(1)))?;
        connection.write_all(b"PING\r\n")?;
        let mut answer = [0; 7];
        connection.read_exact(&mut answer)?;
        Ok(answer.starts_with(b"+PONG") || answer.starts_with(b"-NOAUTH"))
    };
    ping().unwrap_or(false)
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr()).unwrap().port()
}
