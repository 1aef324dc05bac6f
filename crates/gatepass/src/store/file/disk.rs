//! Reading the file, if it is safe to, and replacing it in one step.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder, File, Metadata, OpenOptions},
    io::{self, ErrorKind, Read, Write},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use super::fault::fault;
use crate::error::Error;

/// No set of a few credentials comes near it; what does is something else.
const LIMIT: u64 = 16 << 20;

/// What the file says; `None` if there is none.
pub(super) fn read(path: &Path) -> Result<Option<Zeroizing<String>>, Error> {
    let failed = |error| fault(path, "read", error);
    match fs::metadata(path) {
        // Before it is opened: to open a pipe may take for ever.
        Ok(metadata) if !metadata.is_file() => return Err(wrong(path, "is not a file: name a file")),
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    }
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let metadata = file.metadata().map_err(failed)?;
    check_privacy(path, &metadata)?;
    check_size(path, metadata.len())?;
    // With room for all of it: what a vector leaves behind when it grows is not wiped.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0) + 64));
    file.take(LIMIT + 1).read_to_end(&mut bytes).map_err(failed)?;
    check_size(path, bytes.len() as u64)?;
    String::from_utf8(std::mem::take(&mut *bytes)).map(|text| Some(Zeroizing::new(text))).map_err(|error| {
        *bytes = error.into_bytes();
        wrong(path, "is no text, and was left alone: move it away and sign in again")
    })
}

/// Replaces the file by one that says `text`. Whatever happens meanwhile, there is one of the two, whole.
pub(super) fn replace(path: &Path, text: &[u8]) -> Result<(), Error> {
    check_size(path, text.len() as u64)?;
    let temporary = sibling(path, ".tmp");
    let written = write(&temporary, text).and_then(|()| rename(&temporary, path));
    written.map_err(|error| {
        let _ = fs::remove_file(&temporary);
        fault(path, "written", error)
    })
}

/// Where a path leads that may be a symbolic link, to a file that need not exist.
pub(super) fn resolve(path: &Path) -> Result<PathBuf, Error> {
    let mut target = path.to_owned();
    for _ in 0..32 {
        match fs::read_link(&target) {
            Ok(next) => target = target.parent().unwrap_or(Path::new("")).join(next),
            Err(_) if target.file_name().is_some() => return Ok(target),
            Err(_) => return Err(wrong(path, "is not the path of a file: name one")),
        }
    }
    Err(wrong(path, "is a symbolic link that leads nowhere: name a file"))
}

/// Creates the directory of a file, for this user only, and those above it.
pub(super) fn create_parent(path: &Path) -> Result<(), Error> {
    let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) else { return Ok(()) };
    if parent.is_dir() {
        return Ok(());
    }
    create_parent(parent)?;
    #[cfg_attr(not(unix), expect(unused_mut, reason = "there are no modes"))]
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(parent) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(fault(parent, "created", error)),
        _ => {}
    }
    directory_of(parent).and_then(|above| above.sync()).map_err(|error| fault(parent, "created", error))
}

/// The path with something after its name.
pub(super) fn sibling(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// Options to create a file that only its owner can read.
pub(super) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    match fs::remove_file(path) {
        // Left behind by one that was killed; whoever is here is alone.
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut file = private().create_new(true).open(path)?;
    file.write_all(text)?;
    file.sync_all()
}

fn rename(from: &Path, to: &Path) -> io::Result<()> {
    // Opened first: if that fails, nothing has happened.
    let directory = directory_of(to)?;
    fs::rename(from, to)?;
    directory.sync()
}

/// A directory, to make durable which names are in it.
struct Directory(Option<File>);

fn directory_of(path: &Path) -> io::Result<Directory> {
    // Elsewhere a directory cannot be opened, and the journal of the file system has to do.
    if cfg!(not(unix)) {
        return Ok(Directory(None));
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent).map(|directory| Directory(Some(directory)))
}

impl Directory {
    fn sync(&self) -> io::Result<()> {
        match self.0.as_ref().map_or(Ok(()), File::sync_all) {
            // Some file systems cannot, and say so.
            Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
            result => result,
        }
    }
}

fn check_size(path: &Path, length: u64) -> Result<(), Error> {
    match length > LIMIT {
        true => Err(wrong(path, "would be or is larger than 16 MiB: use a store that is made for so many records")),
        false => Ok(()),
    }
}

#[cfg(unix)]
fn check_privacy(path: &Path, metadata: &Metadata) -> Result<(), Error> {
    use std::os::unix::fs::MetadataExt;

    let user = effective_user().map_err(|error| fault(path, "checked", error))?;
    if metadata.uid() != user {
        return Err(wrong(
            path,
            &format!(
                "belongs to the user with the id {}, and this process runs as {user}: run it as the owner, or change the owner",
                metadata.uid()
            ),
        ));
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(wrong(path, &format!("can be read or written by others: run `chmod 600 {}`", path.display())));
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_privacy(_: &Path, _: &Metadata) -> Result<(), Error> {
    Ok(())
}

/// The effective user id. The standard library does not tell it, but a new pipe belongs to whoever made it.
#[cfg(unix)]
fn effective_user() -> io::Result<u32> {
    use std::os::{fd::OwnedFd, unix::fs::MetadataExt};

    let (pipe, _) = io::pipe()?;
    Ok(File::from(OwnedFd::from(pipe)).metadata()?.uid())
}

fn wrong(path: &Path, what: &str) -> Error {
    Error::misconfigured(format!("`{}` {what}", path.display()))
}
