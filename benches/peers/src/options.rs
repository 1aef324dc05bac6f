//! What was asked for on the command line.

use std::{env, process::exit};

const HELP: &str = "\
The same figures for gatepass and for what people would use instead.

  --quick          a first impression: fewer rounds, fewer callers, shorter outages
  --only NAME      only the peers whose name contains this; may be given again
  --scene NAME     only the storms whose name contains this, or hot-path; may be given again
  --markdown       the table in Markdown, with machine and date
  --details        also each scene of the hot path, and each storm as it ends
";

#[derive(Default)]
pub(crate) struct Options {
    pub(crate) quick: bool,
    pub(crate) markdown: bool,
    pub(crate) details: bool,
    only: Vec<String>,
    scenes: Vec<String>,
}

impl Options {
    pub(crate) fn read() -> Self {
        let mut options = Self::default();
        let mut arguments = env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().unwrap_or_else(|| refuse(&format!("{argument} what?")));
            match argument.as_str() {
                "--quick" => options.quick = true,
                "--markdown" => options.markdown = true,
                "--details" => options.details = true,
                "--only" => options.only.push(value()),
                "--scene" => options.scenes.push(value()),
                "--help" => {
                    print!("{HELP}");
                    exit(0);
                }
                _ => refuse(&format!("what is {argument}?")),
            }
        }
        options
    }

    pub(crate) fn wants_peer(&self, name: &str) -> bool {
        is_among(name, &self.only)
    }

    pub(crate) fn wants_scene(&self, name: &str) -> bool {
        is_among(name, &self.scenes)
    }
}

/// Everything is, where nothing was named.
fn is_among(name: &str, parts: &[String]) -> bool {
    parts.is_empty() || parts.iter().any(|part| name.contains(part.as_str()))
}

fn refuse(what: &str) -> ! {
    eprintln!("{what}\n\n{HELP}");
    exit(2);
}
