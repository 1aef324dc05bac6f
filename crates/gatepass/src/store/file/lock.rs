//! Locks between processes, on empty files beside the store. The store itself is replaced, and a lock on it with it.

use std::{
    fs::{File, TryLockError},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    disk::{create_parent, private, sibling},
    fault::fault,
};
use crate::{
    error::Error,
    store::{Key, fingerprint},
};

/// Held while the file is changed.
pub(super) fn of_changes(path: &Path) -> PathBuf {
    sibling(path, ".lock")
}

/// Held as long as the lease of a key.
pub(super) fn of_lease(path: &Path, key: &Key) -> PathBuf {
    sibling(path, &format!(".{}.lock", &fingerprint(key.as_str().as_bytes())[..16]))
}

/// A lock that ends when it is dropped, or the process ends.
///
/// It excludes this process, too: each attempt opens the file anew, and the lock belongs to that.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Lock {
    /// Does not wait: `None` while somebody else has it.
    pub(super) fn attempt(path: &Path) -> Result<Option<Self>, Error> {
        let file = match open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                create_parent(path)?;
                open(path)
            }
            result => result,
        };
        let file = file.map_err(|error| fault(path, "opened", error))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(fault(path, "locked", error)),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing is not enough while a child process, forked but not yet executing, has the file open, too.
        let _ = self.0.unlock();
    }
}

fn open(path: &Path) -> io::Result<File> {
    private().create(true).truncate(false).open(path)
}

/// How long to wait between two attempts: 5 ms, doubled up to 50 ms, each cut by up to a half at random.
pub(super) struct Pauses(Duration);

impl Pauses {
    pub(super) fn new() -> Self {
        Self(Duration::from_millis(5))
    }

    pub(super) fn next(&mut self) -> Duration {
        let pause = self.0.mul_f64(1.0 - fastrand::f64() / 2.0);
        self.0 = (self.0 * 2).min(Duration::from_millis(50));
        pause
    }
}
