//! What people see of a gate, each in one place.

use std::time::Duration;

use super::key::Name;
use crate::meter;

/// A call stood in the queue for so long, and went or gave up.
pub(super) fn waited(name: &Name, time: Duration) {
    meter::gated(name.label(), time);
    tracing::trace!(cell = name.label(), host = name.authority(), ?time, "a call waited at the gate");
}

/// A call was not sent.
pub(super) fn refused(name: &Name, why: &str, wait: Duration) {
    meter::refused_at_the_gate(name.label());
    tracing::debug!(cell = name.label(), host = name.authority(), why, ?wait, "a call was turned away at the gate");
}

/// Nobody goes for so long.
pub(super) fn closed(name: &Name, wait: Duration) {
    meter::gate_closed(name.label());
    tracing::debug!(
        cell = name.label(),
        host = name.authority(),
        ?wait,
        "the server turned a call away: the others wait"
    );
}

/// They go again, at this pace a second; one by one, if it is not known.
pub(super) fn opened(name: &Name, pace: Option<f64>) {
    tracing::debug!(cell = name.label(), host = name.authority(), pace, "calls go on");
}
