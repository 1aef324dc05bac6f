//! What stands on the disk afterwards.

use std::{future::Future, pin::pin, task::Context};

use tokio::time::{Duration, sleep, timeout};

use super::{
    super::lock::{self, Lock, Pauses},
    *,
};

#[tokio::test]
async fn there_is_nothing_on_the_disk_before_the_first_change() {
    let directory = Directory::new();
    let store = FileStore::new(directory.join("a/b/store.json"));
    assert_eq!(store.load(&key()).await.unwrap(), None);
    assert!(directory.names().is_empty());
    assert!(format!("{store:?}").contains("a/b/store.json"));
}

#[cfg(unix)]
#[tokio::test]
async fn everything_is_private() {
    let directory = Directory::new();
    let store = FileStore::new(directory.join("a/b/store.json"));
    let lease = store.lease(&key(), None).await.unwrap();
    keep(&store, "{}").await;
    assert_eq!((mode(&directory.join("a")), mode(&directory.join("a/b"))), (0o700, 0o700));
    let of_lease = lock::of_lease(store.path(), &key());
    for path in [store.path(), &lock::of_changes(store.path()), &of_lease] {
        assert_eq!(mode(path), 0o600, "{}", path.display());
    }
    assert_eq!(of_lease.file_name().unwrap().len(), "store.json.0123456789abcdef.lock".len());
    assert_eq!(std::fs::metadata(of_lease).unwrap().len(), 0);
    drop(lease);
}

#[tokio::test]
async fn a_relative_path_stands_in_the_current_directory() {
    let name = format!("gatepass-test-{}.json", std::process::id());
    let store = FileStore::new(&name);
    keep(&store, "{}").await;
    assert_eq!(text(&store).await.as_deref(), Some("{}"));
    for suffix in ["", ".lock"] {
        std::fs::remove_file(format!("{name}{suffix}")).unwrap();
    }
}

#[tokio::test]
async fn what_a_killed_writer_left_is_replaced() {
    let directory = Directory::new();
    let store = directory.store();
    std::fs::write(directory.join("store.json.tmp"), "half a fi").unwrap();
    keep(&store, "{}").await;
    assert_eq!(directory.names(), ["store.json", "store.json.lock"]);
    assert_eq!(text(&store).await.as_deref(), Some("{}"));
}

#[cfg(unix)]
#[tokio::test]
async fn a_symbolic_link_stays_one() {
    let directory = Directory::new();
    std::fs::create_dir(directory.join("elsewhere")).unwrap();
    std::os::unix::fs::symlink("elsewhere/second", directory.join("store.json")).unwrap();
    std::os::unix::fs::symlink("tokens.json", directory.join("elsewhere/second")).unwrap();
    let (link, direct) = (directory.store(), FileStore::new(directory.join("elsewhere/tokens.json")));
    assert_eq!(link.load(&key()).await.unwrap(), None, "it leads nowhere yet");
    keep(&link, "1").await;
    keep(&link, "2").await;
    assert_eq!(text(&direct).await.as_deref(), Some("2"));
    assert!(std::fs::symlink_metadata(directory.join("store.json")).unwrap().is_symlink());
    assert_eq!(directory.names(), ["elsewhere", "store.json"]);

    let lease = link.lease(&key(), Some(direct.load(&key()).await.unwrap().unwrap().version)).await.unwrap().unwrap();
    assert!(Lock::attempt(&lock::of_lease(direct.path(), &key())).unwrap().is_none(), "one lease for both paths");
    drop(lease);

    std::os::unix::fs::symlink("round", directory.join("round")).unwrap();
    let error = swap(&FileStore::new(directory.join("round")), None, "{}").await.unwrap_err();
    assert!(error.is_misconfigured(), "{error}");
}

#[tokio::test]
async fn locks_exclude_other_handles_in_this_process() {
    let directory = Directory::new();
    let (one, two) = (directory.store(), directory.store());
    let lease = one.lease(&key(), None).await.unwrap().unwrap();
    assert!(timeout(Duration::from_millis(10), two.lease(&key(), None)).await.is_err());
    drop(lease);
    two.lease(&key(), None).await.unwrap().unwrap();

    let changing = Lock::attempt(&lock::of_changes(one.path())).unwrap().unwrap();
    assert!(timeout(Duration::from_millis(10), swap(&two, None, "{}")).await.is_err());
    assert_eq!(one.load(&key()).await.unwrap(), None, "nothing was written, and loads do not wait");
    drop(changing);
    assert!(swap(&two, None, "{}").await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_change_does_not_wait_for_ever() {
    let directory = Directory::new();
    let store = directory.store();
    let _changing = Lock::attempt(&lock::of_changes(store.path())).unwrap().unwrap();
    let error = swap(&store, None, "{}").await.unwrap_err();
    assert!(error.is_transient());
    assert!(error.to_string().contains("store.json.lock` for 10 s"), "{error}");
}

#[tokio::test]
async fn a_dropped_change_has_happened_or_not_when_the_next_load_returns() {
    let directory = Directory::new();
    let store = directory.store();
    let (key, mut happened) = (key(), 0);
    for round in 0..100_u64 {
        let seen = store.load(&key).await.unwrap();
        let value = Secret::new(round.to_string());
        {
            let mut change = pin!(store.compare_and_swap(&key, seen.as_ref().map(|kept| kept.version), &value));
            let mut context = Context::from_waker(std::task::Waker::noop());
            if change.as_mut().poll(&mut context).is_pending() && round % 4 > 0 {
                sleep(Duration::from_micros(round * 20)).await;
                let _ = change.as_mut().poll(&mut context);
            }
        }
        let after = store.load(&key).await.unwrap();
        sleep(Duration::from_millis(2)).await;
        assert_eq!(store.load(&key).await.unwrap(), after, "nothing comes later");
        happened += u32::from(after != seen);
    }
    assert!(happened > 0);
}

#[tokio::test]
async fn versions_do_not_repeat_when_the_file_is_deleted_or_comes_from_a_backup() {
    let directory = Directory::new();
    let store = directory.store();
    let first = keep(&store, "1").await;
    let backup = std::fs::read(store.path()).unwrap();
    let second = keep(&store, "2").await;
    write(store.path(), &backup);
    let third = keep(&store, "3").await;
    std::fs::remove_file(store.path()).unwrap();
    let fourth = keep(&store, "4").await;
    assert!(first.0 < second.0 && second.0 < third.0 && third.0 < fourth.0);
}

#[test]
fn pauses_are_short_and_grow() {
    let mut pauses = Pauses::new();
    let pauses: Vec<_> = std::iter::repeat_with(|| pauses.next().as_secs_f64() * 1000.0).take(50).collect();
    assert!((2.5..=5.0).contains(&pauses[0]));
    assert!((5.0..=10.0).contains(&pauses[1]));
    assert!(pauses[4..].iter().all(|pause| (25.0..=50.0).contains(pause)));
}
