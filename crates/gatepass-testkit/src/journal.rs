//! What the servers remember of what arrived.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
};

use tokio::sync::watch;

use crate::{
    lock::lock,
    server::{Entered, Gauge},
};

/// The last entries of a journal, how many requests arrived, and how many were under way at once.
#[derive(Debug)]
pub(crate) struct Journal<T> {
    kept: Mutex<Kept<T>>,
    arrived: watch::Sender<usize>,
    under_way: Arc<Gauge>,
}

#[derive(Debug)]
struct Kept<T> {
    entries: VecDeque<T>,
    most: usize,
}

impl<T: Clone> Journal<T> {
    /// A request is under way for as long as the returned value lives.
    pub(crate) fn enter(&self) -> Entered {
        self.under_way.enter()
    }

    /// Counts a request, which whoever waits for it finds in the journal.
    pub(crate) fn record(&self, entry: T) {
        let mut kept = lock(&self.kept);
        if kept.most > 0 {
            if kept.entries.len() == kept.most {
                kept.entries.pop_front();
            }
            kept.entries.push_back(entry);
        }
        drop(kept);
        self.arrived.send_modify(|arrived| *arrived += 1);
    }

    pub(crate) fn keep(&self, most: usize) {
        let mut kept = lock(&self.kept);
        let surplus = kept.entries.len().saturating_sub(most);
        kept.entries.drain(..surplus);
        kept.most = most;
    }

    pub(crate) fn entries(&self) -> Vec<T> {
        lock(&self.kept).entries.iter().cloned().collect()
    }

    pub(crate) fn filter_map<U>(&self, f: impl FnMut(&T) -> Option<U>) -> Vec<U> {
        lock(&self.kept).entries.iter().filter_map(f).collect()
    }

    pub(crate) fn arrived(&self) -> usize {
        *self.arrived.borrow()
    }

    pub(crate) fn most_under_way(&self) -> usize {
        self.under_way.most()
    }

    pub(crate) async fn until_arrived(&self, requests: usize) {
        let mut arrived = self.arrived.subscribe();
        // It fails only when the sender is gone, and `self` holds it.
        let _ = arrived.wait_for(|arrived| *arrived >= requests).await;
    }

    pub(crate) fn reset(&self) {
        lock(&self.kept).entries.clear();
        self.arrived.send_replace(0);
        self.under_way.reset();
    }
}

/// How many requests were answered with each status, and how many not at all.
#[derive(Debug, Default)]
pub(crate) struct Statuses {
    answered: BTreeMap<u16, usize>,
    dropped: usize,
}

impl Statuses {
    pub(crate) fn count(&mut self, status: Option<u16>) {
        *status.map_or(&mut self.dropped, |status| self.answered.entry(status).or_default()) += 1;
    }

    pub(crate) fn answered(&self) -> &BTreeMap<u16, usize> {
        &self.answered
    }

    pub(crate) fn dropped(&self) -> usize {
        self.dropped
    }
}

impl<T> Default for Journal<T> {
    fn default() -> Self {
        Self {
            kept: Mutex::new(Kept { entries: VecDeque::new(), most: 10_000 }),
            arrived: watch::Sender::new(0),
            under_way: Arc::default(),
        }
    }
}
