//! What the file says. No I/O; the path is there for the messages.
//!
//! ```json
//! {
//!   "gatepass-store": 1,
//!   "next": 1763771829000003,
//!   "records": {
//!     "https%3A%2F%2Fauth.example.com/my-client/alice": {"version": 1763771829000001, "value": {"any": "object"}},
//!     "https%3A%2F%2Fauth.example.com/my-client/bob": {"version": 1763771829000002, "forget_at": 1763772129000}
//!   }
//! }
//! ```
//!
//! A value is a JSON object, kept letter by letter, or any other text as a JSON string. A record without one was
//! removed, and may be forgotten at the given millisecond of Unix time.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};
use serde_json::{error::Category, value::RawValue};
use zeroize::Zeroizing;

use crate::{
    error::Error,
    secret::Secret,
    store::{Key, Version, Versioned},
};

const FORMAT: u64 = 1;

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document<'a> {
    #[serde(rename = "gatepass-store")]
    format: u64,
    next: u64,
    #[serde(borrow)]
    records: BTreeMap<String, Entry<'a>>,
}

/// It borrows the text it was read from, which is wiped; serde's own copies would not be.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Entry<'a> {
    version: u64,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    value: Option<&'a RawValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    forget_at: Option<u64>,
}

/// Enough of a file to tell whose it is.
#[derive(Deserialize)]
struct Head {
    #[serde(rename = "gatepass-store")]
    format: Option<u64>,
}

impl<'a> Document<'a> {
    pub(super) fn new() -> Self {
        Self { format: FORMAT, next: 0, records: BTreeMap::new() }
    }

    /// Leaves out what may be forgotten.
    ///
    /// # Errors
    /// Misconfigured, saying what is wrong with the file and what to do, and nothing of what it says.
    pub(super) fn parse(path: &Path, text: &'a str, now: SystemTime) -> Result<Self, Error> {
        if text.trim_ascii().is_empty() {
            return Err(wrong(path, "is empty", "move it away and sign in again"));
        }
        let head: Head = serde_json::from_str(text).map_err(|error| foreign(path, &error))?;
        match head.format {
            Some(FORMAT) => {}
            Some(newer) if newer > FORMAT => {
                return Err(wrong(path, "was written by a newer gatepass", "update this program"));
            }
            _ => return Err(wrong(path, "is not a gatepass store", "name another path, or move it away")),
        }
        let mut document: Self = serde_json::from_str(text).map_err(|error| damaged(path, &error))?;
        if document.records.values().any(|entry| entry.value.is_some() == entry.forget_at.is_some()) {
            return Err(wrong(path, "has a record that makes no sense", "move it away and sign in again"));
        }
        // Whoever edited the file need not have minded the counter.
        let newest = document.records.values().map(|entry| entry.version).max().unwrap_or(0);
        document.next = document.next.max(newest.saturating_add(1));
        let now = millis(now);
        document.records.retain(|_, entry| entry.forget_at.is_none_or(|at| now < at));
        Ok(document)
    }

    pub(super) fn version(&self, key: &Key) -> Option<Version> {
        self.records.get(key.as_str()).map(|entry| Version(entry.version))
    }

    pub(super) fn get(&self, path: &Path, key: &Key) -> Result<Option<Versioned>, Error> {
        let Some(entry) = self.records.get(key.as_str()) else { return Ok(None) };
        let value = entry.value.map(|value| decode(path, value.get())).transpose()?;
        Ok(Some(Versioned::new(Version(entry.version), value)))
    }

    /// `encoded` is what [`encode`] made of the value.
    pub(super) fn put(&mut self, path: &Path, key: &Key, encoded: &'a str, now: SystemTime) -> Result<Version, Error> {
        let value: &RawValue = serde_json::from_str(encoded).map_err(|error| damaged(path, &error))?;
        self.set(path, key, now, Some(value), None)
    }

    /// Removes a record and leaves a tombstone.
    pub(super) fn bury(
        &mut self,
        path: &Path,
        key: &Key,
        now: SystemTime,
        tombstone: Duration,
    ) -> Result<Version, Error> {
        let tombstone = u64::try_from(tombstone.as_micros().div_ceil(1000)).unwrap_or(u64::MAX);
        self.set(path, key, now, None, Some(millis(now).saturating_add(tombstone).saturating_add(1)))
    }

    pub(super) fn render(&self) -> Zeroizing<Vec<u8>> {
        let values = self.records.iter().map(|(key, entry)| key.len() + entry.value.map_or(0, |raw| raw.get().len()));
        // Room for all of it: what a vector leaves behind when it grows is not wiped.
        let room = values.map(|length| length + 128).sum::<usize>() + 128;
        let mut text = Zeroizing::new(Vec::with_capacity(room));
        serde_json::to_writer_pretty(&mut *text, self).expect("keys are texts, and a vector takes everything");
        text.push(b'\n');
        text
    }

    fn set(
        &mut self,
        path: &Path,
        key: &Key,
        now: SystemTime,
        value: Option<&'a RawValue>,
        forget_at: Option<u64>,
    ) -> Result<Version, Error> {
        // Not only the counter: the file may have been deleted, or come from a backup.
        let version = self.next.max(micros(now));
        self.next =
            version.checked_add(1).ok_or_else(|| wrong(path, "counts no further", "move it away and sign in again"))?;
        self.records.insert(key.as_str().to_owned(), Entry { version, value, forget_at });
        Ok(Version(version))
    }
}

/// The value as it stands in the file.
pub(super) fn encode(value: &str) -> Zeroizing<String> {
    // What only looks like the same object would come back without the spaces around it.
    let is_object = value.starts_with('{')
        && serde_json::from_str::<&RawValue>(value).is_ok_and(|object| object.get().len() == value.len());
    Zeroizing::new(match is_object {
        true => value.to_owned(),
        false => serde_json::to_string(value).expect("a text is JSON"),
    })
}

fn decode(path: &Path, value: &str) -> Result<Secret, Error> {
    match value.starts_with('"') {
        true => serde_json::from_str::<String>(value).map(Secret::new).map_err(|error| damaged(path, &error)),
        false => Ok(Secret::new(value)),
    }
}

fn foreign(path: &Path, error: &serde_json::Error) -> Error {
    match error.classify() {
        Category::Eof => damaged(path, error),
        Category::Data => wrong(path, "is not a gatepass store", "name another path, or move it away"),
        Category::Syntax | Category::Io => {
            let what = format!("is no JSON from line {}, column {} on", error.line(), error.column());
            wrong(
                path,
                &what,
                "if it is not a gatepass store, name another path; if it is, move it away and sign in again",
            )
        }
    }
}

/// serde's own message may quote the file (X5), so the error goes without it.
fn damaged(path: &Path, error: &serde_json::Error) -> Error {
    let what = match error.classify() {
        Category::Eof => "ends too early, in".to_owned(),
        _ => "is damaged at".to_owned(),
    };
    wrong(path, &format!("{what} line {}, column {}", error.line(), error.column()), "move it away and sign in again")
}

fn wrong(path: &Path, what: &str, remedy: &str) -> Error {
    Error::misconfigured(format!("`{}` {what}, and was left alone: {remedy}", path.display()))
}

fn micros(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

fn millis(time: SystemTime) -> u64 {
    micros(time) / 1000
}
