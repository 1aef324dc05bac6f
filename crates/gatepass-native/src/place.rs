//! Where the platform keeps what programs keep.

use std::path::PathBuf;

use etcetera::{BaseStrategy, base_strategy::choose_native_strategy};
use gatepass::Error;

/// A file in the program's folder.
///
/// # Errors
/// Misconfigured, when there is no home directory or no folder can have such a name.
pub(crate) fn of(name: &str, file: &str) -> Result<PathBuf, Error> {
    let folder = folder(name)?;
    let homeless =
        || Error::misconfigured("there is no home directory to keep tokens in: set HOME, or give App::store a store");
    let strategy = choose_native_strategy().map_err(|error| homeless().with_source(error))?;
    let path = strategy.data_dir().join(folder).join(file);
    // A HOME that is no whole path would keep them wherever the program was started.
    if path.is_absolute() { Ok(path) } else { Err(homeless()) }
}

/// A name that is one folder, on every system.
fn folder(name: &str) -> Result<&str, Error> {
    let is_odd = |c: char| c.is_control() || r#"/\:*?"<>|"#.contains(c);
    let name = name.trim();
    let has_dot = name.starts_with('.') || name.ends_with('.');
    if name.is_empty() || name.len() > 100 || name.contains(is_odd) || has_dot || is_device(name) {
        return Err(Error::misconfigured(format!(
            "no folder can have the name {name:?}: give the program one of letters, digits and spaces, or give App::store a store"
        )));
    }
    Ok(name)
}

/// Whether Windows takes it for a device, whatever comes after a dot.
fn is_device(name: &str) -> bool {
    let name = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let is_port =
        |rest: &str| matches!(rest, "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³");
    matches!(&*name, "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$")
        || name.strip_prefix("COM").or_else(|| name.strip_prefix("LPT")).is_some_and(is_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_has_a_folder_of_its_name_and_no_other() {
        for good in ["acme", "Acme Tool 2", "äcme", "a.b", "console", "COM10", "a.nul"] {
            assert_eq!(folder(good).unwrap(), good);
            let path = of(good, "tokens.json").unwrap();
            assert!(path.is_absolute() && path.ends_with(format!("{good}/tokens.json")), "{path:?}");
        }
        for bad in [
            "",
            " ",
            "..",
            "a/b",
            r"a\b",
            "C:",
            ".ssh",
            "a\nb",
            "a.",
            &"a".repeat(101),
            "nul",
            "Con.sole",
            "com1",
            "LPT³",
            "AUX .x",
        ] {
            let error = folder(bad).unwrap_err();
            assert!(error.is_misconfigured() && error.to_string().contains("App::store"), "{error}");
        }
    }
}
