//! The binary, run as the program that it is.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio},
};

use serde_json::{Value, json};

use crate::{
    browsers::{PKCE, REDIRECT_URI},
    client::{Answer, Http},
};

struct Testkit {
    process: Child,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    introduction: Value,
}

fn command(options: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatepass-testkit"));
    command.args(options).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Testkit {
    fn start(options: &[&str]) -> Self {
        let mut process = command(options).spawn().unwrap();
        let commands = process.stdin.take();
        let answers = BufReader::new(process.stdout.take().unwrap());
        let mut testkit = Self { process, commands, answers, introduction: Value::Null };
        testkit.introduction = testkit.line();
        testkit
    }

    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    fn tell(&mut self, command: &str) -> Value {
        writeln!(self.commands.as_mut().unwrap(), "{command}").unwrap();
        self.line()
    }

    fn ok(&mut self, command: &str) -> Value {
        let answer = self.tell(command);
        assert_eq!(answer["ok"], true, "{command}: {answer}");
        answer
    }

    fn says(&self, member: &str) -> String {
        self.introduction[member].as_str().unwrap().to_owned()
    }

    /// `None`: the connection was dropped.
    async fn refresh(&self, token: &str) -> Option<Answer> {
        let (id, secret) = (self.says("client_id"), self.says("client_secret"));
        let form = format!("grant_type=refresh_token&refresh_token={token}&client_id={id}&client_secret={secret}");
        Http::new().post(&self.says("token_url"), &form).await
    }

    async fn call(&self, token: &str) -> u16 {
        Http::new().get(&self.says("api_url"), token).await.unwrap().status.as_u16()
    }

    /// Its exit code, once stdin has ended.
    fn end(&mut self) -> Option<i32> {
        self.commands = None;
        self.process.wait().unwrap().code()
    }
}

impl Drop for Testkit {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn refused(options: &[&str]) -> Output {
    command(options).output().unwrap()
}

#[tokio::test]
async fn it_says_where_it_is_and_serves_until_stdin_ends() {
    let mut testkit = Testkit::start(&["--client-id", "app", "--client-secret", "hush"]);
    assert_eq!((testkit.says("client_id"), testkit.says("client_secret")), ("app".into(), "hush".into()));
    assert_eq!(testkit.says("token_url"), format!("{}/token", testkit.says("issuer")));
    let answer = testkit.refresh(&testkit.says("refresh_token")).await.unwrap();
    assert_eq!((answer.status.as_u16(), testkit.call(&answer.access_token()).await), (200, 200));
    testkit.ok("revoke-access");
    assert_eq!(testkit.call(&answer.access_token()).await, 401);

    let stats = testkit.ok("stats");
    assert_eq!((&stats["token_requests"], &stats["tokens_issued"]), (&json!(1), &json!(1)));
    assert_eq!((&stats["token_statuses"], &stats["api_statuses"]), (&json!({"200": 1}), &json!({"200": 1, "401": 1})));
    assert_eq!(testkit.end(), Some(0));
}

#[tokio::test]
async fn quit_ends_it_too() {
    let mut testkit = Testkit::start(&[]);
    testkit.ok("quit");
    assert_eq!(testkit.process.wait().unwrap().code(), Some(0));
}

#[tokio::test]
async fn it_fails_so_many_times_or_until_it_is_told_otherwise() {
    let mut testkit = Testkit::start(&["--rotation", "off"]);
    let token = testkit.says("refresh_token");
    testkit.ok("fail 503 1");
    testkit.ok("drop 1");
    testkit.ok("delay 1 1");
    assert_eq!(testkit.refresh(&token).await.unwrap().status, 503);
    assert!(testkit.refresh(&token).await.is_none());
    let answer = testkit.refresh(&token).await.unwrap();
    assert!(answer.status == 200 && answer.json().get("refresh_token").is_none());

    for (command, status) in [("fail 500", Some(500)), ("drop", None), ("delay 1", Some(200))] {
        testkit.ok(command);
        for _ in 0..2 {
            assert_eq!(testkit.refresh(&token).await.map(|it| it.status.as_u16()), status, "{command}");
        }
        testkit.ok("recover");
        assert_eq!(testkit.refresh(&token).await.unwrap().status, 200);
    }
    let stats = testkit.ok("stats");
    assert_eq!(stats["token_statuses"], json!({"200": 6, "500": 2, "503": 1}));
    assert_eq!((&stats["token_requests"], &stats["token_requests_dropped"]), (&json!(12), &json!(3)));
}

#[tokio::test]
async fn it_knows_why_a_sign_in_ended() {
    let mut testkit = Testkit::start(&[]);
    // The answer is lost: the client cannot know that its token was superseded.
    let token = testkit.says("refresh_token");
    testkit.ok("drop-after 1");
    assert!(testkit.refresh(&token).await.is_none());
    assert_eq!(testkit.refresh(&token).await.unwrap().text("error"), "invalid_grant");
    // The answer arrived: it knows.
    let token = testkit.ok("mint")["refresh_token"].as_str().unwrap().to_owned();
    assert_eq!(testkit.refresh(&token).await.unwrap().status, 200);
    assert_eq!(testkit.refresh(&token).await.unwrap().text("error"), "invalid_grant");

    let stats = testkit.ok("stats");
    let because = |at: usize| (&stats["revocations"][at]["by"], &stats["revocations"][at]["answer_lost"]);
    assert_eq!((because(0), because(1)), ((&json!("reuse"), &json!(true)), (&json!("reuse"), &json!(false))));
    let granted = testkit.ok("grants")["granted_at_ms"].as_array().unwrap().clone();
    assert_eq!(granted.len(), 2);
    assert!(granted[0].as_u64() > Some(1_600_000_000_000));
    assert!(stats["revocations"][0]["at_ms"].as_u64() >= granted[0].as_u64());
    assert_eq!((&stats["tokens_lost"], &stats["reuse_refused"]), (&json!(1), &json!(2)));
    assert_eq!(stats["families_revoked"], 2);
}

#[tokio::test]
async fn reuse_may_be_forgiven_or_only_refused() {
    for (options, status, revoked) in [
        (["--reuse-grace", "60"], 200, 0),
        (["--reuse-detection", "off"], 400, 0),
        (["--reuse-detection", "on"], 400, 1),
    ] {
        let mut testkit = Testkit::start(&options);
        let token = testkit.says("refresh_token");
        assert_eq!(testkit.refresh(&token).await.unwrap().status, 200);
        assert_eq!(testkit.refresh(&token).await.unwrap().status, status);
        let stats = testkit.ok("stats");
        let (forgiven, refused) = (usize::from(status == 200), usize::from(status != 200));
        assert_eq!((&stats["reuse_forgiven"], &stats["reuse_refused"]), (&json!(forgiven), &json!(refused)));
        assert_eq!(stats["families_revoked"], revoked);
    }
}

#[tokio::test]
async fn the_api_has_a_limit() {
    let mut testkit = Testkit::start(&["--limit", "2/3600"]);
    let token = testkit.refresh(&testkit.says("refresh_token")).await.unwrap().access_token();
    for status in [200, 200, 429] {
        assert_eq!(testkit.call(&token).await, status);
    }
    assert_eq!(testkit.ok("stats")["api_statuses"], json!({"200": 2, "429": 1}));
}

#[tokio::test]
async fn a_public_client_signs_in_on_a_device_and_in_a_browser() {
    let mut testkit = Testkit::start(&["--ask", "--public-client", "app"]);
    assert_eq!(testkit.says("public_client_id"), "app");
    let http = Http::new();
    for (command, error) in [("approve", ""), ("deny", "access_denied")] {
        let device = http.post(&testkit.says("device_url"), "client_id=app").await.unwrap();
        testkit.ok(&format!("{command} {}", device.text("user_code")));
        let grant = "urn:ietf:params:oauth:grant-type:device_code";
        let form = format!("grant_type={grant}&device_code={}&client_id=app", device.text("device_code"));
        assert_eq!(http.post(&testkit.says("token_url"), &form).await.unwrap().text("error"), error);
    }
    assert!(testkit.tell("approve NOSUCH")["error"].as_str().unwrap().contains("NOSUCH"));

    let query = format!("?response_type=code&client_id=app&redirect_uri={REDIRECT_URI}&{PKCE}");
    let page = http.open(&format!("{}{query}", testkit.says("auth_url"))).await;
    assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert_eq!(testkit.ok("stats")["arrived"], json!({"/authorize": 1, "/device_authorization": 2, "/token": 2}));

    let testkit = Testkit::start(&["--public-client", "app"]);
    let answer = http.open(&format!("{}{query}", testkit.says("auth_url"))).await;
    assert!(answer.sent_back("code").is_some());
    let refused = http.post(&testkit.says("swap_url"), "code=made-up").await.unwrap();
    assert_eq!(refused.text("error"), "invalid_grant");
    assert!(testkit.says("refresh_url").ends_with("/refresh"));
}

#[tokio::test]
async fn what_is_not_understood_is_answered_and_harms_nothing() {
    let mut testkit = Testkit::start(&[]);
    for (line, hint) in [
        ("explode", "drop-after"),
        ("fail", "fail STATUS"),
        ("fail 200", "400"),
        ("fail 99999", "fail STATUS"),
        ("drop two", "not a number"),
        ("drop 1 2", "too many"),
        ("delay -1", "not a number"),
        ("stats now", "not understood"),
        ("approve", "approve USER_CODE"),
    ] {
        let answer = testkit.tell(line);
        assert!(answer["ok"] == false && answer["error"].as_str().unwrap().contains(hint), "{line}: {answer}");
    }
    writeln!(testkit.commands.as_mut().unwrap(), "\n \r").unwrap();
    testkit.ok(" stats\r");
    assert_eq!(testkit.refresh(&testkit.says("refresh_token")).await.unwrap().status, 200);
}

#[test]
fn bad_options_get_the_usage() {
    for (options, hint) in [
        (&["--lifetime", "soon"][..], "write seconds"),
        (&["--lifetime", "-1"], "write seconds"),
        (&["--lifetime"], "wants a value"),
        (&["--ask", "--public-client"], "wants a value"),
        (&["--rotation", "maybe"], "write on or off"),
        (&["--limit", "100"], "write calls and seconds"),
        (&["--limit", "100/soon"], "write calls and seconds"),
        (&["--speed", "9"], "no option"),
    ] {
        let output = refused(options);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), &b""[..]), "{options:?}");
        assert!(stderr.lines().next().unwrap().contains(hint) && stderr.contains("usage:"), "{stderr}");
    }
    let help = refused(&["--help"]);
    assert!(help.status.success() && String::from_utf8_lossy(&help.stdout).contains("drop-after"));
}
