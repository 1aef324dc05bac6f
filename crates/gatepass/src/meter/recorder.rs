//! The only place that knows the `metrics` crate. `nobody` is its twin where the feature is off.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use metrics::{Gauge, Label, Unit};

use super::table::{ALL, Kind, Metric};

pub(super) fn count(metric: &Metric, values: &[&str]) {
    describe_once();
    metrics::counter!(metric.name, labels(metric, values)).increment(1);
}

pub(super) fn observe(metric: &Metric, values: &[&str], took: Duration) {
    describe_once();
    metrics::histogram!(metric.name, labels(metric, values)).record(took.as_secs_f64());
}

pub(super) fn set(metric: &Metric, values: &[&str], value: f64) {
    describe_once();
    metrics::gauge!(metric.name, labels(metric, values)).set(value);
}

/// Adds one to a gauge until this is dropped.
#[derive(Debug)]
pub(super) struct Raised(Gauge);

pub(super) fn raise(metric: &Metric, values: &[&str]) -> Raised {
    describe_once();
    let gauge = metrics::gauge!(metric.name, labels(metric, values));
    gauge.increment(1.0);
    Raised(gauge)
}

impl Drop for Raised {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

fn labels(metric: &Metric, values: &[&str]) -> Vec<Label> {
    debug_assert_eq!(metric.labels.len(), values.len(), "{}", metric.name);
    metric.labels.iter().zip(values).map(|(&label, &value)| Label::new(label, value.to_owned())).collect()
}

/// With the first thing that happens: before that there may be no recorder yet.
fn describe_once() {
    static DESCRIBED: AtomicBool = AtomicBool::new(false);
    if !DESCRIBED.load(Ordering::Relaxed) && !DESCRIBED.swap(true, Ordering::Relaxed) {
        describe();
    }
}

pub(super) fn describe() {
    for Metric { name, kind, help, .. } in ALL {
        match kind {
            Kind::Counter => metrics::describe_counter!(*name, Unit::Count, *help),
            Kind::Gauge => metrics::describe_gauge!(*name, Unit::Count, *help),
            Kind::Timestamp => metrics::describe_gauge!(*name, Unit::Seconds, *help),
            Kind::Histogram => metrics::describe_histogram!(*name, Unit::Seconds, *help),
        }
    }
}
