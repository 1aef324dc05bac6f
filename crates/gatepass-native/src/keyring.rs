//! The key that seals the file of tokens, kept by the operating system. The tokens themselves are not: some keyrings
//! take no more than 2.5 KB, and none can be changed by two programs at once without losing a change.

use std::{thread, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use gatepass::{
    Error,
    store::{FileStore, Key, SealKey, TokenStore},
};
use keyring::{Entry, Error as KeyringError};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};
use zeroize::Zeroizing;

/// How long the keyring may take: it may ask somebody to unlock it, where nobody sees that.
const PATIENCE: Duration = Duration::from_secs(60);

/// The key of the program `name`; made when there is none.
///
/// # Errors
/// Misconfigured, when there is no keyring, or it says no; then nothing was written. Transient, when nobody unlocks it.
/// Of the file, whose lease keeps two starts from making two keys.
pub(crate) async fn key(name: &str, file: &FileStore) -> Result<SealKey, Error> {
    let end = Instant::now() + PATIENCE;
    let late = || {
        Error::transient(format!(
            "the keyring did not answer within {} s: see whether it waits to be unlocked, and run this again",
            PATIENCE.as_secs()
        ))
    };
    asked(end, find).await.ok_or_else(late)??;
    let lease = timeout_at(end, file.lease(&Key::new(["the key in the keyring", name]), None)).await;
    let lease = lease.map_err(|_| late())??;
    let name = name.to_owned();
    let key = asked(end, move || {
        let key = read_or_make(&name);
        // Only now, also when nobody waits any more: the next start finds the key.
        drop(lease);
        key
    });
    key.await.ok_or_else(late)?
}

/// What the keyring says; none when it is late. It is asked in a thread that holds up neither the runtime nor the end of
/// the program.
async fn asked<T: Send + 'static>(end: Instant, question: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (answer, answered) = oneshot::channel();
    let ask = move || drop(answer.send(question()));
    thread::Builder::new().name("gatepass-keyring".to_owned()).spawn(ask).ok()?;
    timeout_at(end, answered).await.ok()?.ok()
}

fn find() -> Result<(), Error> {
    Entry::store_status().as_ref().map_err(unusable).copied()
}

fn read_or_make(name: &str) -> Result<SealKey, Error> {
    let entry = Entry::new(name, "the key of its stored tokens").map_err(|error| unusable(&error))?;
    let text = match entry.get_password() {
        Ok(text) => Zeroizing::new(text),
        Err(KeyringError::NoEntry) => {
            let mut bytes = Zeroizing::new([0; 32]);
            getrandom::fill(bytes.as_mut_slice())
                .map_err(|error| Error::transient(format!("the system has no random numbers: {error}")))?;
            let text = Zeroizing::new(STANDARD.encode(bytes.as_slice()));
            entry.set_password(&text).map_err(|error| unusable(&error))?;
            text
        }
        Err(error) => return Err(unusable(&error)),
    };
    SealKey::from_base64("keyring", &text).map_err(|_| {
        Error::misconfigured(format!(
            "what the keyring has for `{name}` is not a key of this program: remove that entry, and sign in again"
        ))
    })
}

/// Its own words, save those that may show what it has.
fn unusable(error: &KeyringError) -> Error {
    let why = match error {
        KeyringError::BadEncoding(_) | KeyringError::BadDataFormat(..) => "an entry that cannot be read".to_owned(),
        error => error.to_string().replace(char::is_control, " "),
    };
    Error::misconfigured(format!(
        "the keyring of this system cannot be used ({why}): unlock it, start one (on Linux a Secret Service such as \
         gnome-keyring), or keep the tokens in a file instead"
    ))
}
