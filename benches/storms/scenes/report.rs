//! Figures as a table and as a file.

use std::{
    fmt::Write,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Value, json};

use super::{Expiry, Figures};

/// One line for each scene.
pub fn table(name: &str, figures: &[Figures]) -> String {
    let mut table = format!("{name}\n");
    for [calls, requests, failed, failed_without, p50, p99, max, sent] in [
        ["calls", "token", "failed, there", "failed, there", "p50", "p99", "max", "ended"],
        ["", "requests", "was a token", "was none", "ms", "ms", "ms", "tokens sent"],
    ] {
        let _ = writeln!(
            table,
            "{:<22}{calls:>8}{requests:>10}{failed:>15}{failed_without:>15}{p50:>10}{p99:>10}{max:>10}{sent:>13}",
            ""
        );
    }
    for it in figures {
        let title = it.scene.title();
        if let Some(why) = it.left_out {
            let _ = writeln!(table, "{title:<22}{:>8}   {why}", "-");
            continue;
        }
        let _ = writeln!(
            table,
            "{title:<22}{:>8}{:>10}{:>15}{:>15}{:>10.1}{:>10.1}{:>10.1}{:>13}{}",
            it.calls,
            it.token_requests,
            it.failed_with_token,
            it.failed_without,
            milliseconds(it.p50),
            milliseconds(it.p99),
            milliseconds(it.max),
            it.expired_sent,
            remarks(it),
        );
    }
    table
}

/// Writes `<folder>/<name>.json`; the path.
pub fn save(name: &str, figures: &[Figures], folder: &Path) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let path = folder.join(format!("{name}.json"));
    let scenes: Vec<Value> = figures.iter().map(scene).collect();
    let expiry = figures.iter().find_map(|it| it.expiry.as_ref()).map(expiry);
    fs::write(&path, json!({ "peer": name, "scenes": scenes, "expiry": expiry }).to_string())?;
    Ok(path)
}

fn remarks(it: &Figures) -> String {
    let mut remarks = String::new();
    if it.revoked_sent > 0 {
        let _ = write!(remarks, "  {} came with the revoked token", it.revoked_sent);
    }
    if let Some(back_after) = it.back_after {
        let _ = write!(remarks, "  the first success after {:.0} ms", milliseconds(back_after));
    }
    if let Some(window) = it.window {
        let (inside, outside) = (milliseconds(window.p99), milliseconds(window.p99_outside));
        let _ = write!(remarks, "  p99 of {} meanwhile {inside:.2} ms, else {outside:.2} ms", window.calls);
    }
    if let Some(failure) = it.failure.as_ref().filter(|_| it.failed_with_token > 0) {
        let _ = write!(remarks, "  ({failure})");
    }
    remarks
}

fn scene(it: &Figures) -> Value {
    let window = it.window.map(|window| {
        json!({
            "calls": window.calls,
            "p99_ms": milliseconds(window.p99),
            "max_ms": milliseconds(window.max),
            "p99_outside_ms": milliseconds(window.p99_outside),
            "max_outside_ms": milliseconds(window.max_outside),
        })
    });
    json!({
        "scene": it.scene.word(),
        "left_out": it.left_out,
        "calls": it.calls,
        "token_requests": it.token_requests,
        "failed_with_token": it.failed_with_token,
        "failed_without": it.failed_without,
        "failure": it.failure,
        "p50_ms": milliseconds(it.p50),
        "p99_ms": milliseconds(it.p99),
        "max_ms": milliseconds(it.max),
        "expired_sent": it.expired_sent,
        "revoked_sent": it.revoked_sent,
        "back_after_ms": it.back_after.map(milliseconds),
        "window": window,
    })
}

/// Times in seconds since the calls began, latencies in milliseconds.
fn expiry(it: &Expiry) -> Value {
    let calls: Vec<[f64; 2]> = it.calls.iter().map(|(at, time)| [*at, time * 1e3]).collect();
    json!({ "ends": it.ends, "token_requests": it.token_requests, "calls": calls })
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
