use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use super::{
    disk,
    document::{Document, encode},
};
use crate::{
    error::Error,
    secret::Secret,
    store::{Key, Version},
};

/// What is done to the record of a key.
pub(super) enum Change {
    Swap { expected: Option<Version>, value: Secret },
    Remove { tombstone: Duration },
}

impl Change {
    /// Reads the file, changes it and writes it. Whoever calls this holds the lock.
    ///
    /// Returns the new version, or `None` if it was not what the swap expected.
    pub(super) fn carry_out(&self, path: &Path, key: &Key, now: SystemTime) -> Result<Option<Version>, Error> {
        let kept = disk::read(path)?;
        let encoded;
        let mut document = match &kept {
            Some(text) => Document::parse(path, text, now)?,
            None => Document::new(),
        };
        let version = match self {
            Self::Swap { expected, .. } if document.version(key) != *expected => return Ok(None),
            Self::Swap { value, .. } => {
                encoded = encode(value.expose());
                document.put(path, key, &encoded, now)?
            }
            Self::Remove { tombstone } => document.bury(path, key, now, *tombstone)?,
        };
        disk::replace(path, &document.render())?;
        Ok(Some(version))
    }
}
