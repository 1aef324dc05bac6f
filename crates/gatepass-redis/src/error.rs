//! What Redis says, as errors of gatepass.
//!
//! An error of the redis crate may quote what was sent or received. So only the code that Redis gave is shown of it,
//! and all of it only where no value can be in it (X5).

use std::{error::Error as _, io, sync::Arc, time::Duration};

use gatepass::Error;
use redis::{ErrorKind, RedisError};

const URL: &str = "redis://[user:password@]host[:port][/database]";

/// For a URL that is none. Shows nothing of it, since there may be a password anywhere.
pub(crate) fn bad_url(url: &str) -> Error {
    if !cfg!(feature = "tls") && (url.starts_with("rediss:") || url.starts_with("valkeys:")) {
        return Error::misconfigured("the URL asks for TLS: turn on the feature `tls` of gatepass-redis");
    }
    Error::misconfigured(format!(
        "the URL of Redis cannot be used: it has the form {URL}, with `rediss` for TLS, and special characters of the password \
         are percent-encoded"
    ))
}

/// For a key that holds something else.
pub(crate) fn damaged(name: &str) -> Error {
    Error::misconfigured(format!(
        "the Redis key `{name}` holds what gatepass did not write, and was left alone: remove it, or set another prefix"
    ))
}

pub(crate) fn timed_out(address: &str, limit: Duration) -> Error {
    Error::transient(format!("Redis at {address} did not answer within {limit:?}"))
}

pub(crate) fn strange_answer(address: &str) -> Error {
    Error::misconfigured(format!(
        "Redis at {address} answered a script with what it never returns: is something between that changes answers?"
    ))
}

/// For what the redis crate reports.
pub(crate) fn failed(address: &str, error: RedisError) -> Error {
    match error.kind() {
        ErrorKind::Io if is_refused_certificate(&error) => {
            Error::misconfigured(format!("no TLS with Redis at {address}: {error}")).with_source(error)
        }
        ErrorKind::Io => Error::transient(format!("Redis at {address} cannot be reached: {error}")),
        ErrorKind::Client | ErrorKind::InvalidClientConfig => {
            Error::misconfigured(format!("Redis at {address} cannot be connected to: {error}")).with_source(error)
        }
        ErrorKind::AuthenticationFailed => refused_user(address, "AUTH"),
        ErrorKind::Parse | ErrorKind::UnexpectedReturnType | ErrorKind::RESP3NotSupported => {
            Error::misconfigured(format!(
                "what answers at {address} does not speak the protocol of Redis: check host and port, and `protocol` if the URL sets it"
            ))
        }
        _ => answered(address, code(&error), error.detail().unwrap_or_default()),
    }
}

/// For an error that Redis itself gave; `detail` is read, never shown.
fn answered(address: &str, code: &str, detail: &str) -> Error {
    let transient = |what: &str| Error::transient(format!("Redis at {address} {what} ({code})"));
    let misconfigured = |what: &str| Error::misconfigured(format!("Redis at {address} {what} ({code})"));
    match code {
        "NOAUTH" | "WRONGPASS" => refused_user(address, code),
        "NOPERM" => misconfigured(
            "does not let this user do what the store does: its commands and keys are in the docs of gatepass-redis",
        ),
        "LOADING" => transient("is still loading its data"),
        "BUSY" => transient("is busy with a script of somebody else"),
        "OOM" => transient(
            "has no memory left and refuses to keep more: raise its `maxmemory`, or have it evict what is less precious \
             with a `volatile-` policy",
        ),
        "READONLY" => transient("is a replica: if no failover is under way, point the URL to the primary"),
        "MASTERDOWN" | "CLUSTERDOWN" | "TRYAGAIN" | "NOREPLICAS" => transient("cannot do this now"),
        "MISCONF" => transient("cannot write to its disk, and says in its log why"),
        "MOVED" | "ASK" | "CROSSSLOT" => misconfigured(
            "is one node of a cluster, and the key belongs to another: the URL has to lead to a single primary or to a proxy",
        ),
        "WRONGTYPE" => misconfigured("holds under a name of ours what gatepass did not write: set another prefix"),
        "ERR" if detail.contains("unknown command") => misconfigured(
            "does not know a command that the store needs: scripts (EVALSHA, SCRIPT LOAD) have to be allowed",
        ),
        "ERR" if detail.contains("DB index") => misconfigured("has no database of the number in the URL"),
        _ => transient("answered with an error"),
    }
}

fn refused_user(address: &str, code: &str) -> Error {
    Error::misconfigured(format!(
        "Redis at {address} refuses the user or the password in its URL, or asks for them ({code})"
    ))
}

/// The first word of what Redis answered. Redis before 7 hides that of a failed command in the text of a failed script.
fn code(error: &RedisError) -> &str {
    const HIDDEN: [&str; 6] = ["OOM", "READONLY", "WRONGTYPE", "NOPERM", "MISCONF", "NOREPLICAS"];
    let is_code = |word: &&str| {
        (1..=20).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    };
    match (error.code().filter(is_code), error.detail()) {
        (Some("ERR"), Some(detail)) if detail.contains("user_script") => detail
            .split(|letter: char| !letter.is_ascii_uppercase())
            .find_map(|word| HIDDEN.into_iter().find(|code| *code == word))
            .unwrap_or("ERR"),
        (Some(code), _) => code,
        (None, _) => "no code",
    }
}

/// rustls wraps its errors so, and nothing else does on this way.
fn is_refused_certificate(error: &RedisError) -> bool {
    let source = error.source().and_then(|source| source.downcast_ref::<Arc<dyn std::error::Error + Send + Sync>>());
    let kind = source.and_then(|source| source.downcast_ref::<io::Error>()).map(io::Error::kind);
    kind == Some(io::ErrorKind::InvalidData)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: &str = "redis.internal:6379";

    /// As Redis sends it.
    fn sent(line: &str) -> Error {
        let value = redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap();
        failed(AT, value.extract_error().unwrap_err())
    }

    #[test]
    fn what_passes_by_is_transient() {
        for line in [
            "LOADING Redis is loading the dataset in memory",
            "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
            "CLUSTERDOWN The cluster is down",
            "TRYAGAIN Multiple keys request during rehashing of slot",
            "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
            "NOREPLICAS Not enough good replicas to write.",
            "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
            "READONLY You can't write against a read only replica. script: 5a, on @user_script:12.",
            "OOM command not allowed when used memory > 'maxmemory'. script: 5a, on @user_script:12.",
            "ERR max number of clients reached",
            "NEWCODE of a later version",
        ] {
            let error = sent(line);
            assert!(error.is_transient(), "{line}: {error}");
            let code = line.split(' ').next().unwrap();
            assert!(error.to_string().contains(AT) && error.to_string().contains(code), "{error}");
        }
    }

    #[test]
    fn what_somebody_has_to_change_is_misconfigured() {
        for line in [
            "NOAUTH Authentication required.",
            "WRONGPASS invalid username-password pair or user is disabled.",
            "NOPERM this user has no permissions to run the 'evalsha' command",
            "WRONGTYPE Operation against a key holding the wrong kind of value",
            "MOVED 3999 127.0.0.1:6381",
            "CROSSSLOT Keys in request don't hash to the same slot",
            "ERR unknown command `EVALSHA`, with args beginning with: `5a`",
            "ERR DB index is out of range",
        ] {
            let error = sent(line);
            assert!(error.is_misconfigured(), "{line}: {error}");
        }
    }

    #[test]
    fn the_code_is_found_where_older_versions_hide_it() {
        let error = sent(
            "ERR Error running script (call to f_5a): @user_script:24: @user_script: 24: -OOM command not allowed when used \
             memory > 'maxmemory'.",
        );
        assert!(error.to_string().contains("maxmemory"), "{error}");
        let error = sent(
            "ERR Error running script (call to f_5a): @user_script:24: -READONLY You can't write against a replica",
        );
        assert!(error.to_string().contains("primary"), "{error}");
    }

    #[test]
    fn x5_what_an_error_quotes_is_not_shown() {
        for line in [
            "ERR unknown command `EVALSHA`, with args beginning with: `hunter2`",
            "ERR Protocol error near hunter2",
            "hunter2 is what a proxy says",
            "NEWCODE hunter2",
        ] {
            let shown = format!("{0} {0:?}", sent(line));
            assert!(!shown.contains("hunter2"), "{shown}");
        }
        let parsed = redis::from_redis_value::<u64>(redis::Value::BulkString(b"hunter2".into())).unwrap_err();
        let shown = format!("{0} {0:?}", failed(AT, parsed.into()));
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn a_server_that_is_not_there_is_transient_and_named() {
        for kind in [io::ErrorKind::ConnectionRefused, io::ErrorKind::BrokenPipe, io::ErrorKind::TimedOut] {
            let error = failed(AT, io::Error::from(kind).into());
            assert!(error.is_transient() && error.to_string().contains(AT), "{error}");
        }
    }

    #[test]
    fn a_refused_certificate_is_misconfigured() {
        let refused = io::Error::new(io::ErrorKind::InvalidData, "invalid peer certificate: UnknownIssuer");
        let error = failed(AT, refused.into());
        assert!(error.is_misconfigured() && error.to_string().contains("UnknownIssuer"), "{error}");
    }

    #[test]
    fn x5_a_url_that_is_none_is_not_shown() {
        for url in ["redis://:hunter2@", "http://hunter2", "hunter2", "redis://:hunter2@redis/notanumber", ""] {
            let error = crate::RedisStore::new(url).unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(error.is_misconfigured() && !shown.contains("hunter2"), "{shown}");
        }
    }
}
