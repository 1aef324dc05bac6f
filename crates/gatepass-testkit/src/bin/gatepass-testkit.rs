//! The two servers in a process of their own, for programs in other processes and in other languages.
//!
//! See "From another process" in the documentation of the library.

use std::{
    io::{self, BufRead, Write},
    process::ExitCode,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use gatepass_testkit::{Api, AuthorizationServer, Failure, Revocation, RevokedBy, Rotation};
use serde_json::{Value, json};
use tokio::{runtime, sync::mpsc};

const USAGE: &str = "\
usage: gatepass-testkit [OPTION [VALUE]]...

  --lifetime SECONDS         how long access tokens live; 3600 unless set, fractions allowed
  --rotation on|off          whether a refresh token is superseded when it is used; on unless set
  --reuse-detection on|off   whether a superseded one that comes again ends its sign-in; on unless set
  --reuse-grace SECONDS      for how long a superseded one is still good; 0 unless set
  --client-id ID             the client; `client` unless set
  --client-secret SECRET     its secret; `secret` unless set
  --public-client ID         one more client, without a secret, for programs that people sign in with
  --limit CALLS/SECONDS      how often each sign-in may call the API, such as 100/1; as often as it likes unless set
  --ask                      whether a page asks before a sign-in is approved; it is approved at once unless set

The first line on stdout says where the servers are, as JSON. Then each line on stdin is a command, and is answered by
one line of JSON. The servers end with `quit`, or with the end of stdin.
";

const COMMANDS: &str = "delay MS [N], fail STATUS [N], drop [N], drop-after [N], recover, mint, revoke-access, approve USER_CODE, \
     deny USER_CODE, stats, grants, quit";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|it| it == "--help" || it == "-h") {
        print!("{USAGE}\nCommands: {COMMANDS}\n");
        return ExitCode::SUCCESS;
    }
    let options = match Options::parse(&arguments) {
        Ok(options) => options,
        Err(problem) => {
            eprint!("gatepass-testkit: {problem}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let served = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .and_then(|runtime| runtime.block_on(serve(options)));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        // Nobody reads the answers any more.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gatepass-testkit: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(options: Options) -> io::Result<()> {
    let servers = Servers::start(options).await?;
    let mut lines = lines_of_stdin();
    answer(&servers.introduction())?;
    while let Some(line) = lines.recv().await {
        let command = match Command::parse(&line) {
            Ok(None) => continue,
            Ok(Some(command)) => command,
            Err(problem) => {
                answer(&json!({ "ok": false, "error": problem }))?;
                continue;
            }
        };
        let is_last = command == Command::Quit;
        answer(&servers.obey(command))?;
        if is_last {
            break;
        }
    }
    Ok(())
}

/// A thread reads them: what waits for a line on stdin can only be stopped by the end of the process.
fn lines_of_stdin() -> mpsc::UnboundedReceiver<String> {
    let (sender, receiver) = mpsc::unbounded_channel();
    thread::spawn(move || {
        for line in io::stdin().lock().split(b'\n') {
            let Ok(line) = line else { return };
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                return;
            }
        }
    });
    receiver
}

fn answer(json: &Value) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{json}")?;
    stdout.flush()
}

struct Servers {
    server: AuthorizationServer,
    api: Api,
    options: Options,
}

impl Servers {
    async fn start(options: Options) -> io::Result<Self> {
        let server = AuthorizationServer::builder().start().await?;
        let api = Api::start_on(0, &server).await?;
        server.add_client(&options.client_id, &options.client_secret);
        server.token_lifetime(options.lifetime).reuse_grace(options.reuse_grace);
        server.rotation(if options.rotation { Rotation::Rotate } else { Rotation::Omit });
        server.detect_reuse(options.reuse_detection).ask(options.ask);
        if let Some(id) = &options.public_client {
            server.add_public_client(id);
        }
        if let Some((calls, per)) = options.limit {
            api.limit(calls, per);
        }
        // Only its counters are asked for.
        api.keep_journal(0);
        Ok(Self { server, api, options })
    }

    fn introduction(&self) -> Value {
        let mut introduction = json!({
            "issuer": self.server.issuer(),
            "token_url": self.server.token_url(),
            "auth_url": self.server.authorization_url(),
            "device_url": self.server.device_authorization_url(),
            "swap_url": self.server.url("/swap"),
            "refresh_url": self.server.url("/refresh"),
            "api_url": self.api.origin(),
            "client_id": self.options.client_id,
            "client_secret": self.options.client_secret,
            "refresh_token": self.mint(),
        });
        if let Some(id) = &self.options.public_client {
            introduction["public_client_id"] = id.as_str().into();
        }
        introduction
    }

    fn mint(&self) -> String {
        self.server.issue_refresh_token_to(&self.options.client_id, None)
    }

    fn obey(&self, command: Command) -> Value {
        match command {
            Command::Delay(delay, None) => drop(self.server.delay(delay)),
            Command::Delay(delay, times) => self.fail(Failure::late(delay), times),
            Command::Fail(status, times) => self.fail(Failure::status(status), times),
            Command::Drop(times) => self.fail(Failure::dropped(), times),
            Command::DropAfter(times) => self.fail(Failure::dropped().after_processing(), times),
            Command::Recover => drop(self.server.recover().delay(Duration::ZERO)),
            Command::Mint => return json!({ "ok": true, "refresh_token": self.mint() }),
            Command::RevokeAccess => drop(self.server.revoke_access_tokens()),
            Command::Approve(code) => return decided(self.server.approve(&code), &code),
            Command::Deny(code) => return decided(self.server.deny(&code), &code),
            Command::Stats => return self.stats(),
            Command::Grants => return self.grants(),
            Command::Quit => {}
        }
        json!({ "ok": true })
    }

    fn fail(&self, failure: Failure, times: Option<usize>) {
        match times {
            Some(times) => self.server.fail_next(times, failure),
            None => self.server.fail_until_told(failure),
        };
    }

    fn stats(&self) -> Value {
        let (server, api) = (&self.server, &self.api);
        json!({
            "ok": true,
            "arrived": server.arrived(),
            "token_requests": server.token_requests(),
            "token_statuses": server.statuses(),
            "token_requests_dropped": server.dropped(),
            "tokens_issued": server.tokens_issued(),
            "tokens_lost": server.tokens_lost(),
            "reuse_forgiven": server.reuse_forgiven(),
            "reuse_refused": server.reuse_refused(),
            "families_revoked": server.families_revoked(),
            "revocations": server.revocations().iter().map(revocation).collect::<Vec<_>>(),
            "api_calls": api.calls(),
            "api_statuses": api.statuses(),
            "api_calls_dropped": api.dropped(),
            "api_tokens_seen": api.distinct_tokens_seen(),
        })
    }

    fn grants(&self) -> Value {
        let journal = self.server.journal();
        let times: Vec<u64> = journal.iter().filter(|it| it.granted).map(|it| since_1970(it.at)).collect();
        json!({ "ok": true, "granted_at_ms": times })
    }
}

fn decided(was_waiting: bool, user_code: &str) -> Value {
    match was_waiting {
        true => json!({ "ok": true }),
        false => json!({ "ok": false, "error": format!("no device waits with the code `{user_code}`") }),
    }
}

fn revocation(revocation: &Revocation) -> Value {
    let mut json = match revocation.by {
        RevokedBy::Reuse { after, answer_lost, .. } => {
            json!({ "by": "reuse", "after_ms": milliseconds(after), "answer_lost": answer_lost })
        }
        RevokedBy::CodeReuse => json!({ "by": "code_reuse" }),
        RevokedBy::Client => json!({ "by": "client" }),
        other => json!({ "by": format!("{other:?}").to_lowercase() }),
    };
    json["at_ms"] = since_1970(revocation.at).into();
    json
}

fn since_1970(at: Instant) -> u64 {
    let at = SystemTime::now().checked_sub(Instant::now().saturating_duration_since(at));
    milliseconds(at.and_then(|at| at.duration_since(UNIX_EPOCH).ok()).unwrap_or_default())
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Command {
    Delay(Duration, Option<usize>),
    Fail(u16, Option<usize>),
    Drop(Option<usize>),
    DropAfter(Option<usize>),
    Recover,
    Mint,
    RevokeAccess,
    Approve(String),
    Deny(String),
    Stats,
    Grants,
    Quit,
}

impl Command {
    /// `None` for an empty line.
    fn parse(line: &str) -> Result<Option<Self>, String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some((&name, rest)) = words.split_first() else {
            return Ok(None);
        };
        let command = match (name, rest) {
            ("delay", [time, rest @ ..]) => Self::Delay(Duration::from_millis(number(time)?), times(rest)?),
            ("fail", [status, rest @ ..]) => match number(status)? {
                status @ 400..=599 => Self::Fail(status, times(rest)?),
                status => return Err(format!("{status} is not a failure: write a status between 400 and 599")),
            },
            ("drop", rest) => Self::Drop(times(rest)?),
            ("drop-after", rest) => Self::DropAfter(times(rest)?),
            ("recover", []) => Self::Recover,
            ("mint", []) => Self::Mint,
            ("revoke-access", []) => Self::RevokeAccess,
            ("approve", [code]) => Self::Approve((*code).to_owned()),
            ("deny", [code]) => Self::Deny((*code).to_owned()),
            ("stats", []) => Self::Stats,
            ("grants", []) => Self::Grants,
            ("quit", []) => Self::Quit,
            _ => return Err(format!("`{line}` is not understood: write {COMMANDS}", line = line.trim())),
        };
        Ok(Some(command))
    }
}

/// How many requests a failure is for; without a number, all until `recover`.
fn times(words: &[&str]) -> Result<Option<usize>, String> {
    match words {
        [] => Ok(None),
        [times] => number(times).map(Some),
        [_, surplus, ..] => Err(format!("`{surplus}` is one word too many: write {COMMANDS}")),
    }
}

fn number<N: std::str::FromStr>(word: &str) -> Result<N, String> {
    word.parse().map_err(|_| format!("`{word}` is not a number that fits here: write {COMMANDS}"))
}

#[derive(Debug)]
struct Options {
    lifetime: Duration,
    rotation: bool,
    reuse_detection: bool,
    reuse_grace: Duration,
    client_id: String,
    client_secret: String,
    public_client: Option<String>,
    limit: Option<(usize, Duration)>,
    ask: bool,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut options = Self {
            lifetime: Duration::from_secs(3600),
            rotation: true,
            reuse_detection: true,
            reuse_grace: Duration::ZERO,
            client_id: "client".to_owned(),
            client_secret: "secret".to_owned(),
            public_client: None,
            limit: None,
            ask: false,
        };
        let mut arguments = arguments.iter();
        while let Some(name) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("`{name}` wants a value after it"));
            match name.as_str() {
                "--lifetime" => options.lifetime = seconds(name, value()?)?,
                "--rotation" => options.rotation = on_or_off(name, value()?)?,
                "--reuse-detection" => options.reuse_detection = on_or_off(name, value()?)?,
                "--reuse-grace" => options.reuse_grace = seconds(name, value()?)?,
                "--client-id" => value()?.clone_into(&mut options.client_id),
                "--client-secret" => value()?.clone_into(&mut options.client_secret),
                "--public-client" => options.public_client = Some(value()?.to_owned()),
                "--limit" => options.limit = Some(limit(name, value()?)?),
                "--ask" => options.ask = true,
                _ => return Err(format!("`{name}` is no option")),
            }
        }
        Ok(options)
    }
}

fn seconds(name: &str, value: &str) -> Result<Duration, String> {
    let seconds = value.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or_else(|| format!("{name} is `{value}`: write seconds, such as 1 or 0.5"))
}

fn limit(name: &str, value: &str) -> Result<(usize, Duration), String> {
    let parts = value.split_once('/').and_then(|(calls, per)| Some((calls.parse().ok()?, seconds(name, per).ok()?)));
    parts.ok_or_else(|| format!("{name} is `{value}`: write calls and seconds, such as 100/1"))
}

fn on_or_off(name: &str, value: &str) -> Result<bool, String> {
    match value {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(format!("{name} is `{value}`: write on or off")),
    }
}
