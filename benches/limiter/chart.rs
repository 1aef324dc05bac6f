//! What the chart of 429s over time is drawn from.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Value, json};

use crate::{crowd::Figures, stacks::Variant};

/// How much of a run is drawn.
const SPAN: Duration = Duration::from_secs(12);

/// Writes `<folder>/gate.json`, if there is something to compare; the path.
pub(crate) fn save(figures: &[Figures], folder: &Path) -> io::Result<Option<PathBuf>> {
    // The chart takes the last one for what it is about.
    let sides = [Variant::Without, Variant::Gate];
    let sides: Vec<_> = sides.iter().filter_map(|side| figures.iter().find(|it| it.variant == *side)).collect();
    if sides.len() < 2 {
        return Ok(None);
    }
    fs::create_dir_all(folder)?;
    let path = folder.join("gate.json");
    fs::write(&path, Value::from_iter(sides.into_iter().map(side)).to_string())?;
    Ok(Some(path))
}

fn side(it: &Figures) -> Value {
    let calls = it.timeline.iter().filter(|(at, _)| *at < SPAN);
    let calls = calls.map(|(at, status)| json!([at.as_secs_f64(), status]));
    json!({ "name": it.variant.title(), "calls": Value::from_iter(calls) })
}
