//! What opens, and what does not.

use proptest::prelude::*;

use super::{
    envelope::{open, seal},
    *,
};
use crate::{
    error::Error,
    secret::Secret,
    store::{Key, MemoryStore, TokenStore, Version},
};

const VALUE: &str = r#"{"refresh_token":"s3cr3t-token"}"#;

fn alice() -> Key {
    Key::new(["https://auth.example.com", "client", "alice"])
}

fn seal_key(id: &str, byte: u8) -> SealKey {
    SealKey::new(id, [byte; 32])
}

fn sealed() -> Secret {
    seal(&alice(), &seal_key("k1", 0xA5), &Secret::new(VALUE)).unwrap()
}

fn open_text(text: &str) -> Result<Secret, Error> {
    open(&alice(), &[seal_key("k1", 0xA5)], &Secret::new(text))
}

/// The message, after looking that it has what it should and nothing that it should not.
fn refused(result: Result<Secret, Error>) -> String {
    let error = result.unwrap_err();
    assert!(error.is_misconfigured());
    let shown = format!("{error} {error:?}");
    assert!(shown.contains(alice().as_str()), "{shown}");
    assert!(!shown.contains("s3cr3t") && !shown.contains("165"), "{shown}");
    error.to_string()
}

#[test]
fn what_is_sealed_opens_and_shows_nothing() {
    let sealed = sealed();
    assert!(sealed.expose().starts_with(r#"{"sealed":1,"key":"k1","nonce":""#));
    assert!(!sealed.expose().contains("refresh") && !sealed.expose().contains("s3cr3t"));
    assert_eq!(open_text(sealed.expose()).unwrap(), VALUE.into());
    assert_ne!(sealed, self::sealed(), "each time under another nonce");
}

#[tokio::test]
async fn keys_change_one_after_the_other() {
    let inner = MemoryStore::new();
    let (old, new) = (seal_key("2024", 1), seal_key("2025", 2));
    let before = Sealed::new(inner.clone(), old.clone());
    let version = before.compare_and_swap(&alice(), None, &VALUE.into()).await.unwrap();

    let both = Sealed::new(inner.clone(), new.clone()).also_open(old);
    let kept = both.load(&alice()).await.unwrap().unwrap();
    assert_eq!((Some(kept.version), kept.value), (version, Some(VALUE.into())));
    let version = both.compare_and_swap(&alice(), version, &VALUE.into()).await.unwrap();

    let after = Sealed::new(inner, new);
    let kept = after.load(&alice()).await.unwrap().unwrap();
    assert_eq!((Some(kept.version), kept.value), (version, Some(VALUE.into())));
    let message = refused(before.load(&alice()).await.map(|_| "".into()));
    assert!(message.contains("is sealed with the key `2025`, which was not given: add it with `Sealed::also_open`"));
}

#[tokio::test]
async fn two_keys_of_one_name_are_both_tried() {
    let inner = MemoryStore::new();
    let first = Sealed::new(inner.clone(), seal_key("k", 1));
    first.compare_and_swap(&alice(), None, &VALUE.into()).await.unwrap();
    let both = Sealed::new(inner, seal_key("k", 2)).also_open(seal_key("k", 1));
    assert_eq!(both.load(&alice()).await.unwrap().unwrap().value, Some(VALUE.into()));
}

#[tokio::test]
async fn tombstones_and_versions_pass_through() {
    let inner = MemoryStore::new();
    let store = Sealed::new(inner.clone(), seal_key("k", 1));
    store.remove(&alice(), std::time::Duration::from_secs(60)).await.unwrap();
    assert_eq!(store.load(&alice()).await.unwrap(), inner.load(&alice()).await.unwrap());
    assert_eq!(store.compare_and_swap(&alice(), Some(Version(77)), &VALUE.into()).await.unwrap(), None);
}

#[tokio::test]
async fn what_does_not_open_is_left_alone() {
    let inner = MemoryStore::new();
    let version = inner.compare_and_swap(&alice(), None, &VALUE.into()).await.unwrap();
    let store = Sealed::new(inner.clone(), seal_key("k", 1));
    assert!(refused(store.load(&alice()).await.map(|_| "".into())).contains("is not sealed"));
    assert!(store.load(&Key::new(["another"])).await.unwrap().is_none());
    let kept = inner.load(&alice()).await.unwrap().unwrap();
    assert_eq!((Some(kept.version), kept.value), (version, Some(VALUE.into())));
}

#[test]
fn another_key_under_the_same_name_does_not_open() {
    let message = refused(open(&alice(), &[seal_key("k1", 0xA6)], &sealed()));
    assert!(message.contains("does not open with the seal key `k1`"), "{message}");
}

#[test]
fn what_is_moved_to_another_record_does_not_open() {
    let bob = Key::new(["https://auth.example.com", "client", "bob"]);
    let error = open(&bob, &[seal_key("k1", 0xA5)], &sealed()).unwrap_err();
    assert!(error.to_string().contains("/client/bob` does not open"), "{error}");
}

#[test]
fn the_name_of_the_seal_key_is_bound() {
    let renamed = sealed().expose().replace(r#""k1""#, r#""k2""#);
    let keys = [seal_key("k1", 0xA5), seal_key("k2", 0xA5)];
    assert!(open(&alice(), &keys, &renamed.into()).is_err());
}

#[test]
fn what_was_never_sealed_is_said_to_be_so() {
    for text in ["", VALUE, "{}", "[]", "null", "s3cr3t", r#"{"sealed":null}"#] {
        assert!(refused(open_text(text)).contains("is not sealed: remove it and sign in again"), "{text}");
    }
}

#[test]
fn a_newer_format_is_said_to_be_so() {
    let message = refused(open_text(r#"{"sealed":2,"other":"s3cr3t"}"#));
    assert!(message.contains("was sealed by a newer gatepass: update this program"), "{message}");
}

#[test]
fn keys_show_only_their_names() {
    let store = Sealed::new(MemoryStore::new(), seal_key("k1", 0xA5));
    let shown = format!("{store:?}");
    assert!(shown.contains("k1") && !shown.contains("165") && !shown.contains("a5"), "{shown}");
}

#[test]
fn a_key_in_a_setting_is_32_bytes_in_base64() {
    let standard = "+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/s=";
    let texts = [
        standard.to_owned(),
        format!(" {standard}\n"),
        standard.replace('=', ""),
        standard.replace('+', "-").replace('/', "_"),
    ];
    for text in texts {
        assert_eq!(SealKey::from_base64("k", &text).unwrap().bytes(), &[0xFB; 32], "{text}");
    }
    for text in ["", "s3cr3t", &standard[4..], &standard.repeat(2), "ÿ", &"A".repeat(64)] {
        let error = SealKey::from_base64("k9", text).unwrap_err();
        assert!(error.is_misconfigured() && error.to_string().contains("`k9` is not 32 bytes"), "{error}");
        assert!(text.is_empty() || !error.to_string().contains(text));
    }
}

proptest! {
    #[test]
    fn any_value_comes_back(value: String, name: String, id: String) {
        let key = Key::new([name.as_str()]);
        let seal_key = seal_key(&id, 3);
        let sealed = seal(&key, &seal_key, &Secret::new(value.clone())).unwrap();
        prop_assert_eq!(open(&key, &[seal_key], &sealed).unwrap(), value.into());
    }

    #[test]
    fn a_single_changed_byte_does_not_open(at: prop::sample::Index, by in 1..128_u8) {
        let mut bytes = sealed().expose().as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= by;
        refused(open_text(str::from_utf8(&bytes).unwrap()));
    }

    #[test]
    fn a_truncated_text_does_not_open(end: prop::sample::Index) {
        let sealed = sealed();
        refused(open_text(&sealed.expose()[..end.index(sealed.expose().len())]));
    }

    #[test]
    fn any_other_text_does_not_open(nonce: String, sealed_box: String, junk: String) {
        refused(open_text(&serde_json::json!({"sealed": 1, "key": "k1", "nonce": nonce, "box": sealed_box}).to_string()));
        prop_assert!(open_text(&junk).is_err());
    }
}

#[test]
fn every_changed_byte_does_not_open() {
    let sealed = sealed();
    for at in 0..sealed.expose().len() {
        for by in 1..128 {
            let mut bytes = sealed.expose().as_bytes().to_vec();
            bytes[at] ^= by;
            assert!(open_text(str::from_utf8(&bytes).unwrap()).is_err(), "{at} {by}");
        }
    }
}

#[test]
fn a_sealed_text_opens_in_its_context_with_its_key_and_unchanged_only() {
    let key = SealKey::new("a", [1; 32]);
    let text = Secret::new("verifier and nonce");
    let sealed = key.seal("cookie one", &text).unwrap();
    assert!(sealed.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{sealed}");
    assert_eq!(key.open("cookie one", &sealed), Some(text.clone()));
    assert_ne!(key.seal("cookie one", &text).unwrap(), sealed, "each time another nonce");
    assert!(key.open("cookie two", &sealed).is_none());
    assert!(SealKey::new("a", [2; 32]).open("cookie one", &sealed).is_none());
    assert!(SealKey::random().unwrap().open("cookie one", &sealed).is_none());
    for at in 0..sealed.len() {
        let mut changed = sealed.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        assert!(key.open("cookie one", std::str::from_utf8(&changed).unwrap()).is_none(), "{at}");
        assert!(key.open("cookie one", &sealed[..at]).is_none());
    }
    for odd in ["", "é", "=", "AAAA"] {
        assert!(key.open("cookie one", odd).is_none());
    }
}
