//! One row for each peer: what a request pays, and what comes of each storm.

use std::{env, fs, process::Command, thread};

use azure_core::time::OffsetDateTime;

use crate::{
    hot_path::Cost,
    limited::Limited,
    notes::{NOTES, left_out, of},
    scenes::{Figures, Scene},
};

pub(crate) struct Table {
    scenes: Vec<Scene>,
    rows: Vec<Row>,
}

struct Row {
    name: &'static str,
    cost: Option<Cost>,
    figures: Option<Vec<Figures>>,
    limited: Option<Limited>,
}

const EXPLANATION: &str = "\
Hot path: what a request with a fresh token costs more than without a layer, on one thread and on two that share it, \
and how many allocations more. Storms: token requests / failed calls / p99 of the others in ms. Failed calls are \
those that had a living token, then, after a plus, those that had none. Endpoint down: in place of p99, after how many \
ms the first call succeeded. Before a limit of 250 calls a second: 429s / callers left with one / ms until the last was \
done.";

impl Table {
    /// With a column for each of these storms.
    pub(crate) fn new(scenes: Vec<Scene>) -> Self {
        Self { scenes, rows: Vec::new() }
    }

    pub(crate) fn add_cost(&mut self, cost: Cost) {
        let name = cost.name;
        self.row(name).cost = Some(cost);
    }

    pub(crate) fn add_figures(&mut self, name: &'static str, figures: Vec<Figures>) {
        self.row(name).figures = Some(figures);
    }

    pub(crate) fn add_limited(&mut self, limited: Limited) {
        let name = limited.name;
        self.row(name).limited = Some(limited);
    }

    fn row(&mut self, name: &'static str) -> &mut Row {
        let at = self.rows.iter().position(|row| row.name == name).unwrap_or_else(|| {
            self.rows.push(Row { name, cost: None, figures: None, limited: None });
            self.rows.len() - 1
        });
        &mut self.rows[at]
    }

    /// In columns, for a terminal.
    pub(crate) fn text(&self) -> String {
        let grid = self.grid();
        let width = |column: usize| grid.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
        let widths: Vec<usize> = (0..grid[0].len()).map(width).collect();
        let mut text = String::new();
        for row in &grid {
            let cells = row.iter().zip(&widths).enumerate().map(|(at, (cell, width))| match at {
                0 | 1 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            });
            text += cells.collect::<Vec<_>>().join("  ").trim_end();
            text += "\n";
        }
        format!("{text}\n{EXPLANATION}\n\n{}{}\n", self.notes("  "), machine())
    }

    pub(crate) fn markdown(&self) -> String {
        let grid = self.grid();
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let rule: Vec<String> = (0..grid[0].len()).map(|at| if at < 2 { "---" } else { "---:" }.to_owned()).collect();
        let rows: String = grid[1..].iter().map(|row| line(row)).collect();
        format!("{}{}{rows}\n{EXPLANATION}\n\n{}\n{}\n", line(&grid[0]), line(&rule), self.notes("- "), machine())
    }

    /// The head, then the rows.
    fn grid(&self) -> Vec<Vec<String>> {
        let head = ["", "above", "+ns", "+ns, two threads", "+allocations"];
        let scenes = self.scenes.iter().map(|scene| scene.title());
        let head = head.into_iter().chain(scenes).chain(["1,000 before a limit"]).map(str::to_owned).collect();
        [head].into_iter().chain(self.rows.iter().map(|row| row.cells(&self.scenes))).collect()
    }

    /// Those that the rows refer to.
    fn notes(&self, bullet: &str) -> String {
        let cells = self.grid().concat();
        let used = NOTES.iter().filter(|(letter, _)| cells.iter().any(|cell| cell.contains(&mark(*letter))));
        used.map(|(letter, note)| format!("{bullet}{letter}) {note}\n")).collect()
    }
}

impl Row {
    fn cells(&self, scenes: &[Scene]) -> Vec<String> {
        let name = match of(self.name) {
            Some(letter) => format!("{} {}", self.name, mark(letter)),
            None => self.name.to_owned(),
        };
        let cost = match &self.cost {
            Some(cost) => [
                cost.floor.to_owned(),
                format!("{:.0}", cost.one),
                format!("{:.0}", cost.two),
                format!("{:.1}", cost.allocations),
            ],
            None => [const { String::new() }; 4],
        };
        let storms = scenes.iter().map(|scene| self.storm(*scene));
        let limited = match &self.limited {
            Some(it) => format!("{} / {} / {:.0}", it.turned_away, it.failed, it.time.as_secs_f64() * 1e3),
            None if self.name.starts_with("gatepass") => String::new(),
            None => format!("- {}", mark('l')),
        };
        [name].into_iter().chain(cost).chain(storms).chain([limited]).collect()
    }

    fn storm(&self, scene: Scene) -> String {
        let Some(figures) = &self.figures else {
            // Whoever is above another floor as well is in the storms once.
            return if self.name.starts_with("gatepass") { String::new() } else { format!("- {}", mark('a')) };
        };
        let it = match figures.iter().find(|figures| figures.scene == scene) {
            Some(it) if it.left_out.is_none() => it,
            _ => return format!("- {}", mark(left_out(scene))),
        };
        let time = match scene {
            Scene::Outage => it.back_after.map(|after| format!("{:.0}", after.as_secs_f64() * 1e3)),
            _ => (!it.p99.is_zero()).then(|| format!("{:.0}", it.p99.as_secs_f64() * 1e3)),
        };
        let failed = match it.failed_without {
            0 => it.failed_with_token.to_string(),
            others => format!("{}+{others}", it.failed_with_token),
        };
        format!("{} / {failed} / {}", it.token_requests, time.as_deref().unwrap_or("-"))
    }
}

fn mark(letter: char) -> String {
    format!("{letter})")
}

/// Where and when.
fn machine() -> String {
    let model = fs::read_to_string("/proc/cpuinfo").ok().and_then(|info| {
        let line = info.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    let model = model.unwrap_or_else(|| env::consts::ARCH.to_owned());
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let compiler = Command::new("rustc").arg("--version").output().ok();
    let compiler =
        compiler.map_or_else(String::new, |output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    format!("{model}, {cores} cores, {compiler}, {}", OffsetDateTime::now_utc().date())
}
