//! `background_jobs`: calls on somebody's behalf while they are away.

use std::{
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use gatepass_testkit::{Api, AuthorizationServer, Failure};
use serde_json::Value;

use crate::{
    browser::Browser,
    program::{Program, with},
};

const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

struct World {
    server: AuthorizationServer,
    api: Api,
    folder: PathBuf,
}

impl World {
    async fn start(name: &str) -> Self {
        let server = AuthorizationServer::start().await;
        let api = Api::start(&server).await;
        let folder = std::env::temp_dir().join(format!("gatepass-jobs-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self { server, api, folder }
    }

    /// With a job that calls all the time.
    fn program(&self) -> Command {
        let mut command = with("background_jobs", &self.server, &self.api);
        command.env("EVERY", "0.05");
        command
    }

    /// The same, and it goes on after a restart.
    fn lasting(&self) -> Command {
        let mut command = self.program();
        command.env("JOBS_FILE", self.folder.join("jobs.json")).env("TOKENS_FILE", self.folder.join("tokens.json"));
        command.env("COOKIE_KEY", KEY);
        command
    }

    fn jobs(&self) -> String {
        std::fs::read_to_string(self.folder.join("jobs.json")).unwrap()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Browser {
    /// Waits until scripts of the page are told so.
    async fn until(&self, is_so: impl Fn(&Value) -> bool) -> Value {
        let since = Instant::now();
        loop {
            let status = self.status().await;
            if is_so(&status) {
                return status;
            }
            assert!(since.elapsed() < Duration::from_secs(20), "{status}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn until_logged(&self, text: &str) -> Value {
        self.until(|status| status["log"].as_array().unwrap().iter().any(|line| line.as_str().unwrap().contains(text)))
            .await
    }
}

#[tokio::test]
async fn a_job_calls_while_nobody_is_there_until_it_is_stopped() {
    let world = World::start("stopped").await;
    let program = Program::start(world.program()).await;
    let browser = Browser::new(&program.origin);
    browser.open("/login").await.shows(&["Start a job"]);
    assert_eq!(browser.open("/").await.fact("job"), "none");
    browser.press("/start").await.shows(&["Stop the job", "started"]);
    // A second press starts no second one.
    browser.press("/start").await;
    world.api.until_calls(5).await;
    browser.until_logged("bytes from the API").await;

    let page = browser.press("/stop").await;
    assert_eq!(page.fact("job"), "stopped");
    let calls = world.api.calls();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(world.api.calls() <= calls + 1);
    browser.press("/start").await.shows(&["Stop the job"]);
    world.api.until_calls(calls + 3).await;
}

#[tokio::test]
async fn a_job_renews_its_token_and_writes_down_what_passes_by() {
    let world = World::start("passes").await;
    let program = Program::start(world.program()).await;
    let browser = Browser::new(&program.origin);
    browser.open("/login").await;
    browser.press("/start").await;
    world.api.until_calls(2).await;
    world.server.revoke_access_tokens();
    browser.until_logged("generation is 2").await;
    world.api.fail_next(1, Failure::status(500));
    browser.until_logged("answered 500").await;
    world.server.revoke_access_tokens().fail_next(1, Failure::status(503));
    browser.until_logged("tried again later").await;
    browser.until_logged("generation is 3").await;
    assert_eq!(browser.status().await["job"], "runs");
}

#[tokio::test]
async fn a_sign_out_ends_the_job_and_it_says_so() {
    let world = World::start("sign-out").await;
    let program = Program::start(world.lasting()).await;
    let browser = Browser::new(&program.origin);
    browser.open("/login").await;
    browser.press("/start").await;
    world.api.until_calls(2).await;
    assert!(world.jobs().contains("main/alice"));
    browser.press("/logout").await;
    browser.open("/").await.shows(&["Nobody is signed in"]).hides(&["bytes from the API", "main/alice"]);
    assert_eq!(browser.status().await["log"], serde_json::json!([]));

    // Whoever comes back sees what became of it.
    browser.open("/login").await;
    let ended = browser.until(|status| status["job"] == "ended with the sign-in").await;
    assert!(ended["log"][0].as_str().unwrap().contains("ended: "), "{ended}");
    assert!(!world.jobs().contains("main/alice"));
    let calls = world.api.calls();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(world.api.calls(), calls);
    browser.open("/").await.shows(&["Start it again"]);
}

#[tokio::test]
async fn a_grant_that_the_provider_ends_ends_the_job() {
    let world = World::start("revoked").await;
    let program = Program::start(world.program()).await;
    let browser = Browser::new(&program.origin);
    browser.open("/login").await;
    browser.press("/start").await;
    world.api.until_calls(2).await;
    world.server.revoke_everything();
    browser.until(|status| status["job"] == "ended with the sign-in").await;
}

#[tokio::test]
async fn a_job_goes_on_after_a_restart_and_ends_with_the_sign_out_of_then() {
    let world = World::start("restart").await;
    let mut program = Program::start(world.lasting()).await;
    let browser = Browser::new(&program.origin);
    browser.open("/login").await;
    browser.press("/start").await;
    world.api.until_calls(2).await;
    let kept = world.jobs() + &std::fs::read_to_string(world.folder.join("tokens.json")).unwrap();
    for token in world.api.journal().iter().filter_map(|call| call.token.as_deref()) {
        assert!(!kept.contains(token));
    }

    for sign_in_again in [false, true] {
        drop(program);
        let calls = world.api.calls();
        program = Program::start(world.lasting()).await;
        world.api.until_calls(calls + 3).await;
        assert_eq!(world.server.token_requests(), 1, "the token it had is used");
        if sign_in_again {
            let browser = Browser::new(&program.origin);
            browser.open("/login").await;
            browser.until_logged("goes on by a newer sign-in").await;
            world.api.until_calls(world.api.calls() + 2).await;
            browser.press("/logout").await;
            browser.open("/login").await;
            browser.until(|status| status["job"] == "ended with the sign-in").await;
        }
    }
}

#[tokio::test]
async fn another_sites_page_starts_and_stops_nothing() {
    let world = World::start("foreign").await;
    let program = Program::start(world.program()).await;
    let browser = Browser::new(&program.origin);
    browser.open("/login").await;
    browser.post("/start", &[("sec-fetch-site", "same-site")]).await;
    assert_eq!(browser.status().await["job"], "none");
    browser.press("/start").await;
    browser.post("/stop", &[("origin", "http://127.0.0.1:1")]).await;
    assert_eq!(browser.status().await["job"], "runs");
}

#[tokio::test]
async fn what_is_wrong_with_files_and_times_is_one_line() {
    let world = World::start("settings").await;
    let (jobs, tokens) = (world.folder.join("other"), world.folder.join("tokens"));
    std::fs::write(&jobs, "not json").unwrap();
    for (variable, value, hint) in [
        ("JOBS_FILE", jobs.to_str().unwrap(), "none of this program's"),
        ("JOBS_FILE", world.folder.to_str().unwrap(), "JOBS_FILE cannot be read"),
        ("TOKENS_FILE", tokens.to_str().unwrap(), "TOKENS_FILE needs COOKIE_KEY"),
        ("EVERY", "-1", "write seconds"),
        ("EVERY", "0", "write seconds"),
        ("EVERY", "1e300", "write seconds"),
        ("API_URL", "", "API_URL is not set"),
    ] {
        let mut command = world.program();
        command.env(variable, value);
        let ended = Program::fail(command).await;
        assert!(ended.failed_with(hint), "{variable}={value}: {ended:?}");
    }
}
