//! Stories about one file, on a real file system, in real time.

#[cfg(unix)]
mod crashes;
mod document;
mod refusals;
mod writing;

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use super::*;
use crate::{
    error::Error,
    secret::Secret,
    store::{Key, TokenStore, Version, contract},
};

/// A directory of its own for each test, which goes with it.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("gatepass-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn store(&self) -> FileStore {
        FileStore::new(self.join("store.json"))
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn key() -> Key {
    Key::new(["https://auth.example.com", "client", "alice"])
}

async fn swap(store: &FileStore, expected: Option<Version>, value: &str) -> Result<Option<Version>, Error> {
    store.compare_and_swap(&key(), expected, &Secret::new(value)).await
}

/// Keeps it, whatever is kept now.
async fn keep(store: &FileStore, value: &str) -> Version {
    let seen = store.load(&key()).await.unwrap().map(|kept| kept.version);
    swap(store, seen, value).await.unwrap().unwrap()
}

async fn text(store: &FileStore) -> Option<String> {
    let kept = store.load(&key()).await.unwrap()?;
    kept.value.map(|value| value.expose().to_owned())
}

/// A file that is as private as a store has to be.
fn write(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).unwrap();
    #[cfg(unix)]
    set_mode(path, 0o600);
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).unwrap().mode() & 0o777
}

#[tokio::test]
async fn the_file_store_conforms() {
    contract::conforms(Directory::new().store()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_file_store_conforms_on_several_threads() {
    contract::conforms(Directory::new().store()).await;
}

#[cfg(feature = "sealed")]
#[tokio::test]
async fn a_sealed_file_store_conforms() {
    use crate::store::{SealKey, Sealed};
    contract::conforms(Sealed::new(Directory::new().store(), SealKey::new("1", [1; 32]))).await;
}
