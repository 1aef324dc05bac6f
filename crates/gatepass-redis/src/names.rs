//! What a record is called in Redis.

use std::sync::Arc;

use gatepass::store::Key;

/// The names for one key. The braces are a hash tag: they put all of them into the same slot of a cluster.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) record: String,
    pub(crate) lease: String,
    /// A channel for pub/sub, which tells of every change of the record and of every release of the lease.
    pub(crate) changed: Arc<str>,
}

impl Names {
    pub(crate) fn new(prefix: &str, key: &Key) -> Self {
        // A hash tag with nothing in it is none; and no key is a slash.
        let key = if key.as_str().is_empty() { "/" } else { key.as_str() };
        let name = |what| format!("{prefix}:{{{key}}}:{what}");
        Self { record: name("record"), lease: name("lease"), changed: name("changed").into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the first pair of braces, unless there is nothing in it:
    /// <https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags>.
    fn slot(name: &str) -> u16 {
        let tag = name.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(tag, _)| tag);
        let hashed = tag.filter(|tag| !tag.is_empty()).unwrap_or(name);
        crc16(hashed.as_bytes()) % 16384
    }

    /// CRC-16/XMODEM.
    fn crc16(bytes: &[u8]) -> u16 {
        bytes.iter().fold(0, |crc, byte| {
            (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| (crc << 1) ^ (crc >> 15).wrapping_mul(0x1021))
        })
    }

    #[test]
    fn the_names_say_whose_they_are() {
        let names = Names::new("gatepass", &Key::new(["https://auth.example.com", "client", "alice"]));
        assert_eq!(names.record, "gatepass:{https%3A%2F%2Fauth.example.com/client/alice}:record");
        assert_eq!(names.lease, "gatepass:{https%3A%2F%2Fauth.example.com/client/alice}:lease");
        assert_eq!(&*names.changed, "gatepass:{https%3A%2F%2Fauth.example.com/client/alice}:changed");
    }

    #[test]
    fn all_names_of_a_record_are_in_one_slot() {
        assert_eq!(slot("123456789"), 12739, "the example of the specification");
        let keys = [Key::new(["a"]), Key::new([""]), Key::new(["{}", "a"]), Key::new(["a}b", "{c"]), Key::new([])];
        for (prefix, key) in ["gatepass", "", "a b", "{tag}", "}x{", "x{"].iter().zip(keys.iter().cycle()) {
            let names = Names::new(prefix, key);
            assert_eq!(slot(&names.record), slot(&names.lease), "{names:?}");
        }
        for key in &keys[..4] {
            let names = Names::new("gatepass", key);
            assert_eq!(slot(&names.record), slot(key.as_str()), "the slot is the key's own: {names:?}");
        }
    }

    #[test]
    fn no_name_of_one_key_is_one_of_another() {
        let name = |prefix, key: &[&str]| Names::new(prefix, &Key::new(key.iter().copied())).record;
        let names = [name("a", &["b"]), name("a", &["b", "c"]), name("a:b", &["c"]), name("", &["a", "b"])];
        for (at, one) in names.iter().enumerate() {
            assert!(!names[at + 1..].contains(one), "{one}");
        }
    }
}
