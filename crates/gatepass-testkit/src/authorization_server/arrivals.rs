use std::{collections::BTreeMap, fmt, time::Instant};

use http::{HeaderMap, Method, request::Parts};
use tokio::sync::watch;

use super::form::Form;
use crate::journal::Journal;

/// A request to any endpoint of the server, as it arrived, and how it was answered.
///
/// Its `Debug` names the parameters but shows neither codes nor secrets; the fields hold all of it.
#[derive(Clone)]
#[non_exhaustive]
pub struct Arrival {
    /// When it had arrived.
    pub at: Instant,
    /// The method.
    pub method: Method,
    /// The path, without the query.
    pub path: String,
    /// The parameters of the query and then those of the form, in the order in which they came.
    pub params: Vec<(String, String)>,
    /// The headers, `Authorization` included.
    pub headers: HeaderMap,
    /// The status of the answer, `None` when the connection was dropped instead.
    pub status: Option<u16>,
}

impl Arrival {
    /// The first value of a parameter.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for Arrival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.params.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Arrival")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("params", &names)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// The last arrivals, and how many there were at each path.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    journal: Journal<Arrival>,
    by_path: watch::Sender<BTreeMap<String, usize>>,
}

impl Arrivals {
    pub(super) fn record(&self, at: Instant, parts: &Parts, form: Option<&Form>, status: Option<u16>) {
        let mut params = Form::of_query(parts.uri.query()).0;
        params.extend(form.into_iter().flat_map(|form| form.0.iter().cloned()));
        let path = parts.uri.path().to_owned();
        let (method, headers) = (parts.method.clone(), parts.headers.clone());
        self.journal.record(Arrival { at, method, path: path.clone(), params, headers, status });
        self.by_path.send_modify(|by_path| *by_path.entry(path).or_default() += 1);
    }

    pub(super) fn entries(&self) -> Vec<Arrival> {
        self.journal.entries()
    }

    pub(super) fn by_path(&self) -> BTreeMap<String, usize> {
        self.by_path.borrow().clone()
    }

    pub(super) async fn until(&self, path: &str, requests: usize) {
        let mut by_path = self.by_path.subscribe();
        // It fails only when the sender is gone, and `self` holds it.
        let _ = by_path.wait_for(|by_path| by_path.get(path).copied().unwrap_or_default() >= requests).await;
    }

    pub(super) fn keep(&self, entries: usize) {
        self.journal.keep(entries);
    }

    pub(super) fn reset(&self) {
        self.journal.reset();
        self.by_path.send_replace(BTreeMap::new());
    }
}
