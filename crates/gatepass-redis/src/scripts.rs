//! The scripts that run inside Redis, each as a call with its arguments, and their answers.
//!
//! A call may be sent twice, when the connection breaks before its answer comes: it has a name of its own, and Redis
//! keeps who wrote last.

use std::{hash::BuildHasher, hash::RandomState, sync::LazyLock, time::Duration};

use gatepass::{
    Secret,
    store::{Version, Versioned},
};
use redis::{Script, ScriptInvocation, Value};

use crate::names::Names;

macro_rules! script {
    ($($file:literal),+) => {
        LazyLock::new(|| Script::new(concat!($(include_str!(concat!("scripts/", $file))),+)))
    };
}

static LOAD: LazyLock<Script> = script!("record.lua", "load.lua");
static SWAP: LazyLock<Script> = script!("record.lua", "swap.lua");
static REMOVE: LazyLock<Script> = script!("record.lua", "remove.lua");
static LEASE: LazyLock<Script> = script!("record.lua", "lease.lua");
static RENEW: LazyLock<Script> = script!("renew.lua");
static RELEASE: LazyLock<Script> = script!("release.lua");

pub(crate) type Call = ScriptInvocation<'static>;

pub(crate) fn load(names: &Names) -> Call {
    let mut call = LOAD.prepare_invoke();
    call.key(&names.record);
    call
}

pub(crate) fn swap(names: &Names, expected: Option<Version>, value: &Secret, expiry: Option<Duration>) -> Call {
    let mut call = SWAP.prepare_invoke();
    call.key(&names.record).arg(&*names.changed).arg(text(expected)).arg(unique()).arg(value.expose());
    call.arg(expiry.map_or_else(String::new, millis));
    call
}

pub(crate) fn remove(names: &Names, tombstone: Duration) -> Call {
    let mut call = REMOVE.prepare_invoke();
    call.key(&names.record).arg(&*names.changed).arg(unique()).arg(millis(tombstone));
    call
}

pub(crate) fn lease(names: &Names, seen: Option<Version>, token: &str, term: Duration) -> Call {
    let mut call = LEASE.prepare_invoke();
    call.key(&names.record).key(&names.lease).arg(text(seen)).arg(token).arg(millis(term));
    call
}

pub(crate) fn renew(names: &Names, token: &str, term: Duration) -> Call {
    let mut call = RENEW.prepare_invoke();
    call.key(&names.lease).arg(token).arg(millis(term));
    call
}

pub(crate) fn release(names: &Names, token: &str) -> Call {
    let mut call = RELEASE.prepare_invoke();
    call.key(&names.lease).arg(token).arg(&*names.changed);
    call
}

/// A text that nobody else comes by: 128 bits that the operating system seeds.
pub(crate) fn unique() -> String {
    let random = || RandomState::new().hash_one(0);
    format!("{:016x}{:016x}", random(), random())
}

fn text(version: Option<Version>) -> String {
    version.map_or_else(String::new, |version| version.to_string())
}

/// Redis knows no shorter time than a millisecond, and fails at ages.
fn millis(time: Duration) -> String {
    const CENTURY: u128 = 100 * 365 * 24 * 3600 * 1000;
    time.as_millis().clamp(1, CENTURY).to_string()
}

/// What a script answers.
#[derive(Debug, PartialEq)]
pub(crate) enum Answer {
    Nothing,
    Kept(Versioned),
    Written(Version),
    Changed,
    Held,
    /// And for how long, unless it is renewed.
    Taken(Duration),
    Lost,
    Released,
    /// The key of that name holds what is not ours.
    Damaged(String),
}

impl Answer {
    /// `None` for what no script of ours says.
    pub(crate) fn read(value: Value) -> Option<Self> {
        let Value::Array(parts) = value else { return None };
        let mut parts = parts.into_iter().map(|part| match part {
            Value::BulkString(bytes) => String::from_utf8(bytes).ok(),
            _ => None,
        });
        let mut next = || parts.next().flatten();
        Some(match next()?.as_str() {
            "nothing" => Self::Nothing,
            "kept" => Self::Kept(Versioned::new(version(&next()?)?, Some(Secret::new(next()?)))),
            "removed" => Self::Kept(Versioned::new(version(&next()?)?, None)),
            "written" => Self::Written(version(&next()?)?),
            "changed" => Self::Changed,
            "held" => Self::Held,
            "taken" => Self::Taken(Duration::from_millis(next()?.parse().ok()?)),
            "lost" => Self::Lost,
            "released" => Self::Released,
            "damaged" => Self::Damaged(next()?),
            _ => return None,
        })
    }
}

fn version(text: &str) -> Option<Version> {
    text.parse().ok().map(Version)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(parts: &[&str]) -> Option<Answer> {
        Answer::read(Value::Array(parts.iter().map(|part| Value::BulkString(part.as_bytes().to_vec())).collect()))
    }

    #[test]
    fn answers_are_read() {
        let kept = |value: Option<&str>| Answer::Kept(Versioned::new(Version(7), value.map(Secret::from)));
        assert_eq!(answer(&["kept", "7", "a"]), Some(kept(Some("a"))));
        assert_eq!(answer(&["removed", "7"]), Some(kept(None)));
        assert_eq!(answer(&["taken", "2999"]), Some(Answer::Taken(Duration::from_millis(2999))));
        assert_eq!(answer(&["written", "1753012345678901"]), Some(Answer::Written(Version(1_753_012_345_678_901))));
    }

    #[test]
    fn what_no_script_says_is_no_answer() {
        for parts in [&[][..], &["kept"], &["kept", "7"], &["kept", "1.7e15", "a"], &["taken", "-1"], &["sorry"]] {
            assert_eq!(answer(parts), None, "{parts:?}");
        }
        let torn = Value::Array(vec![Value::BulkString(b"kept".into()), Value::Nil, Value::BulkString(vec![0xff])]);
        for value in [Value::Nil, Value::Okay, Value::Int(1), Value::SimpleString("held".into()), torn] {
            assert_eq!(Answer::read(value), None);
        }
    }

    #[test]
    fn times_are_what_redis_takes() {
        assert_eq!(millis(Duration::ZERO), "1");
        assert_eq!(millis(Duration::from_secs(3)), "3000");
        assert_eq!(millis(Duration::MAX), "3153600000000");
    }

    #[test]
    fn no_two_calls_have_the_same_name() {
        let names: std::collections::HashSet<_> = (0..1000).map(|_| unique()).collect();
        assert_eq!(names.len(), 1000);
    }
}
