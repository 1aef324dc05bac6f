//! The key that seals the file of tokens, kept by the operating system. The tokens themselves are not: some keyrings
//! take no more than 2.5 KB, and none can be changed by two programs at once without losing a change.

use base64::{Engine, engine::general_purpose::STANDARD};
use gatepass::{
    Error,
    store::{FileStore, Key, SealKey, TokenStore},
};
use keyring::{Entry, Error as KeyringError};
use zeroize::Zeroizing;

/// The key of the program `name`; made when there is none.
///
/// # Errors
/// Misconfigured, when there is no keyring, or it says no; of the file, whose lease keeps two starts from making two
/// keys.
pub(crate) async fn key(name: &str, file: &FileStore) -> Result<SealKey, Error> {
    let lease = file.lease(&Key::new(["the key in the keyring", name]), None).await?;
    let entry = name.to_owned();
    let key = tokio::task::spawn_blocking(move || read_or_make(&entry)).await;
    drop(lease);
    key.map_err(|error| Error::transient("the keyring could not be asked").with_source(error))?
}

fn read_or_make(name: &str) -> Result<SealKey, Error> {
    if let Err(error) = Entry::store_status() {
        return Err(unusable(error));
    }
    let entry = Entry::new(name, "the key of its stored tokens").map_err(|error| unusable(&error))?;
    let text = match entry.get_password() {
        Ok(text) => Zeroizing::new(text),
        Err(KeyringError::NoEntry) => {
            let mut bytes = Zeroizing::new([0; 32]);
            getrandom::fill(&mut *bytes)
                .map_err(|error| Error::transient(format!("the system has no random numbers: {error}")))?;
            let text = Zeroizing::new(STANDARD.encode(&*bytes));
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
        error => error.to_string(),
    };
    Error::misconfigured(format!(
        "the keyring of this system cannot be used ({why}): unlock it, start one (on Linux a Secret Service such as \
         gnome-keyring), or keep the tokens in a file instead"
    ))
}
