use std::{collections::HashMap, time::Instant};

/// What is good for a while: codes, pushed requests, assertions that were used. What has expired is forgotten.
#[derive(Debug)]
pub(super) struct Expiring<T> {
    entries: HashMap<String, Entry<T>>,
    sweep_at: usize,
}

#[derive(Debug)]
struct Entry<T> {
    /// `None`: never.
    expires: Option<Instant>,
    value: T,
}

impl<T> Expiring<T> {
    pub(super) fn insert(&mut self, key: String, value: T, (now, expires): (Instant, Option<Instant>)) {
        // Whenever twice as many are held as were left the last time.
        if self.entries.len() >= self.sweep_at.max(1024) {
            self.entries.retain(|_, entry| entry.is_good(now));
            self.sweep_at = self.entries.len() * 2;
        }
        self.entries.insert(key, Entry { expires, value });
    }

    pub(super) fn get_mut(&mut self, key: &str, now: Instant) -> Option<&mut T> {
        self.entries.get_mut(key).filter(|entry| entry.is_good(now)).map(|entry| &mut entry.value)
    }

    pub(super) fn take(&mut self, key: &str, now: Instant) -> Option<T> {
        self.entries.remove(key).filter(|entry| entry.is_good(now)).map(|entry| entry.value)
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.entries.values_mut().map(|entry| &mut entry.value)
    }
}

impl<T> Entry<T> {
    fn is_good(&self, now: Instant) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }
}

impl<T> Default for Expiring<T> {
    fn default() -> Self {
        Self { entries: HashMap::new(), sweep_at: 0 }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_has_expired_is_gone_and_in_the_end_forgotten() {
        let mut expiring = Expiring::default();
        let start = Instant::now();
        for number in 0..10_000 {
            let now = start + Duration::from_secs(number);
            expiring.insert(number.to_string(), number, (now, Some(now + Duration::from_secs(1))));
            assert_eq!(expiring.get_mut(&number.to_string(), now), Some(&mut number.clone()));
        }
        assert_eq!(expiring.get_mut("9999", start + Duration::from_secs(10_000)), None);
        assert!(expiring.entries.len() <= 1025, "{} are held", expiring.entries.len());
    }

    #[test]
    fn what_is_taken_is_taken_once() {
        let mut expiring = Expiring::default();
        let now = Instant::now();
        expiring.insert("code".to_owned(), 7, (now, None));
        assert_eq!((expiring.take("code", now), expiring.take("code", now)), (Some(7), None));
    }
}
