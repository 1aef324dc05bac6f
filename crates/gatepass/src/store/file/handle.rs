use std::{
    fmt,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::{sync::RwLock, task::spawn_blocking, time::Instant};

use super::{
    change::Change,
    disk,
    document::Document,
    lock::{self, Lock, Pauses},
};
use crate::{
    clock,
    error::Error,
    secret::Secret,
    store::{Key, Lease, TokenStore, Version, Versioned},
};

/// How long a change waits for the changes of others, which take milliseconds each.
const PATIENCE: Duration = Duration::from_secs(10);

/// Keeps sets in one file, for a program's own few credentials: a command-line tool, a daemon, both at once.
///
/// ```
/// use gatepass::{Secret, store::{FileStore, Key, TokenStore}};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), gatepass::Error> {
/// # let directory = std::env::temp_dir().join(format!("gatepass-example-{}", std::process::id()));
/// # let config = directory.as_path();
/// let store = FileStore::new(config.join("my-tool/tokens.json"));
/// let alice = Key::new(["https://auth.example.com", "my-client", "alice"]);
/// assert_eq!(store.load(&alice).await?, None); // there is no file yet
///
/// let first = store.compare_and_swap(&alice, None, &Secret::new(r#"{"any":"object"}"#)).await?;
/// let kept = FileStore::new(store.path()).load(&alice).await?.unwrap();
/// assert_eq!(Some(kept.version), first);
/// assert_eq!(kept.value.unwrap().expose(), r#"{"any":"object"}"#);
/// # let _ = std::fs::remove_dir_all(directory);
/// # Ok(()) }
/// ```
///
/// Each change writes the whole file anew, one at a time. For thousands of users, or for several machines, use a store
/// that is made for that, such as `gatepass-redis`. What the file says is not encrypted; `Sealed` (feature `sealed`)
/// does that.
///
/// # The files
/// | | |
/// |---|---|
/// | `PATH` | the records, as JSON that can be read; mode 0600. Read whole, at most 16 MiB |
/// | `PATH.tmp` | the next state, while it is written; renamed to `PATH` when it is on the disk |
/// | `PATH.lock` | locked during a change, for milliseconds |
/// | `PATH.<16 hex digits>.lock` | one for each key: locked as long as its lease |
///
/// Directories that are missing are created, for this user only. If `PATH` is a symbolic link, it stays one: the file
/// it leads to is the store, and the others stand beside that. The lock files are empty and stay; deleting one while a
/// program runs lets two programs through.
///
/// # What it promises
/// - A change that has returned survives a crash of the machine. One that is interrupted anywhere, by `kill -9` or by
///   a power cut, leaves the old state or the new one.
/// - A file that is damaged, foreign, or written by a newer version is never changed, and each call says so.
/// - A lease ends with the process that holds it, at once and however it ends. A process that stands still (`SIGSTOP`,
///   a debugger) keeps its leases until it goes on.
/// - Versions do not repeat, even if the file is deleted or restored from a backup, as long as the wall clock is not
///   set back.
///
/// # What it cannot do
/// The locks are those of the operating system (`flock`, `LockFileEx`): on a network file system, they are as good as
/// that. Modes and owners are checked on Unix only; elsewhere, put the file where only its user can read. Let nobody
/// else write to its directory.
///
/// # Errors
/// Misconfigured, naming the path and what to do: somebody else can read the file or owns it, it is damaged, this
/// process may not read or write it. Transient: the disk is full, or another process holds `PATH.lock` for 10 s.
#[derive(Clone)]
pub struct FileStore {
    path: Arc<Path>,
    /// Written to while a change is carried out, and read while the file is, so that whoever drops a change and loads
    /// sees what became of it.
    order: Arc<RwLock<()>>,
}

impl FileStore {
    /// A store at this path, which need not exist. Nothing is read or written yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into().into(), order: Arc::default() }
    }

    /// The path it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    async fn change(&self, key: &Key, change: Change) -> Result<Option<Version>, Error> {
        let (target, lock) = self.lock().await?;
        let order = self.order.clone().write_owned().await;
        let key = key.clone();
        // Once begun it ends, whether somebody waits or not; until then both locks are held.
        blocking(move || {
            let result = change.carry_out(&target, &key, clock::wall());
            drop((lock, order));
            result
        })
        .await
    }

    /// Waits for the right to change the file. Returns where it is, too.
    async fn lock(&self) -> Result<(PathBuf, Lock), Error> {
        let end = Instant::now() + PATIENCE;
        let mut pauses = Pauses::new();
        loop {
            let path = self.path.clone();
            let attempt = blocking(move || {
                let target = disk::resolve(&path)?;
                let lock = Lock::attempt(&lock::of_changes(&target))?;
                Ok((target, lock))
            });
            let (target, lock) = attempt.await?;
            if let Some(lock) = lock {
                return Ok((target, lock));
            }
            if Instant::now() >= end {
                return Err(Error::transient(format!(
                    "another process has held `{}` for {} s: see whether one stands still",
                    lock::of_changes(&target).display(),
                    PATIENCE.as_secs()
                )));
            }
            tokio::time::sleep(pauses.next()).await;
        }
    }
}

impl TokenStore for FileStore {
    type Lease = FileLease;

    async fn load(&self, key: &Key) -> Result<Option<Versioned>, Error> {
        let order = self.order.clone().read_owned().await;
        let (path, key) = (self.path.clone(), key.clone());
        blocking(move || {
            let found = load(&path, &key, clock::wall());
            drop(order);
            found
        })
        .await
    }

    async fn compare_and_swap(
        &self,
        key: &Key,
        expected: Option<Version>,
        value: &Secret,
    ) -> Result<Option<Version>, Error> {
        self.change(key, Change::Swap { expected, value: value.clone() }).await
    }

    async fn lease(&self, key: &Key, seen: Option<Version>) -> Result<Option<FileLease>, Error> {
        let mut pauses = Pauses::new();
        loop {
            let order = self.order.clone().read_owned().await;
            let (path, key) = (self.path.clone(), key.clone());
            let attempt = blocking(move || {
                let attempt = attempt(&path, &key, seen);
                drop(order);
                attempt
            });
            match attempt.await? {
                ControlFlow::Break(lease) => return Ok(lease),
                ControlFlow::Continue(()) => tokio::time::sleep(pauses.next()).await,
            }
        }
    }

    async fn remove(&self, key: &Key, tombstone: Duration) -> Result<(), Error> {
        self.change(key, Change::Remove { tombstone }).await.map(drop)
    }
}

/// A lease of a [`FileStore`].
pub struct FileLease {
    key: Key,
    _lock: Lock,
}

impl Lease for FileLease {
    /// Unlocking does not wait.
    async fn release(self) {}
}

fn load(path: &Path, key: &Key, now: SystemTime) -> Result<Option<Versioned>, Error> {
    let Some(text) = disk::read(path)? else { return Ok(None) };
    Document::parse(path, &text, now)?.get(path, key)
}

/// One look: something newer, the lease, or neither.
fn attempt(path: &Path, key: &Key, seen: Option<Version>) -> Result<ControlFlow<Option<FileLease>>, Error> {
    let target = disk::resolve(path)?;
    let lock = Lock::attempt(&lock::of_lease(&target, key))?;
    // Only now: who held the lease before may have changed the record just before giving it back.
    let found = load(&target, key, clock::wall())?;
    if found.map(|found| found.version) != seen {
        return Ok(ControlFlow::Break(None));
    }
    Ok(match lock {
        Some(lock) => ControlFlow::Break(Some(FileLease { key: key.clone(), _lock: lock })),
        None => ControlFlow::Continue(()),
    })
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    match spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(Error::transient("the runtime is shutting down")),
        },
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore").field("path", &self.path).finish_non_exhaustive()
    }
}

impl fmt::Debug for FileLease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileLease").field("key", &self.key).finish_non_exhaustive()
    }
}
