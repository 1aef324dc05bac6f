use std::{
    io::{self, ErrorKind},
    path::Path,
};

use crate::error::Error;

/// What the operating system said, with what to do about it. `done` is what could not be: "read", "written".
pub(super) fn fault(path: &Path, done: &str, error: io::Error) -> Error {
    let path = path.display();
    let misconfigured = |remedy: &str| Error::misconfigured(format!("`{path}` cannot be {done}: {remedy}"));
    let transient = |what: &str| Error::transient(format!("`{path}` cannot be {done} now: {what}"));
    let message = match error.kind() {
        ErrorKind::PermissionDenied => {
            misconfigured("this user may not; give it the right to the file and its directory, or name another path")
        }
        ErrorKind::ReadOnlyFilesystem => misconfigured("the file system is read-only; name a path on another"),
        ErrorKind::NotADirectory => misconfigured("a part of the path is not a directory; name another path"),
        ErrorKind::IsADirectory => misconfigured("there is a directory; name another path"),
        ErrorKind::InvalidFilename | ErrorKind::InvalidInput => {
            misconfigured("the name is too long or not allowed; name another path")
        }
        ErrorKind::Unsupported => misconfigured("the file system has no locks; name a path on a local disk"),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            transient("there is no space left; what was kept before is still there")
        }
        _ => transient("the system reports an error"),
    };
    message.with_source(error)
}
