//! Other processes: this test program again, doing what a variable of its environment says.

use std::{
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::*;

const ROLE: &str = "GATEPASS_TEST_ROLE";
const PATH: &str = "GATEPASS_TEST_PATH";

/// What a child does. In a test run it does nothing.
#[tokio::test]
async fn child() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let store = FileStore::new(std::env::var(PATH).unwrap());
    match role.as_str() {
        "write" => loop {
            write_something(&store).await;
        },
        "count under lease" => count(&store, true).await,
        "count" => count(&store, false).await,
        "hold the lease" => {
            let _lease = store.lease(&key(), None).await.unwrap().unwrap();
            write(&store.path().with_extension("ready"), b"");
            std::future::pending::<()>().await;
        }
        "fail for want of space" => {
            let error = swap(&store, version(&store).await, &"x".repeat(100_000)).await.unwrap_err();
            assert!(error.is_transient() && error.to_string().contains("no space"), "{error:?}");
        }
        "fail to write" => {
            let error = swap(&store, version(&store).await, "{}").await.unwrap_err();
            assert!(error.is_misconfigured() && error.to_string().contains("this user may not"), "{error:?}");
        }
        "fail to read" => {
            let error = store.load(&key()).await.unwrap_err();
            assert!(error.is_misconfigured() && error.to_string().contains("cannot be read"), "{error:?}");
        }
        _ => panic!("{role}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_any_moment_leaves_a_whole_file_and_no_lock() {
    let directory = Directory::new();
    let store = directory.store();
    for _ in 0..20 {
        let before = version(&store).await;
        let mut writer = Process::spawn(&mut command(&store, "write"));
        while version(&store).await == before {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        tokio::time::sleep(Duration::from_micros(fastrand::u64(0..30_000))).await;
        writer.kill();

        let whole = text(&store).await.unwrap();
        let (number, padding) = whole.split_once(' ').unwrap();
        assert_eq!(padding.len(), number.parse::<usize>().unwrap());
        let begun = Instant::now();
        let lease = store.lease(&key(), version(&store).await).await.unwrap();
        assert!(lease.is_some());
        write_something(&store).await;
        assert!(begun.elapsed() < Duration::from_secs(5));
        assert!(!directory.join("store.json.tmp").exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lease_of_a_killed_process_is_free() {
    let directory = Directory::new();
    let store = directory.store();
    let mut holder = Process::spawn(&mut command(&store, "hold the lease"));
    while !directory.join("store.ready").exists() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert!(tokio::time::timeout(Duration::from_millis(10), store.lease(&key(), None)).await.is_err());
    let stopped = Command::new("kill").args(["-STOP", &holder.0.id().to_string()]).status().unwrap();
    assert!(stopped.success());
    assert!(tokio::time::timeout(Duration::from_millis(10), store.lease(&key(), None)).await.is_err());
    holder.kill();
    assert!(store.lease(&key(), None).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn four_processes_count_together_under_the_lease() {
    count_in_four_processes("count under lease").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn four_processes_count_together_by_swaps_alone() {
    count_in_four_processes("count").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_leaves_the_old_file_and_nothing_else() {
    let directory = Directory::new();
    let store = directory.store();
    keep(&store, "old").await;
    // With the signal ignored, the limit is an error, as a full disk is.
    let mut limited = Command::new("sh");
    limited.args(["-c", r#"ulimit -f 8; trap '' XFSZ; exec "$0" "$@""#]);
    let inner = command(&store, "fail for want of space");
    limited.arg(inner.get_program()).args(inner.get_args()).env(ROLE, "fail for want of space").env(PATH, store.path());
    assert!(Process::spawn(&mut limited).succeeds());
    assert_eq!(text(&store).await.as_deref(), Some("old"));
    assert_eq!(directory.names(), ["store.json", "store.json.lock"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_may_not_be_written_to_is_said() {
    let directory = Directory::new();
    let store = directory.store();
    keep(&store, "old").await;
    set_mode(&directory.0, 0o500);
    as_user(&directory, &store, "fail to write");
    set_mode(store.path(), 0);
    as_user(&directory, &store, "fail to read");
    set_mode(&directory.0, 0o700);
}

/// Runs a child that is not root: root may do everything.
fn as_user(directory: &Directory, store: &FileStore, role: &str) {
    const NOBODY: u32 = 65534;
    let mut command = command(store, role);
    let give = |path: &Path| std::os::unix::fs::chown(path, Some(NOBODY), None);
    if give(&directory.0).is_ok() {
        for name in directory.names() {
            give(&directory.join(&name)).unwrap();
        }
        // It may not be allowed to read where this program lies.
        let program = std::env::temp_dir().join(format!("gatepass-test-program-{}", std::process::id()));
        // By another program: else a child of another thread may have the copy open for writing, and it cannot be run.
        let copied = Command::new("cp").arg(command.get_program()).arg(&program).status().unwrap();
        assert!(copied.success());
        let mut copy = Command::new(&program);
        copy.args(command.get_args()).env(ROLE, role).env(PATH, store.path()).current_dir("/").uid(NOBODY);
        let succeeds = Process::spawn(&mut copy).succeeds();
        std::fs::remove_file(program).unwrap();
        assert!(succeeds);
    } else {
        assert!(Process::spawn(&mut command).succeeds());
    }
}

async fn count_in_four_processes(role: &str) {
    let directory = Directory::new();
    let store = directory.store();
    keep(&store, r#"{"count":0}"#).await;
    let mut children: Vec<_> = (0..4).map(|_| Process::spawn(&mut command(&store, role))).collect();
    for child in &mut children {
        assert!(child.succeeds());
    }
    assert_eq!(text(&store).await.as_deref(), Some(r#"{"count":200}"#));
}

async fn count(store: &FileStore, under_lease: bool) {
    let mut counted = 0;
    while counted < 50 {
        let kept = store.load(&key()).await.unwrap().unwrap();
        let mut lease = None;
        if under_lease {
            lease = store.lease(&key(), Some(kept.version)).await.unwrap();
            if lease.is_none() {
                continue;
            }
        }
        let value: serde_json::Value = serde_json::from_str(kept.value.unwrap().expose()).unwrap();
        let next = format!(r#"{{"count":{}}}"#, value["count"].as_u64().unwrap() + 1);
        let swapped = swap(store, Some(kept.version), &next).await.unwrap();
        assert!(swapped.is_some() || !under_lease, "nobody wrote since");
        counted += u32::from(swapped.is_some());
        drop(lease);
    }
}

async fn write_something(store: &FileStore) {
    let length = fastrand::usize(0..100_000);
    keep(store, &format!("{length} {}", "x".repeat(length))).await;
}

async fn version(store: &FileStore) -> Option<Version> {
    store.load(&key()).await.unwrap().map(|kept| kept.version)
}

fn command(store: &FileStore, role: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "store::file::tests::crashes::child", "--nocapture"]);
    command.env(ROLE, role).env(PATH, store.path());
    command
}

/// A child that does not outlive its test.
struct Process(Child);

impl Process {
    fn spawn(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap())
    }

    fn succeeds(&mut self) -> bool {
        self.0.wait().unwrap().success()
    }

    /// By a signal that it cannot see.
    fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
