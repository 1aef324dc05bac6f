//! A recorder to read from, and the table that people read.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::{Arc, Mutex},
};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, LocalRecorderGuard, Metadata, Recorder,
    SharedString, Unit,
};

use super::*;

/// All that was recorded, by name and labels: `gatepass_exchanges_total{cell=billing,reason=cold,outcome=issued}`. Of a
/// histogram there are `_count` and `_sum`.
#[derive(Clone, Default)]
pub(crate) struct Page(Arc<Written>);

#[derive(Default)]
struct Written {
    figures: Mutex<BTreeMap<String, f64>>,
    described: Mutex<BTreeMap<String, Described>>,
    kinds: Mutex<BTreeMap<String, Kind>>,
    /// Called with each figure.
    asks: Mutex<Option<Box<dyn Fn() + Send>>>,
}

type Described = (Kind, Option<Unit>, String);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Page {
    /// Records on this thread until the guard is dropped.
    pub(crate) fn open(&self) -> LocalRecorderGuard<'_> {
        metrics::set_default_local_recorder(self)
    }

    /// 0 for what was never recorded.
    pub(crate) fn figure(&self, key: &str) -> f64 {
        self.0.figures.lock().unwrap().get(key).copied().unwrap_or_default()
    }

    pub(crate) fn figures(&self) -> BTreeMap<String, f64> {
        self.0.figures.lock().unwrap().clone()
    }

    pub(crate) fn asks(&self, ask: impl Fn() + Send + 'static) {
        *self.0.asks.lock().unwrap() = Some(Box::new(ask));
    }

    fn series(&self, key: &Key, kind: Kind) -> Series {
        self.0.kinds.lock().unwrap().insert(key.name().to_owned(), kind);
        let labels: Vec<_> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        Series { page: self.clone(), name: key.name().to_owned(), labels: format!("{{{}}}", labels.join(",")) }
    }

    fn describe(&self, name: &KeyName, kind: Kind, unit: Option<Unit>, help: &str) {
        self.0.described.lock().unwrap().insert(name.as_str().to_owned(), (kind, unit, help.to_owned()));
    }
}

struct Series {
    page: Page,
    name: String,
    labels: String,
}

impl Series {
    fn change(&self, suffix: &str, change: impl FnOnce(&mut f64)) {
        let key = format!("{}{suffix}{}", self.name, self.labels);
        change(self.page.0.figures.lock().unwrap().entry(key).or_default());
        if let Some(ask) = &*self.page.0.asks.lock().unwrap() {
            ask();
        }
    }
}

impl CounterFn for Series {
    fn increment(&self, value: u64) {
        self.change("", |figure| *figure += value as f64);
    }

    fn absolute(&self, value: u64) {
        self.change("", |figure| *figure = value as f64);
    }
}

impl GaugeFn for Series {
    fn increment(&self, value: f64) {
        self.change("", |figure| *figure += value);
    }

    fn decrement(&self, value: f64) {
        self.change("", |figure| *figure -= value);
    }

    fn set(&self, value: f64) {
        self.change("", |figure| *figure = value);
    }
}

impl HistogramFn for Series {
    fn record(&self, value: f64) {
        self.change("_count", |figure| *figure += 1.0);
        self.change("_sum", |figure| *figure += value);
    }
}

impl Recorder for Page {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, help: SharedString) {
        self.describe(&key, Kind::Counter, unit, &help);
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, help: SharedString) {
        self.describe(&key, Kind::Gauge, unit, &help);
    }

    fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, help: SharedString) {
        self.describe(&key, Kind::Histogram, unit, &help);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(Arc::new(self.series(key, Kind::Counter)))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(Arc::new(self.series(key, Kind::Gauge)))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(Arc::new(self.series(key, Kind::Histogram)))
    }
}

const REASONS: [Reason; 5] = [Reason::Cold, Reason::Advisory, Reason::Mandatory, Reason::Rejected, Reason::Forced];

const OUTCOMES: [Outcome; 10] = [
    Outcome::Issued,
    Outcome::Adopted,
    Outcome::Unchanged,
    Outcome::Replaced,
    Outcome::ReauthRequired,
    Outcome::Misconfigured,
    Outcome::InDoubt,
    Outcome::Transient,
    Outcome::Panicked,
    Outcome::Abandoned,
];

/// Calls everything there is, with everything it can be told.
fn emit_all() {
    let (cell, second) = (Some("billing"), Duration::from_secs(1));
    for reason in REASONS {
        OUTCOMES.into_iter().for_each(|outcome| exchanged(cell, reason, outcome, second));
    }
    token_ends(cell, None);
    stale_served(cell);
    for error in [Error::reauth_required(""), Error::misconfigured(""), Error::transient("")] {
        turned_away(cell, &error);
    }
    turned_away(cell, &Error::transient("").in_doubt());
    for rejection in [Rejection::Dropped, Rejection::Outdated, Rejection::Kept] {
        rejected(cell, rejection);
    }
    in_doubt(cell);
    conflicted(cell);
    replayed();
    for status in [None, Some(StatusCode::TOO_MANY_REQUESTS), Some(StatusCode::SERVICE_UNAVAILABLE)] {
        retried(status, second);
    }
    retried(Some(StatusCode::BAD_GATEWAY), second);
    gated(cell, second);
    gate_closed(cell);
    refused_at_the_gate(cell);
    Waiting::begin(cell).end(true);
    Waiting::begin(cell).end(false);
    drop(Waiting::begin(cell));
    drop(AtRisk::begin(cell));
}

/// The rows of `docs/observability.md`: name, type, labels.
fn rows() -> Vec<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/observability.md");
    let text = std::fs::read_to_string(path).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| `gatepass_"));
    rows.map(|row| {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        format!("{} {} {}", cells[1], cells[2], cells[3])
    })
    .collect()
}

#[test]
fn the_table_in_the_docs_is_what_is_emitted() {
    let page = Page::default();
    let guard = page.open();
    emit_all();
    drop(guard);
    let mut labels: BTreeMap<String, Vec<(String, BTreeSet<String>)>> = BTreeMap::new();
    for key in page.figures().keys() {
        let (name, pairs) = key.trim_end_matches('}').split_once('{').unwrap();
        let is_histogram = page.0.kinds.lock().unwrap().get(name).is_none();
        let name = if is_histogram { name.rsplit_once('_').unwrap().0 } else { name };
        let values = labels.entry(name.to_owned()).or_default();
        for (at, pair) in pairs.split(',').filter(|pair| !pair.is_empty()).enumerate() {
            let (label, value) = pair.split_once('=').unwrap();
            if values.len() == at {
                values.push((label.to_owned(), BTreeSet::new()));
            }
            assert_eq!(values[at].0, label, "{name}: the labels of all its series are the same");
            values[at].1.insert(value.to_owned());
        }
    }
    let mut emitted = Vec::new();
    for (name, labels) in labels {
        let kind = format!("{:?}", page.0.kinds.lock().unwrap()[&name]).to_lowercase();
        let mut shown = String::new();
        for (label, values) in labels {
            let values: Vec<_> = values.into_iter().map(|value| format!("`{value}`")).collect();
            let separator = if shown.is_empty() { "" } else { "; " };
            match label.as_str() {
                "cell" => write!(shown, "{separator}`cell`").unwrap(),
                _ => write!(shown, "{separator}`{label}`: {}", values.join(", ")).unwrap(),
            }
        }
        emitted.push(format!("`{name}` {kind} {shown}").trim_end().to_owned());
    }
    let mut documented: Vec<_> = rows().iter().map(|row| row.trim_end().to_owned()).collect();
    documented.sort();
    assert_eq!(documented, emitted, "left: docs/observability.md; right: what is emitted");
}

#[test]
fn every_metric_is_described_with_the_unit_its_name_ends_in() {
    let page = Page::default();
    let guard = page.open();
    recorder::describe();
    emit_all();
    drop(guard);
    let described = page.0.described.lock().unwrap();
    let kinds = page.0.kinds.lock().unwrap();
    assert_eq!(described.keys().collect::<Vec<_>>(), kinds.keys().collect::<Vec<_>>());
    for (name, (kind, unit, help)) in &*described {
        assert_eq!(kinds[name], *kind, "{name}");
        assert_eq!(name.ends_with("_seconds"), *unit == Some(Unit::Seconds), "{name}");
        assert_eq!(name.ends_with("_total"), *kind == Kind::Counter, "{name}");
        assert!(name.starts_with("gatepass_") && help.ends_with('.'), "{name}: {help}");
    }
}

#[test]
fn a_caller_that_leaves_waits_no_more() {
    let page = Page::default();
    let _guard = page.open();
    let (one, two) = (Waiting::begin(Some("billing")), Waiting::begin(Some("billing")));
    assert_eq!(page.figure("gatepass_callers_waiting{cell=billing}"), 2.0);
    drop(one);
    two.end(true);
    assert_eq!(page.figure("gatepass_callers_waiting{cell=billing}"), 0.0);
    for outcome in ["left", "token"] {
        assert_eq!(
            page.figure(&format!("gatepass_wait_duration_seconds_count{{cell=billing,outcome={outcome}}}")),
            1.0
        );
    }
}
