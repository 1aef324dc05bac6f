//! Figures for people and for machines.

use std::{fmt::Write, time::Duration};

use crate::{crowd::Figures, stacks::Variant};

/// What is aimed at with a gate: time of the ideal, and 429s for each call.
const OF_IDEAL: f64 = 1.15;
const REFUSED: f64 = 0.02;
/// How many calls it takes to be held to that.
const JUDGED: usize = 10_000;

pub(crate) fn head() -> String {
    let [calls, time, of_ideal] = ["calls", "time, s", "of ideal"];
    let [refused, share, failed, connections] = ["429s", "a call", "failed", "connections"];
    format!("{:<22}{calls:>9}{time:>10}{of_ideal:>11}{refused:>10}{share:>9}{failed:>9}{connections:>14}", "")
}

/// One line for each run.
pub(crate) fn line(it: &Figures) -> String {
    let (time, share) = (it.times.iter().max().map_or(0.0, Duration::as_secs_f64), it.refused_share());
    let mut line = format!(
        "{:<22}{:>9}{time:>10.1}{:>11.3}{:>10}{share:>9.3}{:>9}{:>14}",
        it.variant,
        it.calls,
        it.of_ideal(),
        it.refused,
        it.failed,
        it.connections,
    );
    match it.variant {
        Variant::Gate | Variant::Pacing if it.calls < JUDGED => {
            line += "   not judged: the first burst is too large a part of so few calls";
        }
        Variant::Gate | Variant::Pacing => {
            let verdict = if it.of_ideal() <= OF_IDEAL && share <= REFUSED { "reached" } else { "missed" };
            let _ = write!(line, "   aim: {OF_IDEAL} and {REFUSED}: {verdict}");
        }
        Variant::Fairness => {
            let times: Vec<_> = it.times.iter().map(|time| format!("{:.1} s", time.as_secs_f64())).collect();
            let _ = write!(line, "   {}: {:.3}", times.join(" and "), it.fairness());
        }
        Variant::Without | Variant::Tower => {}
    }
    if let Some(failure) = &it.failure {
        let _ = write!(line, "\n    one failed by: {failure}");
    }
    line + "\n"
}

/// One line with all of it.
pub(crate) fn for_machines(figures: &[Figures]) -> String {
    figures.iter().fold("limiter".to_owned(), |mut line, it| {
        let word = it.variant.word();
        let _ = match it.variant {
            Variant::Fairness => write!(line, " {word}={:.3}", it.fairness()),
            _ => write!(line, " {word}={:.3} {word}_429s={}", it.of_ideal(), it.refused),
        };
        line
    })
}
